//! The way of an alert: from what goes wrong with a real service to those who have to know, each told once, whatever is
//! killed in between.

mod bodies;
mod people;
mod timers;

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::http;
use crate::stack::{Stack, find, wait_for};
use crate::telemetry::{telemetry, values};
use bodies::worded_as_documented;
use people::{DRILL, HOLD, HOLD_MEMORY, Heard, PAGER_KEY, People, RECEIVERS, SLACK_TOKEN, WEBHOOK};
use timers::{begin, fired_in_its_time, killed_before_it_fires};

/// What still fires is told again after this time, and not before.
const REPEAT: Duration = Duration::from_secs(60);
/// A clock that is being set right may run a little faster than another.
const DRIFT: Duration = Duration::from_millis(100);

/// A replica's memory, and how much of it is filled: more than the alert's 90%, less than what kills it.
const LIMIT_BYTES: f64 = 64.0 * 1024.0 * 1024.0;
const FILLED: f64 = 0.925;
/// One record of those that fill it, small beside what is left then.
const RECORD_BYTES: usize = 512 << 10;

/// What the engine has written down of who knows what: what a crash leaves of it.
fn written_down(stack: &Stack) -> Value {
    let path = stack.folder().join(".wharf/telemetry/notifications.json");
    let text = fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Waits until it is written down that these receivers know of an alert.
#[track_caller]
fn noted(stack: &Stack, alert: &str, receivers: &[&str]) {
    wait_for(&format!("{alert} to be noted"), || {
        let written = written_down(stack);
        let groups = written["state"]["groups"].as_object();
        let known = |receiver: &&str| {
            groups.is_some_and(|groups| {
                groups.values().any(|group| {
                    group["receiver"] == **receiver
                        && group["labels"]["alertname"] == alert
                        && !group["told_at"].is_null()
                        && group["attempt"].is_null()
                })
            })
        };
        receivers.iter().all(known)
    });
}

fn append(path: &Path, line: &str) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

fn truncate(path: &Path, bytes: u64) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(bytes).unwrap();
}

/// Where each replica answers.
fn replicas(stack: &Stack) -> Vec<String> {
    let ps = stack.ps();
    let replicas = find(&ps["services"], "name", "api")["replicas"].as_array();
    let ports = replicas.unwrap().iter().map(|replica| &replica["port"]);
    ports
        .map(|port| format!("http://127.0.0.1:{port}"))
        .collect()
}

/// The largest value of a query; 0 where there is none.
fn largest(url: &str, query: &str) -> f64 {
    let all = values(url, query, "");
    all.iter().map(|(_, value)| *value).fold(0.0, f64::max)
}

