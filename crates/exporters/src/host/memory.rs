//! `node_memory_*` of `/proc/meminfo`, and `node_vmstat_*` of `/proc/vmstat`.

use super::{Absent, Host};
use crate::families::Families;
use crate::root::number;

/// The counters of `/proc/vmstat` that node_exporter takes: paging, swapping, faults, kills for want of memory.
const VMSTAT_PREFIXES: [&str; 3] = ["oom_kill", "pgpg", "pswp"];

pub(super) fn meminfo(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("meminfo").ok_or(Absent)?;
    for line in text.lines() {
        let Some((word, rest)) = line.split_once(':') else {
            continue;
        };
        let mut rest = rest.split_ascii_whitespace();
        let Some(value) = rest.next().and_then(number) else {
            continue;
        };
        // `Active(anon)` is told as `Active_anon`.
        let word = word.replace('(', "_").replace(')', "");
        let (name, value) = match rest.next() {
            Some("kB") => (format!("node_memory_{word}_bytes"), value * 1024.0),
            _ => (format!("node_memory_{word}"), value),
        };
        out.gauge(name, format!("{word} of /proc/meminfo."))
            .add(&[], value);
    }
    Ok(())
}

pub(super) fn vmstat(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("vmstat").ok_or(Absent)?;
    for line in text.lines() {
        let Some((word, value)) = line.split_once(' ') else {
            continue;
        };
        let taken = VMSTAT_PREFIXES.iter().any(|p| word.starts_with(p))
            || (word.starts_with("pg") && word.ends_with("fault"));
        let Some(value) = number(value).filter(|_| taken) else {
            continue;
        };
        out.untyped(
            format!("node_vmstat_{word}"),
            format!("{word} of /proc/vmstat."),
        )
        .add(&[], value);
    }
    Ok(())
}
