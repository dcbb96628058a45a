//! A path whose clients come back to their replica.

use crate::http::{self, Answer};
use crate::stack::Stack;

fn file(version: &str) -> String {
    format!(
        "\
name: sticky
services:
  web:
    command: [$ACTOR]
    port: 8000
    replicas: 3
    probes: {{ http: /health }}
    environment: {{ VERSION: \"{version}\" }}
routes: [{{ paths: {{ /: {{ service: web, sticky: true }} }} }}]
"
    )
}

fn ask(stack: &Stack, cookie: &str) -> Answer {
    let header = format!("Cookie: {cookie}\r\n");
    http::send_with(&stack.url, "GET", "/", &header, None).unwrap()
}

fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie");
    cookie.split(';').next().unwrap().to_owned()
}

#[test]
fn a_client_keeps_its_replica_until_a_release_replaces_it() {
    let mut stack = Stack::new(&file("one"));
    stack.up();
    let first = stack.get("/");
    let one = cookie(&first);
    assert!((0..30).all(|_| ask(&stack, &one).body == first.body));
    stack.write(&file("two"));
    stack.run(&["release"]).succeeded();
    let second = ask(&stack, &one);
    assert!(second.body.starts_with("two "), "{}", second.body);
    let two = cookie(&second);
    assert!(two != one);
    assert!((0..30).all(|_| ask(&stack, &two).body == second.body));
}
