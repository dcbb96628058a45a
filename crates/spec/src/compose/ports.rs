//! `ports` and `expose` -> the ports of the program.

use super::emit::Out;
use super::{Importer, items, text};
use crate::yaml::{Entry, Kind, Node};

/// The ports of one program.
#[derive(Debug, Clone, Default)]
pub(super) struct Ports {
    /// In the order of the file, each once.
    pub(super) numbers: Vec<u16>,
    /// Whether one of them is published.
    pub(super) published: bool,
}

impl Ports {
    pub(super) fn add(&mut self, number: u16) {
        if number != 0 && !self.numbers.contains(&number) {
            self.numbers.push(number);
        }
    }

    /// The keys of `wharf.yaml` for them.
    pub(super) fn out(&self) -> Option<(String, Out)> {
        match self.numbers.as_slice() {
            [] => None,
            [only] => Some(("port".to_owned(), Out::text(only.to_string()))),
            [first, rest @ ..] => {
                let mut ports = vec![("http".to_owned(), Out::text(first.to_string()))];
                ports.extend(
                    rest.iter()
                        .map(|port| (port_name(*port), Out::text(port.to_string()))),
                );
                Some(("ports".to_owned(), Out::Map(ports)))
            }
        }
    }
}

fn port_name(port: u16) -> String {
    format!("port-{port}")
}

/// One item of `ports`.
struct Published {
    container: u16,
    host: Option<String>,
    udp: bool,
}

impl Importer<'_> {
    pub(super) fn declared_ports(&mut self, service: &Entry) -> Ports {
        let name = service.key.text.as_str();
        let store = self.stores.contains_key(name);
        let mut ports = Ports::default();
        for item in service
            .value
            .entry("ports")
            .map(|ports| items(&ports.value))
            .unwrap_or_default()
        {
            let Some(published) = published(item) else {
                let reason = "not a port, or a range of them; list the ports one by one in `ports`";
                self.left(item, format!("{name}.ports"), reason);
                continue;
            };
            if published.udp {
                self.left(item, format!("{name}.ports"), "only TCP is served");
                continue;
            }
            ports.add(published.container);
            ports.published = true;
            let Some(host) = published.host.filter(|_| !store) else {
                continue;
            };
            if host != published.container.to_string() {
                let reason = format!(
                    "the port {host} of this machine is not taken: the ingress serves every service at one address"
                );
                self.left(item, format!("{name}.ports"), reason);
            }
        }
        for item in service
            .value
            .entry("expose")
            .map(|ports| items(&ports.value))
            .unwrap_or_default()
        {
            match text(item).and_then(|port| port.trim_end_matches("/tcp").parse().ok()) {
                Some(port) => ports.add(port),
                None => self.left(item, format!("{name}.expose"), "not a TCP port"),
            }
        }
        ports
    }
}

/// `80`, `8080:80`, `127.0.0.1:8080:80/tcp`, `{target: 80, published: 8080}`.
fn published(item: &Node) -> Option<Published> {
    if let Kind::Map(_) = item.kind {
        let field = |key: &str| item.entry(key).and_then(|entry| text(&entry.value));
        return Some(Published {
            container: field("target")?.parse().ok()?,
            host: field("published").map(str::to_owned),
            udp: field("protocol") == Some("udp"),
        });
    }
    let short = resolved(text(item)?)?;
    let (short, protocol) = short.split_once('/').unwrap_or((&short, "tcp"));
    let (host, container) = match short.rsplit_once(':') {
        Some((host, container)) => (Some(host), container),
        None => (None, short),
    };
    let host = host.map(|host| {
        host.rsplit_once(':')
            .map_or(host, |(_, port)| port)
            .to_owned()
    });
    Some(Published {
        container: container.parse().ok().filter(|port| *port != 0)?,
        host: host.filter(|host| !host.is_empty()),
        udp: protocol == "udp",
    })
}

/// A text with the defaults of its variables; none if one has none.
fn resolved(text: &str) -> Option<String> {
    use super::interpolation::{Piece, pieces};
    pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Text(text) => Some(text),
            Piece::Variable { default, .. } => default,
            Piece::Unknown(_) => None,
        })
        .collect()
}
