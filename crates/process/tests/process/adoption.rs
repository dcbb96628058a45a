//! What an engine finds that comes after one that was killed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use wharf_process::{AdoptError, Adopted, Cause, Handle, Launch, adopt, facts};

use crate::project::{Project, program, run, runs, until};

/// Another engine that has started the launch. Returns when the process runs.
fn engine(project: &Project, launch: &Launch) -> (Child, i32) {
    let file = project.path().join("launch-of-the-test.json");
    fs::write(&file, serde_json::to_vec(launch).unwrap()).unwrap();
    let mut child = Command::new(program())
        .arg("engine")
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    (child, line.trim().parse().unwrap())
}

fn kill(mut engine: Child) {
    engine.kill().unwrap();
    engine.wait().unwrap();
    let mut rest = String::new();
    engine
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut rest)
        .unwrap();
}

async fn adopt_running(project: &Project, id: &str) -> Handle {
    match adopt(&project.run_dir(id)).await.unwrap() {
        Adopted::Running(handle) => handle,
        Adopted::Exited(exit) => panic!("expected a running process, found: {exit}"),
    }
}

async fn adopt_exited(project: &Project, id: &str) -> Cause {
    match adopt(&project.run_dir(id)).await.unwrap() {
        Adopted::Exited(exit) => exit.cause,
        Adopted::Running(handle) => panic!("expected an exit, but {} runs", handle.pid()),
    }
}

#[test]
fn what_runs_is_adopted_and_no_line_is_lost() {
    run(async {
        let project = Project::new();
        let script =
            "trap 'echo bye; exit 6' TERM; n=0; while :; do n=$((n+1)); echo $n; sleep 0.01; done";
        let (first, pid) = engine(&project, &project.shell("a", script));
        project.line("5").await;
        kill(first);
        let seen = project.lines().len();
        until("lines that were written while no engine ran", || {
            (project.lines().len() > seen + 5).then_some(())
        })
        .await;
        let handle = adopt_running(&project, "a").await;
        assert_eq!((handle.pid(), handle.id()), (pid, "a"));
        assert!(runs(pid) && handle.exit().is_none());
        let again = adopt_running(&project, "a").await;
        assert_eq!(handle.stop().await.cause, Cause::Code(6));
        assert_eq!(
            again.wait().await.cause,
            Cause::Code(6),
            "every engine is told"
        );
        let numbers: Vec<u32> = project
            .lines()
            .iter()
            .filter_map(|line| line.parse().ok())
            .collect();
        assert_eq!(
            numbers,
            (1..=u32::try_from(numbers.len()).unwrap()).collect::<Vec<_>>()
        );
        assert_eq!(adopt_exited(&project, "a").await, Cause::Code(6));
    });
}

#[test]
fn an_exit_while_no_engine_ran_is_told() {
    run(async {
        let project = Project::new();
        let (first, _) = engine(
            &project,
            &project.shell(
                "a",
                "echo ready; while [ ! -e go ]; do sleep 0.01; done; exit 9",
            ),
        );
        kill(first);
        fs::write(project.path().join("go"), "").unwrap();
        until("its end", || {
            crate::project::marked(&project.marker)
                .is_empty()
                .then_some(())
        })
        .await;
        assert_eq!(adopt_exited(&project, "a").await, Cause::Code(9));
        project.assert_nothing_left();
    });
}

#[test]
fn a_shim_that_was_killed_with_its_engine_leaves_nothing_after_the_next_adoption() {
    run(async {
        let project = Project::new();
        let script = "(setsid setsid sleep 1000 &); echo ready; sleep 1000";
        let (first, pid) = engine(&project, &project.shell("a", script));
        project.line("ready").await;
        kill(first);
        let shim = facts::read(&project.run_dir("a"))
            .unwrap()
            .unwrap()
            .running
            .unwrap()
            .shim_pid;
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(shim).unwrap(),
            rustix::process::Signal::KILL,
        )
        .unwrap();
        until("the main process to die with its shim", || {
            (!runs(pid)).then_some(())
        })
        .await;
        assert!(
            !crate::project::marked(&project.marker).is_empty(),
            "the daemon is still there to be found"
        );
        assert_eq!(adopt_exited(&project, "a").await, Cause::ShimLost);
        project.assert_nothing_left();
        assert_eq!(
            adopt_exited(&project, "a").await,
            Cause::ShimLost,
            "the second time it is on record"
        );
    });
}

