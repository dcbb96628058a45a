//! `node_network_{receive,transmit}_*_total`: traffic of each interface, of `/proc/net/dev`.
//!
//! `lo` is told of too, as upstream does and Debian's package does not.

use super::{Absent, Host};
use crate::families::Families;
use crate::root::columns;

const RECEIVE: [&str; 8] = [
    "bytes",
    "packets",
    "errs",
    "drop",
    "fifo",
    "frame",
    "compressed",
    "multicast",
];
const TRANSMIT: [&str; 8] = [
    "bytes",
    "packets",
    "errs",
    "drop",
    "fifo",
    "colls",
    "carrier",
    "compressed",
];

pub(super) fn collect(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let text = host.root.proc("net/dev").ok_or(Absent)?;
    for line in text.lines().skip(2) {
        let Some((device, rest)) = line.split_once(':') else {
            continue;
        };
        let device = device.trim();
        let numbers = columns(rest);
        let Some((received, sent)) = numbers.split_at_checked(RECEIVE.len()) else {
            continue;
        };
        for (way, names, values) in [("receive", RECEIVE, received), ("transmit", TRANSMIT, sent)] {
            for (name, value) in names.iter().zip(values) {
                out.counter(
                    format!("node_network_{way}_{name}_total"),
                    format!("{way}: {name} of each interface."),
                )
                .add(&[("device", device)], *value);
            }
        }
        let path = format!("class/net/{device}/statistics/rx_nohandler");
        if let Some(value) = host.root.sys(&path).and_then(|text| text.parse().ok()) {
            out.counter(
                "node_network_receive_nohandler_total",
                "Packets that nobody took.",
            )
            .add(&[("device", device)], value);
        }
    }
    Ok(())
}
