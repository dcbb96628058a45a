//! Load, file descriptors, entropy, the time and its sources, and what kind of system it is.

use std::collections::BTreeMap;

use wharf_base::clock::Timestamp;

use super::{Absent, Host};
use crate::families::Families;
use crate::root::{columns, number, read};

pub(super) fn load(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("loadavg").ok_or(Absent)?;
    let numbers = columns(&text);
    let [one, five, fifteen, ..] = numbers[..] else {
        return Err(Absent);
    };
    out.gauge("node_load1", "Load, averaged over a minute.")
        .add(&[], one);
    out.gauge("node_load5", "Load, averaged over five minutes.")
        .add(&[], five);
    out.gauge("node_load15", "Load, averaged over fifteen minutes.")
        .add(&[], fifteen);
    Ok(())
}

pub(super) fn file_descriptors(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("sys/fs/file-nr").ok_or(Absent)?;
    let numbers = columns(&text);
    let [allocated, _, maximum] = numbers[..] else {
        return Err(Absent);
    };
    out.gauge("node_filefd_allocated", "Open files of the whole machine.")
        .add(&[], allocated);
    out.gauge("node_filefd_maximum", "How many there may be.")
        .add(&[], maximum);
    Ok(())
}

pub(super) fn entropy(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let read = |file: &str| {
        let text = host.root.proc(&format!("sys/kernel/random/{file}"));
        text.as_deref().and_then(number)
    };
    let available = read("entropy_avail").ok_or(Absent)?;
    out.gauge("node_entropy_available_bits", "Bits of entropy at hand.")
        .add(&[], available);
    if let Some(size) = read("poolsize") {
        out.gauge("node_entropy_pool_size_bits", "Bits that the pool holds.")
            .add(&[], size);
    }
    Ok(())
}

pub(super) fn time(host: &Host, now: Timestamp, out: &mut Families) {
    out.gauge("node_time_seconds", "The machine's time.")
        .add(&[], now.0 as f64 / 1e3);
    let base = "devices/system/clocksource";
    for folder in host.root.sys_names(base) {
        let Some(device) = folder.strip_prefix("clocksource") else {
            continue;
        };
        let source = |file: &str| host.root.sys(&format!("{base}/{folder}/{file}"));
        let available = source("available_clocksource").unwrap_or_default();
        for name in available.split_ascii_whitespace() {
            out.gauge(
                "node_time_clocksource_available_info",
                "Sources of time that there are.",
            )
            .add(&[("clocksource", name), ("device", device)], 1.0);
        }
        if let Some(name) = source("current_clocksource") {
            out.gauge(
                "node_time_clocksource_current_info",
                "The source of time in use.",
            )
            .add(&[("clocksource", &name), ("device", device)], 1.0);
        }
    }
}

pub(super) fn uname(host: &Host, out: &mut Families) {
    let kernel = |file: &str| {
        let text = host.root.proc(&format!("sys/kernel/{file}"));
        text.unwrap_or_default().trim().to_owned()
    };
    let labels = [
        ("domainname", &*kernel("domainname")),
        // The names of Rust's targets are those of uname(2) on what this runs on.
        ("machine", std::env::consts::ARCH),
        ("nodename", &kernel("hostname")),
        ("release", &kernel("osrelease")),
        ("sysname", &kernel("ostype")),
        ("version", &kernel("version")),
    ];
    out.gauge("node_uname_info", "What uname(2) says.")
        .add(&labels, 1.0);
}

/// os-release(5).
pub(super) fn os_release(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let files = ["etc/os-release", "usr/lib/os-release"];
    let text = files
        .iter()
        .find_map(|file| read(&host.root.files.join(file)))
        .ok_or(Absent)?;
    let fields: BTreeMap<&str, String> = text
        .lines()
        .filter_map(|line| {
            let (name, value) = line.trim().split_once('=')?;
            Some((name, unquoted(value)))
        })
        .collect();
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let labels = [
        ("build_id", field("BUILD_ID")),
        ("id", field("ID")),
        ("id_like", field("ID_LIKE")),
        ("image_id", field("IMAGE_ID")),
        ("image_version", field("IMAGE_VERSION")),
        ("name", field("NAME")),
        ("pretty_name", field("PRETTY_NAME")),
        ("variant", field("VARIANT")),
        ("variant_id", field("VARIANT_ID")),
        ("version", field("VERSION")),
        ("version_codename", field("VERSION_CODENAME")),
        ("version_id", field("VERSION_ID")),
    ];
    out.gauge("node_os_info", "What /etc/os-release says.")
        .add(&labels, 1.0);
    // `22.04` and `12` are numbers; of `3.18.4` the first two parts are one.
    let version: Vec<&str> = field("VERSION_ID").splitn(3, '.').take(2).collect();
    if let Some(version) = number(&version.join(".")) {
        let labels = [
            ("id", field("ID")),
            ("id_like", field("ID_LIKE")),
            ("name", field("NAME")),
        ];
        out.gauge("node_os_version", "Its version, as a number.")
            .add(&labels, version);
    }
    Ok(())
}

/// A value without the shell's quotes.
fn unquoted(value: &str) -> String {
    let Some(quote) = value.chars().next().filter(|c| "\"'".contains(*c)) else {
        return value.to_owned();
    };
    let inner = value[1..].strip_suffix(quote).unwrap_or(&value[1..]);
    inner.replace("\\\"", "\"").replace("\\$", "$")
}
