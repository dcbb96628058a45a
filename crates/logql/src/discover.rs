//! What can be found out about a line: what Loki adds when it is pushed, and which fields it has.

use wharf_signal::{Labels, LogEntry};

use crate::fields::{Fields, Wanted};
use crate::stage::json::{self, Scanner, Value, unescape};
use crate::stage::logfmt::{self, Pairs};
use crate::text::{parse_bytes, parse_go_duration};

/// Fields that hold a level, the best first.
const LEVEL: [&str; 14] = [
    "level",
    "LEVEL",
    "Level",
    "log.level",
    "severity",
    "SEVERITY",
    "Severity",
    "SeverityText",
    "lvl",
    "LVL",
    "Lvl",
    "severity_text",
    "Severity_Text",
    "SEVERITY_TEXT",
];

const LEVEL_LABEL: &str = "detected_level";
/// OpenTelemetry's number, from 1 to 24.
const SEVERITY_NUMBER: &str = "severity_number";
/// How deep in an object a level is looked for.
const LEVEL_DEPTH: usize = 2;

/// Adds what Loki adds to an entry when it is pushed: `detected_level`, to its structured metadata.
pub fn discover(stream: &Labels, entry: &mut LogEntry) {
    if entry.metadata.get(LEVEL_LABEL).is_some() {
        return;
    }
    let of = |labels: &Labels| {
        let found = LEVEL.iter().find_map(|name| labels.get(name));
        found.map(str::to_owned)
    };
    let named = of(stream).or_else(|| of(&entry.metadata));
    let level = named.unwrap_or_else(|| match entry.metadata.get(SEVERITY_NUMBER) {
        Some(number) => by_number(number).to_owned(),
        None => detect_level(&entry.line).to_owned(),
    });
    let mut metadata = entry.metadata.edit();
    metadata.set(LEVEL_LABEL, level);
    entry.metadata = metadata.build();
}

fn by_number(number: &str) -> &'static str {
    match number.parse::<i64>() {
        Err(_) => "info",
        Ok(1..=4) => "trace",
        Ok(5..=8) => "debug",
        Ok(9..=12) => "info",
        Ok(13..=16) => "warn",
        Ok(17..=20) => "error",
        Ok(21..=24) => "fatal",
        Ok(_) => "unknown",
    }
}

/// The level that a line says, in Loki's words; `unknown` if it says none.
#[must_use]
pub fn detect_level(line: &str) -> &'static str {
    let mut word = String::new();
    if is_json(line) {
        level_in_json(&mut Scanner::new(line), 0, &mut word).ok();
    } else if line.contains('=') {
        level_in_logfmt(line, &mut word);
    }
    if word.len() <= 8 {
        word.make_ascii_lowercase();
        let known = match word.as_str() {
            "trace" | "trc" => Some("trace"),
            "debug" | "dbg" => Some("debug"),
            "info" | "inf" => Some("info"),
            "warn" | "wrn" | "warning" => Some("warn"),
            "error" | "err" => Some("error"),
            "critical" => Some("critical"),
            "fatal" => Some("fatal"),
            _ => None,
        };
        if let Some(known) = known {
            return known;
        }
    }
    level_in_words(line)
}

fn is_json(line: &str) -> bool {
    let trimmed = line.trim();
    trimmed.starts_with('{') && trimmed.ends_with('}')
}

fn level_in_json(
    scanner: &mut Scanner<'_>,
    depth: usize,
    word: &mut String,
) -> Result<bool, &'static str> {
    let mut members = scanner.members()?;
    while let Some(key) = members.next(scanner)? {
        scanner.blank();
        match scanner.peek() {
            Some(b'{') if depth + 1 < LEVEL_DEPTH => {
                if level_in_json(scanner, depth + 1, word)? {
                    return Ok(true);
                }
            }
            Some(b'"') if LEVEL.contains(&key) => {
                if let Value::Text(text) = scanner.value()? {
                    unescape(text, word);
                    return Ok(true);
                }
            }
            _ => scanner.skip()?,
        }
    }
    Ok(false)
}

fn level_in_logfmt(line: &str, word: &mut String) {
    let mut best = LEVEL.len();
    for pair in Pairs::new(line) {
        let Ok((key, value)) = pair else { return };
        let rank = LEVEL.iter().position(|name| name.eq_ignore_ascii_case(key));
        if let Some(rank) = rank.filter(|rank| *rank < best) {
            best = rank;
            word.clear();
            word.push_str(&value);
            if rank == 0 {
                return;
            }
        }
    }
}

/// By the words that occur anywhere, in Loki's order.
fn level_in_words(line: &str) -> &'static str {
    const WORDS: [(&str, &[&str]); 5] = [
        ("info", &["info", "INFO"]),
        ("error", &["err:", "ERR:", "error", "ERROR"]),
        ("warn", &["warn:", "WARN:", "warning", "WARNING"]),
        ("critical", &["CRITICAL:", "critical:"]),
        ("debug", &["debug:", "DEBUG:"]),
    ];
    let found = WORDS
        .iter()
        .find(|(_, words)| words.iter().any(|word| line.contains(word)));
    found.map_or("unknown", |(level, _)| level)
}

