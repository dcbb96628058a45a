//! Relabelling steps.

use wharf_base::ids::Name;

use crate::map;
use crate::yaml::{Map, Yaml};

/// Keeps what matches.
pub(super) fn keep(sources: &[&str], regex: impl Into<String>) -> Map {
    step(sources, regex, "keep")
}

/// Drops what matches.
pub(super) fn drop(sources: &[&str], regex: impl Into<String>) -> Map {
    step(sources, regex, "drop")
}

fn step(sources: &[&str], regex: impl Into<String>, action: &str) -> Map {
    map! {
        "source_labels" => inline(sources),
        "regex" => regex.into(),
        "action" => action,
    }
}

/// Copies a label.
pub(super) fn copy(source: &str, target: &str) -> Map {
    map! { "source_labels" => inline(&[source]), "target_label" => target }
}

/// Sets a label to the first group of a match.
pub(super) fn take(sources: &[&str], regex: impl Into<String>, target: &str) -> Map {
    map! {
        "source_labels" => inline(sources),
        "regex" => regex.into(),
        "target_label" => target,
    }
}

/// Sets a label where `sources` match.
pub(super) fn set(sources: &[&str], regex: &str, target: &str, value: &str) -> Map {
    map! {
        "source_labels" => inline(sources),
        "regex" => regex,
        "target_label" => target,
        "replacement" => value,
    }
}

/// Sets a label.
pub(super) fn fix(target: &str, value: &str) -> Map {
    map! { "target_label" => target, "replacement" => value }
}

/// Names as alternatives, the longest first: of `web` and `web-admin` the second is tried first.
pub(super) fn any_of<'a>(names: impl IntoIterator<Item = &'a Name>) -> String {
    let mut names: Vec<&str> = names.into_iter().map(Name::as_str).collect();
    names.sort_unstable_by_key(|name| (std::cmp::Reverse(name.len()), *name));
    names.dedup();
    names.join("|")
}

/// Steps as a list.
pub(super) fn steps(steps: Vec<Map>) -> Yaml {
    Yaml::List(steps.into_iter().map(Yaml::from).collect())
}

/// Labels as a list on one line.
pub(super) fn inline(labels: &[&str]) -> Yaml {
    Yaml::Inline(labels.iter().map(|label| Yaml::from(*label)).collect())
}
