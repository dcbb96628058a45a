//! `node_pressure_*`: how long tasks had to wait for processors, memory and disks, of `/proc/pressure`.

use super::{Absent, Host};
use crate::families::{Families, Family};
use crate::root::number;

pub(super) fn collect(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let root = &host.root;
    let cpu = root.proc("pressure/cpu");
    let io = root.proc("pressure/io");
    let memory = root.proc("pressure/memory");
    if cpu.is_none() && io.is_none() && memory.is_none() {
        return Err(Absent);
    }
    let add = |family: &mut Family, text: &Option<String>, kind: &str| {
        if let Some(seconds) = text.as_deref().and_then(|text| seconds(text, kind)) {
            family.add(&[], seconds);
        }
    };
    // The whole machine cannot stall for want of processors: the kernel counts none.
    add(
        out.counter(
            "node_pressure_cpu_waiting_seconds_total",
            "Time in which some task waited for a processor.",
        ),
        &cpu,
        "some",
    );
    add(
        out.counter(
            "node_pressure_io_waiting_seconds_total",
            "Time in which some task waited for a disk.",
        ),
        &io,
        "some",
    );
    add(
        out.counter(
            "node_pressure_io_stalled_seconds_total",
            "Time in which every task waited for a disk.",
        ),
        &io,
        "full",
    );
    add(
        out.counter(
            "node_pressure_memory_waiting_seconds_total",
            "Time in which some task waited for memory.",
        ),
        &memory,
        "some",
    );
    add(
        out.counter(
            "node_pressure_memory_stalled_seconds_total",
            "Time in which every task waited for memory.",
        ),
        &memory,
        "full",
    );
    Ok(())
}

/// The total of a line, which the kernel counts in microseconds.
fn seconds(text: &str, kind: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(kind))?;
    let (_, total) = line.rsplit_once("total=")?;
    number(total).map(|micros| micros / 1e6)
}
