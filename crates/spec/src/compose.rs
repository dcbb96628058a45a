//! A Compose file -> the text of a `wharf.yaml`, and what could not be carried over, line by line.
//!
//! Databases and caches become stores, and what points at them refers to them (`${db.url}`): their credentials are
//! Wharf's to make. Everything that has no counterpart is named with its line and the reason; nothing is dropped in
//! silence except what Wharf does by itself (`restart: always`, `init`, the default network). Nothing is read besides
//! the bytes that are given: no variable of the environment, no other file.

mod addresses;
mod emit;
mod environment;
mod health;
mod interpolation;
mod names;
mod ports;
mod resources;
mod service;
mod stores;
mod volumes;

use std::collections::BTreeMap;

use wharf_base::ids::Name;

use crate::diagnostic::{Code, Diagnostic, Findings};
use crate::yaml::{self, Entry, Kind, Node};
use emit::Out;
use names::Names;
use ports::Ports;
use stores::StoreOrigin;

/// What came of a Compose file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The `wharf.yaml`.
    pub text: String,
    /// What could not be carried over, in the order of the Compose file.
    pub left: Vec<Left>,
}

/// One thing that could not be carried over as it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Left {
    /// The line of the Compose file, counted from 1.
    pub line: usize,
    /// The key, with its service: `web.networks`.
    pub key: String,
    /// Why, and what to do instead: a sentence without its full stop.
    pub reason: String,
}

/// Reads a Compose file. `project` names the project if the file does not; of any text a name is made.
///
/// # Errors
/// The file is no YAML, passes a limit, or has no `services`.
pub fn import(bytes: &[u8], project: &str) -> Result<Imported, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    let root = yaml::parse(bytes, &mut findings);
    if findings.has_errors() {
        return Err(findings.into_sorted());
    }
    let source = std::str::from_utf8(bytes).unwrap_or_default();
    let services = root.as_ref().and_then(|root| root.entry("services"));
    let (Some(root), Some(services)) = (&root, services) else {
        let message = "the file has no `services`, so it is no Compose file";
        findings.report(Diagnostic::error(Code::MISSING_KEY, 0..0, message));
        return Err(findings.into_sorted());
    };
    let mut importer = Importer::new(source, services);
    let text = importer.file(root, project);
    let mut left = importer.left;
    left.sort();
    left.dedup();
    Ok(Imported { text, left })
}

/// What every part of the import needs to know.
struct Importer<'a> {
    /// The byte at which each line begins.
    lines: Vec<usize>,
    services: &'a [Entry],
    /// The names of services and stores, by what the Compose file calls them.
    names: BTreeMap<&'a str, Name>,
    volumes: Names,
    /// The services that become stores.
    stores: BTreeMap<&'a str, StoreOrigin>,
    /// The ports of the programs, by what the Compose file calls their service.
    ports: BTreeMap<&'a str, Ports>,
    left: Vec<Left>,
}

