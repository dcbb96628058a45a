use super::*;

/// A machine of a few files.
fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let host = Host::new(Root::below(folder.path()));
    (folder, host)
}

/// Name, labels, value.
type Expected<'a> = (&'a str, &'a [(&'a str, &'a str)], f64);

#[track_caller]
fn check(files: &[(&str, &str)], expected: &[Expected<'_>]) {
    let (_folder, host) = machine(files);
    let families = host.collect(Timestamp(5_500));
    for (name, labels, value) in expected {
        assert_eq!(
            families.value(name, labels),
            Some(*value),
            "{name} {labels:?}"
        );
    }
}

#[test]
fn an_empty_machine_tells_the_time_and_that_it_has_nothing() {
    let (_folder, host) = machine(&[]);
    let families = host.collect(Timestamp(5_500));
    assert_eq!(families.value("node_time_seconds", &[]), Some(5.5));
    let success = families.get("node_scrape_collector_success").unwrap();
    assert_eq!(success.samples.len(), COLLECTORS.len());
    assert!(success.samples.iter().all(|(_, value)| *value == 0.0));
    assert!(families.get("node_load1").is_none());
}

#[test]
fn figures_are_in_base_units() {
    check(
        &[
            (
                "proc/stat",
                "cpu  1 2 3 4\ncpu1 100 200 300 400 500 600 700 800 900 1000\nintr 7 1 2\nctxt 8\nbtime 9\nprocesses 10\nprocs_running 2\nprocs_blocked 0\n",
            ),
            (
                "proc/meminfo",
                "MemTotal:       10 kB\nActive(anon):    2 kB\nHugePages_Total:       3\n",
            ),
            (
                "proc/vmstat",
                "nr_free_pages 1\npgpgin 2\npgfault 3\npgmajfault 4\npgscan 5\noom_kill 6\n",
            ),
            ("proc/loadavg", "0.25 1.50 2.75 1/2 3\n"),
            ("proc/sys/fs/file-nr", "637\t0\t99\n"),
            (
                "proc/diskstats",
                " 254 0 vda 1 2 3 4 5 6 7 8 9 10 11\n 254 1 vda1 1 2 3 4 5 6 7 8 9 10 11\n",
            ),
            (
                "proc/pressure/io",
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n",
            ),
            (
                "proc/net/dev",
                "Inter-|\n face |\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
            ),
            (
                "proc/net/snmp",
                "Tcp: ActiveOpens PassiveOpens RtoMax\nTcp: 5 6 7\n",
            ),
            ("proc/net/snmp6", "Udp6InDatagrams 4\nUdpLite6InErrors 2\n"),
            (
                "proc/net/sockstat",
                "sockets: used 16\nTCP: inuse 1 mem 2\n",
            ),
            ("proc/net/softnet_stat", "0000000a 00000001 00000002\n"),
            ("sys/class/net/eth0/operstate", "up\n"),
            ("sys/class/net/eth0/speed", "1000\n"),
            ("sys/class/net/eth0/flags", "0x1003\n"),
            ("sys/class/net/bonding_masters", "\n"),
            (
                "etc/os-release",
                "ID=ubuntu\nNAME=\"Ubuntu\"\nVERSION_ID=\"22.04\"\n",
            ),
        ],
        &[
            (
                "node_cpu_seconds_total",
                &[("cpu", "1"), ("mode", "idle")],
                4.0,
            ),
            (
                "node_cpu_seconds_total",
                &[("cpu", "1"), ("mode", "steal")],
                8.0,
            ),
            (
                "node_cpu_guest_seconds_total",
                &[("cpu", "1"), ("mode", "nice")],
                10.0,
            ),
            ("node_intr_total", &[], 7.0),
            ("node_boot_time_seconds", &[], 9.0),
            ("node_memory_MemTotal_bytes", &[], 10_240.0),
            ("node_memory_Active_anon_bytes", &[], 2_048.0),
            ("node_memory_HugePages_Total", &[], 3.0),
            ("node_vmstat_pgmajfault", &[], 4.0),
            ("node_vmstat_oom_kill", &[], 6.0),
            ("node_load15", &[], 2.75),
            ("node_filefd_maximum", &[], 99.0),
            ("node_disk_read_bytes_total", &[("device", "vda")], 1_536.0),
            (
                "node_disk_io_time_weighted_seconds_total",
                &[("device", "vda")],
                0.011,
            ),
            ("node_pressure_io_waiting_seconds_total", &[], 1.5),
            ("node_pressure_io_stalled_seconds_total", &[], 0.5),
            (
                "node_network_transmit_colls_total",
                &[("device", "eth0")],
                14.0,
            ),
            ("node_netstat_Tcp_PassiveOpens", &[], 6.0),
            ("node_netstat_Udp6_InDatagrams", &[], 4.0),
            ("node_netstat_UdpLite6_InErrors", &[], 2.0),
            ("node_sockstat_sockets_used", &[], 16.0),
            ("node_softnet_processed_total", &[("cpu", "0")], 10.0),
            ("node_network_speed_bytes", &[("device", "eth0")], 125e6),
            ("node_network_flags", &[("device", "eth0")], 4099.0),
            ("node_network_up", &[("device", "eth0")], 1.0),
            (
                "node_os_version",
                &[("id", "ubuntu"), ("name", "Ubuntu")],
                22.04,
            ),
        ],
    );
}

#[test]
fn time_that_goes_back_a_little_stands_still() {
    let (folder, host) = machine(&[("proc/stat", "cpu0 100 0 0 1000 50\n")]);
    let at = |text: &str| {
        std::fs::write(folder.path().join("proc/stat"), text).unwrap();
        let families = host.collect(Timestamp(0));
        let mode = |mode| {
            let labels = [("cpu", "0"), ("mode", mode)];
            families.value("node_cpu_seconds_total", &labels).unwrap()
        };
        (mode("idle"), mode("iowait"))
    };
    assert_eq!(at("cpu0 100 0 0 1000 50\n"), (10.0, 0.5));
    assert_eq!(at("cpu0 100 0 0 990 40\n"), (10.0, 0.5));
    assert_eq!(at("cpu0 100 0 0 10 40\n"), (0.1, 0.4));
}

#[test]
fn nonsense_is_left_out() {
    let (_folder, host) = machine(&[
        ("proc/stat", "cpu\ncpu0\ncpu0 x\nctxt\nbtime -x\n\u{0}\n"),
        ("proc/meminfo", "MemTotal\nMemFree: x kB\n:\n"),
        ("proc/diskstats", "1\n1 2\n1 2 sda x\n"),
        ("proc/net/dev", "\n\n:\neth0: 1\n"),
        ("proc/net/snmp", "Tcp: A\nTcp\nTcp:\n"),
        ("proc/net/arp", "\nx\n"),
        ("proc/loadavg", "1\n"),
        ("proc/self/mounts", "\nx\nx y z\n"),
        ("proc/net/softnet_stat", "zz\n"),
        ("etc/os-release", "ID\n=\nNAME=\"\nVERSION_ID='\n"),
    ]);
    let families = host.collect(Timestamp(0));
    assert!(families.get("node_boot_time_seconds").is_none());
}
