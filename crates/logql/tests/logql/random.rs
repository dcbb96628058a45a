//! Random queries and texts: what prints reads back, and nothing panics.

use proptest::prelude::*;
use wharf_logql::{LogParams, log_query, parse};
use wharf_signal::Direction;

use crate::store::Store;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("a".to_owned()),
        Just("b c".to_owned()),
        Just("\"\\\n".to_owned()),
        "[a-zä]{0,3}"
    ]
}

fn quoted() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("{text:?}"))
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        quoted().prop_map(|text| format!("x={text}")),
        quoted().prop_map(|text| format!("x!={text}")),
        (-5..5).prop_map(|n| format!("y > {n}")),
        (1..90).prop_map(|n| format!("y <= {n}m")),
        (1..90).prop_map(|n| format!("y = {n}KiB")),
        Just("z = ip(\"10.0.0.0/8\")".to_owned()),
    ];
    leaf.prop_recursive(4, 16, 2, |inner| {
        let joint = prop_oneof![Just(" and "), Just(" or "), Just(", "), Just(" ")];
        (inner.clone(), joint, inner, any::<bool>()).prop_map(|(a, joint, b, closed)| {
            if closed {
                format!("({a}{joint}{b})")
            } else {
                format!("{a}{joint}{b}")
            }
        })
    })
}

fn stage() -> impl Strategy<Value = String> {
    prop_oneof![
        (prop_oneof![Just("|="), Just("!=")], quoted())
            .prop_map(|(op, text)| format!("{op} {text}")),
        (quoted(), quoted()).prop_map(|(a, b)| format!("|= {a} or {b}")),
        condition().prop_map(|condition| format!("| {condition}")),
        prop_oneof![
            Just("| json"),
            Just("| logfmt --strict"),
            Just("| json a=\"b[0].c\", d"),
            Just("| unpack"),
            Just("| decolorize"),
            Just("| drop a, b=\"c\""),
            Just("| keep a"),
            Just("| label_format a=b"),
            Just("| line_format `{{.a | upper}}`"),
            Just("| pattern `<a> <_>`"),
        ]
        .prop_map(str::to_owned),
    ]
}

fn log() -> impl Strategy<Value = String> {
    prop::collection::vec(stage(), 0..4)
        .prop_map(|stages| format!("{{app=\"a\"}} {}", stages.join(" ")))
}

fn metric() -> impl Strategy<Value = String> {
    let range = prop_oneof![
        (log(), 1..400).prop_map(|(log, s)| format!("rate({log} [{s}s])")),
        (log(), 1..400).prop_map(|(log, s)| format!("bytes_over_time({log} [{s}s] offset {s}m)")),
        (log(), 1..9).prop_map(|(log, q)| format!(
            "quantile_over_time(0.{q}, {log} | unwrap a | b=\"\" [5m]) by (c)"
        )),
        (0..9).prop_map(|n| format!("vector({n})")),
    ];
    range.prop_recursive(3, 12, 2, |inner| {
        let op = prop_oneof![
            Just("+"),
            Just("- on (a)"),
            Just("* ignoring (a) group_left (b)"),
            Just("^"),
            Just("> bool"),
            Just("unless"),
        ];
        prop_oneof![
            inner.clone().prop_map(|of| format!("sum by (a, b) ({of})")),
            inner
                .clone()
                .prop_map(|of| format!("topk(3, {of}) without (a)")),
            inner
                .clone()
                .prop_map(|of| format!("label_replace({of}, \"a\", \"$1\", \"b\", \"(.*)\")")),
            (inner.clone(), op, inner).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        ]
    })
}

