//! The chat in two browsers: what two people see while everything beneath them is released and killed.

use rustix::process::Signal;

use crate::browser::{self, Browser};
use crate::http;
use crate::installed;
use crate::stack::{Stack, find, kill, wait_for};

/// One test, because its build takes long. What is seen is checked in `tests/browser/chat.mjs`.
#[test]
fn two_people_talk_through_releases_and_a_kill() {
    if !browser::available() || !installed::postgres() || !installed::redis() {
        return;
    }
    let mut stack = Stack::of_copy("chat", &[]);
    stack.up();
    let Some(mut browser) = Browser::start("chat", &stack.url) else {
        return;
    };
    // Two accounts, every page looked at, messages both ways, a reload. Then both write all the time.
    browser.expect("talking");

    let (head, changed) = (
        "<title>Chat</title>",
        "<title>Chat</title>\n    <meta name=\"release\" content=\"2\" />",
    );
    stack.change("frontend/index.html", head, changed);
    release(&stack, &mut browser, "frontend");

    let (limit, changed) = ("POSTS_PER_10S: \"30\"", "POSTS_PER_10S: \"40\"");
    stack.change("wharf.yaml", limit, changed);
    release(&stack, &mut browser, "backend");

    let (typing, changed) = (
        "FEATURE_TYPING_INDICATORS: \"true\"",
        "FEATURE_TYPING_INDICATORS: \"false\"",
    );
    stack.change("wharf.yaml", typing, changed);
    release(&stack, &mut browser, "websocket");

    // The indicator tells of a socket that is lost, and that there is one again.
    browser.say("watch");
    browser.expect("watching");
    kill_one_with_sockets(&stack);
    browser.say("killed");
    browser.expect("connected again");
    wait_for("the replica to be back", || {
        find(&stack.ps()["services"], "name", "websocket")["ready"] == 2
    });

    // Everything that was written is there once, in both browsers and in the history.
    browser.say("end");
    browser.end();
}

/// Releases what was changed in the middle of the conversation, and waits for both to have gone on talking.
#[track_caller]
fn release(stack: &Stack, browser: &mut Browser, service: &str) {
    let before = stack.pids(service);
    stack.run(&["release"]).succeeded();
    let after = stack.pids(service);
    assert!(
        !after.iter().any(|pid| before.contains(pid)),
        "{service} was not released: {before:?} {after:?}"
    );
    browser.say(&format!("released {service}"));
    browser.expect(&format!("talking after {service}"));
}

/// Kills one of the replicas that hold the sockets, as a crash would.
#[track_caller]
fn kill_one_with_sockets(stack: &Stack) {
    let ps = stack.ps();
    let replicas = find(&ps["services"], "name", "websocket")["replicas"].as_array();
    let holder = replicas.unwrap().iter().find(|replica| {
        let url = format!("http://127.0.0.1:{}", replica["port"]);
        // One that drains may be gone meanwhile.
        replica["state"] == "ready"
            && http::send(&url, "GET", "/metrics", None).is_ok_and(|metrics| {
                metrics.body.lines().any(|line| {
                    line.strip_prefix("chat_sockets ")
                        .is_some_and(|open| open != "0")
                })
            })
    });
    let holder = holder.unwrap_or_else(|| panic!("no replica has a socket: {ps:#}"));
    kill(holder["pid"].as_u64().unwrap(), Signal::KILL);
}
