//! What `/proc` tells of processes. Everything here may be gone the next moment: a process that cannot be read is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::launch::{PROJECT_VARIABLE, REPLICA_VARIABLE};

/// An environment can be as long as the stack's quarter; the kernel's usual limit on arguments and environment is 2 MiB.
const ENVIRON_MAX_BYTES: u64 = 4 << 20;

/// The parts of `/proc/<pid>/stat` that say which process it is (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: u8,
    pub(crate) parent: i32,
    /// Start time in clock ticks since boot.
    pub(crate) ticks: u64,
}

/// Reads `/proc/<pid>/stat`.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    // The name stands in parentheses and may itself hold parentheses and spaces.
    let end = bytes.iter().rposition(|b| *b == b')')?;
    let text = std::str::from_utf8(bytes.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    Some(Stat {
        state: *fields.first()?.as_bytes().first()?,
        parent: fields.get(1)?.parse().ok()?,
        ticks: fields.get(19)?.parse().ok()?,
    })
}

/// The ids of all processes.
pub(crate) fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Everything below `roots`, without the roots, and without zombies.
pub(crate) fn descendants(roots: &BTreeSet<i32>) -> BTreeMap<i32, Stat> {
    let all: BTreeMap<i32, Stat> = pids()
        .into_iter()
        .filter_map(|pid| Some((pid, stat(pid)?)))
        .collect();
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for (pid, stat) in &all {
        children.entry(stat.parent).or_default().push(*pid);
    }
    let mut found = BTreeMap::new();
    let mut open: Vec<i32> = roots.iter().copied().collect();
    while let Some(pid) = open.pop() {
        for child in children.remove(&pid).unwrap_or_default() {
            open.push(child);
            if let Some(stat) = all.get(&child)
                && stat.state != b'Z'
                && !roots.contains(&child)
            {
                found.insert(child, *stat);
            }
        }
    }
    found
}

/// Whether the process was started with both markers in its environment. `id`: any.
pub(crate) fn is_marked(pid: i32, project: &str, id: Option<&str>) -> bool {
    let Ok(file) = fs::File::open(format!("/proc/{pid}/environ")) else {
        return false;
    };
    let mut bytes = Vec::new();
    if file
        .take(ENVIRON_MAX_BYTES)
        .read_to_end(&mut bytes)
        .is_err()
    {
        return false;
    }
    let has = |name: &str, value: &str| {
        bytes.split(|b| *b == 0).any(|variable| {
            variable
                .strip_prefix(name.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="))
                == Some(value.as_bytes())
        })
    };
    has(PROJECT_VARIABLE, project) && id.is_none_or(|id| has(REPLICA_VARIABLE, id))
}

/// Sends SIGKILL to the process of this id that started at `ticks`, and to no later one that was given the same id.
pub(crate) fn kill_exactly(pid: i32, ticks: u64) {
    let Some(pid) = Pid::from_raw(pid) else {
        return;
    };
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    // The descriptor now stands for one process; if that one started then, it is the right one.
    if stat(pid.as_raw_pid()).is_some_and(|stat| stat.ticks == ticks) {
        // It may have ended meanwhile, or belong to a user out of reach: the caller looks again.
        pidfd_send_signal(&pidfd, Signal::KILL).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(u8, i32, u64)>) {
        let got = parse_stat(text.as_bytes()).map(|stat| (stat.state, stat.parent, stat.ticks));
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn reads_stat_lines_with_any_name() {
        let tail = "S 7 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987 1 1";
        check(&format!("12 (sh) {tail}"), Some((b'S', 7, 987)));
        check(&format!("12 (a) b (c) {tail}"), Some((b'S', 7, 987)));
        check("12 (sh) S 7", None);
        check("", None);
        check("12 (sh)", None);
    }

    #[test]
    fn knows_itself() {
        let pid = i32::try_from(std::process::id()).unwrap();
        assert!(stat(pid).is_some_and(|stat| stat.parent > 0));
        assert!(pids().contains(&pid));
    }
}
