//! Starting, ending, and the sentences of what does not start.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use wharf_base::units::Bytes;
use wharf_process::{Cause, Launch, LaunchError, Limits, Signal, SpawnError, StopScope, User};

use crate::project::{Project, is_root, run, runs, skip, until};

#[track_caller]
fn check(script: &str, expected: Cause) {
    run(async {
        let project = Project::new();
        let handle = project.start(project.shell("a", script)).await;
        let exit = handle.wait().await;
        assert_eq!(exit.cause, expected, "{script}");
        assert_eq!(handle.exit(), Some(exit), "{script}");
        until("the shim's end", || {
            (!runs(handle.shim_pid())).then_some(())
        })
        .await;
        project.assert_nothing_left();
    });
}

#[test]
fn exits_are_reported() {
    check("exit 0", Cause::Code(0));
    check("exit 3", Cause::Code(3));
    check("kill -KILL $$", Cause::Signal(9));
    check("kill -TERM $$", Cause::Signal(15));
    check("sleep 1000 & exit 4", Cause::Code(4));
}

#[track_caller]
fn check_refused(change: impl FnOnce(&Project, &mut Launch), expected: &[&str]) {
    run(async {
        let project = Project::new();
        let mut launch = project.launch("a", &["/bin/true"]);
        change(&project, &mut launch);
        let error = match project.try_start(launch).await {
            Ok(handle) => panic!(
                "expected {expected:?}, but it runs: {:?}",
                handle.wait().await
            ),
            Err(error) => error,
        };
        let mut text = error.to_string();
        if let Some(source) = error.source() {
            text = format!("{text}: {source}");
        }
        for part in expected {
            assert!(text.contains(part), "expected {part:?} in {text:?}");
        }
        assert!(!text.contains("topsecret"), "{text:?}");
        project.assert_nothing_left();
    });
}

#[test]
fn what_cannot_start_says_why() {
    let argv = |text: &str| vec![text.to_owned(), "topsecret".to_owned()];
    check_refused(
        |_, l| l.argv = argv("no-such-program"),
        &["no program `no-such-program` in PATH (/usr/local/bin:/usr/bin:/bin)"],
    );
    check_refused(
        |_, l| l.argv = argv("./missing"),
        &["no file `./missing`", "/tmp"],
    );
    check_refused(
        |_, l| l.argv = argv("/tmp"),
        &["`/tmp` may not be executed by the current user"],
    );
    check_refused(
        |_, l| l.cwd = "/no/such/folder".into(),
        &["cannot run in the folder /no/such/folder", "No such file"],
    );
    check_refused(
        |_, l| l.cwd = "/dev/null".into(),
        &["cannot run in the folder /dev/null", "Not a directory"],
    );
    check_refused(
        |_, l| l.log.dir = "/dev/null/logs".into(),
        &["cannot write the log in /dev/null/logs", "Not a directory"],
    );
    check_refused(
        |_, l| l.dir = "/dev/null/run".into(),
        &["cannot write the run directory /dev/null/run"],
    );
    check_refused(
        |_, l| l.limits.open_files = Some(u64::MAX / 2),
        &[
            "limit of 9223372036854775807 open files",
            "Operation not permitted",
        ],
    );
    check_refused(
        |project, l| {
            let script = project.path().join("script");
            fs::write(&script, "#!/no/such/interpreter -x\n").unwrap();
            fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
            l.argv = argv("./script");
        },
        &[
            "`./script` is there",
            "interpreter `/no/such/interpreter` is not",
        ],
    );
    check_refused(
        |project, l| {
            fs::write(project.path().join("plain"), "x").unwrap();
            l.argv = argv("./plain");
        },
        &["`./plain` may not be executed"],
    );
}

#[test]
fn what_no_machine_can_run_is_refused_before() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut Launch), expected: LaunchError) {
        let project = Project::new();
        let mut launch = project.launch("a", &["/bin/true"]);
        change(&mut launch);
        assert_eq!(launch.check(), Err(expected));
    }
    check(|l| l.argv.clear(), LaunchError::EmptyCommand);
    check(|l| l.argv = vec![String::new()], LaunchError::EmptyCommand);
    check(
        |l| l.id = "../a".into(),
        LaunchError::Marker {
            what: "id",
            found: "../a".into(),
        },
    );
    check(
        |l| l.project = String::new(),
        LaunchError::Marker {
            what: "project",
            found: String::new(),
        },
    );
    check(
        |l| l.argv.push("a\0b".into()),
        LaunchError::Nul("argument 1 of the command".into()),
    );
    check(
        |l| drop(l.env.insert("K".into(), "a\0".into())),
        LaunchError::Nul("the environment variable `K`".into()),
    );
    check(
        |l| drop(l.env.insert("A=B".into(), String::new())),
        LaunchError::VariableName("A=B".into()),
    );
    check(
        |l| l.log.max_files = 1,
        LaunchError::Log {
            files: 1,
            bytes: 10 << 20,
        },
    );
}

