//! What a line says of itself when it is a JSON object, as structured loggers write it.

use serde_json::{Map, Value};

/// Where loggers of the common frameworks put each of them (zap, pino, tracing, structlog, logback, ECS, GCP).
const LEVEL_KEYS: [&str; 6] = [
    "level",
    "severity",
    "lvl",
    "levelname",
    "log.level",
    "log_level",
];
const MESSAGE_KEYS: [&str; 4] = ["message", "msg", "event", "text"];
const TRACE_KEYS: [&str; 6] = [
    "trace_id",
    "traceId",
    "traceID",
    "trace.id",
    "dd.trace_id",
    "trace",
];

/// A line that is a JSON object.
#[derive(Debug, Clone, PartialEq)]
pub struct Structured {
    /// `trace`, `debug`, `info`, `warn`, `error` or `fatal`; another word as it stands, in lower case.
    pub level: Option<String>,
    /// The message.
    pub message: Option<String>,
    /// The trace's id, as it stands.
    pub trace_id: Option<String>,
    /// All fields, these included.
    pub fields: Map<String, Value>,
}

/// Reads a line that is a JSON object; none if it is something else.
#[must_use]
pub fn structured(text: &str) -> Option<Structured> {
    let trimmed = text.trim_start();
    if !trimmed.starts_with('{') {
        return None;
    }
    let fields: Map<String, Value> = serde_json::from_str(trimmed).ok()?;
    // tracing's JSON has its fields one level down, all others at the top.
    let nested = fields.get("fields").and_then(Value::as_object);
    let find = |keys: &[&str]| {
        let look = |map: &Map<String, Value>| keys.iter().find_map(|key| map.get(*key).cloned());
        look(&fields).or_else(|| nested.and_then(look))
    };
    Some(Structured {
        level: find(&LEVEL_KEYS).and_then(|value| level(&value)),
        message: find(&MESSAGE_KEYS).and_then(word),
        trace_id: find(&TRACE_KEYS).and_then(word),
        fields,
    })
}

fn word(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn level(value: &Value) -> Option<String> {
    let level = match value {
        // The numbers of bunyan and pino.
        Value::Number(number) => match number.as_u64()? {
            0..20 => "trace",
            20..30 => "debug",
            30..40 => "info",
            40..50 => "warn",
            50..60 => "error",
            _ => "fatal",
        }
        .to_owned(),
        Value::String(text) => {
            let lower = text.to_ascii_lowercase();
            match lower.as_str() {
                "warning" => "warn".to_owned(),
                "err" => "error".to_owned(),
                "critical" | "crit" | "emergency" | "alert" | "panic" => "fatal".to_owned(),
                "information" | "notice" => "info".to_owned(),
                _ => lower,
            }
        }
        _ => return None,
    };
    Some(level)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(Option<&str>, Option<&str>, Option<&str>)>) {
        let got = structured(text);
        let got = got.as_ref().map(|s| {
            (
                s.level.as_deref(),
                s.message.as_deref(),
                s.trace_id.as_deref(),
            )
        });
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn knows_the_usual_loggers() {
        check(
            r#"{"level":"INFO","message":"up","trace_id":"ab"}"#,
            Some((Some("info"), Some("up"), Some("ab"))),
        );
        check(
            r#"{"level":50,"msg":"x","traceId":"t"}"#,
            Some((Some("error"), Some("x"), Some("t"))),
        );
        check(
            r#"{"level":"WARN","fields":{"message":"m","trace_id":"q"}}"#,
            Some((Some("warn"), Some("m"), Some("q"))),
        );
        check(
            r#"{"severity":"CRITICAL","event":"e"}"#,
            Some((Some("fatal"), Some("e"), None)),
        );
        check(r#" {"a":1}"#, Some((None, None, None)));
        check(r#"{"level":null,"message":{}}"#, Some((None, None, None)));
    }

    #[test]
    fn other_lines_are_none() {
        for text in ["", "{", "plain", "[1]", "\"a\"", "{]", "{\"a\":1} trailing"] {
            check(text, None);
        }
        check(&"{\"a\":".repeat(10_000), None);
    }
}