impl<'a> Importer<'a> {
    fn new(source: &str, services: &'a Entry) -> Self {
        let breaks = source
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0)
            .chain(breaks.map(|(at, _)| at + 1))
            .collect();
        let mut taken = Names::default();
        let entries = services.value.entries();
        let names = entries
            .iter()
            .map(|entry| {
                (
                    entry.key.text.as_str(),
                    taken.name(&entry.key.text, "service"),
                )
            })
            .collect();
        Self {
            lines,
            services: entries,
            names,
            volumes: Names::default(),
            stores: BTreeMap::new(),
            ports: BTreeMap::new(),
            left: vec![],
        }
    }

    /// Notes that `key` at `node` could not be carried over.
    fn left(&mut self, node: &Node, key: impl Into<String>, reason: impl Into<String>) {
        let line = self
            .lines
            .partition_point(|begin| *begin <= node.span.start);
        self.left.push(Left {
            line,
            key: crate::diagnostic::clipped(&key.into(), 120),
            reason: reason.into(),
        });
    }

    fn file(&mut self, root: &'a Node, project: &str) -> String {
        for entry in self.services {
            if let Some(store) = stores::origin(&entry.value) {
                self.stores.insert(&entry.key.text, store);
            }
        }
        for entry in self.services {
            let ports = self.declared_ports(entry);
            self.ports.insert(&entry.key.text, ports);
        }
        let named = root.entry("name").and_then(|entry| text(&entry.value));
        let project = Names::default().name(named.unwrap_or(project), "app");
        let mut services = vec![];
        let mut stores = vec![];
        for entry in self.services {
            let Some(name) = self.names.get(entry.key.text.as_str()).cloned() else {
                continue;
            };
            if self.stores.contains_key(entry.key.text.as_str()) {
                stores.push((name.to_string(), self.store(entry)));
            } else {
                services.push((name.to_string(), self.service(entry)));
            }
        }
        let mut file = vec![("name".to_owned(), Out::text(project.as_str()))];
        file.push(("services".to_owned(), Out::Map(services)));
        if !stores.is_empty() {
            file.push(("stores".to_owned(), Out::Map(stores)));
        }
        if let Some(routes) = self.routes() {
            file.push(("routes".to_owned(), routes));
        }
        self.rest_of_top(root);
        format!("# Made from a Compose file.\n{}", Out::Map(file).emitted())
    }

    /// What is published is served: the first of them, or the one whose name says that it is the front.
    fn routes(&mut self) -> Option<Out> {
        let published: Vec<&Entry> = self
            .services
            .iter()
            .filter(|entry| {
                let name = entry.key.text.as_str();
                let ports = self.ports.get(name);
                ports.is_some_and(|ports| ports.published) && !self.stores.contains_key(name)
            })
            .collect();
        let is_front = |entry: &&&Entry| ["web", "frontend"].contains(&entry.key.text.as_str());
        let front = published.iter().find(is_front).or(published.first())?;
        let front = front.key.text.as_str();
        for other in published.iter().filter(|other| other.key.text != front) {
            let name = &other.key.text;
            let reason = format!(
                "one address serves all: `{front}` has `/`; give `{name}` a path in `routes`, such as `/{name}`"
            );
            if let Some(ports) = other.value.entry("ports") {
                self.left(&ports.value, format!("{name}.ports"), reason);
            }
        }
        let target = Out::text(self.names.get(front)?.as_str());
        let paths = Out::Map(vec![("/".to_owned(), target)]);
        Some(Out::List(vec![Out::Map(vec![("paths".to_owned(), paths)])]))
    }

    /// The other keys of the top level.
    fn rest_of_top(&mut self, root: &'a Node) {
        for entry in root.entries() {
            let reason = match entry.key.text.as_str() {
                "name" | "services" | "version" => continue,
                extension if extension.starts_with("x-") => continue,
                "volumes" => {
                    self.declared_volumes(&entry.value);
                    continue;
                }
                "networks" => {
                    if entry
                        .value
                        .entries()
                        .iter()
                        .all(|network| is_plain(&network.value))
                    {
                        continue;
                    }
                    "services of a project reach each other by `${NAME.url}`; there are no networks to set up"
                }
                "secrets" => {
                    "secrets are not supported yet; take the values from the environment: `${env.NAME}`"
                }
                "configs" => "mount the file as a volume: `./file:/path:ro`",
                "include" => "other files are not read; import them one by one",
                _ => "Wharf has no such key",
            };
            self.left(&entry.value, entry.key.text.as_str(), reason);
        }
    }
}

/// The text of a scalar.
fn text(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}

/// The items of a list; of anything else the thing itself.
fn items(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        Kind::Null => &[],
        _ => std::slice::from_ref(node),
    }
}

/// Nothing, or a map that says nothing of weight.
fn is_plain(node: &Node) -> bool {
    match &node.kind {
        Kind::Null => true,
        Kind::Map(entries) => entries.iter().all(|entry| {
            let key = entry.key.text.as_str();
            let plain_driver =
                key == "driver" && matches!(text(&entry.value), Some("local" | "bridge"));
            plain_driver || key == "name" || key == "labels"
        }),
        _ => false,
    }
}
