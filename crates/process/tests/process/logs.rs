//! What a process writes is in its log: all of it, in order, whatever the disk does.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use wharf_process::log::{Kind, Start, Tail};
use wharf_process::{Cause, Launch, facts};

use crate::project::{DEADLINE, Project, is_root, program, run, skip, until};

fn spam(project: &Project, id: &str, count: u64) -> Launch {
    let program = program().display().to_string();
    project.launch(id, &[&program, "spam", &count.to_string()])
}

#[track_caller]
fn numbers(project: &Project, kind: Kind) -> Vec<u64> {
    project
        .records()
        .iter()
        .filter(|record| record.kind == kind)
        .map(|record| record.text.strip_prefix("line ").unwrap().parse().unwrap())
        .collect()
}

#[test]
fn no_line_is_lost_under_load() {
    run(async {
        let project = Project::new();
        let mut launch = spam(&project, "a", 300_000);
        launch.log.max_bytes = 1 << 20;
        launch.log.max_files = 100;
        let handle = project.start(launch).await;
        assert!(handle.wait().await.success());
        assert_eq!(
            numbers(&project, Kind::Stdout),
            (0..300_000).step_by(2).collect::<Vec<_>>()
        );
        assert_eq!(
            numbers(&project, Kind::Stderr),
            (1..300_000).step_by(2).collect::<Vec<_>>()
        );
        assert!(
            fs::read_dir(project.logs()).unwrap().count() > 5,
            "it was rotated"
        );
    });
}

#[test]
fn rotation_keeps_the_newest() {
    run(async {
        let project = Project::new();
        let mut launch = spam(&project, "a", 100_000);
        launch.log.max_bytes = 256 << 10;
        launch.log.max_files = 3;
        let handle = project.start(launch).await;
        assert!(handle.wait().await.success());
        let sizes: Vec<u64> = fs::read_dir(project.logs())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .collect();
        assert_eq!(sizes.len(), 3);
        assert!(sizes.iter().all(|size| *size <= 256 << 10), "{sizes:?}");
        let (out, err) = (
            numbers(&project, Kind::Stdout),
            numbers(&project, Kind::Stderr),
        );
        assert_eq!((out.last(), err.last()), (Some(&99_998), Some(&99_999)));
        assert!(out.windows(2).all(|pair| pair[1] == pair[0] + 2));
    });
}

#[test]
fn the_last_words_are_kept() {
    #[track_caller]
    fn check(script: &str, expected: &[&str]) {
        run(async {
            let project = Project::new();
            let handle = project.start(project.shell("a", script)).await;
            handle.wait().await;
            let mut lines = project.lines();
            lines.sort();
            assert_eq!(lines, expected, "{script}");
        });
    }
    check("printf unfinished", &["unfinished"]);
    check(
        "printf 'a\\r\\nb'; printf c >&2; kill -9 $$",
        &["a", "b", "c"],
    );
    check(
        "(sleep 1000 &); echo out; exec >&- 2>&-; sleep 0.05",
        &["out"],
    );
    check("", &[]);
}

#[test]
fn a_killed_shim_leaves_whole_records() {
    run(async {
        let project = Project::new();
        let handle = project.start(spam(&project, "a", u64::MAX)).await;
        let first = project.logs().join("a.00000001.log");
        until("some lines", || {
            fs::metadata(&first)
                .is_ok_and(|file| file.len() > 100_000)
                .then_some(())
        })
        .await;
        let shim = rustix::process::Pid::from_raw(handle.shim_pid()).unwrap();
        rustix::process::kill_process(shim, rustix::process::Signal::KILL).unwrap();
        assert_eq!(handle.wait().await.cause, Cause::ShimLost);
        let out = numbers(&project, Kind::Stdout);
        assert!(out.len() > 500 && out.windows(2).all(|pair| pair[1] == pair[0] + 2));
    });
}

