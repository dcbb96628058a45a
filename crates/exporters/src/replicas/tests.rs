use std::path::Path;

use super::*;

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn replica(cgroups: Vec<PathBuf>) -> Replica {
    Replica {
        service: "web".to_owned(),
        replica: "1".to_owned(),
        release: "7".to_owned(),
        name: "web-1".to_owned(),
        pid: 10,
        started_at: Timestamp(5_500),
        cgroups,
        cpu_millis: Some(250),
        memory_bytes: Some(1 << 20),
    }
}

const LABELS: [(&str, &str); 5] = [
    ("container", "web"),
    ("name", "web-1"),
    ("release", "7"),
    ("replica", "1"),
    ("service", "web"),
];

/// `utime stime cutime cstime`, threads and resident pages of a process.
fn stat(parent: i32, times: &str, threads: u32) -> String {
    format!("1 (a) b) S {parent} 1 1 0 -1 0 0 0 0 0 {times} 20 0 {threads} 0 99 0 3 0\n")
}

#[track_caller]
fn check(families: &Families, expected: &[(&str, f64)]) {
    for (name, value) in expected {
        let mut labels = LABELS.to_vec();
        if *name == "container_cpu_usage_seconds_total" {
            labels.push(("cpu", "total"));
        }
        let found = families.value(name, &labels);
        assert_eq!(found, Some(*value), "{name} in {families:#?}");
    }
}

#[test]
fn both_versions_of_cgroups_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let dirs: Vec<PathBuf> = ["unified/w", "cpu/w", "memory/w"]
        .iter()
        .map(|dir| folder.path().join(dir))
        .collect();
    write(
        folder.path(),
        &[
            ("proc/10/stat", &stat(1, "0 0 0 0", 3)),
            ("proc/11/stat", &stat(10, "0 0 0 0", 1)),
            ("unified/w/cgroup.procs", "10\n"),
            ("unified/w/below/cgroup.procs", "11\n12\n"),
            (
                "unified/w/cpu.stat",
                "usage_usec 3000000\nuser_usec 2000000\nsystem_usec 1000000\n",
            ),
            (
                "cpu/w/cpu.stat",
                "nr_periods 20\nnr_throttled 5\nthrottled_time 1500000000\n",
            ),
            ("memory/w/memory.usage_in_bytes", "1000\n"),
            (
                "memory/w/memory.stat",
                "total_inactive_file 300\ntotal_rss 400\ntotal_cache 500\n",
            ),
            (
                "memory/w/memory.oom_control",
                "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
            ),
        ],
    );
    let families =
        Replicas::new(Root::below(folder.path())).collect(&[replica(dirs)], Timestamp(9_999));
    check(
        &families,
        &[
            ("container_cpu_usage_seconds_total", 3.0),
            ("container_cpu_user_seconds_total", 2.0),
            ("container_cpu_cfs_periods_total", 20.0),
            ("container_cpu_cfs_throttled_periods_total", 5.0),
            ("container_cpu_cfs_throttled_seconds_total", 1.5),
            ("container_memory_usage_bytes", 1000.0),
            ("container_memory_working_set_bytes", 700.0),
            ("container_memory_rss", 400.0),
            ("container_memory_cache", 500.0),
            ("container_oom_events_total", 2.0),
            ("container_processes", 2.0),
            ("container_threads", 4.0),
            ("container_start_time_seconds", 5.5),
            ("container_last_seen", 9.0),
            ("container_spec_cpu_quota", 25_000.0),
            ("container_spec_cpu_period", 100_000.0),
            ("container_spec_memory_limit_bytes", 1_048_576.0),
        ],
    );
    assert!(families.get("container_memory_swap").is_none());
}

#[test]
fn version_two_alone() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        &[
            ("proc/10/stat", &stat(1, "0 0 0 0", 1)),
            ("w/cgroup.procs", "10\n"),
            (
                "w/cpu.stat",
                "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 1\nnr_throttled 1\nthrottled_usec 500000\n",
            ),
            ("w/memory.current", "1000\n"),
            ("w/memory.peak", "2000\n"),
            ("w/memory.stat", "anon 400\nfile 500\ninactive_file 2000\n"),
            ("w/memory.events", "low 0\nmax 4\noom_kill 1\n"),
            ("w/io.stat", "254:0 rbytes=7 wbytes=8 rios=1 wios=1\n"),
            ("sys/dev/block/254:0/uevent", "MAJOR=254\nDEVNAME=vda\n"),
        ],
    );
    let families = Replicas::new(Root::below(folder.path()))
        .collect(&[replica(vec![folder.path().join("w")])], Timestamp(0));
    check(
        &families,
        &[
            ("container_cpu_cfs_throttled_seconds_total", 0.5),
            ("container_memory_working_set_bytes", 0.0),
            ("container_memory_max_usage_bytes", 2000.0),
            ("container_memory_failcnt", 4.0),
            ("container_oom_events_total", 1.0),
        ],
    );
    let mut labels = LABELS.to_vec();
    labels.push(("device", "/dev/vda"));
    let read = families.value("container_fs_reads_bytes_total", &labels);
    assert_eq!(read, Some(7.0));
}

#[test]
fn without_cgroups_processes_are_summed_and_never_go_back() {
    let folder = tempfile::tempdir().unwrap();
    let replicas = Replicas::new(Root::below(folder.path()));
    write(
        folder.path(),
        &[
            ("proc/10/stat", &stat(1, "100 50 0 0", 2)),
            ("proc/11/stat", &stat(10, "300 0 0 0", 1)),
            ("proc/12/stat", &stat(11, "0 0 0 0", 1)),
            ("proc/13/stat", &stat(1, "900 0 0 0", 1)),
            (
                "proc/10/smaps_rollup",
                "0 rollup\nRss: 9 kB\nPss:  3 kB\nPss_Anon: 2 kB\n",
            ),
            (
                "proc/10/io",
                "rchar: 1\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 0\n",
            ),
        ],
    );
    let pages = 2.0 * 3.0 * rustix::param::page_size() as f64;
    let families = replicas.collect(&[replica(vec![])], Timestamp(0));
    check(
        &families,
        &[
            ("container_cpu_usage_seconds_total", 4.5),
            ("container_cpu_system_seconds_total", 0.5),
            ("container_processes", 3.0),
            ("container_memory_working_set_bytes", 3072.0 + pages),
            ("container_memory_rss", 2048.0 + pages),
            ("container_fs_writes_bytes_total", 6.0),
        ],
    );
    assert!(families.get("container_cpu_cfs_periods_total").is_none());
    std::fs::remove_dir_all(folder.path().join("proc/11")).unwrap();
    let families = replicas.collect(&[replica(vec![])], Timestamp(0));
    check(&families, &[("container_cpu_usage_seconds_total", 4.5)]);
    std::fs::remove_dir_all(folder.path().join("proc/10")).unwrap();
    assert_eq!(
        replicas.collect(&[replica(vec![])], Timestamp(0)).samples(),
        0
    );
}

#[test]
fn this_process_tells_of_itself() {
    let mut own = replica(vec![]);
    own.pid = i32::try_from(std::process::id()).unwrap();
    let families = Replicas::default().collect(&[own], Timestamp(0));
    for name in [
        "container_memory_working_set_bytes",
        "container_threads",
        "container_file_descriptors",
    ] {
        assert!(families.value(name, &LABELS).unwrap() > 0.0, "{name}");
    }
}
