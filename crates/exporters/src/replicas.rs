//! Replicas, as cAdvisor tells of containers: of their cgroups where they have any, else of `/proc`.
//!
//! Every series carries `service`, `replica`, `release`, `container` (the service again, as on a cluster) and `name`. What is
//! told of a replica whose kernel counts nothing for it:
//!
//! | series | of the cgroup | else |
//! | --- | --- | --- |
//! | `container_cpu_*_seconds_total` | `cpu.stat`, `cpuacct.usage` | times of its processes, and of those that they have waited for; it stands still when one ends that nobody has waited for |
//! | `container_cpu_cfs_*` | `cpu.stat` under a quota | nothing |
//! | `container_memory_*` | `memory.*` | proportional shares (`smaps_rollup`), so that pages that forks share count once; without the cache of files |
//! | `container_fs_*_bytes_total` | `io.stat`, `blkio.*` | `/proc/<pid>/io` |
//! | `container_oom_events_total` | `memory.events`, `memory.oom_control` | nothing |
//! | `container_network_*` | nothing | nothing: replicas share the machine's network, and nobody counts for one of them |
//!
//! A replica none of whose processes lives is not told of.

mod cgroup;
mod processes;
mod steady;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use wharf_base::clock::Timestamp;

use crate::families::Families;
use crate::root::Root;
use cgroup::Cgroup;
use processes::{Process, Table};
use steady::Steady;

/// Of a quota nobody set, as cAdvisor and the kernel have it.
const PERIOD_MICROS: f64 = 100_000.0;

/// A process that runs for a service, with all that it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Whose replica it is.
    pub service: String,
    /// Which of the service's.
    pub replica: String,
    /// Of which release.
    pub release: String,
    /// What it is called on this machine; unique.
    pub name: String,
    /// Its main process.
    pub pid: i32,
    /// When that began.
    pub started_at: Timestamp,
    /// Its directories in the hierarchies of cgroups; none where none may be made.
    pub cgroups: Vec<PathBuf>,
    /// What it may take of processors, in thousandths.
    pub cpu_millis: Option<u32>,
    /// What it may take of memory.
    pub memory_bytes: Option<u64>,
}

/// Replicas that are looked at again and again. Blocking: some small files of the kernel for each process.
#[derive(Debug, Default)]
pub struct Replicas {
    root: Root,
    steady: Mutex<Steady>,
}

impl Replicas {
    /// Replicas on the machine whose trees are at `root`.
    #[must_use]
    pub fn new(root: Root) -> Self {
        Self {
            root,
            steady: Mutex::default(),
        }
    }

    /// What they tell now.
    #[must_use]
    pub fn collect(&self, replicas: &[Replica], now: Timestamp) -> Families {
        let mut steady = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Families::new();
        let mut table = Table::new(&self.root);
        for replica in replicas {
            let cgroup = Cgroup::new(&replica.cgroups);
            let mut pids = cgroup.members();
            if pids.is_empty() {
                pids = table.with_descendants(replica.pid);
            }
            let all: Vec<Process> = pids
                .iter()
                .filter_map(|pid| Process::read(&self.root, *pid))
                .collect();
            if all.is_empty() {
                continue;
            }
            let mut one = Telling {
                out: &mut out,
                replica,
                steady: &mut steady,
            };
            one.presence(&all, now);
            one.limits();
            one.cpu(&cgroup, &all);
            one.memory(&cgroup, &self.root, &all);
            one.disks(&cgroup, &self.root, &all);
            if let Some(count) = cgroup.oom_kills() {
                one.counter(
                    "container_oom_events_total",
                    "Kills for want of memory.",
                    count,
                );
            }
        }
        steady.keep(|key| replicas.iter().any(|replica| key == &identity(replica)));
        out
    }
}

/// A replica's process: another one begins its counters anew.
fn identity(replica: &Replica) -> (String, i32, u64) {
    (replica.name.clone(), replica.pid, replica.started_at.0)
}

/// One replica and where its figures go.
struct Telling<'a> {
    out: &'a mut Families,
    replica: &'a Replica,
    steady: &'a mut Steady,
}

