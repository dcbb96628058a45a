//! `node_network_*`: what each interface is and whether it is up, of `/sys/class/net`.

use super::{Absent, Host};
use crate::families::Families;

/// Where Linux keeps the interfaces, below `/sys`.
const FOLDER: &str = "class/net";

/// File, name behind `node_network_`, whether it only grows.
const NUMBERS: [(&str, &str, bool); 17] = [
    ("addr_assign_type", "address_assign_type", false),
    ("carrier", "carrier", false),
    ("carrier_changes", "carrier_changes_total", true),
    ("carrier_down_count", "carrier_down_changes_total", true),
    ("carrier_up_count", "carrier_up_changes_total", true),
    ("dev_id", "device_id", false),
    ("dormant", "dormant", false),
    ("flags", "flags", false),
    ("ifindex", "iface_id", false),
    ("iflink", "iface_link", false),
    ("link_mode", "iface_link_mode", false),
    ("mtu", "mtu_bytes", false),
    ("name_assign_type", "name_assign_type", false),
    ("netdev_group", "net_dev_group", false),
    ("type", "protocol_type", false),
    ("speed", "speed_bytes", false),
    ("tx_queue_len", "transmit_queue_length", false),
];

/// The kernel tells the speed in Mbit/s.
const MEGABIT_BYTES: f64 = 125_000.0;

pub(super) fn collect(host: &Host, out: &mut Families) -> Result<(), Absent> {
    let devices = host.root.sys_names(FOLDER);
    if devices.is_empty() {
        return Err(Absent);
    }
    for device in &devices {
        let read = |file: &str| host.root.sys(&format!("{FOLDER}/{device}/{file}"));
        // Other things lie in the folder too: `bonding_masters` is a file.
        let Some(state) = read("operstate") else {
            continue;
        };
        let one = [("device", device.as_str())];
        for (file, name, grows) in NUMBERS {
            let Some(value) = read(file).as_deref().and_then(whole) else {
                continue;
            };
            let value = if file == "speed" {
                value * MEGABIT_BYTES
            } else {
                value
            };
            let name = format!("node_network_{name}");
            let help = format!("{file} of each interface.");
            let family = if grows {
                out.counter(name, help)
            } else {
                out.gauge(name, help)
            };
            family.add(&one, value);
        }
        out.gauge("node_network_up", "Whether an interface is up.")
            .add(&one, f64::from(u8::from(state == "up")));
        let text = |file: &str| read(file).unwrap_or_default();
        let labels = [
            ("address", &*text("address")),
            ("broadcast", &text("broadcast")),
            ("device", device),
            ("duplex", &text("duplex")),
            ("ifalias", &text("ifalias")),
            ("operstate", &state),
        ];
        out.gauge("node_network_info", "What each interface is.")
            .add(&labels, 1.0);
    }
    Ok(())
}

/// A whole number, decimal or hexadecimal with `0x`.
fn whole(text: &str) -> Option<f64> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok()?,
        None => text.parse().ok()?,
    };
    Some(number as f64)
}
