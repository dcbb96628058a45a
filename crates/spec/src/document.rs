//! A file that has been read once, and from which the [`Spec`] of any of its environments is decoded.
//!
//! An environment is laid over the tree, not over the typed values: every shorthand works in an overlay, and what is
//! wrong in one is reported at the place where it was typed.

use crate::decode::{Decode, to_json};
use crate::diagnostic::{Code, Diagnostic, Findings};
use crate::model::{Environment, Spec};
use crate::yaml::{self, Entry, Kind, Node};

/// More environments than anyone has; each costs one decoding of the whole file.
pub const ENVIRONMENTS_MAX: usize = 20;

/// Services and stores together: what one machine or one namespace is sensibly given.
pub const MEMBERS_MAX: usize = 200;

/// The sections that an environment may hold.
const SECTIONS: [&str; 16] = [
    "services",
    "stores",
    "routes",
    "images",
    "secrets",
    "secret_store",
    "kubernetes",
    "cloud",
    "telemetry",
    "objectives",
    "alerts",
    "patches",
    "notify",
    "pipeline",
    "load",
    "versions",
];

/// A file as a tree.
#[derive(Debug)]
pub struct Document {
    root: Node,
}

impl Document {
    /// Reads the file. None if it is no YAML at all, or passes a limit.
    #[must_use]
    pub fn parse(bytes: &[u8], findings: &mut Findings) -> Option<Self> {
        yaml::parse(bytes, findings).map(|root| Self { root })
    }

    /// The environments, by name, with the place of each name; at most [`ENVIRONMENTS_MAX`].
    pub fn environments(&self) -> impl Iterator<Item = &yaml::Key> {
        self.root
            .entry("environments")
            .map(|entry| entry.value.entries())
            .unwrap_or_default()
            .iter()
            .take(ENVIRONMENTS_MAX)
            .map(|entry| &entry.key)
    }

    /// Where the environments stand; none if there are none.
    #[must_use]
    pub fn environments_span(&self) -> Option<crate::span::Span> {
        self.root
            .entry("environments")
            .map(|entry| entry.key.span.clone())
    }

    /// What the file says, with `environment` laid over it.
    ///
    /// None if the file's top is no map. An environment that is not there changes nothing: to report it is the caller's.
    #[must_use]
    pub fn spec(&self, environment: Option<&str>, findings: &mut Findings) -> Option<Spec> {
        let Some(environment) = environment else {
            self.check_environments(findings);
            return Spec::decode(&self.root, findings);
        };
        let overlay = self
            .root
            .entry("environments")
            .and_then(|environments| environments.value.entry(environment))
            .map(|entry| &entry.value);
        match overlay {
            Some(overlay) => Spec::decode(&self.laid_over(overlay), findings),
            None => Spec::decode(&self.root, findings),
        }
    }

    /// What an environment says of itself, beside what it lays over the file. What is wrong in it is found with the file
    /// as it stands.
    #[must_use]
    pub fn environment(&self, name: &str) -> Option<Environment> {
        let environments = self.root.entry("environments")?;
        let entry = environments.value.entry(name)?;
        Environment::decode(&entry.value, &mut Findings::default())
    }

    /// The `x-…` keys of the top level.
    pub fn extensions(&self) -> impl Iterator<Item = (&str, serde_json::Value)> {
        self.root
            .entries()
            .iter()
            .filter(|entry| entry.key.text.starts_with("x-"))
            .map(|entry| (entry.key.text.as_str(), to_json(&entry.value)))
    }

    fn check_environments(&self, findings: &mut Findings) {
        let Some(environments) = self.root.entry("environments") else {
            return;
        };
        let count = environments.value.entries().len();
        if count > ENVIRONMENTS_MAX {
            let message =
                format!("the file has {count} environments; at most {ENVIRONMENTS_MAX} are read");
            findings.report(Diagnostic::error(
                Code::LIMIT,
                environments.key.span.clone(),
                message,
            ));
        }
    }

    /// The tree with `overlay` laid over it. The environments themselves are left out: they have been checked already.
    fn laid_over(&self, overlay: &Node) -> Node {
        let mut entries: Vec<Entry> = self
            .root
            .entries()
            .iter()
            .filter(|entry| entry.key.text != "environments" && !entry.key.text.starts_with("x-"))
            .cloned()
            .collect();
        let sections = overlay
            .entries()
            .iter()
            .filter(|entry| SECTIONS.contains(&entry.key.text.as_str()));
        for section in sections {
            lay_over(&mut entries, section);
        }
        Node {
            span: self.root.span.clone(),
            kind: Kind::Map(entries),
        }
    }
}

/// Lays one entry over a map: maps are merged, everything else is replaced, null removes.
fn lay_over(entries: &mut Vec<Entry>, over: &Entry) {
    let at = entries
        .iter()
        .position(|entry| entry.key.text == over.key.text);
    match (&over.value.kind, at) {
        (Kind::Null, Some(at)) => {
            entries.remove(at);
        }
        (Kind::Null, None) => {}
        (Kind::Map(more), Some(at)) => {
            if let Kind::Map(entries) = &mut entries[at].value.kind {
                for entry in more {
                    lay_over(entries, entry);
                }
            } else {
                entries[at] = without_nulls(over);
            }
        }
        (_, Some(at)) => entries[at] = over.clone(),
        (_, None) => entries.push(without_nulls(over)),
    }
}

/// An entry that is new: what it would remove is not there.
fn without_nulls(over: &Entry) -> Entry {
    let mut entry = Entry {
        key: over.key.clone(),
        value: over.value.clone(),
    };
    if let Kind::Map(more) = &over.value.kind {
        let mut kept = vec![];
        for entry in more {
            lay_over(&mut kept, entry);
        }
        entry.value.kind = Kind::Map(kept);
    }
    entry
}
