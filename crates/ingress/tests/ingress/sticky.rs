//! Sticky paths: who is led back to which replica, and by what.

use std::time::Duration;

use wharf_ingress::config::{Action, Config};

use crate::harness::{Ingress, config, draining, next, upstream};
use crate::replica::Replica;
use crate::websockets::HANDSHAKE;
use crate::wire::{Answer, Wire};

/// `/ws` and what is below it is sticky, the rest is not.
fn sticky(old: &[&Replica], new: &[&Replica]) -> Config {
    next(&config(&[]), |config| {
        // A new client goes to the old release in one of a hundred cases.
        let web = upstream("web", &[("r1", 1, old), ("r2", 99, new)]);
        config.upstreams.insert("web".to_owned(), web);
        let path = Action::Forward {
            upstream: "web".to_owned(),
            strip_prefix: true,
            sticky: true,
        };
        config.routes[0].paths.insert("/ws".to_owned(), path);
        let socket = Action::Forward {
            upstream: "web".to_owned(),
            strip_prefix: false,
            sticky: true,
        };
        config.routes.push(wharf_ingress::config::Route {
            name: "socket".to_owned(),
            hosts: vec!["a".to_owned()],
            paths: [("/ws".to_owned(), socket)].into(),
            ..config.routes[0].clone()
        });
    })
}

fn ask(wire: &mut Wire, path: &str, cookie: &str) -> Answer {
    wire.send(format!(
        "GET {path} HTTP/1.1\r\nHost: app.test\r\nCookie: a=b; {cookie}\r\n\r\n"
    ));
    wire.answer()
}

/// The pair of the cookie that an answer sets.
#[track_caller]
fn set(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    let (pair, attributes) = cookie.split_once("; ").expect("attributes");
    assert_eq!(attributes, "Path=/ws; HttpOnly; SameSite=Lax");
    assert_eq!(pair.len(), "wharf-web=".len() + 16, "{pair}");
    pair.to_owned()
}

#[test]
fn a_client_comes_back_to_its_replica_while_that_serves() {
    let (old, one, two) = (
        Replica::start("web-r1-1"),
        Replica::start("web-r2-1"),
        Replica::start("web-r2-2"),
    );
    let config = sticky(&[&old], &[&one, &two]);
    let ingress = Ingress::start(&config);
    let mut wire = Wire::connect(ingress.http());
    // Each replica is met after a while, the one of little weight included; then it is kept, whatever its weight.
    for id in ["web-r1-1", "web-r2-1", "web-r2-2"] {
        let met = (0..10_000)
            .map(|_| ask(&mut wire, "/ws/name", ""))
            .find(|answer| answer.text() == id);
        let cookie = set(&met.expect("it is met"));
        for _ in 0..50 {
            let answer = ask(&mut wire, "/ws/name", &cookie);
            assert_eq!((answer.text(), answer.header("set-cookie")), (id, None));
        }
        // No other path knows of it.
        assert_eq!(ask(&mut wire, "/name", "").header("set-cookie"), None);
    }
    let unknown = ask(&mut wire, "/ws/name", "wharf-web=00000000000000ff");
    assert!(set(&unknown) != "wharf-web=00000000000000ff");
}

#[test]
fn a_replica_that_leaves_or_fails_is_replaced() {
    let (old, new) = (Replica::start("web-r1-1"), Replica::start("web-r2-1"));
    let first = sticky(&[&old], &[]);
    let ingress = Ingress::start(&first);
    let mut wire = Wire::connect(ingress.http());
    let cookie = set(&ask(&mut wire, "/ws/name", ""));
    let second = next(&first, |config| {
        let mut web = upstream("web", &[("r2", 1, &[&new])]);
        web.draining = vec![draining(&old, Duration::from_secs(20))];
        config.upstreams.insert("web".to_owned(), web);
    });
    ingress.put(&second);
    let answer = ask(&mut wire, "/ws/name", &cookie);
    assert_eq!(answer.text(), "web-r2-1");
    let cookie = set(&answer);
    // The one that is named does not accept connections any more.
    let dead = Replica::dead("web-r2-1");
    ingress.put(&next(&second, |config| {
        let web = upstream("web", &[("r2", 1, &[&dead, &old])]);
        config.upstreams.insert("web".to_owned(), web);
    }));
    let answer = ask(&mut wire, "/ws/name", &cookie);
    assert_eq!(answer.text(), "web-r1-1");
    assert!(set(&answer) != cookie);
}

#[test]
fn a_websocket_is_led_back_too() {
    let (one, two) = (Replica::start("web-r2-1"), Replica::start("web-r2-2"));
    let ingress = Ingress::start(&sticky(&[], &[&one, &two]));
    let open = |cookie: &str| {
        let mut wire = Wire::connect(ingress.http());
        let line = format!("Host: a\r\nCookie: {cookie}\r\n");
        wire.send(HANDSHAKE.replace("Host: a\r\n", &line));
        let answer = wire.answer();
        assert_eq!(answer.status, 101);
        (wire, answer)
    };
    let (held, answer) = open("a=b");
    let cookie = set(&answer);
    let id = ["web-r2-1", "web-r2-2"]
        .into_iter()
        .find(|id| ingress.in_flight(id) == 1)
        .expect("one holds it");
    let more: Vec<_> = (0..20).map(|_| open(&cookie)).collect();
    assert!(
        more.iter()
            .all(|(_, answer)| answer.header("set-cookie").is_none())
    );
    assert_eq!(ingress.in_flight(id), 21);
    drop(held);
}

#[test]
fn by_https_the_cookie_is_secure() {
    let replica = Replica::start("web-r1-1");
    let mut config = sticky(&[&replica], &[]);
    config.routes[0].headers.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    let ingress = Ingress::start(&config);
    let mut wire = Wire::connect(ingress.http());
    for (proto, secure) in [("https", true), ("http", false)] {
        wire.send(format!(
            "GET /ws/name HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-Proto: {proto}\r\n\r\n"
        ));
        let answer = wire.answer();
        let cookie = answer.header("set-cookie").expect("a cookie");
        assert_eq!(cookie.ends_with("; Secure"), secure, "{cookie}");
    }
}
