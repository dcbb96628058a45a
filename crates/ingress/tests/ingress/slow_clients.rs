//! Clients that hold connections instead of using them.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::harness::{DEADLINE, Ingress, config, until};
use crate::replica::Replica;
use crate::wire::{Wire, get};

/// Opens connections that send the beginning of a head and then a byte now and then.
fn attack(ingress: &Ingress, count: usize) -> Vec<TcpStream> {
    let attackers = (0..count).map(|_| {
        let mut stream = TcpStream::connect(ingress.http()).expect("a connection");
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
            .expect("it sends");
        stream
    });
    attackers.collect()
}

#[test]
fn two_thousand_of_them_leave_others_served() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut attackers = attack(&ingress, 2000);
    until("all of them", || {
        (ingress.status().connections >= 1900).then_some(())
    });
    let mut wire = Wire::connect(ingress.http());
    for _ in 0..10 {
        for attacker in &mut attackers {
            // Those who are cut off already do not matter.
            attacker.write_all(b"x").unwrap_or_default();
        }
        for _ in 0..20 {
            assert_eq!(get(ingress.http(), "/name").status, 200);
            assert_eq!(wire.get("/name").status, 200);
        }
    }
    // However they trickle, they are gone when a head's time is over.
    let start = Instant::now();
    until("the end of the attack", || {
        (ingress.status().connections <= 1).then_some(())
    });
    assert!(start.elapsed() < DEADLINE);
    let metrics = ingress.metrics(|text| text.contains("reason=\"slow_head\""));
    assert!(
        metrics.contains("reason=\"slow_head\"} 2000\n"),
        "{metrics}"
    );
}

#[test]
fn a_full_table_makes_room_for_those_who_ask() {
    let replica = Replica::start("web-r1-1");
    // Room for 100 connections.
    let ingress = Ingress::start_with_files(&config(&[&replica]), 328);
    let mut waiting = Wire::connect(ingress.http());
    waiting.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the request", || {
        (ingress.in_flight("web-r1-1") == 1).then_some(())
    });
    let mut attackers = Vec::new();
    for _ in 0..10 {
        attackers.extend(attack(&ingress, 50));
        assert_eq!(get(ingress.http(), "/name").status, 200);
    }
    assert!(ingress.status().connections < 300);
    replica.release();
    assert_eq!(
        waiting.answer().status,
        200,
        "a request under way is never what makes room"
    );
}

#[test]
fn a_slow_head_and_a_slow_body_are_told() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    let mut head = Wire::connect(ingress.http());
    head.send("GET / HTTP/1.1\r\nHost: a\r\n");
    let mut body = Wire::connect(ingress.http());
    body.send("POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    let mut trickle = body.0.get_ref().try_clone().expect("a socket");
    let trickling = std::thread::spawn(move || {
        let start = Instant::now();
        // Some bytes all the time: not idle, but far too slow.
        while start.elapsed() < Duration::from_secs(30) && trickle.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let answer = head.answer();
    assert_eq!(
        (answer.status, answer.error()),
        (408, "the request's head took longer than 10 s".to_owned())
    );
    assert!(head.is_closed());
    let answer = body.answer();
    assert_eq!(
        (answer.status, answer.error()),
        (408, "the request's body came too slowly".to_owned())
    );
    drop(body);
    trickling.join().expect("it ends");
}
