//! WebSockets through the ingress: frames, and the end of them.

use std::time::Duration;

use crate::harness::{Ingress, config, draining, next, until, upstream};
use crate::replica::Replica;
use crate::wire::{Wire, get};

pub(crate) const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A text frame of a client, masked with 1, 2, 3, 4.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![
        0x81,
        0x80 | u8::try_from(text.len()).expect("a short text"),
        1,
        2,
        3,
        4,
    ];
    frame.extend(
        text.bytes()
            .zip([1, 2, 3, 4].into_iter().cycle())
            .map(|(byte, mask): (u8, u8)| byte ^ mask),
    );
    frame
}

#[track_caller]
fn open(ingress: &Ingress) -> Wire {
    let mut wire = Wire::connect(ingress.http());
    wire.send(HANDSHAKE);
    let answer = wire.answer();
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("sec-websocket-accept"), Some("x"));
    assert!(answer.header("x-trace-id").is_some());
    wire
}

#[track_caller]
fn check_echo(wire: &mut Wire, text: &str) {
    wire.send(frame(text));
    let expected = [
        &[0x81, u8::try_from(text.len()).expect("a short text")][..],
        text.as_bytes(),
    ]
    .concat();
    assert_eq!(wire.read_exact(expected.len()), Some(expected));
}

#[test]
fn frames_pass_both_ways() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = open(&ingress);
    for text in ["hello", "", &*"x".repeat(120)] {
        check_echo(&mut wire, text);
    }
    assert_eq!(ingress.in_flight("web-r1-1"), 1);
    assert_eq!(ingress.status().connections, 1);
    // The client closes: 1000, masked.
    wire.send([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
    assert_eq!(wire.read_exact(4), Some(vec![0x88, 2, 0x03, 0xe8]));
    assert!(wire.is_closed());
    until("its end", || {
        (ingress.in_flight("web-r1-1") == 0).then_some(())
    });
    let line = ingress.log_line("/ws");
    assert_eq!(
        (&line["status"], line["bytes_out"].as_u64() > Some(130)),
        (&serde_json::json!(101), true),
        "{line}"
    );
}

#[test]
fn frames_that_come_with_the_handshake_are_not_lost() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    wire.send([HANDSHAKE.as_bytes(), &frame("early")].concat());
    assert_eq!(wire.answer().status, 101);
    assert_eq!(wire.read_exact(7), Some(b"\x81\x05early".to_vec()));
}

#[test]
fn a_refused_upgrade_leaves_a_usable_connection() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    wire.send(HANDSHAKE.replace("/ws", "/name"));
    assert_eq!(wire.answer().text(), "web-r1-1");
    assert_eq!(wire.get("/name").status, 200);
    // What follows is read as requests again, strictly.
    wire.send(
        [
            HANDSHAKE.replace("/ws", "/name").as_bytes(),
            b"GET / HTTP/1.1\nHost: a\n\n",
        ]
        .concat(),
    );
    assert_eq!(wire.answer().status, 200);
    assert_eq!(wire.answer().status, 400);
}

#[test]
fn a_leaving_replica_closes_with_1001() {
    let (old, new) = (Replica::start("web-r1-1"), Replica::start("web-r2-1"));
    let base = config(&[&old]);
    let ingress = Ingress::start(&base);
    let mut idle = open(&ingress);
    let mut within = open(&ingress);
    check_echo(&mut idle, "hello");
    // A frame of which the ingress has seen only a part: the close frame has to wait for its end.
    let whole = frame("a frame in two parts");
    within.send(&whole[..10]);
    ingress.put(&next(&base, |config| {
        let mut web = upstream("web", &[("r2", 1, &[&new])]);
        web.draining = vec![draining(&old, Duration::from_millis(1500))];
        config.upstreams.insert("web".to_owned(), web);
    }));
    check_echo(&mut idle, "still there");
    assert_eq!(
        get(ingress.http(), "/name").text(),
        "web-r2-1",
        "new requests go elsewhere"
    );
    assert_eq!(ingress.in_flight("web-r1-1"), 2);
    assert_eq!(
        idle.read_exact(4),
        Some(vec![0x88, 2, 0x03, 0xe9]),
        "1001, going away"
    );
    within.send(&whole[10..]);
    let close = within.read_exact(4);
    assert_eq!(close, Some(vec![0x88, 2, 0x03, 0xe9]));
    until("the end of both", || {
        (ingress.in_flight("web-r1-1") == 0).then_some(())
    });
    let line = ingress.log_line("/ws");
    assert_eq!(
        line["error"],
        "the replica left: the WebSocket was closed with 1001"
    );
}

#[test]
fn a_stopping_ingress_closes_with_1001() {
    let replica = Replica::start("web-r1-1");
    let mut ingress = Ingress::start(&config(&[&replica]));
    let mut wire = open(&ingress);
    assert_eq!(ingress.drain(Duration::from_millis(500)), Some(0));
    assert_eq!(wire.read_exact(4), Some(vec![0x88, 2, 0x03, 0xe9]));
}

#[test]
fn silent_websockets_are_closed() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&next(&config(&[&replica]), |config| {
        config.routes[0].limits.idle_timeout = Duration::from_millis(400);
    }));
    let mut wire = open(&ingress);
    for _ in 0..20 {
        check_echo(&mut wire, "alive");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(wire.read_exact(4), Some(vec![0x88, 2, 0x03, 0xe9]));
    assert!(wire.is_closed());
}
