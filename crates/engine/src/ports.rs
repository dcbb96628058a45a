//! Ports: those of replicas and stores, and the listening sockets of the ingress.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Ports for replicas: below the range from which the kernel takes ports of outgoing connections (32768 on), so that
/// none of those is in the way when a replica starts to listen.
pub(crate) const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How many ports after the default one are tried for the ingress.
const PORTS_TRIED: u16 = 100;

/// Connections that wait for the ingress to accept them: a crowd after a restart. std asks for 128.
const BACKLOG: i32 = 4_096;

/// Whether nothing listens on the port of the loopback address.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port of [`PORTS`] that nothing listens on and that is not in `taken`; from a random place on, so that two
/// projects do not race for the same ones.
pub(crate) fn free_port(taken: &[u16]) -> Option<u16> {
    let start = fastrand::u16(PORTS);
    (start..PORTS.end)
        .chain(PORTS.start..start)
        .find(|port| !taken.contains(port) && is_free(*port))
}

/// Listens for the ingress. `default` is its usual port, 0 for an internal listener, which takes any. Where `address` is
/// taken and nobody insists on it (`explicit`), the next port that is free is used.
///
/// # Errors
/// None of them can be listened on.
pub(crate) fn bind(
    address: Option<SocketAddr>,
    explicit: bool,
    default: u16,
) -> io::Result<TcpListener> {
    let first = match (address, default) {
        (Some(address), _) => address,
        (None, 0) => (Ipv4Addr::LOCALHOST, free_port(&[]).unwrap_or_default()).into(),
        (None, default) => (Ipv4Addr::LOCALHOST, default).into(),
    };
    let mut result = TcpListener::bind(first);
    if result.is_err() && default == 0 {
        result = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port(&[]).unwrap_or_default()));
    } else if !explicit {
        let later = first.port().saturating_add(1)..=first.port().saturating_add(PORTS_TRIED);
        result = later.fold(result, |result, port| {
            result.or_else(|_| TcpListener::bind((first.ip(), port)))
        });
    }
    let listener = result?;
    // A second call only changes the length of the queue.
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}