#[test]
fn what_goes_wrong_is_told_to_everybody_once_whatever_is_killed() {
    let people = People::new();
    let mut stack = Stack::of_example("items", "1.0.0");
    let file = "wharf.yaml";
    stack.change(
        file,
        "notify:\n  slack:",
        &format!("{}  slack:", people.file()),
    );
    let secret = "  slack-webhook: {";
    stack.change(file, secret, &format!("  pager-key: {{}}\n{secret}"));
    stack.change(file, "memory: 128Mi..256Mi", "memory: 32Mi..64Mi");
    stack.change(file, "unavailable: 1 }", "unavailable: 1, keep_old: 0s }");
    fs::write(stack.folder().join(".env"), people.secrets()).unwrap();
    stack.up();
    let posted = http::send(&stack.url, "POST", "/items", Some(r#"{"name":"anchor"}"#)).unwrap();
    assert_eq!(posted.status, 201, "{}", posted.body);
    let journal = stack.folder().join(".wharf/volumes/items/items.jsonl");
    let whole = fs::metadata(&journal).unwrap().len();

    a_service_without_health(&stack, &people, &journal, whole);
    memory_that_fills(&stack, &people, &journal, whole);
    requests_that_fail(&stack, &people);

    for (alert, severity) in [
        ("ServiceDown", "critical"),
        ("HighMemory", "warning"),
        ("HighErrorRate", "critical"),
    ] {
        told_as_it_was(&people, alert);
        worded_as_documented(&people, &telemetry(&stack), alert, severity);
    }
    told_again_when_it_is_time(&people);
    nothing_secret_is_kept(&stack);
}

/// A line that is no record fails every look at the store, so that no replica is ready. The engine is killed while everybody
/// knows, and it is over before the next one runs.
fn a_service_without_health(stack: &Stack, people: &People, journal: &Path, whole: u64) {
    begin(stack, people, "ServiceDown");
    append(journal, "no record\n");
    people.hear_of("ServiceDown");
    noted(stack, "ServiceDown", &RECEIVERS);
    stack.kill_engine();
    truncate(journal, whole);
    // Whatever asks starts the next one.
    telemetry(stack);
    people.hear_the_end_of("ServiceDown");
    fired_in_its_time(people, stack, "ServiceDown", HOLD, None);
}

/// Large items, until the replicas are near their limit. The engine is killed before the alert fires, and again while everybody
/// knows.
fn memory_that_fills(stack: &Stack, people: &People, journal: &Path, whole: u64) {
    let share = "max(container_memory_working_set_bytes{service=\"api\"} / container_spec_memory_limit_bytes{service=\"api\"})";
    wait_for("every replica to be ready", || {
        find(&stack.ps()["services"], "name", "api")["ready"] == 3
    });
    let (url, replicas) = (telemetry(stack), replicas(stack));
    wait_for("a measurement", || largest(&url, share) > 0.0);
    begin(stack, people, "HighMemory");
    let missing = (FILLED - largest(&url, share)) * LIMIT_BYTES / RECORD_BYTES as f64;
    let description = "x".repeat(RECORD_BYTES);
    for id in 2..2 + missing.ceil() as u64 {
        let record = json!({ "put": {
            "id": id, "name": "large", "description": description, "created_at": "2026-01-02T03:04:05Z",
        } });
        append(journal, &format!("{record}\n"));
        // One by one: what a replica reads at once it holds twice.
        for replica in &replicas {
            assert_eq!(
                http::send(replica, "GET", "/health", None).unwrap().status,
                200
            );
        }
    }
    let killed = killed_before_it_fires(stack, "HighMemory");
    // Whatever asks starts the next one.
    telemetry(stack);
    people.hear_of("HighMemory");
    noted(stack, "HighMemory", &RECEIVERS);
    stack.kill_engine();
    let dead = jiff::Timestamp::now().as_second() as f64;
    let url = telemetry(stack);
    // Series that the new engine never sees are looked back to for five minutes, as in Prometheus.
    let last = "max(timestamp(container_memory_working_set_bytes{service=\"api\"}))";
    wait_for("a measurement of the new engine", || {
        largest(&url, last) > dead + 1.0
    });
    truncate(journal, whole);
    stack.run(&["restart", "api"]).succeeded();
    people.hear_the_end_of("HighMemory");
    fired_in_its_time(people, stack, "HighMemory", HOLD_MEMORY, killed);
}

/// A release whose store cannot be written to. The engine is killed while a receiver has the message and has not answered:
/// that one, which nobody can know to have arrived, is sent once more under the same name.
fn requests_that_fail(stack: &Stack, people: &People) {
    stack.change("wharf.yaml", "${volume.items}/items.jsonl", "/dev/full");
    stack.run(&["release"]).succeeded();
    begin(stack, people, "HighErrorRate");
    people.http.hold(Some(WEBHOOK));
    let failing = |url: &str| largest(url, "service:http_errors:ratio_rate5m{service=\"api\"}");
    let url = telemetry(stack);
    wait_for("requests to fail", || {
        let posted = http::send(&stack.url, "POST", "/items", Some(r#"{"name":"lost"}"#)).unwrap();
        assert_eq!(posted.status, 503, "{}", posted.body);
        failing(&url) > 0.1
    });
    people.hear_of("HighErrorRate");
    noted(stack, "HighErrorRate", &["mail", "pager", "slack"]);
    stack.kill_engine();
    people.http.hold(None);
    let url = telemetry(stack);
    wait_for("the message that was not answered", || {
        people.told("hook", "HighErrorRate").len() >= 2
    });
    let told = people.told("hook", "HighErrorRate");
    assert_eq!(told[0].id, told[1].id, "{told:?}");
    stack.run(&["rollout", "undo"]).succeeded();
    wait_for("few of all requests to have failed", || {
        for _ in 0..20 {
            assert_eq!(stack.get("/items").status, 200);
        }
        failing(&url) < 0.045
    });
    people.hear_the_end_of("HighErrorRate");
    fired_in_its_time(people, stack, "HighErrorRate", HOLD, None);
}

/// What fires all the time is told again, however often the engine was killed meanwhile.
fn told_again_when_it_is_time(people: &People) {
    wait_for("what still fires to be told again", || {
        let again = |receiver: &&str| people.told(receiver, DRILL).len() >= 2;
        RECEIVERS.iter().all(again)
    });
    for receiver in RECEIVERS {
        let told = people.told(receiver, DRILL);
        assert!(!told.iter().any(|heard| heard.resolved), "{told:#?}");
        no_sooner_than_it_may(&told);
    }
}

/// Told, told again no sooner than it may be, and told to be over, once.
#[track_caller]
fn told_as_it_was(people: &People, alert: &str) {
    for receiver in RECEIVERS {
        let told = people.told(receiver, alert);
        let ends = told.iter().filter(|heard| heard.resolved).count();
        assert_eq!(ends, 1, "{told:#?}");
        assert!(told.last().is_some_and(|heard| heard.resolved), "{told:#?}");
        no_sooner_than_it_may(&told);
    }
}

/// What fires is told again after the interval; only what a kill left in doubt comes twice, under one name.
#[track_caller]
fn no_sooner_than_it_may(told: &[Heard]) {
    for pair in told.windows(2).filter(|pair| !pair[1].resolved) {
        let distance = pair[1].at.duration_since(pair[0].at) + DRIFT;
        let in_doubt = pair[0].receiver == "hook" && pair[0].id == pair[1].id;
        assert!(distance >= REPEAT || in_doubt, "{distance:?}: {told:#?}");
    }
}

/// What is kept of alerts, and what the engine writes, holds no secret.
fn nothing_secret_is_kept(stack: &Stack) {
    let state = stack.folder().join(".wharf");
    let alerts =
        ["notifications.json", "rules.json"].map(|name| state.join("telemetry").join(name));
    let logs = fs::read_dir(&state)
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let logs = logs.filter(|path| path.extension().is_some_and(|kind| kind == "log"));
    for path in alerts.into_iter().chain(logs) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for secret in [SLACK_TOKEN, PAGER_KEY] {
            assert!(!text.contains(secret), "{} holds a secret", path.display());
        }
    }
}
