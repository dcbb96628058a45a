//! The machine, as node_exporter (1.5) tells of it.
//!
//! Each collector is a module below. What node_exporter has and this has not, and why:
//!
//! | left out | because |
//! | --- | --- |
//! | `node_timex_*`, `node_selinux_*`, `node_time_zone_offset_seconds` | system calls without a safe form (`adjtimex`), and nothing that a rule of this house asks |
//! | `node_exporter_build_info`, `go_*`, `process_*`, `promhttp_*` | they tell of the exporter |
//! | `node_textfile_*`, `node_systemd_*` | there is no folder of text files, and services are Wharf's own |
//! | hardware: `node_hwmon_*`, `node_edac_*`, `node_infiniband_*`, `node_nvme_*`, `node_md_*`, ZFS, XFS, Btrfs, NFS and so on | absent on most machines that run an application |
//! | `node_udp_queues` | every socket of the machine would have to be read |
//! | the names of disks in `node_disk_info` | they are udev's |
//!
//! Told of as upstream does, and not as Debian's package of it does: mount points below `/mnt`, the traffic of `lo`; and two
//! counters of TCP's queues, which came with 1.6. A test compares every series with the real one's.

mod cpu;
mod disk;
mod filesystem;
mod memory;
mod netclass;
mod netdev;
mod netstat;
mod pressure;
mod stat;
mod system;

use std::time::Instant;

use wharf_base::clock::Timestamp;

use crate::families::Families;
use crate::root::Root;

/// Why a collector gave nothing: what it reads is not there.
struct Absent;

/// Reads one part of the machine.
type Collect = fn(&Host, &mut Families) -> Result<(), Absent>;

/// Every collector, by node_exporter's name for it.
const COLLECTORS: [(&str, Collect); 18] = [
    ("arp", netstat::arp),
    ("conntrack", netstat::conntrack),
    ("cpu", cpu::collect),
    ("diskstats", disk::collect),
    ("entropy", system::entropy),
    ("filefd", system::file_descriptors),
    ("filesystem", filesystem::collect),
    ("loadavg", system::load),
    ("meminfo", memory::meminfo),
    ("netclass", netclass::collect),
    ("netdev", netdev::collect),
    ("netstat", netstat::counters),
    ("os", system::os_release),
    ("pressure", pressure::collect),
    ("sockstat", netstat::sockets),
    ("softnet", netstat::softnet),
    ("stat", stat::collect),
    ("vmstat", memory::vmstat),
];

/// A machine that is looked at again and again. Blocking: tens of small files of the kernel, a few milliseconds; a dead network
/// file system at most half a second, once.
#[derive(Debug, Default)]
pub struct Host {
    root: Root,
    cpu: cpu::Memory,
    mounts: filesystem::Mounts,
}

impl Host {
    /// The machine whose trees are at `root`.
    #[must_use]
    pub fn new(root: Root) -> Self {
        Self {
            root,
            cpu: cpu::Memory::default(),
            mounts: filesystem::Mounts::default(),
        }
    }

    /// What it tells now.
    #[must_use]
    pub fn collect(&self, now: Timestamp) -> Families {
        let mut families = Families::new();
        for (name, collect) in COLLECTORS {
            let begin = Instant::now();
            let done = collect(self, &mut families).is_ok();
            let labels = [("collector", name)];
            families
                .gauge(
                    "node_scrape_collector_duration_seconds",
                    "How long a collector took.",
                )
                .add(&labels, begin.elapsed().as_secs_f64());
            families
                .gauge(
                    "node_scrape_collector_success",
                    "Whether a collector found what it reads.",
                )
                .add(&labels, f64::from(u8::from(done)));
        }
        system::time(self, now, &mut families);
        system::uname(self, &mut families);
        families
    }
}

#[cfg(test)]
mod tests;
