//! Boot time, context switches, forks, interrupts, processes: the rest of `/proc/stat`.

use super::{Absent, Host};
use crate::families::Families;
use crate::root::number;

pub(super) fn collect(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("stat").ok_or(Absent)?;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(word), Some(value)) = (words.next(), words.next().and_then(number)) else {
            continue;
        };
        let family = match word {
            "btime" => out.gauge("node_boot_time_seconds", "When the machine was started."),
            "ctxt" => out.counter("node_context_switches_total", "Context switches."),
            "processes" => out.counter("node_forks_total", "Processes and threads made."),
            "intr" => out.counter("node_intr_total", "Interrupts served."),
            "procs_running" => out.gauge("node_procs_running", "Processes that can run."),
            "procs_blocked" => out.gauge("node_procs_blocked", "Processes that wait for a disk."),
            _ => continue,
        };
        family.add(&[], value);
    }
    Ok(())
}
