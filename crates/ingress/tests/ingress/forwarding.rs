//! What passes between a client and a replica, and what does not.

use std::time::Duration;

use wharf_ingress::config::HealthCheck;

use crate::harness::{Ingress, config, next, until, upstream};
use crate::replica::Replica;
use crate::wire::{Wire, ask, get};

#[test]
fn heads_and_bodies_pass() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    assert_eq!(wire.get("/name").text(), "web-r1-1");

    wire.send("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(wire.answer().text(), "5");
    wire.send("POST /size HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n");
    assert_eq!(wire.answer().text(), "7");
    wire.send(
        "POST /size HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    );
    assert_eq!(wire.head().expect("an interim answer").status, 100);
    wire.send("hello");
    assert_eq!(wire.answer().text(), "5");

    wire.send("HEAD /name HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = wire.try_answer(true).expect("an answer");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("8"))
    );
    assert_eq!(wire.get("/empty").status, 204);
    let unmodified = wire.get("/unmodified");
    assert_eq!(
        (unmodified.status, unmodified.header("etag")),
        (304, Some("\"1\""))
    );
    assert_eq!(wire.get("/gzip").body, b"\x1f\x8b not really");
    assert_eq!(wire.get("/until-close").text(), "all of it");
    assert_eq!(wire.get("/big").body.len(), 160 * 64 * 1024);
    assert_eq!(
        wire.get("/name").text(),
        "web-r1-1",
        "the connection lives on"
    );
}

#[test]
fn large_bodies_are_streamed_both_ways() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let body = vec![b'y'; 20 << 20];
    let mut wire = Wire::connect(ingress.http());
    wire.send(format!(
        "POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        body.len()
    ));
    wire.send(&body);
    assert_eq!(wire.answer().text(), body.len().to_string());
}

#[test]
fn a_truncated_response_is_not_made_whole() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    wire.send("GET /half HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        wire.try_answer(false).is_none(),
        "the body ends before its end"
    );
    let error = ingress.log_line("/half")["error"]
        .as_str()
        .map(str::to_owned);
    assert_eq!(
        error.as_deref(),
        Some("the replica closed the connection within the response")
    );
}

#[test]
fn connections_to_replicas_are_kept() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    for _ in 0..50 {
        assert_eq!(wire.get("/name").status, 200);
    }
    assert_eq!((replica.connections(), replica.requests()), (1, 50));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    wire.send("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxPOST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nxxGET /name HTTP/1.1\r\nHost: a\r\n\r\n");
    let answers: Vec<_> = (0..3).map(|_| wire.answer().text().to_owned()).collect();
    assert_eq!(answers, ["1", "2", "web-r1-1"]);
}

#[test]
fn ids_are_made_and_kept() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = format!(
        "GET /echo HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine-1\r\ntraceparent: 00-{trace}-b7ad6b7169203331-00\r\ntracestate: a=b\r\n\r\n"
    );
    let answer = ask(ingress.http(), &request);
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
    assert_eq!(
        answer.header("x-trace-id"),
        Some("0af76519-16cd-43dd-8448-eb211c80319c")
    );
    let head = answer.text();
    assert!(head.contains("x-request-id: mine-1\r\n"), "{head}");
    assert!(
        head.contains("x-trace-id: 0af76519-16cd-43dd-8448-eb211c80319c\r\n"),
        "{head}"
    );
    assert!(
        head.contains(&format!("traceparent: 00-{trace}-")),
        "{head}"
    );
    assert!(!head.contains("b7ad6b7169203331"), "a new parent: {head}");
    assert!(head.contains("tracestate: a=b\r\n"), "{head}");

    let answer = ask(
        ingress.http(),
        "GET /echo HTTP/1.1\r\nHost: a\r\nX-Request-ID: a b\r\ntracestate: a=b\r\n\r\n",
    );
    let id = answer
        .header("x-trace-id")
        .expect("a trace")
        .replace('-', "");
    assert!(
        answer.text().contains(&format!("traceparent: 00-{id}-")),
        "the same 128 bits: {}",
        answer.text()
    );
    assert!(
        !answer.text().contains("tracestate"),
        "it belongs to no trace"
    );
    assert_eq!(answer.header("x-request-id").map(str::len), Some(32));
}

