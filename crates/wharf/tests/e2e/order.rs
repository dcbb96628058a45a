//! What runs when: jobs that others wait for, schedules, commands beside a service, logs by time.

use crate::stack::{Stack, find, wait_for};

#[test]
fn a_job_is_done_before_who_needs_it_and_commands_see_the_same_folder() {
    let mut stack = Stack::new(
        "\
name: order
services:
  web:
    command: [$ACTOR]
    port: 8000
    probes: { http: /health }
    needs: { seed: completed }
    volumes: [\"shared:data\"]
    environment: { SHARED: \"${volume.shared}\", PEER: \"${seed-reader.url}\" }
  seed:
    command: echo sown > $SHARED/seed; echo seeded
    volumes: [\"shared:data\"]
    environment: { SHARED: \"${volume.shared}\" }
  seed-reader:
    command: [$ACTOR]
    port: 8001
    environment: { VERSION: reader }
  every-minute:
    command: date
    schedule: \"* * * * *\"
",
    );
    stack.up();
    let cat = stack
        .run(&["exec", "web", "sh", "-c", "cat $SHARED/seed"])
        .succeeded();
    assert_eq!(cat.output.trim(), "sown");
    let done = stack.run(&["run", "web", "sh", "-c", "echo $PORT $PEER; exit 7"]);
    assert_eq!(done.status, Some(7), "{}", done.errors);
    assert!(done.output.contains("http://127.0.0.1:"), "{}", done.output);
    assert!(
        stack
            .run(&["logs", "seed"])
            .succeeded()
            .output
            .contains("seeded")
    );
    let ps = stack.ps();
    assert_eq!(
        find(&ps["services"], "name", "seed")["desired"],
        0,
        "{ps:#}"
    );
    assert!(
        find(&ps["services"], "name", "every-minute")["next_run"].is_u64(),
        "{ps:#}"
    );
    // A second release does not run the job again: nothing of it has changed.
    stack.run(&["restart", "web"]).succeeded();
    let logs = stack.run(&["logs", "seed", "--raw"]).succeeded().output;
    assert_eq!(logs.matches("seeded").count(), 1, "{logs}");
}

#[test]
fn logs_are_in_the_order_of_time_and_follow() {
    let mut stack = Stack::new(
        "\
name: told
services:
  one: { command: \"echo first; sleep 0.4; echo third; sleep 1000\" }
  two: { command: \"sleep 0.2; echo second; sleep 0.4; echo fourth; sleep 1000\" }
",
    );
    stack.up();
    wait_for("every line", || {
        let lines = stack.run(&["logs", "--raw"]).succeeded().output;
        lines.lines().collect::<Vec<_>>() == ["first", "second", "third", "fourth"]
    });
    let tail = stack.run(&["logs", "--raw", "-n", "1"]).succeeded().output;
    assert_eq!(tail.trim(), "fourth");
    let json = stack
        .run(&["logs", "one", "--json", "-n", "1"])
        .succeeded()
        .output;
    let record: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(record["text"], "third");
    let unknown = stack.run(&["logs", "three"]);
    assert_eq!(unknown.status, Some(2));
    assert!(
        unknown.errors.contains("there are: one, two"),
        "{}",
        unknown.errors
    );
}

#[test]
fn a_release_command_comes_before_new_replicas_of_every_service() {
    let file = |version: &str, release: &str| {
        format!(
            "\
name: prepared
services:
  a-worker:
    command: cat $SHARED/tables || echo too early; sleep 1000
    volumes: [\"shared:data\"]
    environment: {{ SHARED: \"${{volume.shared}}\", VERSION: {version} }}
  web:
    command: [$ACTOR]
    port: 8000
    needs: [z-needed]
    release: {release}
    volumes: [\"shared:data\"]
    environment: {{ SHARED: \"${{volume.shared}}\", VERSION: {version} }}
  z-needed: {{ command: sleep 1000 }}
"
        )
    };
    let mut stack = Stack::new(&file("1", "sleep 1; echo of release 1 > $SHARED/tables"));
    stack.up();
    let told = |stack: &Stack| {
        let logs = stack.run(&["logs", "a-worker", "--raw"]).succeeded();
        logs.output
    };
    wait_for("the worker", || told(&stack).trim() == "of release 1");
    let pids = stack.pids("a-worker");
    stack.write(&file("2", "echo no such table >&2; exit 3"));
    let done = stack.run(&["release"]);
    done.failed_saying(&["web", "no such table"]);
    assert_eq!(stack.pids("a-worker"), pids);
    assert_eq!(told(&stack).trim(), "of release 1");
    stack.write(&file("3", "echo of release 3 > $SHARED/tables"));
    stack.run(&["release"]).succeeded();
    wait_for("the new worker", || {
        told(&stack).trim() == "of release 1\nof release 3"
    });
}