#[test]
fn a_shim_that_cannot_be_one_is_reported() {
    run(async {
        let project = Project::new();
        let mut shim = crate::project::shim();
        shim.program = "/no/such/wharf".into();
        let error = wharf_process::spawn(&shim, project.launch("a", &["/bin/true"]))
            .await
            .unwrap_err();
        assert!(matches!(error, SpawnError::ShimProgram { .. }), "{error}");
        shim.program = "/bin/sh".into();
        shim.arguments = vec!["-c".into(), "echo broken >&2; exit 1".into()];
        let error = wharf_process::spawn(&shim, project.launch("a", &["/bin/true"]))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the supervisor ended before the process ran: broken"
        );
    });
}

#[test]
fn the_environment_is_what_was_given_and_nothing_else() {
    run(async {
        let project = Project::new();
        let mut launch = project.launch("a", &["env"]);
        launch.env.insert("SECRET".into(), "topsecret".into());
        let handle = project.start(launch).await;
        assert!(handle.wait().await.success());
        let got: BTreeSet<String> = project.lines().into_iter().collect();
        let marker = format!("WHARF_PROJECT={}", project.marker);
        let expected = [
            "PATH=/usr/local/bin:/usr/bin:/bin",
            "SECRET=topsecret",
            &marker,
            "WHARF_REPLICA=a",
        ];
        assert_eq!(got, expected.map(str::to_owned).into());
        for file in ["launch.json", "exit.json"] {
            let text = fs::read_to_string(project.run_dir("a").join(file)).unwrap();
            assert!(!text.contains("topsecret"), "{file}");
        }
    });
}

#[test]
fn a_process_has_nothing_of_the_shim() {
    run(async {
        let project = Project::new();
        let handle = project.start(project.launch("a", &["sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; grep -E 'Sig(Blk|Ign)' /proc/self/status; readlink /proc/self/fd/0"])).await;
        assert!(handle.wait().await.success());
        let lines = project.lines();
        assert!(
            lines.contains(&"0 1 2 3 SigBlk:\t0000000000000000".to_owned()),
            "{lines:?}"
        );
        // Bits from 31 on are glibc's own and the real-time signals, of which the outer world may ignore some.
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("SigIgn:") && line.ends_with("0000000")),
            "{lines:?}"
        );
        assert!(lines.contains(&"/dev/null".to_owned()), "{lines:?}");
    });
}

#[test]
fn a_shim_holds_nothing_of_whoever_started_the_engine() {
    run(async {
        let project = Project::new();
        // As a shell script that waits for the end of a pipe: `wharf up -d 9>&1`.
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let handle = project.start(project.launch("a", &["sleep", "1000"])).await;
        let target = |pid: i32, fd: i32| fs::read_link(format!("/proc/{pid}/fd/{fd}"));
        let held = target(
            i32::try_from(std::process::id()).unwrap(),
            std::os::fd::AsRawFd::as_raw_fd(&writer),
        )
        .unwrap();
        for pid in [handle.shim_pid(), handle.pid()] {
            assert!(
                (0..256).all(|fd| target(pid, fd).ok().as_ref() != Some(&held)),
                "{pid} holds {}",
                held.display()
            );
        }
        drop(reader);
        handle.kill().await;
    });
}

#[test]
fn root_drops_to_the_user() {
    if !is_root() {
        check_refused(
            |_, l| l.user = Some(User { uid: 1, gid: 1 }),
            &["cannot run as user 1 (group 1): only root can run a process as somebody else"],
        );
        return skip("only root can run a process as another user");
    }
    run(async {
        let project = Project::new();
        let script = "id -u; id -g; id -G; grep NoNewPrivs /proc/self/status; echo by-name > /dev/stdout; cat /root/x 2>/dev/null || echo denied";
        let mut launch = project.shell("a", script);
        launch.user = Some(User {
            uid: 65_534,
            gid: 65_533,
        });
        let handle = project.start(launch).await;
        assert!(handle.wait().await.success());
        assert_eq!(
            project.lines(),
            [
                "65534",
                "65533",
                "65533",
                "NoNewPrivs:\t1",
                "by-name",
                "denied"
            ]
        );
    });
    check_refused(
        |project, l| {
            let folder = project.path().join("private");
            fs::create_dir(&folder).unwrap();
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
            l.cwd = folder;
            l.user = Some(User {
                uid: 65_534,
                gid: 65_534,
            });
        },
        &[
            "cannot run in the folder",
            "as user 65534 (group 65534)",
            "Permission denied",
        ],
    );
}

#[test]
fn stop_is_graceful_first() {
    run(async {
        let project = Project::new();
        let script = "trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done";
        let handle = project.start(project.shell("a", script)).await;
        project.line("ready").await;
        let exit = handle.stop().await;
        assert_eq!((exit.cause, exit.asked), (Cause::Code(7), true));
        assert!(project.lines().contains(&"bye".to_owned()));
        assert_eq!(handle.stop().await, exit, "stopping twice is no harm");
        assert_eq!(handle.kill().await, exit);
    });
}

