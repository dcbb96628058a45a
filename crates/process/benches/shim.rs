//! What a shim costs: memory, the time to start and stop a process, and the time that logging takes from a process that writes much.
//!
//! `cargo bench -p wharf-process` prints one line a figure.
#![expect(
    clippy::unwrap_used,
    reason = "a measurement ends at the first thing that is not as it should be"
)]
#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wharf_process::{
    Launch, Limits, LogTarget, Marker, ShimProgram, Signal, StopScope, spawn, sweep,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wharf-process-test");
const PROCESSES: usize = 50;
const LINES: u64 = 2_000_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let project = format!("bench-{}", std::process::id());
    let shim = ShimProgram {
        program: PROGRAM.into(),
        arguments: vec!["shim".into()],
    };
    let launch = |id: String, argv: Vec<String>| Launch {
        project: project.clone(),
        argv,
        cwd: "/".into(),
        env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        user: None,
        limits: Limits::default(),
        stop_signal: Signal::TERM,
        stop_scope: StopScope::Group,
        stop_timeout: Duration::from_secs(10),
        dir: folder.path().join("run").join(&id),
        log: LogTarget {
            dir: folder.path().join("logs"),
            name: id.clone(),
            max_bytes: 10 << 20,
            max_files: 3,
        },
        id,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (mut starts, mut handles) = (Vec::new(), Vec::new());
        for n in 0..PROCESSES {
            let launch = launch(format!("p{n}"), vec!["sleep".into(), "1000".into()]);
            let begin = Instant::now();
            handles.push(spawn(&shim, launch).await.unwrap());
            starts.push(begin.elapsed());
        }
        let memory: Vec<Memory> = handles
            .iter()
            .map(|handle| Memory::of(handle.shim_pid()))
            .collect();
        let mut stops = Vec::new();
        for handle in handles {
            let begin = Instant::now();
            handle.stop().await;
            stops.push(begin.elapsed());
        }
        println!(
            "start: median {:?}, worst {:?}",
            median(&mut starts),
            starts.last().unwrap()
        );
        println!(
            "stop: median {:?}, worst {:?}",
            median(&mut stops),
            stops.last().unwrap()
        );
        let mean =
            |part: fn(&Memory) -> u64| memory.iter().map(part).sum::<u64>() / memory.len() as u64;
        println!(
            "memory of a shim, {PROCESSES} of them: PSS {} KiB, private dirty {} KiB",
            mean(|m| m.pss),
            mean(|m| m.dirty)
        );

        let begin = Instant::now();
        let spam = || vec![PROGRAM.to_owned(), "spam".to_owned(), LINES.to_string()];
        let handle = spawn(&shim, launch("spam".into(), spam())).await.unwrap();
        assert!(handle.wait().await.success());
        let logged = begin.elapsed();
        let begin = Instant::now();
        let mut plain = Command::new(PROGRAM)
            .args(&spam()[1..])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        assert!(plain.wait().unwrap().success());
        let rate = |time: Duration| (LINES as f64 / time.as_secs_f64()) as u64;
        println!(
            "log: {} lines/s, against {} lines/s into /dev/null",
            rate(logged),
            rate(begin.elapsed())
        );
    });
    sweep(&Marker::Project(project)).unwrap();
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// What the kernel accounts to a process, in KiB.
struct Memory {
    pss: u64,
    dirty: u64,
}

impl Memory {
    fn of(pid: i32) -> Self {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
        let field = |name: &str| {
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .unwrap();
            line.trim().trim_end_matches(" kB").parse().unwrap()
        };
        Self {
            pss: field("Pss:"),
            dirty: field("Private_Dirty:"),
        }
    }
}
