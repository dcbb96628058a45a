//! Kills everything that belongs to a project or to one of its processes, whoever started it and whoever is its parent by now.
//!
//! A process belongs if it was started with the marker in its environment, stands in one of the given cgroups, or descends from one
//! that does. A process can overwrite what `/proc` shows of its environment; the cgroup, and its ancestors, still give it away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::cgroup::{self, Hierarchy};
use crate::procfs;

/// A process that has been sent SIGKILL needs a moment to release its memory; one that waits for a disk, longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks. Ending takes a process about this long.
const PAUSE: Duration = Duration::from_millis(2);

/// What is swept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marker {
    /// Everything of the project, shims included ([`crate::Launch::project`]).
    Project(String),
    /// Everything of one process of the project, its shim included.
    Replica {
        /// [`crate::Launch::project`]
        project: String,
        /// [`crate::Launch::id`]
        id: String,
    },
}

/// Some processes are still there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not kill {pids:?} within {} s: they wait for a device, or belong to a user out of reach; see `ps -o pid,user,stat,wchan,cmd -p PID`", PATIENCE.as_secs())]
pub struct SweepError {
    /// Those that are left.
    pub pids: Vec<i32>,
}

/// Sends SIGKILL to everything that carries the marker, again and again until nothing is left (what forks meanwhile is found by the
/// next look). Never kills the calling process or its ancestors. Blocks for some milliseconds, at most 10 s. Returns what was killed.
///
/// # Errors
/// Something could not be killed in time.
pub fn sweep(marker: &Marker) -> Result<Vec<i32>, SweepError> {
    sweep_with(marker, &[])
}

/// As [`sweep`], and everything in `cgroups`, which are removed at the end.
pub(crate) fn sweep_with(marker: &Marker, cgroups: &[PathBuf]) -> Result<Vec<i32>, SweepError> {
    let (project, id) = match marker {
        Marker::Project(project) => (project.as_str(), None),
        Marker::Replica { project, id } => (project.as_str(), Some(id.as_str())),
    };
    let mut cgroups = cgroups.to_vec();
    for dir in Hierarchy::all()
        .iter()
        .flat_map(|hierarchy| hierarchy.existing(project, id))
    {
        if !cgroups.contains(&dir) {
            cgroups.push(dir);
        }
    }
    let spared = self_and_ancestors();
    let deadline = Instant::now() + PATIENCE;
    let mut killed = BTreeSet::new();
    loop {
        for dir in &cgroups {
            killed.extend(cgroup::kill(dir, &spared));
        }
        let found = find(project, id, &spared);
        let mut left: BTreeSet<i32> = cgroups
            .iter()
            .flat_map(|dir| cgroup::members(dir))
            .collect();
        left.extend(found.keys());
        left.retain(|pid| !spared.contains(pid));
        if left.is_empty() {
            break;
        }
        if Instant::now() >= deadline {
            return Err(SweepError {
                pids: left.into_iter().collect(),
            });
        }
        for (pid, stat) in found {
            procfs::kill_exactly(pid, stat.ticks);
            killed.insert(pid);
        }
        std::thread::sleep(PAUSE);
    }
    for dir in &cgroups {
        cgroup::remove(dir);
    }
    Ok(killed.into_iter().collect())
}

fn find(project: &str, id: Option<&str>, spared: &BTreeSet<i32>) -> BTreeMap<i32, procfs::Stat> {
    let marked: BTreeSet<i32> = procfs::pids()
        .into_iter()
        .filter(|pid| !spared.contains(pid) && procfs::is_marked(*pid, project, id))
        .collect();
    if marked.is_empty() {
        return BTreeMap::new();
    }
    let mut found = procfs::descendants(&marked);
    found.retain(|pid, _| !spared.contains(pid));
    for pid in marked {
        if let Some(stat) = procfs::stat(pid).filter(|stat| stat.state != b'Z') {
            found.insert(pid, stat);
        }
    }
    found
}

fn self_and_ancestors() -> BTreeSet<i32> {
    let mut spared = BTreeSet::new();
    let mut pid = rustix::process::getpid().as_raw_pid();
    while pid > 0 && spared.insert(pid) {
        pid = procfs::stat(pid).map_or(0, |stat| stat.parent);
    }
    spared
}
