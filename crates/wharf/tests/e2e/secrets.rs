//! Secrets on this machine: given, written or drawn, and never seen; and environments that run elsewhere.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::stack::Stack;

const FILE: &str = "\
name: secret
services:
  web:
    command: [$ACTOR]
    port: 8000
    probes: { http: /health }
    resources: { cpu: 100m..1 }
    scale: { max: 2 }
    environment: { VERSION: \"${secret.given}/${secret.made}\" }
secrets:
  given: { description: \"Somebody sets it\" }
  made: { generate: 24 }
environments:
  here: {}
  prod: { target: kubernetes }
";

#[test]
fn a_secret_is_given_or_made_once_and_never_seen() {
    let mut stack = Stack::new(FILE);
    let done = stack.run(&["up", "-d"]);
    done.failed_saying(&[
        "`web` needs the secret `given`",
        "WHARF_SECRET_GIVEN",
        ".env",
        "generate",
    ]);
    fs::write(
        stack.folder().join(".env"),
        "WHARF_SECRET_GIVEN=from-a-file\n",
    )
    .unwrap();
    stack.up();
    let said = |stack: &Stack| {
        let body = stack.get("/").body;
        let (version, _pid) = body.rsplit_once(' ').unwrap();
        version.to_owned()
    };
    let first = said(&stack);
    let made = first.strip_prefix("from-a-file/").unwrap().to_owned();
    assert_eq!(made.len(), 24, "{first}");

    // It is in one file that only its owner reads, and in nothing that is shown.
    let kept = stack.folder().join(".wharf/secrets/secret-made");
    assert_eq!(fs::read_to_string(&kept).unwrap(), made);
    assert_eq!(
        fs::metadata(&kept).unwrap().permissions().mode() & 0o777,
        0o600
    );
    for arguments in [
        &["ps", "--json"][..],
        &["logs"],
        &["rollout", "history"],
        &["check", "--format", "json"],
    ] {
        let done = stack.run(arguments);
        let shown = format!("{}{}", done.output, done.errors);
        assert!(!shown.contains(&made), "{arguments:?} shows the secret");
    }

    // Another value is another release of the service; the one that was made stays.
    fs::write(
        stack.folder().join(".env"),
        "WHARF_SECRET_GIVEN=from-another\n",
    )
    .unwrap();
    stack.run(&["release"]).succeeded();
    assert_eq!(said(&stack), format!("from-another/{made}"));
    stack.run(&["down"]).succeeded();
}

#[test]
fn what_runs_elsewhere_is_refused_and_what_is_not_in_force_is_told() {
    let stack = Stack::new(&FILE.replace("${secret.given}/", ""));
    let done = stack.run(&["-e", "prod", "up", "-d"]);
    assert_eq!(done.status, Some(2), "{}", done.errors);
    for part in [
        "the environment prod runs on Kubernetes, not on this machine",
        "`-e here` runs here",
    ] {
        assert!(done.errors.contains(part), "{}", done.errors);
    }
    let done = stack.run(&["-e", "here", "up", "-d"]).succeeded();
    let told = "on this machine not yet in force: scale (web)";
    assert_eq!(done.errors.matches(told).count(), 1, "{}", done.errors);
}
