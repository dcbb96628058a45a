//! Counters of the network stack (`node_netstat_*`), sockets (`node_sockstat_*`), packets that wait for a processor
//! (`node_softnet_*`), tracked connections (`node_nf_conntrack_*`), neighbours (`node_arp_entries`).

use std::collections::BTreeMap;

use super::{Absent, Host};
use crate::families::Families;
use crate::root::number;

/// Which counters are told of, of some hundred: those that node_exporter tells of unless it is told otherwise.
fn is_told(protocol: &str, field: &str) -> bool {
    match protocol {
        "Ip" => field == "Forwarding",
        "Ip6" | "IpExt" => matches!(field, "InOctets" | "OutOctets"),
        "Icmp" | "Icmp6" => matches!(field, "InMsgs" | "OutMsgs" | "InErrors"),
        "UdpLite" | "UdpLite6" => field == "InErrors",
        "Tcp" => matches!(
            field,
            "ActiveOpens"
                | "InSegs"
                | "OutSegs"
                | "OutRsts"
                | "PassiveOpens"
                | "RetransSegs"
                | "CurrEstab"
                | "InErrs"
        ),
        "TcpExt" => matches!(
            field,
            "ListenOverflows"
                | "ListenDrops"
                | "SyncookiesSent"
                | "SyncookiesRecv"
                | "SyncookiesFailed"
                | "TCPSynRetrans"
                | "TCPTimeouts"
                | "TCPOFOQueue"
                | "TCPRcvQDrop"
        ),
        "Udp" | "Udp6" => matches!(
            field,
            "InDatagrams"
                | "OutDatagrams"
                | "NoPorts"
                | "InErrors"
                | "RcvbufErrors"
                | "SndbufErrors"
        ),
        _ => false,
    }
}

pub(super) fn counters(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let mut found = 0;
    let mut add = |protocol: &str, field: &str, value: f64| {
        found += 1;
        if is_told(protocol, field) {
            out.untyped(
                format!("node_netstat_{protocol}_{field}"),
                format!("{field} of {protocol}."),
            )
            .add(&[], value);
        }
    };
    for file in ["net/snmp", "net/netstat"] {
        let text = host.root.proc(file).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        // A line of names and one of values, each behind the protocol.
        for pair in lines.chunks_exact(2) {
            let (Some((protocol, names)), Some((_, values))) =
                (pair[0].split_once(':'), pair[1].split_once(':'))
            else {
                continue;
            };
            let names = names.split_ascii_whitespace();
            for (field, value) in names.zip(values.split_ascii_whitespace()) {
                if let Some(value) = number(value) {
                    add(protocol, field, value);
                }
            }
        }
    }
    for line in host.root.proc("net/snmp6").unwrap_or_default().lines() {
        let mut words = line.split_ascii_whitespace();
        let (Some(word), Some(value)) = (words.next(), words.next().and_then(number)) else {
            continue;
        };
        // `Icmp6InMsgs`: the protocol ends with its 6.
        if let Some(six) = word.find('6') {
            let (protocol, field) = word.split_at(six + 1);
            add(protocol, field, value);
        }
    }
    if found == 0 { Err(Absent) } else { Ok(()) }
}

pub(super) fn sockets(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("net/sockstat").ok_or(Absent)?;
    let six = host.root.proc("net/sockstat6").unwrap_or_default();
    let page = rustix::param::page_size() as f64;
    for line in text.lines().chain(six.lines()) {
        let Some((protocol, rest)) = line.split_once(':') else {
            continue;
        };
        let words: Vec<&str> = rest.split_ascii_whitespace().collect();
        for pair in words.chunks_exact(2) {
            let (field, Some(value)) = (pair[0], number(pair[1])) else {
                continue;
            };
            let mut add = |field: &str, value: f64| {
                out.gauge(
                    format!("node_sockstat_{protocol}_{field}"),
                    format!("{field}: sockets of {protocol}."),
                )
                .add(&[], value);
            };
            add(field, value);
            // It is told in pages; both are wanted.
            if field == "mem" {
                add("mem_bytes", value * page);
            }
        }
    }
    Ok(())
}

pub(super) fn softnet(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("net/softnet_stat").ok_or(Absent)?;
    for (index, line) in text.lines().enumerate() {
        let numbers: Vec<u32> = line
            .split_ascii_whitespace()
            .filter_map(|word| u32::from_str_radix(word, 16).ok())
            .collect();
        let [processed, dropped, squeezed, ..] = numbers[..] else {
            continue;
        };
        // Kernels since 5.10 tell which processor it is; some may be off.
        let cpu = numbers.get(12).map_or(index.to_string(), u32::to_string);
        for (name, help, value) in [
            ("node_softnet_processed_total", "Packets taken.", processed),
            ("node_softnet_dropped_total", "Packets dropped.", dropped),
            (
                "node_softnet_times_squeezed_total",
                "Times that it ran out of its share.",
                squeezed,
            ),
        ] {
            out.counter(name, help)
                .add(&[("cpu", &cpu)], f64::from(value));
        }
    }
    Ok(())
}

pub(super) fn conntrack(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let read = |file: &str| {
        let text = host.root.proc(&format!("sys/net/netfilter/{file}"));
        text.as_deref().and_then(number)
    };
    let (count, limit) = (
        read("nf_conntrack_count").ok_or(Absent)?,
        read("nf_conntrack_max").ok_or(Absent)?,
    );
    out.gauge("node_nf_conntrack_entries", "Connections that are tracked.")
        .add(&[], count);
    out.gauge("node_nf_conntrack_entries_limit", "How many may be.")
        .add(&[], limit);
    let text = host.root.proc("net/stat/nf_conntrack").unwrap_or_default();
    let mut lines = text.lines();
    let names: Vec<&str> = lines
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace()
        .collect();
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for line in lines {
        let values = line.split_ascii_whitespace();
        for (name, value) in names.iter().zip(values) {
            let value = u32::from_str_radix(value, 16).unwrap_or(0);
            *sums.entry(name).or_default() += f64::from(value);
        }
    }
    for name in [
        "found",
        "invalid",
        "ignore",
        "insert",
        "insert_failed",
        "drop",
        "early_drop",
        "search_restart",
    ] {
        if let Some(sum) = sums.get(name) {
            out.gauge(
                format!("node_nf_conntrack_stat_{name}"),
                format!("{name} of connection tracking, over all processors."),
            )
            .add(&[], *sum);
        }
    }
    Ok(())
}

pub(super) fn arp(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("net/arp").ok_or(Absent)?;
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for line in text.lines().skip(1) {
        if let Some(device) = line.split_ascii_whitespace().nth(5) {
            *counts.entry(device).or_default() += 1;
        }
    }
    for (device, count) in counts {
        out.gauge("node_arp_entries", "Neighbours that are known.")
            .add(&[("device", device)], f64::from(count));
    }
    Ok(())
}
