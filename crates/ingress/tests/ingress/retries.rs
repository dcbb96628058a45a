//! Failures of replicas that clients do not notice, and those that they are told.

use std::sync::atomic::Ordering;

use crate::harness::{Ingress, config, next, upstream};
use crate::replica::Replica;
use crate::wire::{Wire, ask, get};

#[test]
fn a_dead_replica_costs_no_request() {
    let (alive, dead) = (Replica::start("alive"), Replica::dead("dead"));
    let ingress = Ingress::start(&config(&[&alive, &dead]));
    let mut wire = Wire::connect(ingress.http());
    for _ in 0..60 {
        wire.send("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        assert_eq!(wire.answer().text(), "5");
    }
    assert!(
        !ingress.status().endpoints["dead"].healthy,
        "it is left alone for a while"
    );
    let metrics = ingress.metrics(|text| text.contains("wharf_ingress_retries_total{"));
    let retries = metrics.lines().find_map(|line| {
        line.strip_prefix("wharf_ingress_retries_total{project=\"test\",service=\"web\"} ")
    });
    // Three failures eject it; both workers may be trying.
    assert!(
        retries.is_some_and(|count| count
            .parse::<u32>()
            .is_ok_and(|count| (1..=8).contains(&count))),
        "{retries:?}"
    );
}

#[test]
fn a_replica_that_answers_502_is_left_alone() {
    let (well, sick) = (Replica::start("well"), Replica::start("sick"));
    sick.shared.sick.store(true, Ordering::SeqCst);
    let ingress = Ingress::start(&config(&[&well, &sick]));
    let mut wire = Wire::connect(ingress.http());
    let failures = (0..100)
        .filter(|_| wire.get("/flaky").status == 502)
        .count();
    assert!((1..=10).contains(&failures), "{failures}");
}

#[test]
fn the_last_replica_is_never_left_alone() {
    let dead = Replica::dead("dead");
    let ingress = Ingress::start(&config(&[&dead]));
    for _ in 0..5 {
        let answer = get(ingress.http(), "/");
        assert_eq!(answer.status, 502);
        let error = answer.error();
        assert!(
            error.starts_with("replica `dead` of `web` does not accept connections: "),
            "{error}"
        );
    }
    let address = dead.address;
    let listener = std::net::TcpListener::bind(address).expect("its port");
    let _revived = Replica::start_on("dead", listener);
    assert_eq!(get(ingress.http(), "/name").text(), "dead");
}

#[test]
fn a_kept_connection_that_closes_fails_no_request() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    for _ in 0..50 {
        assert_eq!(wire.get("/name").status, 200);
        replica.close_connections();
    }
    // The replica closes at the moment when the next request comes.
    replica.shared.silent_close.store(true, Ordering::SeqCst);
    for _ in 0..200 {
        assert_eq!(wire.get("/name").status, 200);
    }
    for _ in 0..50 {
        wire.send("DELETE /name HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(wire.answer().status, 200);
    }
}

#[test]
fn what_may_have_been_done_is_not_done_twice() {
    let (one, other) = (Replica::start("one"), Replica::start("other"));
    let ingress = Ingress::start(&config(&[&one, &other]));
    let answer = ask(
        ingress.http(),
        "POST /drop HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    );
    assert_eq!(answer.status, 502);
    assert!(
        answer
            .error()
            .contains("did not answer: the replica closed the connection"),
        "{}",
        answer.error()
    );
    assert_eq!(one.requests() + other.requests(), 1);
    let answer = ask(ingress.http(), "POST /drop HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        (answer.status, one.requests() + other.requests()),
        (502, 2),
        "not idempotent, though without a body"
    );
    let answer = get(ingress.http(), "/drop");
    assert_eq!(
        (answer.status, one.requests() + other.requests()),
        (502, 4),
        "a GET goes to each once"
    );
}

#[test]
fn no_replica_is_said() {
    let ingress = Ingress::start(&config(&[]));
    let answer = get(ingress.http(), "/");
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    assert_eq!(answer.error(), "no replica of `web` is ready");
    let web = Replica::start("web-1");
    ingress.put(&next(&config(&[]), |config| {
        config
            .upstreams
            .insert("web".to_owned(), upstream("web", &[("r1", 1, &[&web])]));
    }));
    assert_eq!(get(ingress.http(), "/").status, 200);
}
