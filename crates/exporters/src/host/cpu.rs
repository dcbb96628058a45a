//! `node_cpu_*`: where each processor's time went, of `/proc/stat`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{Absent, Host};
use crate::families::Families;
use crate::root::columns;

/// The columns of a `cpu` line, as proc_stat(5) orders them.
const MODES: [&str; 8] = [
    "user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal",
];
/// The two columns behind them.
const GUESTS: [&str; 2] = ["user", "nice"];

/// Idle time that goes back by more than this (in seconds) means that the processor was off in between; less is the kernel's
/// inaccuracy, and would look like a counter that began anew. node_exporter draws the line there too.
const JUMP_BACK_SECONDS: f64 = 3.0;

/// What was told last: counters of the kernel may go back a little, and counters must not.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<BTreeMap<String, Vec<f64>>>);

impl Memory {
    fn steady(&self, cpu: &str, found: Vec<f64>) -> Vec<f64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = 3;
        let kept = match all.remove(cpu) {
            Some(before)
                if before.len() == found.len()
                    && before[idle] - found[idle] < JUMP_BACK_SECONDS =>
            {
                let pairs = before.into_iter().zip(found);
                pairs.map(|(before, found)| before.max(found)).collect()
            }
            _ => found,
        };
        all.insert(cpu.to_owned(), kept.clone());
        kept
    }
}

pub(super) fn collect(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("stat").ok_or(Absent)?;
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    for line in text.lines() {
        let Some((name, rest)) = line.split_once(' ') else {
            continue;
        };
        let Some(cpu) = name.strip_prefix("cpu").filter(|cpu| !cpu.is_empty()) else {
            continue;
        };
        let mut found: Vec<f64> = columns(rest).into_iter().map(|n| n / ticks).collect();
        found.resize(MODES.len() + GUESTS.len(), 0.0);
        let seconds = host.cpu.steady(cpu, found);
        let (modes, guests) = seconds.split_at(MODES.len());
        let family = out.counter(
            "node_cpu_seconds_total",
            "Time of each processor, by what it was spent on.",
        );
        for (mode, seconds) in MODES.iter().zip(modes) {
            family.add(&[("cpu", cpu), ("mode", mode)], *seconds);
        }
        let family = out.counter(
            "node_cpu_guest_seconds_total",
            "Time of each processor spent on guests; part of user and nice.",
        );
        for (mode, seconds) in GUESTS.iter().zip(guests) {
            family.add(&[("cpu", cpu), ("mode", mode)], *seconds);
        }
    }
    Ok(())
}