#[test]
fn clients_cannot_claim_to_be_others() {
    let replica = Replica::start("web-r1-1");
    let base = config(&[&replica]);
    let ingress = Ingress::start(&base);
    let request = "GET /echo HTTP/1.1\r\nHost: app.test:81\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\nX_Forwarded_For: 6.6.6.6\r\nConnection: x-secret\r\nX-Secret: 1\r\n\r\n";
    let head = ask(ingress.http(), request).text().to_owned();
    assert!(
        !head.contains("6.6.6.6") && !head.contains("x-secret"),
        "{head}"
    );
    for line in [
        "host: app.test:81",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-host: app.test:81",
        "forwarded: for=127.0.0.1;host=\"app.test:81\";proto=http",
    ] {
        assert!(
            head.lines().any(|found| found == line),
            "{line} is missing in {head}"
        );
    }
    ingress.put(&next(&base, |config| {
        config.routes[0].headers.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    }));
    let head = ask(ingress.http(), request).text().to_owned();
    assert!(
        head.lines()
            .any(|line| line == "x-forwarded-for: 6.6.6.6, 127.0.0.1"),
        "{head}"
    );
    assert!(
        head.lines().any(|line| line == "x-forwarded-proto: https"),
        "{head}"
    );
}

#[test]
fn security_headers_yield_to_the_service() {
    let replica = Replica::start("web-r1-1");
    let base = config(&[&replica]);
    let ingress = Ingress::start(&next(&base, |config| {
        let headers = &mut config.routes[0].headers;
        headers.security = true;
        headers.request.insert("x-edge".to_owned(), "1".to_owned());
        headers.response.insert("server".to_owned(), String::new());
        headers
            .response
            .insert("x-added".to_owned(), "yes".to_owned());
    }));
    let answer = get(ingress.http(), "/own-headers");
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(
        answer.header("referrer-policy"),
        Some("strict-origin-when-cross-origin")
    );
    assert_eq!(
        answer.header("strict-transport-security"),
        None,
        "not over plain HTTP"
    );
    assert_eq!(
        (answer.header("server"), answer.header("x-added")),
        (None, Some("yes"))
    );
    assert_ne!(
        answer.header("x-request-id"),
        Some("theirs"),
        "there is one id"
    );
    let request = "GET /echo HTTP/1.1\r\nHost: a\r\nX-Edge: 6\r\n\r\n";
    assert!(
        ask(ingress.http(), request)
            .text()
            .contains("x-edge: 1\r\n")
    );
    assert_eq!(
        get(ingress.internal(), "/name").header("x-content-type-options"),
        None,
        "only at the edge"
    );
}

#[test]
fn events_come_as_they_are_sent() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    wire.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        wire.head().expect("a head").header("content-type"),
        Some("text/event-stream")
    );
    for count in 0..5 {
        let event = wire.chunk().flatten().expect("an event");
        assert_eq!(event, format!("data: {count}\n\n").as_bytes());
    }
    assert_eq!(ingress.in_flight("web-r1-1"), 1);
    drop(wire);
    until("the end of the request", || {
        (ingress.in_flight("web-r1-1") == 0).then_some(())
    });
}

#[test]
fn a_sick_replica_gets_nothing_until_it_is_well() {
    let (well, sick) = (Replica::start("web-r1-1"), Replica::start("web-r1-2"));
    let ingress = Ingress::start(&next(&config(&[]), |config| {
        let mut web = upstream("web", &[("r1", 1, &[&well, &sick])]);
        web.health = Some(HealthCheck {
            path: "/health".to_owned(),
            period: Duration::from_millis(100),
            timeout: Duration::from_millis(100),
            failure_threshold: 2,
        });
        config.upstreams.insert("web".to_owned(), web);
    }));
    let healthy = |id: &str| ingress.status().endpoints[id].healthy;
    sick.shared
        .sick
        .store(true, std::sync::atomic::Ordering::SeqCst);
    until("the verdict", || (!healthy("web-r1-2")).then_some(()));
    for _ in 0..20 {
        assert_eq!(get(ingress.http(), "/name").text(), "web-r1-1");
    }
    well.shared
        .sick
        .store(true, std::sync::atomic::Ordering::SeqCst);
    until("the other verdict", || (!healthy("web-r1-1")).then_some(()));
    let answer = get(ingress.http(), "/name");
    assert_eq!(
        (answer.status, answer.error()),
        (503, "no replica of `web` is ready".to_owned())
    );
    sick.shared
        .sick
        .store(false, std::sync::atomic::Ordering::SeqCst);
    until("its recovery", || healthy("web-r1-2").then_some(()));
    assert_eq!(get(ingress.http(), "/name").text(), "web-r1-2");
}
