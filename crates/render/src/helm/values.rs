//! The chart's values: the defaults, and what each environment has otherwise.

use std::collections::BTreeMap;

use crate::yaml::{Map, Yaml};

/// The values of a chart.
#[derive(Debug)]
pub(super) struct Values {
    /// The variants, the first being the default.
    variants: Vec<String>,
    defaults: Map,
    others: BTreeMap<String, Map>,
}

impl Values {
    pub(super) fn new(variants: Vec<String>) -> Self {
        let others = variants
            .iter()
            .skip(1)
            .map(|name| (name.clone(), Map::new()))
            .collect();
        Self {
            variants,
            defaults: Map::new(),
            others,
        }
    }

    /// Adds a value at `path`, one for each variant; none where a variant has nothing there. Gives the expression that reads
    /// it. A value that is there already keeps its place and comment.
    pub(super) fn add(&mut self, path: &[&str], comment: &str, each: &[Option<Yaml>]) -> String {
        let default = each.first().cloned().flatten();
        // What the default does not have, another variant shows the kind of: an empty one of it is the default.
        let default = default.unwrap_or_else(|| {
            let some = each.iter().flatten().next();
            match some {
                Some(Yaml::Map(_)) => Yaml::Map(Map::new()),
                Some(Yaml::List(_)) => Yaml::List(vec![]),
                Some(Yaml::Text(_)) => Yaml::Text(String::new()),
                Some(Yaml::Bool(_)) => Yaml::Bool(false),
                _ => Yaml::Null,
            }
        });
        for (name, value) in self.variants.iter().zip(each).skip(1) {
            let value = value.clone().unwrap_or_else(|| match &default {
                // Helm lays maps over each other: an empty one would take nothing away.
                Yaml::Map(_) => Yaml::Null,
                Yaml::List(_) => Yaml::List(vec![]),
                _ => Yaml::Null,
            });
            if value != default
                && !(value == Yaml::Null && default.is_empty())
                && let Some(other) = self.others.get_mut(name)
            {
                put(other, path, "", overlay(&default, value));
            }
        }
        put(&mut self.defaults, path, comment, default);
        expression(path)
    }

    /// Adds a value that no variant has otherwise.
    pub(super) fn add_default(
        &mut self,
        path: &[&str],
        comment: &str,
        value: impl Into<Yaml>,
    ) -> String {
        let each = vec![Some(value.into()); self.variants.len()];
        self.add(path, comment, &each)
    }

    /// `values.yaml`.
    pub(super) fn defaults(&self) -> Map {
        self.defaults.clone()
    }

    /// `values-NAME.yaml`.
    pub(super) fn of(&self, name: &str) -> Map {
        self.others.get(name).cloned().unwrap_or_default()
    }
}

/// Helm lays a map over the default key by key: what is only in the default has to be taken away by name.
fn overlay(default: &Yaml, value: Yaml) -> Yaml {
    let (Yaml::Map(default), Yaml::Map(wanted)) = (default, &value) else {
        return value;
    };
    let mut map = Map::new();
    for entry in wanted.entries() {
        match default.get(&entry.key) {
            Some(before) if *before == entry.value => {}
            Some(before) => {
                map.set(entry.key.clone(), overlay(before, entry.value.clone()));
            }
            None => {
                map.set(entry.key.clone(), entry.value.clone());
            }
        }
    }
    for entry in default.entries() {
        if wanted.get(&entry.key).is_none() {
            map.set(entry.key.clone(), Yaml::Raw("null".to_owned()));
        }
    }
    map.into()
}

fn put(map: &mut Map, path: &[&str], comment: &str, value: Yaml) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        if map.get(first).is_none() {
            let comment = if comment.is_empty() {
                String::new()
            } else {
                format!("-- {comment}")
            };
            map.set_with_comment(comment, *first, value);
        }
        return;
    }
    if map.get(first).is_none() {
        map.set(*first, Map::new());
    }
    let inner = map.get_mut(first).and_then(Yaml::as_map_mut);
    if let Some(inner) = inner {
        put(inner, rest, comment, value);
    }
}

/// `.Values.services.web.image`
pub(super) fn expression(path: &[&str]) -> String {
    format!("$.Values.{}", path.join("."))
}

/// A component's key in the values: `celery-beat` is `celeryBeat`, `1st` is `_1st`.
pub(super) fn key(name: &str) -> String {
    let mut key = String::new();
    let mut upper = false;
    for character in name.chars() {
        if character.is_ascii_alphanumeric() {
            key.push(if upper {
                character.to_ascii_uppercase()
            } else {
                character
            });
            upper = false;
        } else {
            upper = !key.is_empty();
        }
    }
    if key.starts_with(|c: char| c.is_ascii_digit()) {
        key.insert(0, '_');
    }
    key
}
