//! What is known of a line: the labels of its stream, and what stands beside it.

use std::collections::HashMap;

use serde_json::{Map, Value};
use wharf_process::log::{Record, structured};
use wharf_signal::{Labels, LogEntry};

/// Fields of a JSON line that are kept beside it, and how long each may be: enough for what people search by, and little
/// beside the line itself.
const FIELDS_MAX: usize = 24;
const FIELD_MAX_BYTES: usize = 128;

/// Streams whose labels are kept ready.
const STREAMS_MAX: usize = 4_096;

/// Gives lines their labels.
pub(crate) struct Labeller {
    namespace: String,
    streams: HashMap<[String; 5], Labels>,
}

impl Labeller {
    pub(crate) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            streams: HashMap::new(),
        }
    }

    /// A line of a replica, a job or a store.
    pub(crate) fn record(&mut self, service: &str, record: &Record) -> (Labels, LogEntry) {
        let replica = record.replica();
        let release = release_of(service, replica).unwrap_or_default();
        let nanos = i64::try_from(record.nanos).unwrap_or(i64::MAX);
        let line = record.text.clone();
        self.label(
            [service, replica, release, record.kind.as_str()],
            nanos,
            line,
        )
    }

    /// A line of the ingress's access log; none if it is no such line.
    pub(crate) fn access(&mut self, line: &str) -> Option<(Labels, LogEntry)> {
        let nanos = access_nanos(line)?;
        Some(self.label(["ingress", "ingress", "", "access"], nanos, line.to_owned()))
    }

    fn label(&mut self, stream: [&str; 4], nanos: i64, line: String) -> (Labels, LogEntry) {
        let found = structured(&line);
        let status = || found.as_ref()?.fields.get("status")?.as_u64();
        let level = match found.as_ref().and_then(|found| found.level.clone()) {
            Some(level) => level,
            // The access log has a status in place of a level.
            None if stream[3] == "access" => match status() {
                Some(500..) => "error".to_owned(),
                Some(400..) => "warn".to_owned(),
                _ => "info".to_owned(),
            },
            None => wharf_logql::detect_level(&line).to_owned(),
        };
        let metadata = found.map_or_else(Labels::empty, |found| {
            metadata(found.fields, found.trace_id)
        });
        let labels = self.stream(stream, &level);
        let entry = LogEntry {
            nanos,
            line,
            metadata,
        };
        (labels, entry)
    }

    fn stream(&mut self, [service, replica, release, stream]: [&str; 4], level: &str) -> Labels {
        let key = [service, replica, release, stream, level].map(str::to_owned);
        if let Some(labels) = self.streams.get(&key) {
            return labels.clone();
        }
        let labels = Labels::from_pairs([
            ("namespace", self.namespace.as_str()),
            ("service", service),
            ("service_name", service),
            ("replica", replica),
            ("release", release),
            ("stream", stream),
            ("level", level),
        ]);
        if self.streams.len() >= STREAMS_MAX {
            self.streams.clear();
        }
        self.streams.insert(key, labels.clone());
        labels
    }
}

/// The release in a replica's id, `web-r3-12`; none of a store or a job of another form.
fn release_of<'a>(service: &str, replica: &'a str) -> Option<&'a str> {
    let rest = replica.strip_prefix(service)?.strip_prefix('-')?;
    let (release, _) = rest.split_once('-')?;
    let digits = release.strip_prefix('r')?;
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then_some(release)
}

/// What of a JSON line stands beside it: short fields of its top level. The trace's id is written as tracing systems do,
/// 32 digits, whatever form the line has.
fn metadata(fields: Map<String, Value>, trace_id: Option<String>) -> Labels {
    const ELSEWHERE: [&str; 8] = [
        "time",
        "timestamp",
        "ts",
        "level",
        "severity",
        "message",
        "msg",
        "trace_id",
    ];
    let mut pairs: Vec<(String, String)> = vec![];
    if let Some(id) = trace_id {
        let id = wharf_signal::TraceId::parse(&id).map_or(id, |id| id.to_string());
        pairs.push(("trace_id".to_owned(), id));
    }
    for (name, value) in fields {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => continue,
        };
        let fits =
            !text.is_empty() && text.len() <= FIELD_MAX_BYTES && name.len() <= FIELD_MAX_BYTES;
        if fits && !ELSEWHERE.contains(&name.as_str()) {
            pairs.push((label_name(&name), text));
        }
        if pairs.len() >= FIELDS_MAX {
            break;
        }
    }
    Labels::from_pairs(pairs)
}

/// A field's name as a label's: what may not stand in one becomes `_`.
fn label_name(name: &str) -> String {
    let mut out: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert(0, '_');
    }
    out
}

/// The time of a line of the access log, `{"time":"2026-11-21T20:00:00.123Z",…`.
fn access_nanos(line: &str) -> Option<i64> {
    let rest = line.strip_prefix("{\"time\":\"")?;
    let time: jiff::Timestamp = rest.split('"').next()?.parse().ok()?;
    i64::try_from(time.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_from_ids() {
        assert_eq!(release_of("web", "web-r3-12"), Some("r3"));
        assert_eq!(release_of("web-a", "web-a-r3-12"), Some("r3"));
        assert_eq!(release_of("db", "db"), None);
        assert_eq!(release_of("web", "web-run-1"), None);
    }

    #[test]
    fn short_fields_stand_beside_the_line() {
        let line = r#"{"time":"x","level":"info","trace_id":"4bf92f35-77b3-4da6-a3ce-929d0e0e4736","user.id":7,"9a":true,"deep":{"a":1},"long":"LONG"}"#
            .replace("LONG", &"x".repeat(FIELD_MAX_BYTES + 1));
        let found = structured(&line).expect("an object");
        let labels = metadata(found.fields, found.trace_id);
        assert_eq!(
            labels.to_string(),
            r#"{_9a="true", trace_id="4bf92f3577b34da6a3ce929d0e0e4736", user_id="7"}"#
        );
    }

    #[test]
    fn the_access_log_has_levels_by_status() {
        let mut labeller = Labeller::new("shop");
        let line = r#"{"time":"2026-11-21T20:00:00.123Z","trace_id":"4bf92f35-77b3-4da6-a3ce-929d0e0e4736","status":503}"#;
        let (labels, entry) = labeller.access(line).expect("a line");
        assert_eq!(labels.value("level"), "error");
        assert_eq!(labels.value("service"), "ingress");
        assert_eq!(entry.nanos, 1_795_291_200_123_000_000);
        assert!(labeller.access("torn").is_none());
    }
}
