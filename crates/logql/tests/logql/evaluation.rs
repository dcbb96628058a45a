//! Queries over lines in memory: what comes out.

use wharf_logql::{
    Expr, Limits, LogParams, MetricParams, MetricResult, Tail, log_query, metric_query, parse,
};
use wharf_signal::{Direction, Labels, LogEntry};

use crate::store::Store;

const SECOND: i64 = 1_000_000_000;

fn store() -> Store {
    Store::of(&[
        (
            "web",
            r#"{"level":"info","status":200,"took":"20ms","user":{"id":1}}"#,
        ),
        (
            "web",
            r#"{"level":"error","status":503,"took":"1.5s","user":{"id":2}}"#,
        ),
        ("db", r#"level=info msg="slow query" took=2s rows=10"#),
        ("web", "no json"),
        ("db", "level=warn msg=lock took=bad rows=20"),
        ("nginx", r#"10.0.0.7 - - "GET /a HTTP/1.1" 200 512"#),
    ])
}

/// The lines of a query, one a line, with the labels that are not the stream's.
fn lines(query: &str) -> String {
    let params = LogParams {
        start: 0,
        end: 100 * SECOND,
        limit: 100,
        direction: Direction::Forward,
        interval: 0,
        now: 0,
    };
    let expr = parse(query).expect(query);
    let result = log_query(&store(), &expr, &params, &()).expect(query);
    let lines = result.lines.iter();
    let lines: Vec<String> = lines
        .map(|line| format!("{} {}", line.line, line.parsed))
        .collect();
    lines.join("\n")
}

#[track_caller]
fn check_lines(query: &str, expected: &str) {
    assert_eq!(lines(query), expected, "{query}");
}

#[test]
fn lines_go_through_their_pipeline() {
    check_lines(
        r#"{app="web"} | json | status >= 500 | line_format "{{.level}} {{.user_id}}" | keep status"#,
        r#"error 2 {status="503"}"#,
    );
    check_lines(
        r#"{app="db"} | logfmt | took > 1s | line_format "{{.msg}}" | drop msg, level, rows, took"#,
        "slow query {}\nlock {__error__=\"LabelFilterErr\", __error_details__=\"time: invalid duration \\\"bad\\\"\"}",
    );
    check_lines(
        r#"{app="db"} | logfmt | took > 1s | __error__="" | keep rows"#,
        r#"level=info msg="slow query" took=2s rows=10 {rows="10"}"#,
    );
    check_lines(
        r#"{app="nginx"} | pattern `<ip> - - "<method> <path> <_>" <status> <size>` | ip=ip("10.0.0.0/8") | line_format "{{.method}} {{.path}}" | keep size"#,
        r#"GET /a {size="512"}"#,
    );
    check_lines(
        r#"{app="web"} | json | __error__!="" | drop __error_details__"#,
        r#"no json {__error__="JSONParserErr"}"#,
    );
    check_lines(
        r#"{app=~".+"} | trace_id="t3" | label_format id=trace_id"#,
        r#"no json {id="t3"}"#,
    );
    check_lines(
        r#"{app="web"} | json s="status", u="user.id" | s="200""#,
        r#"{"level":"info","status":200,"took":"20ms","user":{"id":1}} {s="200", u="1"}"#,
    );
    check_lines(
        r#"{app=~"web|db"} |= "level" != "info" |~ "w[a]rn""#,
        "level=warn msg=lock took=bad rows=20 {}",
    );
}

/// The values of a query at 10 s, over everything.
#[track_caller]
fn check_value(query: &str, expected: &str) {
    let params = MetricParams {
        start: 10 * SECOND,
        end: 10 * SECOND,
        step: 0,
        now: 0,
    };
    let expr = parse(query).expect(query);
    let result = metric_query(&store(), &expr, &params, &Limits::default(), &());
    let found = match result {
        Ok((MetricResult::Vector(vector), _)) => {
            let values = vector
                .iter()
                .map(|(labels, sample)| format!("{labels} {}", sample.v));
            values.collect::<Vec<_>>().join("; ")
        }
        Ok((other, _)) => format!("{other:?}"),
        Err(error) => error
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    };
    assert_eq!(found, expected, "{query}");
}

#[test]
fn lines_become_numbers() {
    check_value(
        r#"sum by (app) (count_over_time({app=~".+"}[10s]))"#,
        r#"{app="db"} 2; {app="nginx"} 1; {app="web"} 3"#,
    );
    check_value(
        r#"sum(rate({app="web"} | json | level="error" [10s]))"#,
        "{} 0.1",
    );
    check_value(
        r#"bytes_over_time({app="nginx"} | drop trace_id [10s])"#,
        r#"{app="nginx"} 38"#,
    );
    check_value(
        r#"sum by (level) (sum_over_time({app="db"} | logfmt | unwrap rows [10s]))"#,
        r#"{level="info"} 10; {level="warn"} 20"#,
    );
    check_value(
        r#"quantile_over_time(0.5, {app="db"} | logfmt | unwrap rows [10s]) by (app)"#,
        r#"{app="db"} 15"#,
    );
    check_value(
        r#"max_over_time({app=~".+"} | logfmt | unwrap duration(took) | __error__="" [10s]) by (app)"#,
        r#"{app="db"} 2"#,
    );
    check_value(
        r#"max_over_time({app="db"} | logfmt | unwrap duration(took) [10s]) by (app)"#,
        r#"pipeline error: 'SampleExtractionErr' for series: '{__error__="SampleExtractionErr", __error_details__="time: invalid duration \"bad\"", app="db", took="bad", trace_id="t4"}'."#,
    );
    check_value(
        r#"count_over_time({app="web"} | json | status="503" | keep status [10s])"#,
        r#"{status="503"} 1"#,
    );
    check_value(
        r#"absent_over_time({app="none"}[10s])"#,
        r#"{app="none"} 1"#,
    );
    check_value(r#"absent_over_time({app="web"}[10s])"#, "");
    check_value("vector(1) + vector(1)", "{} 2");
    check_value(
        r#"topk(1, sum by (app) (count_over_time({app=~".+"}[10s]))) * 2 > 5"#,
        r#"{app="web"} 6"#,
    );
    check_value(
        r#"sum by (app) (count_over_time({app="web"}[10s])) / on () group_left sum(count_over_time({app=~".+"}[10s]))"#,
        r#"{app="web"} 0.5"#,
    );
    check_value(
        r#"sort_desc(sum by (app) (count_over_time({app=~".+"}[10s])))"#,
        r#"{app="web"} 3; {app="db"} 2; {app="nginx"} 1"#,
    );
    check_value(
        r#"label_replace(sum by (app) (count_over_time({app="web"}[10s])), "x", "$1!", "app", "(.).*")"#,
        r#"{app="web", x="w!"} 3"#,
    );
}

#[test]
fn windows_slide() {
    let params = MetricParams {
        start: 0,
        end: 8 * SECOND,
        step: 2 * SECOND,
        now: 0,
    };
    let expr = parse(r#"sum(count_over_time({app=~".+"}[3s]))"#).expect("a query");
    let (result, stats) =
        metric_query(&store(), &expr, &params, &Limits::default(), &()).expect("an answer");
    let MetricResult::Matrix(matrix) = result else {
        panic!("a range has a matrix");
    };
    let values: Vec<_> = matrix[0].samples.iter().map(|s| (s.t, s.v)).collect();
    assert_eq!(
        values,
        [(2_000, 2.0), (4_000, 3.0), (6_000, 3.0), (8_000, 1.0)]
    );
    assert_eq!((stats.lines, stats.passed), (6, 6));
}

#[test]
fn limits_are_kept() {
    let params = MetricParams {
        start: 10 * SECOND,
        end: 10 * SECOND,
        step: 0,
        now: 0,
    };
    let limits = Limits {
        max_series: 2,
        ..Limits::default()
    };
    let expr = parse(r#"count_over_time({app=~".+"}[10s])"#).expect("a query");
    let error = metric_query(&store(), &expr, &params, &limits, &()).expect_err("too many");
    assert!(
        error
            .to_string()
            .starts_with("maximum of series (2) reached"),
        "{error}"
    );
    let params = MetricParams {
        start: 0,
        end: 1_000_000 * SECOND,
        step: 1,
        now: 0,
    };
    let error = metric_query(&store(), &expr, &params, &limits, &()).expect_err("too many");
    assert!(
        error
            .to_string()
            .contains("Try increasing the value of the step"),
        "{error}"
    );
}

#[test]
fn lines_are_followed() {
    let Ok(Expr::Log(log)) =
        parse(r#"{app="web"} | json | status >= 500 | line_format "{{.level}}""#)
    else {
        panic!("a query for lines");
    };
    let mut tail = Tail::new(&log, 0).expect("a pipeline");
    let entries = store().0;
    let taken: Vec<(Labels, String)> = entries
        .iter()
        .filter_map(|(stream, entry): &(Labels, LogEntry)| tail.process(stream, entry))
        .collect();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].1, "error");
    assert_eq!(taken[0].0.value("status"), "503");
}
