//! What changes from one plan to another, in words: `service backend: 3 -> 4 replicas`.
//!
//! Plans are compared as the trees they are written as, so that nothing that a plan can say is passed over.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::model::Plan;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What changes: `service backend`.
    pub subject: String,
    /// How.
    pub kind: Kind,
}

/// How something changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// It was not there.
    Added,
    /// It is not there any more.
    Removed,
    /// A part of it is another.
    Changed {
        /// Which: `replicas`, `resources.cpu`; empty for the whole.
        part: String,
        /// What it was; none: it was not there.
        from: Option<String>,
        /// What it is to be; none: it is taken away.
        to: Option<String>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.subject)?;
        match &self.kind {
            Kind::Added => f.write_str("new"),
            Kind::Removed => f.write_str("removed"),
            Kind::Changed { part, from, to } => {
                // A count reads better with its noun behind it.
                let (before, after) = match part.as_str() {
                    "replicas" | "nodes" => (String::new(), format!(" {part}")),
                    "" => (String::new(), String::new()),
                    part => (format!("{part} "), String::new()),
                };
                match (from, to) {
                    (Some(from), Some(to)) => write!(f, "{before}{from} -> {to}{after}"),
                    (None, Some(to)) => write!(f, "{before}set to {to}{after}"),
                    (Some(from), None) => write!(f, "{before}{from} taken away{after}"),
                    (None, None) => write!(f, "{before}changed{after}"),
                }
            }
        }
    }
}

/// Parts of a plan whose members have a name of their own, and the word for one member.
const NAMED: [(&str, &str); 9] = [
    ("services", "service"),
    ("stores", "store"),
    ("routes", "route"),
    ("secrets", "secret"),
    ("objectives", "objective"),
    ("alerts", "alert"),
    ("notify", "receiver"),
    ("load", "load scenario"),
    ("versions", "version of"),
];

/// Longer values are not shown: the change is named, not what it consists of.
const SHOWN_MAX: usize = 80;

/// Every change from `old` to `new`, in the order of the plan's parts. The environment's name is no change.
#[must_use]
pub fn changes(old: &Plan, new: &Plan) -> Vec<Change> {
    let tree = |plan: &Plan| serde_json::to_value(plan).unwrap_or_default();
    let (old, new) = (tree(old), tree(new));
    let mut changes = vec![];
    for part in keys(&old, &new) {
        if part == "environment" {
            continue;
        }
        let (before, after) = (&old[&part], &new[&part]);
        match NAMED.iter().find(|(name, _)| *name == part) {
            Some((_, word)) => members(word, before, after, &mut changes),
            None => compare(&part, "", before, after, &mut changes),
        }
    }
    changes
}

/// The members of a map, or of a list whose items have a name or a host.
fn members(word: &str, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    let (old, new) = (by_name(old), by_name(new));
    for name in keys(&old, &new) {
        let subject = format!("{word} {name}");
        match (old.get(&name), new.get(&name)) {
            (None, Some(_)) => changes.push(Change {
                subject,
                kind: Kind::Added,
            }),
            (Some(_), None) => changes.push(Change {
                subject,
                kind: Kind::Removed,
            }),
            (Some(before), Some(after)) => compare(&subject, "", before, after, changes),
            (None, None) => {}
        }
    }
}

/// A list as a map by the names of its items; a map as it is.
fn by_name(value: &Value) -> Value {
    let Value::Array(items) = value else {
        return value.clone();
    };
    let mut map = serde_json::Map::new();
    for item in items {
        let name = ["name", "host"].iter().find_map(|key| item[key].as_str());
        let name = name.unwrap_or("of every host");
        let mut key = name.to_owned();
        let mut count = 2;
        while map.contains_key(&key) {
            key = format!("{name} ({count})");
            count += 1;
        }
        map.insert(key, item.clone());
    }
    Value::Object(map)
}

fn compare(subject: &str, part: &str, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    if let (Value::Object(_), Value::Object(_)) = (old, new) {
        for key in keys(old, new) {
            let part = if part.is_empty() {
                key.clone()
            } else {
                format!("{part}.{key}")
            };
            compare(subject, &part, &old[&key], &new[&key], changes);
        }
        return;
    }
    changes.push(Change {
        subject: subject.to_owned(),
        kind: Kind::Changed {
            part: part.to_owned(),
            from: shown(old),
            to: shown(new),
        },
    });
}

fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        Value::Array(items)
            if items
                .iter()
                .all(|item| !item.is_object() && !item.is_array()) =>
        {
            let items: Vec<String> = items.iter().filter_map(shown).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Array(items) => format!("{} entries", items.len()),
        Value::Object(object) => {
            let keys: Vec<&str> = object.keys().map(String::as_str).collect();
            format!("{{{}}}", keys.join(", "))
        }
        other => other.to_string(),
    };
    Some(if text.chars().count() > SHOWN_MAX {
        let cut: String = text.chars().take(SHOWN_MAX - 1).collect();
        format!("{cut}…")
    } else {
        text
    })
}

fn keys(old: &Value, new: &Value) -> BTreeSet<String> {
    [old, new]
        .iter()
        .filter_map(|value| value.as_object())
        .flat_map(|object| object.keys().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
name: shop
services:
  backend: { command: ./backend, port: 5000, replicas: 3, resources: { cpu: 100m..200m } }
  worker: { command: ./worker }
routes: [{ host: a.example.com, paths: { /: backend } }]
";

    #[track_caller]
    fn check(from: &str, to: &str, expected: &[&str]) {
        let plan = |text: &str| {
            let (plan, diagnostics) = crate::resolve(text.as_bytes(), None);
            plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
        };
        let changed = FILE.replace(from, to);
        let changes: Vec<String> = changes(&plan(FILE), &plan(&changed))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(changes, expected, "{from} -> {to}");
    }

    #[test]
    fn changes_are_told_in_words() {
        check("", "", &[]);
        check(
            "replicas: 3",
            "replicas: 4",
            &["service backend: 3 -> 4 replicas"],
        );
        check(
            "100m..200m",
            "100m..300m",
            &["service backend: resources.cpu 100m..200m -> 100m..300m"],
        );
        check(
            "  worker: { command: ./worker }\n",
            "",
            &["service worker: removed"],
        );
        check(
            "worker:",
            "other:",
            &["service other: new", "service worker: removed"],
        );
        check(
            "a.example.com",
            "b.example.com",
            &["route a.example.com: removed", "route b.example.com: new"],
        );
    }
}