#[test]
fn who_does_not_end_is_killed() {
    run(async {
        let project = Project::new();
        let mut launch = project.shell(
            "a",
            "trap '' TERM; echo ready; while :; do sleep 0.05; done",
        );
        launch.stop_timeout = Duration::from_millis(200);
        let handle = project.start(launch).await;
        project.line("ready").await;
        assert_eq!(handle.stop().await.cause, Cause::Signal(9));
        project.assert_nothing_left();
    });
}

#[test]
fn a_group_has_the_whole_timeout_and_a_main_process_is_stopped_alone() {
    // The shell dies of the signal at once; its child takes a moment and says so.
    let child =
        "trap 'sleep 0.3; echo drained; exit' TERM; echo ready; while :; do sleep 0.05; done";
    let script = format!("sh -c \"{child}\" & wait");
    #[track_caller]
    fn check(script: &str, scope: StopScope, drained: bool) {
        run(async {
            let project = Project::new();
            let mut launch = project.shell("a", script);
            launch.stop_scope = scope;
            let handle = project.start(launch).await;
            project.line("ready").await;
            assert_eq!(handle.stop().await.cause, Cause::Signal(15));
            assert_eq!(
                project.lines().contains(&"drained".to_owned()),
                drained,
                "{scope:?}"
            );
            project.assert_nothing_left();
        });
    }
    check(&script, StopScope::Group, true);
    check(&script, StopScope::Main, false);
}

#[test]
fn signals_reach_the_main_process() {
    run(async {
        let project = Project::new();
        let handle = project
            .start(project.shell(
                "a",
                "trap 'echo again' HUP; echo ready; while :; do sleep 0.05; done",
            ))
            .await;
        project.line("ready").await;
        handle.signal(Signal::HUP);
        project.line("again").await;
        assert_eq!(handle.kill().await.cause, Cause::Signal(9));
    });
}

#[test]
fn a_stopped_main_process_and_a_stopped_shim_can_be_stopped() {
    run(async {
        let project = Project::new();
        let handle = project
            .start(project.shell("a", "kill -STOP $$; echo on"))
            .await;
        until("the process to stand still", || {
            fs::read_to_string(format!("/proc/{}/stat", handle.pid()))
                .unwrap()
                .contains(") T")
                .then_some(())
        })
        .await;
        assert_eq!(handle.stop().await.cause, Cause::Signal(15));
    });
}

#[test]
fn going_over_the_memory_limit_is_named() {
    run(async {
        let project = Project::new();
        let mut launch = project.launch("a", &[]);
        launch.argv = vec![
            crate::project::program().display().to_string(),
            "eat".into(),
        ];
        launch.limits = Limits {
            memory: Some(Bytes(32 << 20)),
            ..Limits::default()
        };
        let handle = project.start(launch).await;
        if !handle.facts().unenforced.is_empty() {
            handle.kill().await;
            return skip(&handle.facts().unenforced.join(", "));
        }
        let exit = handle.wait().await;
        assert_eq!((exit.cause, exit.oom_killed), (Cause::Signal(9), true));
        assert_eq!(
            exit.to_string(),
            "killed by SIGKILL (out of memory: it went over its memory limit)"
        );
        for dir in &handle.facts().cgroups {
            assert!(!dir.exists(), "{} is left", dir.display());
        }
    });
}

#[test]
fn limits_hold() {
    run(async {
        let project = Project::new();
        let mut launch = project.shell(
            "a",
            "ulimit -n; for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo forked",
        );
        launch.limits = Limits {
            open_files: Some(77),
            processes: Some(4),
            ..Limits::default()
        };
        let handle = project.start(launch).await;
        let exit = handle.wait().await;
        let lines = project.lines();
        assert_eq!(lines.first().map(String::as_str), Some("77"));
        if handle.facts().unenforced.is_empty() {
            assert!(
                !exit.success() && !lines.contains(&"forked".to_owned()),
                "{lines:?}"
            );
        } else {
            skip(&handle.facts().unenforced.join(", "));
        }
        project.assert_nothing_left();
    });
}

#[test]
fn two_hundred_processes_leave_nothing() {
    run(async {
        let project = Project::new();
        let before = fs::read_dir("/proc/self/fd").unwrap().count();
        for _ in 0..4 {
            let mut handles = Vec::new();
            for n in 0..50 {
                handles.push(
                    project
                        .start(project.launch(&format!("p{n}"), &["sleep", "1000"]))
                        .await,
                );
            }
            for handle in handles {
                assert_eq!(handle.stop().await.cause, Cause::Signal(15));
                until("the shim to be reaped", || {
                    (!fs::exists(format!("/proc/{}", handle.shim_pid())).unwrap()).then_some(())
                })
                .await;
            }
        }
        project.assert_nothing_left();
        until("the descriptors to be closed", || {
            (fs::read_dir("/proc/self/fd").unwrap().count() <= before + 2).then_some(())
        })
        .await;
    });
}
