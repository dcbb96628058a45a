//! Processes, of `/proc/<pid>` (proc_pid_stat(5), proc_pid_io(5), proc_pid_smaps(5)).

use std::collections::BTreeMap;
use std::fs;

use crate::root::{Root, number};

/// Beyond this many, open files are not counted one by one, where the kernel does not tell their number.
const FILES_COUNTED_MAX: usize = 100_000;

/// What one process tells.
#[derive(Debug)]
pub(super) struct Process {
    pid: i32,
    pub(super) user_seconds: f64,
    pub(super) system_seconds: f64,
    pub(super) threads: u64,
    /// Open files.
    pub(super) files: u64,
    /// Bytes read and written, where this user may know.
    pub(super) io: Option<[f64; 2]>,
    resident_bytes: f64,
}

impl Process {
    /// A process; none if it is gone or a zombie.
    pub(super) fn read(root: &Root, pid: i32) -> Option<Self> {
        let text = root.proc(&format!("{pid}/stat"))?;
        let fields = fields(&text)?;
        if fields.first() == Some(&"Z") {
            return None;
        }
        let field = |index: usize| {
            fields
                .get(index)
                .and_then(|word| number(word))
                .unwrap_or(0.0)
        };
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        Some(Self {
            pid,
            user_seconds: (field(11) + field(13)) / ticks,
            system_seconds: (field(12) + field(14)) / ticks,
            threads: field(17) as u64,
            files: files(root, pid),
            io: io(root, pid),
            resident_bytes: field(21) * rustix::param::page_size() as f64,
        })
    }

    /// Its share of memory, and what of that is its own. Slow: the kernel counts pages.
    pub(super) fn memory(&self, root: &Root) -> (f64, f64) {
        let rollup = root.proc(&format!("{}/smaps_rollup", self.pid));
        let text = rollup.unwrap_or_default();
        let line = |name: &str| {
            let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
            number(rest.trim().strip_suffix("kB")?).map(|kilobytes| kilobytes * 1024.0)
        };
        match line("Pss:") {
            // Kernels before 5.9 do not tell what of the share is its own.
            Some(share) => (
                share,
                line("Pss_Anon:")
                    .or_else(|| line("Anonymous:"))
                    .unwrap_or(share),
            ),
            None => (self.resident_bytes, self.resident_bytes),
        }
    }
}

/// The fields behind the name, which stands in parentheses and may hold any.
fn fields(text: &str) -> Option<Vec<&str>> {
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_ascii_whitespace().collect())
}

fn files(root: &Root, pid: i32) -> u64 {
    let folder = root.proc.join(pid.to_string()).join("fd");
    // Since 6.2 the folder's size is their number.
    match fs::metadata(&folder).map(|metadata| metadata.len()) {
        Ok(0) => fs::read_dir(&folder).map_or(0, |all| all.take(FILES_COUNTED_MAX).count() as u64),
        Ok(count) => count,
        Err(_) => 0,
    }
}

fn io(root: &Root, pid: i32) -> Option<[f64; 2]> {
    let text = root.proc(&format!("{pid}/io"))?;
    let line = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
        number(rest)
    };
    Some([line("read_bytes:")?, line("write_bytes:")?])
}

/// Who started whom; read when it is first asked for.
#[derive(Debug)]
pub(super) struct Table<'a> {
    root: &'a Root,
    children: Option<BTreeMap<i32, Vec<i32>>>,
}

impl<'a> Table<'a> {
    pub(super) fn new(root: &'a Root) -> Self {
        Self {
            root,
            children: None,
        }
    }

    /// A process and everything below it.
    pub(super) fn with_descendants(&mut self, pid: i32) -> Vec<i32> {
        let root = self.root;
        let children = self.children.get_or_insert_with(|| children(root));
        let mut all = vec![pid];
        let mut next = 0;
        while let Some(pid) = all.get(next) {
            // Removed, so that what changes while it is read makes no circle.
            all.extend(children.remove(pid).unwrap_or_default());
            next += 1;
        }
        all
    }
}

fn children(root: &Root) -> BTreeMap<i32, Vec<i32>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let Ok(entries) = fs::read_dir(&root.proc) else {
        return children;
    };
    let pids = entries.flatten();
    for pid in pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()) {
        let text = root.proc(&format!("{pid}/stat")).unwrap_or_default();
        let parent = fields(&text).and_then(|fields| fields.get(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    children
}
