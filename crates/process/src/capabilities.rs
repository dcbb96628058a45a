//! What this machine lets the supervision do, for `wharf doctor`. Everything is tried, not guessed.

use rustix::process::{PidfdFlags, getpid, pidfd_open};
use wharf_base::units::{Bytes, Millicores};

use crate::cgroup::{self, Hierarchy};
use crate::launch::Limits;

/// One capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is there.
    pub ok: bool,
    /// What was tried.
    pub what: String,
    /// What its absence means, and what to do about it; empty if it is there.
    pub consequence: String,
}

/// Tries everything. Makes and removes a cgroup; takes some milliseconds.
#[must_use]
pub fn probe() -> Vec<Finding> {
    let mut findings = vec![
        finding(
            pidfd_open(getpid(), PidfdFlags::empty()).is_ok(),
            "processes can be watched by descriptor (pidfd)",
            "processes cannot be supervised: Linux 5.3 or later is needed",
        ),
        finding(
            rustix::process::child_subreaper().is_ok(),
            "orphans can be adopted (child subreaper)",
            "processes that fork twice can survive a stop: Linux 3.4 or later is needed",
        ),
    ];
    findings.extend(probe_cgroups());
    findings
}

fn probe_cgroups() -> Vec<Finding> {
    let project = format!("probe-{}", getpid().as_raw_pid());
    let hierarchies = Hierarchy::all();
    let limits = Limits {
        memory: Some(Bytes(64 << 20)),
        cpu: Some(Millicores(100)),
        open_files: None,
        processes: Some(10),
    };
    let placement = cgroup::place(&hierarchies, &project, "probe", &limits);
    let in_unified = placement
        .dirs
        .iter()
        .any(|dir| dir.join("cgroup.kill").exists());
    for dir in &placement.dirs {
        cgroup::remove(dir);
    }
    let enforced = |word: &str| !placement.unenforced.iter().any(|text| text.contains(word));
    let advice = if rustix::process::geteuid().is_root() {
        "make the cgroup file system writable here (in a container: mount /sys/fs/cgroup with `rw`)"
    } else {
        "run as root, or in a session with delegated cgroups (`systemd-run --user --scope -p Delegate=yes`)"
    };
    vec![
        finding(
            in_unified,
            "a process and all its descendants can be killed at once (cgroup v2)",
            &format!(
                "after a supervisor is killed, what its process has left is found by its environment instead; {advice}"
            ),
        ),
        finding(
            enforced("memory"),
            "memory limits are enforced (memory cgroup)",
            &format!("the memory limits of services do not hold on this machine; {advice}"),
        ),
        finding(
            enforced("CPU"),
            "CPU limits are enforced (cpu cgroup)",
            &format!("the CPU limits of services do not hold on this machine; {advice}"),
        ),
        finding(
            enforced("process"),
            "process limits are enforced (pids cgroup)",
            &format!("the process limits of services do not hold on this machine; {advice}"),
        ),
    ]
}

fn finding(ok: bool, what: &str, consequence: &str) -> Finding {
    Finding {
        ok,
        what: what.to_owned(),
        consequence: if ok {
            String::new()
        } else {
            consequence.to_owned()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_has_a_consequence() {
        let findings = probe();
        assert!(findings.len() >= 6);
        for finding in findings {
            eprintln!("{finding:?}");
            assert_eq!(finding.ok, finding.consequence.is_empty(), "{finding:?}");
        }
    }
}