#[test]
fn a_tail_follows_rotations_and_new_processes() {
    run(async {
        let project = Project::new();
        let mut tail = Tail::new(vec![project.logs()], Start::default()).unwrap();
        let mut launch = spam(&project, "a", 20_000);
        launch.log.max_bytes = 128 << 10;
        launch.log.max_files = 1000;
        project.start(launch).await;
        project
            .start(project.shell("b", "sleep 0.1; echo late"))
            .await;
        let (mut lines, mut late) = (Vec::new(), false);
        while lines.len() < 20_000 || !late {
            let record = tokio::time::timeout(DEADLINE, tail.next())
                .await
                .expect("the tail stands still");
            match record.replica() {
                "a" => lines.push(record.text),
                _ => late = record.text == "late",
            }
        }
        lines.sort();
        lines.dedup();
        assert_eq!(lines.len(), 20_000, "each line once");
        assert_eq!(tail.try_next(), None);
    });
}

#[test]
fn a_full_disk_stops_nobody_and_is_told() {
    run(async {
        let project = Project::new();
        let Some(_small) = SmallDisk::mount(project.logs(), "256k") else {
            return skip("only root can mount a small file system");
        };
        fs::write(project.logs().join("ballast"), vec![1; 128 << 10]).unwrap();
        let program = program().display().to_string();
        let script = format!(
            "{program} spam 50000 2>&1; echo spent > spent; while [ ! -e go ]; do sleep 0.01; done; echo after"
        );
        let handle = project.start(project.shell("a", &script)).await;
        until("the process to get through on a full disk", || {
            project.path().join("spent").exists().then_some(())
        })
        .await;
        fs::remove_file(project.logs().join("ballast")).unwrap();
        fs::write(project.path().join("go"), "").unwrap();
        let exit = handle.wait().await;
        assert!(exit.success() && exit.dropped_lines > 0, "{exit:?}");
        let records = project.records();
        let note = records
            .iter()
            .find(|record| record.kind == Kind::Note)
            .expect("a note tells of the loss");
        let told: u64 = note.text.split(' ').next().unwrap().parse().unwrap();
        assert!(
            note.text
                .contains("could not be written and are lost: No space left"),
            "{}",
            note.text
        );
        let lines = records
            .iter()
            .filter(|record| record.text.starts_with("line "))
            .count() as u64;
        assert_eq!(lines + exit.dropped_lines, 50_000);
        assert!(told <= exit.dropped_lines);
        assert!(records.iter().any(|record| record.text == "after"));
        assert!(handle.dir().join("exit.json").exists());
    });
}

#[test]
fn a_quiet_process_owes_no_note_for_long() {
    // The note of a loss comes by itself, not only with the next line.
    run(async {
        let project = Project::new();
        let Some(_small) = SmallDisk::mount(project.logs(), "64k") else {
            return skip("only root can mount a small file system");
        };
        fs::write(project.logs().join("ballast"), vec![1; 40 << 10]).unwrap();
        let program = program().display().to_string();
        let script = format!("{program} spam 20000; echo spent > spent; sleep 1000");
        let handle = project.start(project.shell("a", &script)).await;
        until("the loss", || {
            project.path().join("spent").exists().then_some(())
        })
        .await;
        fs::remove_file(project.logs().join("ballast")).unwrap();
        until("the note", || {
            project
                .records()
                .iter()
                .any(|record| record.kind == Kind::Note)
                .then_some(())
        })
        .await;
        handle.kill().await;
    });
}

#[test]
fn an_exit_is_recorded_on_a_full_disk() {
    run(async {
        let project = Project::new();
        let Some(_small) = SmallDisk::mount(project.logs(), "64k") else {
            return skip("only root can mount a small file system");
        };
        let program = program().display().to_string();
        let mut launch = project.shell("a", &format!("{program} spam 20000; exit 3"));
        launch.dir = project.logs().join("run");
        let handle = project.start(launch).await;
        let exit = handle.wait().await;
        assert_eq!(exit.cause, Cause::Code(3));
        assert!(exit.dropped_lines > 0);
        assert_eq!(facts::read_exit(handle.dir()).unwrap(), Some(exit));
    });
}

/// A small file system for as long as it lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None: not permitted.
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let options = format!("size={size}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "wharf-test"])
            .arg(&at)
            .output();
        mount
            .is_ok_and(|output| is_root() && output.status.success())
            .then_some(Self(at))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status()
            .unwrap();
    }
}
