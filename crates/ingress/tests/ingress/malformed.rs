//! Requests that two servers could read differently, or that are too large: each is refused, by a status and a
//! sentence, and none of it reaches a replica.

use std::io::Read as _;

use crate::harness::{Ingress, config};
use crate::replica::Replica;
use crate::wire::Wire;

/// What is sent, and the status that it gets.
fn cases() -> Vec<(&'static str, Vec<u8>, u16)> {
    let post = |headers: &str, body: &str| {
        format!("POST /x HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}").into_bytes()
    };
    let raw = |text: &str| text.as_bytes().to_vec();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    vec![
        (
            "CL and TE",
            post(
                "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                &format!("0\r\n\r\n{smuggled}"),
            ),
            400,
        ),
        (
            "TE and CL",
            post(
                "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                &format!("0\r\n\r\n{smuggled}"),
            ),
            400,
        ),
        (
            "two different CL",
            post("Content-Length: 0\r\nContent-Length: 35\r\n", smuggled),
            400,
        ),
        (
            "two equal CL",
            post("Content-Length: 0\r\nContent-Length: 0\r\n", ""),
            400,
        ),
        ("list of CL", post("Content-Length: 0, 0\r\n", ""), 400),
        ("signed CL", post("Content-Length: +0\r\n", ""), 400),
        ("negative CL", post("Content-Length: -1\r\n", ""), 400),
        ("hexadecimal CL", post("Content-Length: 0x0\r\n", ""), 400),
        ("empty CL", post("Content-Length:\r\n", ""), 400),
        (
            "huge CL",
            post("Content-Length: 18446744073709551616\r\n", ""),
            400,
        ),
        (
            "TE xchunked",
            post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "TE identity",
            post("Transfer-Encoding: identity\r\n", ""),
            400,
        ),
        (
            "TE chunked, identity",
            post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "TE gzip, chunked",
            post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "TE twice",
            post(
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            400,
        ),
        (
            "TE with vertical tab",
            post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "TE in quotes",
            post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "TE with space before colon",
            post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "TE with underscore",
            post("Transfer_Encoding: chunked\r\n", "0\r\n\r\n"),
            400,
        ),
        (
            "TE in HTTP/1.0",
            raw("POST /x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            400,
        ),
        (
            "folded TE",
            post("X: y\r\n Transfer-Encoding: chunked\r\n", ""),
            400,
        ),
        ("folded header", post("X: a\r\n\tb\r\n", ""), 400),
        (
            "first header folded",
            raw("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
            400,
        ),
        ("bare LF in head", raw("GET / HTTP/1.1\nHost: a\n\n"), 400),
        (
            "bare LF after a header",
            raw("GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"),
            400,
        ),
        (
            "bare LF at the end",
            raw("GET / HTTP/1.1\r\nHost: a\r\n\n"),
            400,
        ),
        (
            "bare CR in a value",
            raw("GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n"),
            400,
        ),
        (
            "bare CR before the request",
            raw("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            400,
        ),
        ("NUL in a value", post("X: a\0b\r\n", ""), 400),
        ("NUL in a name", post("X\0: a\r\n", ""), 400),
        ("escape in a value", post("X: a\x1bb\r\n", ""), 400),
        ("no colon", post("X\r\n", ""), 400),
        ("empty name", post(": x\r\n", ""), 400),
        ("space in a name", post("X Y: x\r\n", ""), 400),
        ("two hosts", post("Host: b\r\n", ""), 400),
        ("no host", raw("GET / HTTP/1.1\r\n\r\n"), 400),
        (
            "host with a path",
            raw("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
            400,
        ),
        (
            "host with a user",
            raw("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
            400,
        ),
        (
            "host list",
            raw("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
            400,
        ),
        (
            "another host in the target",
            raw("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"),
            400,
        ),
        (
            "a user in the target",
            raw("GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n"),
            400,
        ),
        ("two spaces", raw("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        (
            "space in the target",
            raw("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
            400,
        ),
        (
            "fragment in the target",
            raw("GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"),
            400,
        ),
        (
            "tab in the request line",
            raw("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
            400,
        ),
        (
            "a byte above ASCII in the target",
            b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            400,
        ),
        ("no path", raw("GET a HTTP/1.1\r\nHost: a\r\n\r\n"), 400),
        (
            "lower-case version",
            raw("GET / http/1.1\r\nHost: a\r\n\r\n"),
            505,
        ),
        ("HTTP/1.2", raw("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), 505),
        ("HTTP/0.9", raw("GET /\r\n\r\n"), 400),
        (
            "a method with a bracket",
            raw("G[T / HTTP/1.1\r\nHost: a\r\n\r\n"),
            400,
        ),
        (
            "CONNECT",
            raw("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
            405,
        ),
        ("TRACE", raw("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), 405),
        (
            "TLS to a plain port",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n".to_vec(),
            400,
        ),
        (
            "long target",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(10_000)).into_bytes(),
            414,
        ),
        ("target without end", vec![b'a'; 200_000], 414),
        ("many headers", post(&"X: y\r\n".repeat(150), ""), 431),
        (
            "long header",
            post(&format!("X: {}\r\n", "y".repeat(40_000)), ""),
            431,
        ),
        (
            "head without end",
            post(&"Xxxxxxxxxx: y\r\n".repeat(20_000), ""),
            431,
        ),
        (
            "chunk size with sign",
            post("Transfer-Encoding: chunked\r\n", "+1\r\na\r\n0\r\n\r\n"),
            400,
        ),
        (
            "chunk size with 0x",
            post("Transfer-Encoding: chunked\r\n", "0x1\r\na\r\n0\r\n\r\n"),
            400,
        ),
        (
            "chunk size with space",
            post("Transfer-Encoding: chunked\r\n", "1 \r\na\r\n0\r\n\r\n"),
            400,
        ),
        (
            "chunk size too large",
            post(
                "Transfer-Encoding: chunked\r\n",
                "fffffffffffffffff\r\na\r\n0\r\n\r\n",
            ),
            400,
        ),
        (
            "chunk line with bare LF",
            post("Transfer-Encoding: chunked\r\n", "1\na\r\n0\r\n\r\n"),
            400,
        ),
        (
            "chunk longer than said",
            post("Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n"),
            400,
        ),
        (
            "chunk extension with bare LF",
            post("Transfer-Encoding: chunked\r\n", "1;a\nb\r\na\r\n0\r\n\r\n"),
            400,
        ),
        (
            "long chunk extension",
            post(
                "Transfer-Encoding: chunked\r\n",
                &format!("1;{}\r\na\r\n", "x".repeat(1000)),
            ),
            400,
        ),
        (
            "flood of chunk extensions",
            post(
                "Transfer-Encoding: chunked\r\n",
                &format!("1;{}\r\na\r\n", "x".repeat(200)).repeat(200),
            ),
            400,
        ),
        (
            "flood of trailers",
            post(
                "Transfer-Encoding: chunked\r\n",
                &format!("0\r\n{}", "X: y\r\n".repeat(3000)),
            ),
            400,
        ),
    ]
}

/// Sends `request` in two pieces: the status, and that the connection ends after it.
#[track_caller]
fn check(ingress: &Ingress, name: &str, request: &[u8], split: usize, expected: u16) {
    let mut wire = Wire::connect(ingress.http());
    // The ingress may refuse, and close, before all is sent.
    let (first, rest) = request.split_at(split.min(request.len()));
    let sent = wire.try_send(first) && wire.try_send(rest);
    let answer = wire.try_answer(false);
    let status = answer.as_ref().map(|answer| answer.status);
    assert_eq!(
        status,
        Some(expected),
        "{name}, split at {split}, sent: {sent}"
    );
    let answer = answer.expect("an answer");
    assert!(
        !answer.body.is_empty(),
        "{name}, split at {split}: {answer:?}"
    );
    assert!(!answer.error().is_empty(), "{name}");
    let mut more = Vec::new();
    // A reset is an end too.
    wire.0.read_to_end(&mut more).unwrap_or_default();
    assert!(
        more.is_empty() || expected == 405,
        "{name}: {}",
        String::from_utf8_lossy(&more)
    );
}

#[test]
fn each_is_refused() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    for (name, request, status) in cases() {
        for split in [request.len(), 20, request.len().saturating_sub(1)] {
            check(&ingress, name, &request, split, status);
        }
    }
    assert_eq!(
        crate::wire::get(ingress.http(), "/name").status,
        200,
        "it serves on"
    );
    // Bodies that turn out malformed have had a head: they may have begun, but no response came of them.
    let metrics = ingress.metrics(|_| true);
    assert!(
        !metrics.contains("code=\"200\",method=\"POST\""),
        "{metrics}"
    );
    assert!(
        metrics.contains("wharf_ingress_rejected_total{project=\"test\",reason=\"malformed\"}"),
        "{metrics}"
    );
}

#[test]
fn what_follows_a_refused_request_is_not_served() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    wire.send(
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!(wire.answer().status, 400);
    assert!(wire.is_closed());
    assert_eq!(replica.requests(), 0);
}

#[test]
fn another_upgrade_is_not_forwarded() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut wire = Wire::connect(ingress.http());
    wire.send(
        "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    );
    let answer = wire.answer();
    assert_eq!(answer.status, 200);
    let head = answer.text().to_ascii_lowercase();
    assert!(
        !head.contains("upgrade") && !head.contains("http2-settings"),
        "{head}"
    );
    assert_eq!(
        wire.get("/name").status,
        200,
        "the connection goes on as HTTP/1.1"
    );
}
