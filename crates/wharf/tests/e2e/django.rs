//! The Django application as its file for EKS runs it here: web, Celery worker and beat, PostgreSQL and Redis.

use crate::browser::{self, Browser};
use crate::http;
use crate::installed;
use crate::stack::{Stack, find, wait_for};

/// From one beat to the next.
const TICK_SECONDS: u64 = 2;
/// Beats that are waited for before, between and after the releases.
const BEATS: usize = 3;

/// One test, because its build takes long. What is seen is checked in `tests/browser/django.mjs`.
#[test]
fn a_task_is_done_while_everything_is_released() {
    if !browser::available()
        || !installed::postgres()
        || !installed::redis()
        || !installed::pgbouncer()
    {
        return;
    }
    let mut stack = Stack::of_copy("django-eks", &[]);
    let tick = |seconds: u64| format!("TICK_SECONDS: \"{seconds}\"");
    stack.change("wharf.yaml", &tick(60), &tick(TICK_SECONDS));
    stack.up();
    let Some(mut browser) = Browser::start("django", &stack.url) else {
        return;
    };

    // The worker has the build of the web service; beat has another volume in its own.
    let folder = |service: &str| {
        let pid = stack.pids(service)[0];
        std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap()
    };
    assert_eq!(folder("worker"), folder("web"));
    assert_ne!(folder("beat"), folder("web"));

    // An account, a task that Celery completes, a file. Every replica of the service reads it, and the ingress.
    let heard = browser.hear();
    let media = heard
        .strip_prefix("uploaded ")
        .unwrap_or_else(|| panic!("{heard}"));
    let ps = stack.ps();
    let replicas = find(&ps["services"], "name", "web")["replicas"]
        .as_array()
        .unwrap();
    assert_eq!(replicas.len(), 2, "{ps:#}");
    for replica in replicas {
        let url = format!("http://127.0.0.1:{}", replica["port"]);
        let metrics = http::send(&url, "GET", "/metrics", None).unwrap();
        assert!(
            metrics
                .body
                .contains("celery_queue_depth{queue=\"celery\"}")
        );
        let answer = http::send(&url, "GET", media, None).unwrap();
        assert_eq!(
            (answer.status, answer.body.contains("rope, tar")),
            (200, true),
            "{}",
            answer.body
        );
    }
    assert!(
        stack
            .get("/static/tasks/style.css")
            .body
            .contains("color-scheme")
    );

    // Everything is released, and beat goes on: one at a time, none forgotten, none repeated.
    beats(&stack, BEATS);
    let load = stack.load("/health");
    for release in 2..=3 {
        let level = format!("LOG_LEVEL: \"INFO\"\n      RELEASE: \"{release}\"");
        stack.change(
            "wharf.yaml",
            &tick(TICK_SECONDS),
            &format!("{}\n      {level}", tick(TICK_SECONDS)),
        );
        let before: Vec<_> = ["web", "worker", "beat"]
            .map(|service| stack.pids(service))
            .concat();
        stack.run(&["release"]).succeeded();
        let after: Vec<_> = ["web", "worker", "beat"]
            .map(|service| stack.pids(service))
            .concat();
        assert!(
            after.iter().all(|pid| !before.contains(pid)),
            "{before:?} {after:?}"
        );
        stack.change("wharf.yaml", &format!("\n      {level}"), "");
        let seen = beats(&stack, 0).len();
        beats(&stack, seen + BEATS);
    }
    load.end();
    browser.say("released");
    browser.end();

    let sent = beats(&stack, 0);
    for pair in sent.windows(2) {
        let apart = (pair[1] - pair[0]).rem_euclid(86_400.0);
        // A beat of the old process and one of the new would be closer.
        assert!(
            apart > TICK_SECONDS as f64 / 2.0,
            "two beats {apart} s apart: {sent:?}"
        );
    }
    let ticks = "from tasks.models import Tick; print('ticks', Tick.objects.count())";
    wait_for("every beat to be done once", || {
        let sent = beats(&stack, 0).len();
        let done = stack
            .run(&["exec", "web", "python", "manage.py", "shell", "-c", ticks])
            .succeeded();
        done.output.contains(&format!("ticks {sent}\n"))
    });

    // Migrations ran once for all replicas. One that fails blocks the roll-out of every service.
    let logs = stack.run(&["logs", "--raw"]).succeeded().output;
    assert_eq!(
        logs.matches("Applying tasks.0001_initial").count(),
        1,
        "{logs}"
    );
    let before: Vec<_> = ["web", "worker", "beat"]
        .map(|service| stack.pids(service))
        .concat();
    let broken = "\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [(\"tasks\", \"0001_initial\")]
    operations = [migrations.RunSQL(\"ALTER TABLE no_such_table ADD COLUMN price integer\")]
";
    std::fs::write(
        stack.folder().join("app/tasks/migrations/0002_broken.py"),
        broken,
    )
    .unwrap();
    let load = stack.load("/health");
    stack
        .run(&["release"])
        .failed_saying(&["web", "release command", "no_such_table"]);
    load.end();
    let after: Vec<_> = ["web", "worker", "beat"]
        .map(|service| stack.pids(service))
        .concat();
    assert_eq!(after, before);
}

/// When each beat was sent, in seconds of the day, once there are so many.
#[track_caller]
fn beats(stack: &Stack, least: usize) -> Vec<f64> {
    let mut sent = vec![];
    wait_for("beats", || {
        let logs = stack.run(&["logs", "beat", "--raw"]).succeeded().output;
        let lines = logs
            .lines()
            .filter(|line| line.contains("Sending due task tick"));
        sent = lines
            .map(|line| seconds(line).unwrap_or_else(|| panic!("no time in {line}")))
            .collect();
        sent.len() >= least
    });
    sent
}

/// The time in a line of the application's log: `"timestamp": "2026-01-02T03:04:05.678+00:00"`.
fn seconds(line: &str) -> Option<f64> {
    let record: serde_json::Value = serde_json::from_str(line).ok()?;
    let time = record["timestamp"].as_str()?.split_once('T')?.1;
    let mut parts = time.split(['+', ':']);
    let mut part = || parts.next()?.parse::<f64>().ok();
    Some(part()? * 3600.0 + part()? * 60.0 + part()?)
}