#[test]
fn a_launch_that_was_interrupted_is_an_exit() {
    run(async {
        let project = Project::new();
        let handle = project.start(project.launch("a", &["/bin/true"])).await;
        handle.wait().await;
        // As if the engine had been killed between writing the facts and starting the shim.
        let mut facts = facts::read(&project.run_dir("a")).unwrap().unwrap();
        facts.running = None;
        let mut json = serde_json::to_value(&facts).unwrap();
        json["version"] = 1.into();
        fs::write(project.run_dir("a").join("launch.json"), json.to_string()).unwrap();
        fs::remove_file(project.run_dir("a").join("exit.json")).unwrap();
        assert_eq!(adopt_exited(&project, "a").await, Cause::ShimLost);
    });
}

#[test]
fn a_run_directory_in_use_is_refused() {
    run(async {
        let project = Project::new();
        let handle = project.start(project.launch("a", &["sleep", "1000"])).await;
        let error = project
            .try_start(project.launch("a", &["sleep", "1000"]))
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("run/a belongs to a process that still runs; stop it first"),
            "{error}"
        );
        assert!(runs(handle.pid()));
        handle.kill().await;
        assert!(
            project
                .start(project.launch("a", &["/bin/true"]))
                .await
                .wait()
                .await
                .success()
        );
    });
}

#[test]
fn who_talks_nonsense_to_a_shim_is_cut_off() {
    #[track_caller]
    fn check(stream: &mut std::os::unix::net::UnixStream, nonsense: &[u8]) {
        // A shim that has cut the connection meanwhile is right too.
        stream.write_all(nonsense).ok();
        stream
            .set_read_timeout(Some(crate::project::DEADLINE))
            .unwrap();
        let mut rest = Vec::new();
        stream
            .read_to_end(&mut rest)
            .or_else(|error| match error.kind() {
                std::io::ErrorKind::ConnectionReset => Ok(0),
                _ => Err(error),
            })
            .unwrap();
    }
    run(async {
        let project = Project::new();
        let handle = project.start(project.launch("a", &["sleep", "1000"])).await;
        let socket = handle.dir().join("shim.sock");
        for nonsense in [
            &b"\n"[..],
            b"{}\n",
            b"\"destroy\"\n",
            b"\xff\n",
            b"{\"signal\":-3}\n",
            &[b'x'; 100_000],
        ] {
            check(
                &mut wharf_process::unix_socket::connect(&socket).unwrap(),
                nonsense,
            );
        }
        let onlookers: Vec<_> = (0..40)
            .map(|_| wharf_process::unix_socket::connect(&socket).unwrap())
            .collect();
        assert!(runs(handle.pid()));
        // The engine's own connection was pushed out by the onlookers; it comes back.
        assert_eq!(handle.stop().await.cause, Cause::Signal(15));
        drop(onlookers);
    });
}

#[test]
fn what_is_unknown_is_an_error() {
    run(async {
        let project = Project::new();
        assert!(matches!(
            adopt(&project.run_dir("a")).await,
            Err(AdoptError::NotLaunched { .. })
        ));
        fs::create_dir_all(project.run_dir("a")).unwrap();
        assert!(matches!(
            adopt(&project.run_dir("a")).await,
            Err(AdoptError::NotLaunched { .. })
        ));
        for text in ["", "{}", "[", "{\"version\":99}", "\u{0}"] {
            fs::write(project.run_dir("a").join("launch.json"), text).unwrap();
            assert!(
                matches!(
                    adopt(&project.run_dir("a")).await,
                    Err(AdoptError::Unreadable { .. })
                ),
                "{text}"
            );
        }
    });
}

#[test]
fn an_engine_may_be_killed_at_any_moment_of_a_start() {
    run(async {
        let project = Project::new();
        for n in 0..30_u32 {
            let id = format!("a{n}");
            let launch = project.launch(&id, &["sleep", "1000"]);
            let file = project.path().join("launch-of-the-test.json");
            fs::write(&file, serde_json::to_vec(&launch).unwrap()).unwrap();
            let mut child = Command::new(program())
                .arg("engine")
                .arg(&file)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // Spread over the whole start, which takes some milliseconds.
            tokio::time::sleep(std::time::Duration::from_micros(u64::from(n) * 400)).await;
            child.kill().unwrap();
            child.wait().unwrap();
            match adopt(&project.run_dir(&id)).await {
                Ok(Adopted::Running(handle)) => {
                    handle.stop().await;
                }
                Ok(Adopted::Exited(_)) | Err(AdoptError::NotLaunched { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        until("the last shims' ends", || {
            crate::project::marked(&project.marker)
                .is_empty()
                .then_some(())
        })
        .await;
    });
}
