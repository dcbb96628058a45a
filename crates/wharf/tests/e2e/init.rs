//! `wharf init` on folders that have no `wharf.yaml`: what it proposes runs as it is.

use std::fs;

use crate::http;
use crate::installed;
use crate::stack::Stack;

#[test]
fn a_bare_django_project_runs() {
    if !installed::postgres() || !installed::redis() {
        return;
    }
    let mut stack = Stack::of_copy("django", &[]);
    proposed(&stack);
    stack.up();
    // Both need the database: the page makes a form with a token, the health check asks the stores.
    assert_eq!(stack.get("/health").json()["status"], "ok");
    assert!(stack.get("/register/").body.contains("csrfmiddlewaretoken"));
    let style = stack.get("/static/tasks/style.css");
    assert!(style.body.contains("color-scheme"), "{}", style.status);
    // A worker, and the one clock.
    assert_eq!(stack.pids("worker").len(), 1);
    assert_eq!(stack.pids("beat").len(), 1);
}

#[test]
fn a_bare_chat_runs() {
    if !installed::node() || !installed::postgres() || !installed::redis() {
        return;
    }
    let mut stack = Stack::of_copy("chat", &[]);
    fs::remove_file(stack.folder().join("wharf.yaml")).unwrap();
    proposed(&stack);
    stack.up();
    let account = r#"{"name":"ann","password":"a long enough one"}"#;
    let answer = http::send(&stack.url, "POST", "/api/register", Some(account)).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert!(stack.get("/").body.contains("<title>Chat</title>"));
    // The server of the sockets is behind its own path, and asks for an upgrade.
    let answer = stack.get("/ws");
    assert!(matches!(answer.status, 400 | 426), "{}", answer.status);
}

/// The project's file is what `wharf init` makes of the folder, without a line by hand.
#[track_caller]
fn proposed(stack: &Stack) {
    stack.run(&["init", "-y"]).succeeded();
    stack.run(&["check"]).succeeded();
}
