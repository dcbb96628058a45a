//! Nothing of a process survives it, whatever it forks and whoever is killed.

use std::time::Duration;

use wharf_process::{Cause, Handle, Marker, sweep};

use crate::project::{Project, run, runs, until};

/// Forks twice and calls setsid, so that neither the group, nor the session, nor the parent leads to the sleeper; it ignores what it can.
const DAEMONS: &str = "
    trap '' TERM HUP INT
    (setsid sh -c 'trap \"\" TERM HUP; (setsid sleep 1001 </dev/null >/dev/null 2>&1 &) ; sleep 1002' >/dev/null 2>&1 &)
    (setsid setsid sleep 1003 &)
    sleep 1004 &
    echo ready
    while :; do sleep 0.05; done";

/// What is done to a process with daemons.
async fn check(act: impl AsyncFnOnce(&Project, &Handle) -> Cause, expected: Cause) {
    let project = Project::new();
    let mut launch = project.shell("a", DAEMONS);
    launch.stop_timeout = Duration::from_millis(100);
    let handle = project.start(launch).await;
    project.line("ready").await;
    let sleepers = until("the daemons to run", || {
        let pids: Vec<i32> = crate::project::marked(&project.marker);
        (pids.len() >= 7).then_some(pids)
    })
    .await;
    assert_eq!(act(&project, &handle).await, expected);
    for pid in sleepers.into_iter().filter(|pid| *pid != handle.shim_pid()) {
        assert!(!runs(pid), "{pid} survived");
    }
    assert!(
        handle.facts().cgroups.iter().all(|dir| !dir.exists()),
        "a cgroup is left"
    );
}

#[test]
fn stop_reaches_daemons() {
    run(check(
        async |_, handle| handle.stop().await.cause,
        Cause::Signal(9),
    ));
}

#[test]
fn kill_reaches_daemons() {
    run(check(
        async |_, handle| handle.kill().await.cause,
        Cause::Signal(9),
    ));
}

#[test]
fn the_end_of_the_main_process_reaches_daemons() {
    run(check(
        async |_, handle| {
            kill(handle.pid());
            handle.wait().await.cause
        },
        Cause::Signal(9),
    ));
}

#[test]
fn a_killed_shim_takes_daemons_with_it() {
    run(check(
        async |_, handle| {
            kill(handle.shim_pid());
            handle.wait().await.cause
        },
        Cause::ShimLost,
    ));
}

#[test]
fn a_shim_that_stands_still_is_killed_when_it_matters() {
    run(async {
        let project = Project::new();
        let handle = project.start(project.launch("a", &["sleep", "1000"])).await;
        signal(handle.shim_pid(), rustix::process::Signal::STOP);
        assert_eq!(handle.kill().await.cause, Cause::ShimLost);
        assert!(!runs(handle.pid()));
    });
}

#[test]
fn a_shim_takes_sigterm_as_the_wish_to_stop() {
    run(async {
        let project = Project::new();
        let handle = project
            .start(project.shell(
                "a",
                "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done",
            ))
            .await;
        project.line("ready").await;
        for harmless in [
            rustix::process::Signal::INT,
            rustix::process::Signal::HUP,
            rustix::process::Signal::QUIT,
        ] {
            signal(handle.shim_pid(), harmless);
        }
        signal(handle.shim_pid(), rustix::process::Signal::TERM);
        assert_eq!(handle.wait().await.cause, Cause::Code(5));
    });
}

#[test]
fn sweep_finds_everything_without_any_file() {
    run(async {
        let project = Project::new();
        let other = Project::new();
        let bystander = other.start(other.launch("a", &["sleep", "1000"])).await;
        for id in ["a", "b"] {
            project.start(project.shell(id, DAEMONS)).await;
        }
        until("all daemons", || {
            (crate::project::marked(&project.marker).len() >= 16).then_some(())
        })
        .await;
        // Shims first, so that only the markers lead to the rest; the handles of this test race with the sweep, as an engine would.
        let marker = Marker::Project(project.marker.clone());
        let killed = tokio::task::spawn_blocking(move || sweep(&marker))
            .await
            .unwrap()
            .unwrap();
        assert!(killed.len() >= 2, "{killed:?}");
        project.assert_nothing_left();
        assert!(runs(bystander.pid()), "another project was touched");
        assert_eq!(
            sweep(&Marker::Replica {
                project: other.marker.clone(),
                id: "b".into()
            }),
            Ok(Vec::new())
        );
        assert!(runs(bystander.pid()), "another replica was touched");
    });
}

#[test]
fn a_storm_of_forks_ends() {
    run(async {
        let project = Project::new();
        let mut launch = project.shell("a", "storm() { while :; do (setsid sleep 1000 &); done; }; storm & storm & echo ready; wait");
        launch.stop_timeout = Duration::from_millis(50);
        launch.limits.processes = Some(300);
        let handle = project.start(launch).await;
        project.line("ready").await;
        until("some forks", || {
            (crate::project::marked(&project.marker).len() > 100).then_some(())
        })
        .await;
        handle.stop().await;
        project.assert_nothing_left();
    });
}

fn kill(pid: i32) {
    signal(pid, rustix::process::Signal::KILL);
}

fn signal(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}
