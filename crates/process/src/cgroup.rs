//! Cgroups of a process: where they can be made, its limits in them, and how everything in them is killed.
//!
//! `wharf-<project>/<id>` is made in the unified hierarchy (v2), where membership alone is worth it (`cgroup.kill` misses nothing),
//! and in each v1 hierarchy that a limit needs. Whatever is not permitted is left out and named; nothing here makes a launch fail.
//! Files: Linux's `admin-guide/cgroup-v2.rst` and `admin-guide/cgroup-v1/`.

mod hierarchy;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

pub(crate) use hierarchy::Hierarchy;

use crate::launch::Limits;

/// The period of CPU limits: the kernel's default, in microseconds.
const CPU_PERIOD_MICROS: u64 = 100_000;
/// The kernel's smallest quota, in microseconds.
const CPU_QUOTA_MIN_MICROS: u64 = 1_000;
/// A cgroup is busy until its last zombie is reaped, which the kernel does in the next moments.
const REMOVE_ATTEMPTS: u32 = 20;

/// The cgroups of one process.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    /// Its directories.
    pub(crate) dirs: Vec<PathBuf>,
    /// Limits that are not enforced, for people.
    pub(crate) unenforced: Vec<String>,
}

/// Makes the cgroups of a process and sets its limits.
pub(crate) fn place(
    hierarchies: &[Hierarchy],
    project: &str,
    id: &str,
    limits: &Limits,
) -> Placement {
    let mut placement = Placement::default();
    let mut wanted = Wanted::of(limits);
    for hierarchy in hierarchies {
        if !hierarchy.is_unified() && !wanted.any_in(hierarchy) {
            continue;
        }
        if let Some(dir) = hierarchy.make(project, id) {
            wanted.apply(hierarchy, &dir);
            placement.dirs.push(dir);
        }
    }
    placement.unenforced = wanted.left();
    placement
}

/// The limits that no hierarchy has taken yet.
struct Wanted {
    memory: Option<u64>,
    cpu_quota_micros: Option<u64>,
    processes: Option<u64>,
}

impl Wanted {
    fn of(limits: &Limits) -> Self {
        let quota =
            |millis: u32| (u64::from(millis) * CPU_PERIOD_MICROS / 1000).max(CPU_QUOTA_MIN_MICROS);
        Self {
            memory: limits.memory.map(|bytes| bytes.0),
            cpu_quota_micros: limits.cpu.map(|cpu| quota(cpu.0)),
            processes: limits.processes,
        }
    }

    fn any_in(&self, hierarchy: &Hierarchy) -> bool {
        (self.memory.is_some() && hierarchy.has("memory"))
            || (self.cpu_quota_micros.is_some() && hierarchy.has("cpu"))
            || (self.processes.is_some() && hierarchy.has("pids"))
    }

    fn apply(&mut self, hierarchy: &Hierarchy, dir: &Path) {
        let unified = hierarchy.is_unified();
        let set = |file: &str, value: String| fs::write(dir.join(file), value).is_ok();
        if let Some(bytes) = self.memory {
            let done = if unified {
                let done = set("memory.max", bytes.to_string());
                // Both are refinements; without them the limit still holds.
                set("memory.swap.max", "0".into());
                set("memory.oom.group", "1".into());
                done
            } else {
                let done = set("memory.limit_in_bytes", bytes.to_string());
                set("memory.memsw.limit_in_bytes", bytes.to_string());
                done
            };
            if done {
                self.memory = None;
            }
        }
        if let Some(quota) = self.cpu_quota_micros {
            let done = if unified {
                set("cpu.max", format!("{quota} {CPU_PERIOD_MICROS}"))
            } else {
                set("cpu.cfs_period_us", CPU_PERIOD_MICROS.to_string())
                    && set("cpu.cfs_quota_us", quota.to_string())
            };
            if done {
                self.cpu_quota_micros = None;
            }
        }
        if let Some(count) = self.processes
            && set("pids.max", count.to_string())
        {
            self.processes = None;
        }
    }

    fn left(&self) -> Vec<String> {
        let mut left = Vec::new();
        let mut name = |missing: bool, what: &str, controller: &str| {
            if missing {
                left.push(format!(
                    "the {what} limit: no {controller} cgroup may be made here"
                ));
            }
        };
        name(self.memory.is_some(), "memory", "memory");
        name(self.cpu_quota_micros.is_some(), "CPU", "cpu");
        name(self.processes.is_some(), "process", "pids");
        left
    }
}

/// The processes in a cgroup and below it.
pub(crate) fn members(dir: &Path) -> Vec<i32> {
    let mut pids: Vec<i32> = fs::read_to_string(dir.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.parse().ok())
        .collect();
    for child in children(dir) {
        pids.extend(members(&child));
    }
    pids
}

/// Kills everything in a cgroup and below it but `spared`; what is forked meanwhile too, where the kernel has `cgroup.kill` and nothing
/// is to be spared. Returns what was there.
pub(crate) fn kill(dir: &Path, spared: &BTreeSet<i32>) -> Vec<i32> {
    let mut there = members(dir);
    let before = there.len();
    there.retain(|pid| !spared.contains(pid));
    let at_once = || there.len() == before && fs::write(dir.join("cgroup.kill"), "1").is_ok();
    if !there.is_empty() && !at_once() {
        for pid in &there {
            if let Some(pid) = Pid::from_raw(*pid) {
                // It may be gone; the caller looks again.
                kill_process(pid, Signal::KILL).ok();
            }
        }
    }
    there
}

/// How often the kernel has killed something in the cgroup for want of memory.
pub(crate) fn oom_kills(dir: &Path) -> u64 {
    ["memory.events", "memory.oom_control"]
        .iter()
        .filter_map(|file| fs::read_to_string(dir.join(file)).ok())
        .flat_map(|text| {
            let count = |line: &str| {
                line.strip_prefix("oom_kill ")
                    .and_then(|n| n.trim().parse::<u64>().ok())
            };
            text.lines().filter_map(count).collect::<Vec<_>>()
        })
        .max()
        .unwrap_or(0)
}

/// Removes an empty cgroup, what the process has made below it, and the project's directory if this was its last.
pub(crate) fn remove(dir: &Path) {
    for child in children(dir) {
        remove_one(&child);
    }
    remove_one(dir);
    let project = dir.parent().filter(|parent| {
        parent
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"wharf-"))
    });
    if let Some(project) = project {
        // It stays while another process of the project is in it.
        drop(fs::remove_dir(project));
    }
}

fn remove_one(dir: &Path) {
    for child in children(dir) {
        remove_one(&child);
    }
    for _ in 0..REMOVE_ATTEMPTS {
        match fs::remove_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                std::thread::sleep(Duration::from_millis(1))
            }
            _ => return,
        }
    }
}

fn children(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
        .map(|entry| entry.path())
        .collect()
}