impl Telling<'_> {
    fn gauge(&mut self, name: &'static str, help: &'static str, value: f64) {
        let labels = labels(self.replica, &[]);
        self.out.gauge(name, help).add(&labels, value);
    }

    fn counter(&mut self, name: &'static str, help: &'static str, value: f64) {
        self.counter_with(name, help, &[], value);
    }

    fn counter_with(
        &mut self,
        name: &'static str,
        help: &'static str,
        further: &[(&str, &str)],
        value: f64,
    ) {
        let labels = labels(self.replica, further);
        self.out.counter(name, help).add(&labels, value);
    }

    /// A counter that is a sum over processes, some of which may be gone.
    fn steadied(&mut self, name: &'static str, value: f64) -> f64 {
        self.steady.grow(identity(self.replica), name, value)
    }

    fn presence(&mut self, all: &[Process], now: Timestamp) {
        self.gauge(
            "container_last_seen",
            "When it was seen last.",
            (now.0 / 1000) as f64,
        );
        self.gauge(
            "container_start_time_seconds",
            "When it began.",
            self.replica.started_at.0 as f64 / 1e3,
        );
        self.gauge("container_processes", "Its processes.", all.len() as f64);
        let threads: u64 = all.iter().map(|process| process.threads).sum();
        self.gauge("container_threads", "Their threads.", threads as f64);
        let files: u64 = all.iter().map(|process| process.files).sum();
        self.gauge(
            "container_file_descriptors",
            "Their open files.",
            files as f64,
        );
    }

    fn limits(&mut self) {
        let memory = self.replica.memory_bytes.unwrap_or(0);
        // 0: there is none.
        self.gauge(
            "container_spec_memory_limit_bytes",
            "Memory that it may take.",
            memory as f64,
        );
        self.gauge(
            "container_spec_cpu_period",
            "The period of its share of processors, in microseconds.",
            PERIOD_MICROS,
        );
        if let Some(millis) = self.replica.cpu_millis {
            self.gauge(
                "container_spec_cpu_quota",
                "What it may take of processors in a period, in microseconds.",
                f64::from(millis) / 1000.0 * PERIOD_MICROS,
            );
        }
    }

    fn cpu(&mut self, cgroup: &Cgroup, all: &[Process]) {
        let stat = cgroup.cpu();
        let summed = |part: fn(&Process) -> f64| all.iter().map(part).sum::<f64>();
        let user = stat
            .user
            .unwrap_or_else(|| self.steadied("user", summed(|process| process.user_seconds)));
        let system = stat
            .system
            .unwrap_or_else(|| self.steadied("system", summed(|process| process.system_seconds)));
        let usage = stat.usage.unwrap_or(user + system);
        self.counter_with(
            "container_cpu_usage_seconds_total",
            "Time of processors that it has taken.",
            &[("cpu", "total")],
            usage,
        );
        self.counter(
            "container_cpu_user_seconds_total",
            "Of that, for itself.",
            user,
        );
        self.counter(
            "container_cpu_system_seconds_total",
            "Of that, in the kernel.",
            system,
        );
        if let (Some(_), Some([periods, throttled, seconds])) =
            (self.replica.cpu_millis, stat.throttling)
        {
            self.counter(
                "container_cpu_cfs_periods_total",
                "Periods of its quota.",
                periods,
            );
            self.counter(
                "container_cpu_cfs_throttled_periods_total",
                "Of those, in how many it was held back.",
                throttled,
            );
            self.counter(
                "container_cpu_cfs_throttled_seconds_total",
                "For how long.",
                seconds,
            );
        }
    }

    fn memory(&mut self, cgroup: &Cgroup, root: &Root, all: &[Process]) {
        let memory = match cgroup.memory() {
            Some(memory) => memory,
            None => {
                let shares = all.iter().map(|process| process.memory(root));
                let (mut total, mut anonymous) = (0.0, 0.0);
                for (share, own) in shares {
                    total += share;
                    anonymous += own;
                }
                cgroup::Memory {
                    usage: total,
                    working_set: total,
                    rss: anonymous,
                    ..cgroup::Memory::default()
                }
            }
        };
        for (name, help, value) in [
            (
                "container_memory_usage_bytes",
                "Memory in use, with caches.",
                memory.usage,
            ),
            (
                "container_memory_working_set_bytes",
                "Memory in use that cannot be taken back.",
                memory.working_set,
            ),
            ("container_memory_rss", "Memory of its own.", memory.rss),
        ] {
            self.gauge(name, help, value);
        }
        for (name, help, value) in [
            ("container_memory_cache", "Files in memory.", memory.cache),
            (
                "container_memory_mapped_file",
                "Files that are mapped.",
                memory.mapped,
            ),
            ("container_memory_swap", "Memory on disk.", memory.swap),
            (
                "container_memory_max_usage_bytes",
                "The most that was in use.",
                memory.peak,
            ),
        ] {
            if let Some(value) = value {
                self.gauge(name, help, value);
            }
        }
        if let Some(count) = memory.failures {
            self.counter(
                "container_memory_failcnt",
                "How often the limit was reached.",
                count,
            );
        }
    }

    fn disks(&mut self, cgroup: &Cgroup, root: &Root, all: &[Process]) {
        const READ: (&str, &str) = ("container_fs_reads_bytes_total", "Bytes read from disks.");
        const WRITTEN: (&str, &str) =
            ("container_fs_writes_bytes_total", "Bytes written to disks.");
        let devices = cgroup.disks(root);
        for (device, [read, written]) in &devices {
            self.counter_with(READ.0, READ.1, &[("device", device)], *read);
            self.counter_with(WRITTEN.0, WRITTEN.1, &[("device", device)], *written);
        }
        let known: Vec<[f64; 2]> = all.iter().filter_map(|process| process.io).collect();
        if devices.is_empty() && !known.is_empty() {
            let [read, written] = known
                .iter()
                .fold([0.0; 2], |[r, w], [read, written]| [r + read, w + written]);
            let (read, written) = (
                self.steadied("read", read),
                self.steadied("written", written),
            );
            self.counter(READ.0, READ.1, read);
            self.counter(WRITTEN.0, WRITTEN.1, written);
        }
    }
}

fn labels<'l>(replica: &'l Replica, further: &[(&'l str, &'l str)]) -> Vec<(&'l str, &'l str)> {
    let mut labels = vec![
        ("container", replica.service.as_str()),
        ("name", &replica.name),
        ("release", &replica.release),
        ("replica", &replica.replica),
        ("service", &replica.service),
    ];
    labels.extend_from_slice(further);
    labels
}

#[cfg(test)]
mod tests;
