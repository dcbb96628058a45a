//! `node_disk_*`: block devices, of `/proc/diskstats` (the kernel's `admin-guide/iostats.rst`).

use super::{Absent, Host};
use crate::families::Families;
use crate::root::number;

/// The kernel counts sectors of this size, whatever the device's are.
const SECTOR_BYTES: f64 = 512.0;
/// It counts times in milliseconds.
const MILLIS: f64 = 1e-3;

/// Name, help, factor, whether it only grows; in the order of the columns behind the device's name.
const COLUMNS: [(&str, &str, f64, bool); 17] = [
    ("node_disk_reads_completed_total", "Reads done.", 1.0, true),
    (
        "node_disk_reads_merged_total",
        "Reads that were joined to others.",
        1.0,
        true,
    ),
    (
        "node_disk_read_bytes_total",
        "Bytes read.",
        SECTOR_BYTES,
        true,
    ),
    (
        "node_disk_read_time_seconds_total",
        "Time spent on reads.",
        MILLIS,
        true,
    ),
    (
        "node_disk_writes_completed_total",
        "Writes done.",
        1.0,
        true,
    ),
    (
        "node_disk_writes_merged_total",
        "Writes that were joined to others.",
        1.0,
        true,
    ),
    (
        "node_disk_written_bytes_total",
        "Bytes written.",
        SECTOR_BYTES,
        true,
    ),
    (
        "node_disk_write_time_seconds_total",
        "Time spent on writes.",
        MILLIS,
        true,
    ),
    ("node_disk_io_now", "Requests under way.", 1.0, false),
    (
        "node_disk_io_time_seconds_total",
        "Time in which a request was under way.",
        MILLIS,
        true,
    ),
    (
        "node_disk_io_time_weighted_seconds_total",
        "The same, times the requests.",
        MILLIS,
        true,
    ),
    (
        "node_disk_discards_completed_total",
        "Discards done.",
        1.0,
        true,
    ),
    (
        "node_disk_discards_merged_total",
        "Discards that were joined to others.",
        1.0,
        true,
    ),
    (
        "node_disk_discarded_sectors_total",
        "Sectors discarded.",
        1.0,
        true,
    ),
    (
        "node_disk_discard_time_seconds_total",
        "Time spent on discards.",
        MILLIS,
        true,
    ),
    ("node_disk_flush_requests_total", "Flushes done.", 1.0, true),
    (
        "node_disk_flush_requests_time_seconds_total",
        "Time spent on flushes.",
        MILLIS,
        true,
    ),
];

pub(super) fn collect(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("diskstats").ok_or(Absent)?;
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(major), Some(minor), Some(device)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        if is_part(device) {
            continue;
        }
        let labels = [("device", device), ("major", major), ("minor", minor)];
        out.gauge("node_disk_info", "Which block devices there are.")
            .add(&labels, 1.0);
        // Older kernels have fewer columns.
        for (value, (name, help, factor, grows)) in words.map_while(number).zip(COLUMNS) {
            let family = if grows {
                out.counter(name, help)
            } else {
                out.gauge(name, help)
            };
            family.add(&[("device", device)], value * factor);
        }
    }
    Ok(())
}

/// Partitions, RAM disks, loop devices and floppies, which node_exporter leaves out too: `sda1`, `nvme0n1p2`, `ram0`, `loop3`.
fn is_part(device: &str) -> bool {
    let stem = device.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == device.len() {
        return false;
    }
    if matches!(stem, "ram" | "loop" | "fd") {
        return true;
    }
    let letter = |prefix: &str| {
        let rest = stem.strip_prefix(prefix).unwrap_or_default();
        rest.len() == 1 && rest.bytes().all(|b| b.is_ascii_lowercase())
    };
    if ["hd", "sd", "vd", "xvd"].into_iter().any(letter) {
        return true;
    }
    // nvme<controller>n<namespace>p<partition>
    let numbers = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    stem.strip_prefix("nvme")
        .and_then(|rest| rest.strip_suffix('p'))
        .and_then(|rest| rest.split_once('n'))
        .is_some_and(|(controller, space)| numbers(controller) && numbers(space))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_left_out() {
        #[track_caller]
        fn check(device: &str, part: bool) {
            assert_eq!(is_part(device), part, "{device}");
        }
        for device in [
            "sda1",
            "vdb12",
            "xvda2",
            "nvme0n1p1",
            "loop7",
            "ram0",
            "fd0",
            "hda3",
        ] {
            check(device, true);
        }
        for device in [
            "sda", "vda", "nvme0n1", "dm-0", "md127", "zram0", "mmcblk0", "sr0", "", "7",
        ] {
            check(device, false);
        }
    }
}