/// What kind of values a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldKind {
    /// `true`, `false`
    Boolean,
    /// `5`
    Int,
    /// `0.5`
    Float,
    /// `1.5s`
    Duration,
    /// `5KB`
    Bytes,
    /// Anything else.
    Text,
}

impl FieldKind {
    /// The kind of a value.
    #[must_use]
    pub fn of(value: &str) -> Self {
        if value.parse::<i64>().is_ok() {
            Self::Int
        } else if value.parse::<f64>().is_ok() {
            Self::Float
        } else if matches!(value, "true" | "false") {
            Self::Boolean
        } else if parse_go_duration(value).is_ok() {
            Self::Duration
        } else if parse_bytes(value).is_ok() {
            Self::Bytes
        } else {
            Self::Text
        }
    }

    /// Loki's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Float => "float",
            Self::Duration => "duration",
            Self::Bytes => "bytes",
            Self::Text => "string",
        }
    }
}

/// The fields that a line of JSON or logfmt has, as the labels that `| json` or `| logfmt` would make; and which of these two it is.
#[must_use]
pub fn fields_of(stream: &Labels, line: &str) -> Option<(&'static str, Labels)> {
    let mut fields = Fields::default();
    fields.begin(stream, &Labels::empty());
    let parser = if is_json(line) {
        json::extract(line, &mut fields, &mut Wanted::All, &mut String::new());
        "json"
    } else if line.contains('=') {
        logfmt::extract(
            line,
            false,
            false,
            &mut fields,
            &mut Wanted::All,
            &mut String::new(),
        );
        "logfmt"
    } else {
        return None;
    };
    if !fields.error().is_empty() {
        return None;
    }
    let parsed = fields.parsed();
    (!parsed.is_empty()).then_some((parser, parsed))
}

/// What a line has in common with others of its kind: parts with digits, and texts in quotes, become `<_>`.
#[must_use]
pub fn pattern_of(line: &str) -> String {
    /// Longer lines are told apart by their beginnings.
    const LONGEST: usize = 1_024;
    let end = (0..=LONGEST.min(line.len()))
        .rev()
        .find(|at| line.is_char_boundary(*at));
    let line = &line[..end.unwrap_or(0)];
    let mut out = String::with_capacity(line.len());
    for (index, word) in line.split(' ').enumerate() {
        if index > 0 {
            out.push(' ');
        }
        let (key, value) = match word.split_once('=') {
            Some((key, value)) if !key.bytes().any(|b| b.is_ascii_digit()) => (Some(key), value),
            _ => (None, word),
        };
        if let Some(key) = key {
            out.push_str(key);
            out.push('=');
        }
        if value.bytes().any(|b| b.is_ascii_digit()) {
            if !out.ends_with("<_>") {
                out.push_str("<_>");
            }
        } else {
            out.push_str(value);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_found_as_loki_finds_them() {
        for (line, expected) in [
            (r#"{"level":"WARN","msg":"error"}"#, "warn"),
            (r#"{"a":{"level":"err"}}"#, "error"),
            (r#"{"a":{"b":{"level":"debug"}}}"#, "unknown"),
            (r#"{"msg":"an error"}"#, "error"),
            ("ts=1 level=fatal msg=info", "fatal"),
            ("lvl=dbg Level=trace", "trace"),
            ("level=other ERROR", "error"),
            ("INFO: started", "info"),
            ("[critical: x]", "critical"),
            ("nothing", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(detect_level(line), expected, "{line}");
        }
    }

    #[track_caller]
    fn check_level(stream: &[(&str, &str)], metadata: &[(&str, &str)], line: &str, expected: &str) {
        let mut entry = LogEntry {
            nanos: 0,
            line: line.to_owned(),
            metadata: Labels::from_pairs(metadata.iter().copied()),
        };
        discover(&Labels::from_pairs(stream.iter().copied()), &mut entry);
        assert_eq!(entry.metadata.value("detected_level"), expected, "{line}");
    }

    #[test]
    fn what_is_known_is_not_found_out_again() {
        check_level(&[("level", "audit")], &[], "error", "audit");
        check_level(&[], &[("detected_level", "warn")], "error", "warn");
        check_level(&[], &[("severity_number", "17")], "x", "error");
        check_level(&[], &[("severity", "INFO")], "x", "INFO");
    }

    #[test]
    fn fields_have_kinds() {
        for (value, expected) in [
            ("5", FieldKind::Int),
            ("0.5", FieldKind::Float),
            ("true", FieldKind::Boolean),
            ("1.5s", FieldKind::Duration),
            ("5KB", FieldKind::Bytes),
            ("x", FieldKind::Text),
        ] {
            assert_eq!(FieldKind::of(value), expected, "{value}");
        }
        let (parser, labels) = fields_of(&Labels::empty(), r#"{"a":{"b":1}}"#).expect("fields");
        assert_eq!(
            (parser, labels.to_string().as_str()),
            ("json", r#"{a_b="1"}"#)
        );
        assert!(fields_of(&Labels::empty(), "plain").is_none());
    }

    #[test]
    fn lines_of_a_kind_have_one_pattern() {
        let pattern = "GET <_> took=<_> status=ok";
        for line in [
            "GET /a/1 took=5ms status=ok",
            "GET /b/22 took=1.5s status=ok",
        ] {
            assert_eq!(pattern_of(line), pattern);
        }
    }
}
