//! `build.command`, and what is true of every build: locks, cancellation, death of the builder.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn shell(line: &str) -> Option<Command> {
    Some(Command::Shell(line.to_owned()))
}

#[tokio::test]
async fn what_a_command_leaves_is_the_artifact() {
    let mut project = project(&[("input", "1"), (".gitignore", "output\n")]);
    project.request.build.command = shell("echo building; { cat input; echo $LEVEL; } > output");
    project
        .request
        .build
        .args
        .insert("LEVEL".to_owned(), "debug".to_owned());
    let one = project.build().await;
    assert_eq!(
        fs::read_to_string(one.dir.join("output")).unwrap(),
        "1debug\n"
    );
    assert_eq!(
        fs::metadata(one.dir.join("output"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o444
    );
    assert!(project.build().await.cached, "it has left the same");
    project.write("input", "2");
    assert_ne!(project.build().await.digest, one.digest);
    let lines = project.lines.lock().unwrap().clone();
    assert!(
        lines.contains(&Progress::Line("building".to_owned())),
        "{lines:?}"
    );
}

#[tokio::test]
async fn failures_are_one_sentence() {
    #[track_caller]
    fn check(error: &BuildError, expected: &str) {
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    let mut project = project(&[("README", "")]);
    let dir = project.dir.path().display().to_string();
    check(
        &project.fail().await,
        &format!("nothing in {dir} says how it is built"),
    );
    project.request.command = shell("cat README");
    assert_eq!(
        output(&project.build().await, &Command::Shell("ls".to_owned())),
        "README"
    );
    project.write("Dockerfile", "FROM scratch\n");
    check(
        &project.fail().await,
        &format!("{dir} has only a Dockerfile"),
    );
    project.request.build.command = shell("echo why >&2; exit 4");
    check(
        &project.fail().await,
        &format!(
            "`echo why >&2; exit 4` in {dir} ended with exit status 4; its last lines:\n    why"
        ),
    );
    project.request.build.command = shell("exec sleep 1000");
    project.request.timeout = Some(Duration::from_millis(50));
    check(
        &project.fail().await,
        &format!("the build of {dir} did not end within 50ms"),
    );
    project.request.context = project.dir.path().join("missing");
    check(&project.fail().await, &format!("cannot find {dir}/missing"));
}

#[tokio::test]
async fn links_take_the_place_of_what_is_there() {
    let mut project = project(&[("media/default.png", "x"), ("app", "x")]);
    project.request.command = shell("true");
    let volume = project.state.path().join("volume");
    fs::create_dir(&volume).unwrap();
    fs::write(volume.join("kept.png"), "x").unwrap();
    project.request.links.insert("media".into(), volume.clone());
    project
        .request
        .links
        .insert("var/data".into(), volume.clone());
    let artifact = project.build().await;
    folder_is(&artifact.dir.join("media"), &["kept.png"]);
    folder_is(&artifact.dir.join("var/data"), &["kept.png"]);
    assert!(project.dir.path().join("media/default.png").exists());
    project.request.links.insert("../escape".into(), volume);
    let error = project.fail().await.to_string();
    assert!(error.starts_with("cannot put a link at"), "{error}");
}

#[tokio::test]
async fn builds_of_one_folder_do_not_overlap() {
    let mut project = project(&[("x", "")]);
    project.request.build.command = shell("mkdir busy && sleep 0.2 && rmdir busy");
    let mut other = project.request.clone();
    other.artifacts = project.state.path().join("artifacts/other");
    let (one, two) = tokio::join!(
        tokio::spawn(build(project.request.clone())),
        tokio::spawn(build(other))
    );
    one.unwrap().unwrap();
    two.unwrap().unwrap();
    assert!(
        project
            .steps()
            .iter()
            .any(|step| step.starts_with("waiting for another build of"))
    );
}

#[tokio::test]
async fn a_cancelled_build_leaves_nothing() {
    let mut project = project(&[("x", "")]);
    let line = format!("sleep {}", 3_000_000 + std::process::id());
    project.request.build.command = shell(&format!("({line} &) ; {line}"));
    let task = tokio::spawn(build(project.request.clone()));
    let begin = Instant::now();
    while !runs(&line) {
        assert!(begin.elapsed() < DEADLINE, "the build has started");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    wait_until("the tree is killed", || !runs(&line));
    assert_eq!(project.artifacts(), Vec::<String>::new());
    project.request.build.command = shell("true");
    project.build().await;
}

/// Names the folder of the test below to the process that it starts, and the command that is to be killed with it.
const VICTIM: &str = "WHARF_BUILD_TEST_VICTIM";

#[tokio::test]
async fn a_build_dies_with_a_killed_builder() {
    let line = format!("sleep {}", 4_000_000 + std::process::id());
    let mut victim = Process::new(std::env::current_exe().unwrap())
        .args(["commands::victim", "--exact", "--nocapture"])
        .env(VICTIM, &line)
        .spawn()
        .unwrap();
    wait_until("the build has started", || runs(&line));
    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_until("the tree is killed", || !runs(&line));
}

/// Does nothing but in the process that the test above starts.
#[tokio::test]
async fn victim() {
    let Ok(line) = std::env::var(VICTIM) else {
        return;
    };
    let mut project = project(&[("x", "")]);
    project.request.build.command = shell(&format!("({line} &) ; {line}"));
    project.build().await;
}
