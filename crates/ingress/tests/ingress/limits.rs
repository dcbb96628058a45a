//! What a client may ask for, and how long anything may take.

use std::time::Duration;

use crate::harness::{DEADLINE, Ingress, config, next, until};
use crate::replica::Replica;
use crate::wire::{Wire, ask, get};

#[test]
fn bodies_are_limited() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&next(&config(&[&replica]), |config| {
        config.routes[0].limits.body_bytes = Some(10)
    }));
    let post = |headers: &str, body: &str| {
        ask(
            ingress.http(),
            &format!("POST /size HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n{body}"),
        )
    };
    assert_eq!(post("Content-Length: 10", "0123456789").text(), "10");
    let refused = post("Content-Length: 11", "0123456789x");
    assert_eq!(refused.status, 413);
    assert_eq!(
        refused.error(),
        "the request's body is longer than 10 bytes, the limit of this route"
    );
    assert_eq!(replica.requests(), 1, "it was refused by its length");
    assert_eq!(
        post("Transfer-Encoding: chunked", "a\r\n0123456789\r\n0\r\n\r\n").text(),
        "10"
    );
    assert_eq!(
        post(
            "Transfer-Encoding: chunked",
            "a\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n"
        )
        .status,
        413
    );
    // A client that sends on regardless still reads the answer.
    let mut wire = Wire::connect(ingress.http());
    wire.send("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n");
    wire.try_send(vec![b'x'; 500_000]);
    assert_eq!(wire.answer().status, 413);
}

#[test]
fn rates_are_limited_by_client() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&next(&config(&[&replica]), |config| {
        config.routes[0].limits.rate_per_second = Some(0.1);
        config.routes[0].limits.burst = 2;
        config.routes[0].headers.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    }));
    let from = |client: &str| {
        ask(
            ingress.http(),
            &format!("GET /name HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {client}\r\n\r\n"),
        )
    };
    for _ in 0..3 {
        assert_eq!(from("192.0.2.1").status, 200);
    }
    let refused = from("192.0.2.1");
    assert_eq!(refused.status, 429);
    let wait: u64 = refused
        .header("retry-after")
        .expect("a time")
        .parse()
        .expect("a number");
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(from("192.0.2.2").status, 200, "another client");
    ingress.metrics(|text| {
        text.contains("wharf_ingress_rejected_total{project=\"test\",reason=\"rate_limit\"} 1\n")
    });
}

#[test]
fn a_route_has_so_many_requests_at_once() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&next(&config(&[&replica]), |config| {
        config.routes[0].limits.connections = Some(2)
    }));
    let mut waiting: Vec<_> = (0..2).map(|_| Wire::connect(ingress.http())).collect();
    for wire in &mut waiting {
        wire.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    until("both requests", || {
        (ingress.in_flight("web-r1-1") == 2).then_some(())
    });
    let refused = get(ingress.http(), "/name");
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(
        refused.error(),
        "the route `all` has 2 requests under way, which is its limit"
    );
    replica.release();
    for wire in &mut waiting {
        assert_eq!(wire.answer().status, 200);
    }
    until("room again", || {
        (get(ingress.http(), "/name").status == 200).then_some(())
    });
}

#[test]
fn a_replica_that_does_not_answer_is_given_up() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&next(&config(&[&replica]), |config| {
        config.routes[0].limits.request_timeout = Duration::from_millis(300);
    }));
    let mut wire = Wire::connect(ingress.http());
    let answer = wire.get("/wait");
    assert_eq!(answer.status, 504);
    assert_eq!(
        answer.error(),
        "replica `web-r1-1` of `web` did not answer within 300ms"
    );
    assert_eq!(ingress.in_flight("web-r1-1"), 0);
    assert_eq!(
        wire.get("/name").status,
        200,
        "the client's connection goes on"
    );
}

#[test]
fn silent_streams_are_cut() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&next(&config(&[&replica]), |config| {
        config.routes[0].limits.idle_timeout = Duration::from_millis(300);
    }));
    let mut wire = Wire::connect(ingress.http());
    wire.send("GET /events?quiet HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(wire.try_answer(false).is_none(), "cut, not ended");
    let line = ingress.log_line("/events");
    assert_eq!(
        line["error"],
        "the stream was silent for longer than the idle timeout"
    );
    let mut wire = Wire::connect(ingress.http());
    wire.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(wire.head().map(|head| head.status), Some(200));
    let lively = (0..40).all(|_| matches!(wire.chunk(), Some(Some(_))));
    assert!(
        lively,
        "a stream that speaks lives for longer than the idle timeout"
    );
}

#[test]
fn a_client_that_does_not_read_is_cut() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&next(&config(&[&replica]), |config| {
        config.routes[0].limits.idle_timeout = Duration::from_millis(500);
    }));
    let mut wire = Wire::connect(ingress.http());
    wire.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the stream", || {
        (ingress.in_flight("web-r1-1") == 1).then_some(())
    });
    until("its end", || {
        (ingress.in_flight("web-r1-1") == 0).then_some(())
    });
    until("the connection's end", || {
        (ingress.status().connections == 0).then_some(())
    });
}

#[test]
fn connections_are_limited_and_the_limit_is_said() {
    let replica = Replica::start("web-r1-1");
    // 128 files are set aside, and each connection may need two: at most 100 connections, 50 for each worker.
    let ingress = Ingress::start_with_files(&config(&[&replica]), 328);
    let mut waiting = Vec::new();
    let refused = loop {
        let mut wire = Wire::connect(ingress.http());
        wire.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        waiting.push(wire);
        if waiting.len() >= 100 {
            let taken = ingress.in_flight("web-r1-1");
            let last = waiting.last_mut().expect("a connection");
            last.0
                .get_ref()
                .set_read_timeout(Some(Duration::from_millis(200)))
                .expect("a timeout");
            if let Some(answer) = last.try_answer(false) {
                break answer;
            }
            assert!(waiting.len() < 400, "{taken} are taken");
        }
    };
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(
        refused.error(),
        "the ingress has as many connections as it can serve"
    );
    replica.release();
    let answered = waiting.iter_mut().take(90).all(|wire| {
        wire.0
            .get_ref()
            .set_read_timeout(Some(DEADLINE))
            .expect("a timeout");
        wire.answer().status == 200
    });
    assert!(answered, "those who were there are served");
    drop(waiting);
    until("room again", || {
        (get(ingress.http(), "/name").status == 200).then_some(())
    });
}