/// A value of JSON, which may also be one of logfmt.
fn value() -> impl Strategy<Value = String> {
    let values = [
        r#""x""#,
        r#""\u0078""#,
        r#""y z""#,
        "\"y\u{fffd}z\"",
        r#""y\u0020z""#,
        "1",
        "true",
        r#""t1""#,
        "null",
        "[1]",
        r#""a"#,
    ];
    prop::sample::select(values.map(str::to_owned).to_vec())
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_the_same(query in prop_oneof![log(), metric()]) {
        let expr = parse(&query).map_err(|error| TestCaseError::fail(format!("{query}: {error}")))?;
        let printed = expr.to_string();
        prop_assert_eq!(parse(&printed), Ok(expr), "{} -> {}", query, printed);
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,60}", parts in prop::collection::vec(0..PARTS.len(), 0..20)) {
        let built: String = parts.iter().map(|part| PARTS[*part]).collect::<Vec<_>>().join(" ");
        for query in [text.clone(), built, format!("{{a=\"b\"}} | line_format {text:?}")] {
            if let Ok(expr) = parse(&query) {
                prop_assert!(!expr.to_string().is_empty());
            }
        }
    }

    #[test]
    fn lines_are_never_a_reason_to_panic(line in "\\PC{0,80}", start in 0..LINES.len(), cut in 0..60_usize) {
        let whole = format!("{}{line}", LINES[start]);
        let end = (0..=cut.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
        let store = Store::of(&[("a", &whole), ("a", &whole[..end])]);
        for stage in ["json", "logfmt", "logfmt --strict", "unpack", "decolorize", "json x=\"a.b[0]\"",
            "pattern \"<a> <b>=<_>\"", "regexp \"(?P<x>.)=\"", "json | x = ip(\"10.0.0.0/8\") or y > 5s"]
        {
            let query = format!("{{app=\"a\"}} | {stage} | line_format `{{{{.a}}}} {{{{__line__ | trunc 5}}}}`");
            let params = LogParams { start: 0, end: i64::MAX, limit: 10, direction: Direction::Backward, interval: 0, now: 0 };
            let expr = parse(&query).map_err(|error| TestCaseError::fail(format!("{query}: {error}")))?;
            prop_assert!(log_query(&store, &expr, &params, &()).is_ok());
        }
    }

    #[test]
    fn what_is_not_parsed_would_not_have_passed(
        lines in prop::collection::vec((any::<bool>(), "(a|b|app|trace_id)", value(), value()), 0..20),
        name in "(a|b|app|trace_id|app_extracted)",
        wanted in "(x|y z|t1|1|true|a)",
        op in "(=|!=|=~)",
    ) {
        let lines: Vec<String> = lines
            .iter()
            .map(|(json, key, a, b)| match json {
                true => format!(r#"{{"{key}":{a},"b":{{"c":{b}}},"b":{b}}}"#),
                false => format!("{key}={a} b={b}"),
            })
            .collect();
        let pairs: Vec<(&str, &str)> = lines.iter().map(|line| ("a", line.as_str())).collect();
        let store = Store::of(&pairs);
        let params = LogParams { start: 0, end: i64::MAX, limit: 100, direction: Direction::Forward, interval: 0, now: 0 };
        for parser in ["json", "logfmt"] {
            let ask = |between: &str| {
                let query = format!(r#"{{app="a"}} | {parser} {between} | {name}{op}"{wanted}" | b!="none""#);
                let expr = parse(&query).map_err(|error| TestCaseError::fail(format!("{query}: {error}")))?;
                let found = log_query(&store, &expr, &params, &()).map_err(|e| TestCaseError::fail(e.to_string()))?;
                Ok::<_, TestCaseError>(found.lines)
            };
            // Behind another stage a filter is not looked at before.
            prop_assert_eq!(ask("")?, ask("| drop nothing")?, "{}", parser);
        }
    }

    #[test]
    fn filters_agree_with_a_naive_reading(lines in prop::collection::vec("[abc ]{0,6}", 0..20), yes in "[abc]{0,2}", no in "[abc]{1,2}") {
        let pairs: Vec<(&str, &str)> = lines.iter().map(|line| ("a", line.as_str())).collect();
        let query = format!("{{app=\"a\"}} |= {yes:?} != {no:?}");
        let params = LogParams { start: 0, end: i64::MAX, limit: 100, direction: Direction::Forward, interval: 0, now: 0 };
        let expr = parse(&query).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let found = log_query(&Store::of(&pairs), &expr, &params, &()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let found: Vec<String> = found.lines.into_iter().map(|line| line.line).collect();
        let expected: Vec<String> = lines.iter().filter(|line| line.contains(&yes) && !line.contains(&no)).cloned().collect();
        prop_assert_eq!(found, expected);
    }
}

const PARTS: [&str; 40] = [
    "{",
    "}",
    "a=\"b\"",
    "{a=\"b\"}",
    "|",
    "|=",
    "!=",
    "\"x\"",
    "json",
    "logfmt",
    "--strict",
    "(",
    ")",
    "[5m]",
    "rate",
    "sum",
    "by",
    ",",
    "or",
    "and",
    "offset",
    "5m",
    "5KB",
    "-",
    "1.5",
    "unwrap",
    "a",
    "=",
    ">",
    "ip",
    "line_format",
    "`{{.a}}`",
    "drop",
    "on",
    "group_left",
    "bool",
    "vector",
    "topk",
    "pattern",
    "label_replace",
];

const LINES: [&str; 8] = [
    "",
    "{\"a\":{\"b\":[1,\"x\\u00e4",
    "a=1 b=\"x\\\"",
    "\u{1b}[31m",
    "10.0.0.1 ::1 ",
    "{\"_entry\":\"x\",\"a\":\"\\",
    "[",
    "\"",
];
