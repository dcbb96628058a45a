//! Services whose builds are the same share one artifact.

use std::fs;
use std::path::PathBuf;

use crate::installed::{installed, program};
use crate::stack::Stack;

/// Only the command that Django's projects have is run; it notes that it ran.
const MANAGE: &str = "\
import os, pathlib, sys
assert sys.argv[1:] == ['collectstatic', '--noinput'], sys.argv
root = pathlib.Path(__file__).resolve().parent / 'staticfiles'
root.mkdir()
(root / 'app.css').write_text('one')
with open(os.environ['NOTES'], 'a') as notes:
    notes.write('collected\\n')
";

#[test]
fn one_build_for_web_worker_and_beat() {
    if !installed("python3", program("python3").is_some()) {
        return;
    }
    let mut stack = Stack::new("");
    let notes = stack.folder().join("notes");
    stack.write(&format!(
        "\
name: shared
services:
  beat: {{ build: &app {{ context: ./app, language: python, framework: django }}, command: exec sleep 1000, environment: &settings {{ NOTES: {notes} }} }}
  web:
    build: *app
    command: [$ACTOR]
    port: 8000
    probes: {{ http: /health }}
    environment: *settings
    static_files: {{ /static/: staticfiles }}
    rollout: {{ keep_old: 0s }}
  worker: {{ build: *app, command: exec sleep 1000, environment: *settings }}
",
        notes = notes.display()
    ));
    let app = stack.folder().join("app");
    fs::create_dir(&app).unwrap();
    fs::write(app.join("manage.py"), MANAGE).unwrap();
    fs::write(app.join("requirements.txt"), "").unwrap();
    let collected = || fs::read_to_string(&notes).unwrap().lines().count();
    let folder = |stack: &Stack, service: &str| -> PathBuf {
        fs::read_link(format!("/proc/{}/cwd", stack.pids(service)[0])).unwrap()
    };

    stack.up();
    assert_eq!(collected(), 1);
    assert_eq!(stack.get("/static/app.css").body, "one");
    for service in ["beat", "worker"] {
        assert_eq!(folder(&stack, service), folder(&stack, "web"), "{service}");
    }
    stack.change("app/manage.py", "'one'", "'two'");
    stack.run(&["release"]).succeeded();
    assert_eq!(collected(), 2);
    assert_eq!(stack.get("/static/app.css").body, "two");

    // What has other settings has a build of its own, and the others keep theirs.
    let others = [stack.pids("web"), stack.pids("beat")];
    stack.change(
        "wharf.yaml",
        "worker: { build: *app, command: exec sleep 1000, environment: *settings }",
        &format!(
            "worker: {{ build: *app, command: exec sleep 1000, environment: {{ NOTES: {}, OTHER: x }} }}",
            notes.display()
        ),
    );
    stack.run(&["release"]).succeeded();
    assert_eq!(collected(), 3);
    assert_ne!(folder(&stack, "worker"), folder(&stack, "web"));
    assert_eq!([stack.pids("web"), stack.pids("beat")], others);
}
