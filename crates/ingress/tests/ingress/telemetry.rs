//! The access log and the metrics.

use crate::harness::{Ingress, config};
use crate::replica::Replica;
use crate::wire::{Wire, get};

#[test]
fn a_line_tells_of_the_span_that_the_replica_was_told_of() {
    let replica = Replica::start("web-r1-1");
    let mut wanted = config(&[&replica]);
    let ingress = Ingress::start(&wanted);
    let mut wire = Wire::connect(ingress.http());
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let mut sent = |path: &str, traceparent: &str| {
        wire.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\n{traceparent}tracestate: a=b\r\n\r\n"
        ));
        let echoed = wire.answer().text().to_owned();
        let line = echoed
            .lines()
            .find_map(|line| line.strip_prefix("traceparent: "));
        (line.expect("passed on").to_owned(), echoed)
    };
    let given = format!("traceparent: 00-{trace}-b7ad6b7169203331-01\r\n");
    let (passed, echoed) = sent("/echo/given", &given);
    assert!(echoed.contains("tracestate: a=b"));
    let line = ingress.log_line("/echo/given");
    assert_eq!(line["parent_span_id"], "b7ad6b7169203331");
    assert_eq!(line["sampled"], true);
    assert_eq!(line["span_id"], passed[36..52]);
    assert_eq!(&passed[3..35], trace);
    // Nothing is sampled where nothing is said.
    let (passed, echoed) = sent("/echo/begun", "");
    assert!(
        !echoed.contains("tracestate"),
        "it belongs to another trace"
    );
    let line = ingress.log_line("/echo/begun");
    assert_eq!(line["parent_span_id"], serde_json::Value::Null);
    assert_eq!(line["sampled"], false);
    assert!(passed.ends_with("-00"));
    wanted = crate::harness::next(&wanted, |config| {
        config.traces = wharf_base::units::Percent::whole(100);
    });
    ingress.put(&wanted);
    let (passed, _) = sent("/echo/all", "");
    assert!(passed.ends_with("-01"));
    let line = ingress.log_line("/echo/all");
    assert_eq!(line["sampled"], true);
    let span = wharf_traces::span_of(&line.to_string(), &wharf_traces::Keep::default());
    let span = span.expect("a span");
    assert_eq!(span.id.to_string(), passed[36..52]);
    assert_eq!(span.trace.to_string(), passed[3..35]);
}

#[test]
fn each_request_has_a_line() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    wire.send("POST /size?token=secret HTTP/1.1\r\nHost: App.test:80\r\nUser-Agent: a \"b\"\r\nX-Request-ID: id-1\r\nContent-Length: 5\r\n\r\nhello");
    let answer = wire.answer();
    let line = ingress.log_line("/size");
    for (key, value) in [
        ("trace_id", serde_json::json!(answer.header("x-trace-id"))),
        ("request_id", "id-1".into()),
        ("client", "127.0.0.1".into()),
        ("method", "POST".into()),
        ("host", "app.test".into()),
        ("status", 200.into()),
        ("bytes_in", 5.into()),
        ("bytes_out", 1.into()),
        ("route", "all".into()),
        ("service", "web".into()),
        ("release", "r1".into()),
        ("replica", "web-r1-1".into()),
        ("retries", 0.into()),
        ("user_agent", "a \"b\"".into()),
        ("protocol", "HTTP/1.1".into()),
    ] {
        assert_eq!(line[key], value, "{key} in {line}");
    }
    let time: jiff::Timestamp = line["time"]
        .as_str()
        .expect("a time")
        .parse()
        .expect("RFC 3339");
    assert!(
        time.as_millisecond()
            .abs_diff(wharf_base::clock::now().0.cast_signed())
            < 60_000
    );
    let (duration, upstream) = (
        line["duration_seconds"].as_f64(),
        line["upstream_seconds"].as_f64(),
    );
    assert!(duration >= upstream && upstream > Some(0.0), "{line}");
    assert!(
        !line.to_string().contains("secret"),
        "queries may carry secrets"
    );
    wire.send("GET /no\nway HTTP/1.1\r\n\r\n");
    let refused = wire.answer();
    let id =
        serde_json::from_slice::<serde_json::Value>(&refused.body).expect("JSON")["request_id"]
            .clone();
    crate::harness::until("the refusal's line", || {
        let log =
            std::fs::read_to_string(ingress.directory.path().join("access.log")).expect("the log");
        log.lines()
            .find(|line| line.contains(id.as_str().expect("an id")))
            .map(str::to_owned)
    });
}

#[test]
fn a_client_that_leaves_is_recorded() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    wire.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    crate::harness::until("the request", || {
        (ingress.in_flight("web-r1-1") == 1).then_some(())
    });
    drop(wire);
    let line = ingress.log_line("/wait");
    assert_eq!(line["status"], 499);
    assert_eq!(ingress.in_flight("web-r1-1"), 0);
}

#[test]
fn metrics_add_up_over_workers() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let wires: Vec<_> = (0..8)
        .map(|_| {
            let mut wire = Wire::connect(ingress.http());
            for _ in 0..5 {
                assert_eq!(wire.get("/name").status, 200);
            }
            wire
        })
        .collect();
    get(ingress.http(), "/empty");
    let labels = "project=\"test\",route=\"all\",service=\"web\",release=\"r1\"";
    let text = ingress
        .metrics(|text| text.contains(&format!("{{{labels},code=\"204\",method=\"GET\"}} 1\n")));
    for line in [
        format!("wharf_ingress_requests_total{{{labels},code=\"200\",method=\"GET\"}} 40\n"),
        format!("wharf_ingress_request_duration_seconds_count{{{labels}}} 41\n"),
        format!("wharf_ingress_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 41\n"),
        format!("wharf_ingress_sent_bytes_total{{{labels}}} 320\n"),
        "wharf_ingress_access_log_dropped_total{project=\"test\"} 0\n".to_owned(),
        "wharf_ingress_in_flight{project=\"test\",replica=\"web-r1-1\"} 0\n".to_owned(),
        "wharf_ingress_healthy{project=\"test\",replica=\"web-r1-1\"} 1\n".to_owned(),
        "# TYPE wharf_ingress_request_duration_seconds histogram\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is missing in\n{text}");
    }
    assert!(
        text.contains("wharf_ingress_connections{project=\"test\"} "),
        "{text}"
    );
    drop(wires);
}
