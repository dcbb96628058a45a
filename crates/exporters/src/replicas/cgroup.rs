//! Cgroups of version 2 and 1, and both at once: a file is read wherever it is. Files: Linux's `admin-guide/cgroup-v2.rst` and
//! `admin-guide/cgroup-v1/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::root::{Root, number, read};

/// Cgroups below a replica's own are its business; deeper than this they are nobody's.
const DEPTH_MAX: usize = 8;

/// The directories of one replica.
#[derive(Debug)]
pub(super) struct Cgroup<'a> {
    dirs: &'a [PathBuf],
}

/// Processor time, in seconds.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    pub(super) usage: Option<f64>,
    pub(super) user: Option<f64>,
    pub(super) system: Option<f64>,
    /// Periods, those in which it was held back, and for how long.
    pub(super) throttling: Option<[f64; 3]>,
}

/// Memory, in bytes.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) usage: f64,
    pub(super) working_set: f64,
    pub(super) rss: f64,
    pub(super) cache: Option<f64>,
    pub(super) mapped: Option<f64>,
    pub(super) swap: Option<f64>,
    pub(super) peak: Option<f64>,
    pub(super) failures: Option<f64>,
}

impl<'a> Cgroup<'a> {
    pub(super) fn new(dirs: &'a [PathBuf]) -> Self {
        Self { dirs }
    }

    /// The processes in it and below.
    pub(super) fn members(&self) -> Vec<i32> {
        // Each hierarchy holds the same ones; the first that tells is believed.
        let mut all = self.dirs.iter().map(|dir| members(dir, 0));
        all.find(|pids| !pids.is_empty()).unwrap_or_default()
    }

    fn number(&self, file: &str) -> Option<f64> {
        let mut texts = self.dirs.iter().filter_map(|dir| read(&dir.join(file)));
        texts.find_map(|text| number(&text))
    }

    /// Files of `word number` lines, from every hierarchy.
    fn words(&self, file: &str) -> BTreeMap<String, f64> {
        let texts = self.dirs.iter().filter_map(|dir| read(&dir.join(file)));
        let mut words = BTreeMap::new();
        for text in texts {
            for line in text.lines() {
                if let Some((word, rest)) = line.split_once(' ')
                    && let Some(value) = number(rest)
                {
                    words.insert(word.to_owned(), value);
                }
            }
        }
        words
    }

    pub(super) fn cpu(&self) -> Cpu {
        let stat = self.words("cpu.stat");
        let micros = |word: &str| stat.get(word).map(|value| value / 1e6);
        let nanos = |value: f64| value / 1e9;
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        // Version 1 has them in a file and a hierarchy of their own.
        let old = self.words("cpuacct.stat");
        let throttled =
            micros("throttled_usec").or_else(|| stat.get("throttled_time").copied().map(nanos));
        let throttling = match (stat.get("nr_periods"), stat.get("nr_throttled"), throttled) {
            (Some(periods), Some(count), Some(seconds)) => Some([*periods, *count, seconds]),
            _ => None,
        };
        Cpu {
            usage: micros("usage_usec").or_else(|| self.number("cpuacct.usage").map(nanos)),
            user: micros("user_usec").or_else(|| old.get("user").map(|value| value / ticks)),
            system: micros("system_usec").or_else(|| old.get("system").map(|value| value / ticks)),
            throttling,
        }
    }

    pub(super) fn memory(&self) -> Option<Memory> {
        let usage = self.number("memory.current");
        let new = usage.is_some();
        let usage = usage.or_else(|| self.number("memory.usage_in_bytes"))?;
        let stat = self.words("memory.stat");
        let word =
            |of_two: &str, of_one: &str| stat.get(if new { of_two } else { of_one }).copied();
        let inactive = word("inactive_file", "total_inactive_file").unwrap_or(0.0);
        Some(Memory {
            usage,
            working_set: (usage - inactive).max(0.0),
            rss: word("anon", "total_rss").unwrap_or(0.0),
            cache: word("file", "total_cache"),
            mapped: word("file_mapped", "total_mapped_file"),
            swap: self
                .number("memory.swap.current")
                .or_else(|| stat.get("total_swap").copied()),
            peak: self
                .number("memory.peak")
                .or_else(|| self.number("memory.max_usage_in_bytes")),
            failures: self
                .number("memory.failcnt")
                .or_else(|| self.words("memory.events").get("max").copied()),
        })
    }

    pub(super) fn oom_kills(&self) -> Option<f64> {
        ["memory.events", "memory.oom_control"]
            .iter()
            .find_map(|file| self.words(file).get("oom_kill").copied())
    }

    /// Bytes read and written by device.
    pub(super) fn disks(&self, root: &Root) -> BTreeMap<String, [f64; 2]> {
        let mut found: BTreeMap<String, [f64; 2]> = BTreeMap::new();
        let files = ["io.stat", "blkio.throttle.io_service_bytes_recursive"];
        for text in files.iter().flat_map(|file| {
            self.dirs
                .iter()
                .filter_map(move |dir| read(&dir.join(file)))
        }) {
            for line in text.lines() {
                let mut words = line.split_ascii_whitespace();
                let Some(number_of_device) = words.next().filter(|word| word.contains(':')) else {
                    continue;
                };
                let words: Vec<&str> = words.collect();
                let figures = found.entry(device(root, number_of_device)).or_default();
                // `8:0 rbytes=1 wbytes=2 …`, or `8:0 Read 1` and `8:0 Write 2` on lines of their own.
                let pairs = words.iter().filter_map(|word| word.split_once('='));
                let old = match words[..] {
                    [what, value] => Some((what, value)),
                    _ => None,
                };
                for (what, value) in pairs.chain(old) {
                    let value = number(value).unwrap_or(0.0);
                    match what {
                        "rbytes" | "Read" => figures[0] += value,
                        "wbytes" | "Write" => figures[1] += value,
                        _ => {}
                    }
                }
            }
        }
        found
    }
}

/// The name of a device by its numbers: `/dev/sda`; the numbers where it has none.
fn device(root: &Root, numbers: &str) -> String {
    let uevent = root.sys(&format!("dev/block/{numbers}/uevent"));
    let uevent = uevent.unwrap_or_default();
    let name = uevent
        .lines()
        .find_map(|line| line.strip_prefix("DEVNAME="));
    name.map_or_else(|| numbers.to_owned(), |name| format!("/dev/{name}"))
}

fn members(dir: &Path, depth: usize) -> Vec<i32> {
    let text = read(&dir.join("cgroup.procs")).unwrap_or_default();
    let mut pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    if depth < DEPTH_MAX {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            pids.extend(members(&entry.path(), depth + 1));
        }
    }
    pids
}
