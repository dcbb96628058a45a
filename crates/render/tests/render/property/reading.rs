//! How the checks read what was rendered.

use std::collections::BTreeSet;

use serde_json::Value;
use wharf_base::files::FileSet;

/// What a check says: the first problem that it sees.
pub(super) type Checked = Result<(), String>;

/// A regular expression, compiled once.
macro_rules! pattern {
    ($text:literal) => {{
        static PATTERN: std::sync::LazyLock<regex::Regex> =
            std::sync::LazyLock::new(|| regex::Regex::new($text).unwrap());
        &*PATTERN
    }};
}
pub(super) use pattern;

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The keys of a map; of anything else, none.
pub(super) fn keys(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key.as_str())
}

/// The entries of a map; of anything else, none.
pub(super) fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value))
}

/// The items of a list; of anything else, none.
pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The texts of a list, or the one that stands for a list.
pub(super) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        _ => items(value).filter_map(Value::as_str).collect(),
    }
}

/// The documents of a YAML file.
pub(super) fn documents(path: &str, yaml: &str) -> Result<Vec<Value>, String> {
    serde_saphyr::from_multiple(yaml).map_err(|error| format!("{path} is no YAML: {error}\n{yaml}"))
}

/// The only document of a YAML file; of an empty one, null.
pub(super) fn document(path: &str, yaml: &str) -> Result<Value, String> {
    Ok(documents(path, yaml)?
        .into_iter()
        .next()
        .unwrap_or_default())
}

/// Calls `found` for every entry of every map below `value`.
pub(super) fn walk<'a>(value: &'a Value, found: &mut impl FnMut(&'a str, &'a Value)) {
    for (key, value) in entries(value) {
        found(key, value);
        walk(value, found);
    }
    for item in items(value) {
        walk(item, found);
    }
}

/// No two of `names` are the same.
pub(super) fn unique<'a>(what: &str, names: impl IntoIterator<Item = &'a str>) -> Checked {
    let mut seen = BTreeSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(name) => Err(format!("two {what} are called `{name}`")),
        None => Ok(()),
    }
}

/// `name` is one of `there`.
pub(super) fn known<'a>(
    what: &str,
    name: &str,
    there: impl IntoIterator<Item = &'a str>,
) -> Checked {
    if there.into_iter().any(|one| one == name) {
        Ok(())
    } else {
        Err(format!("{what} `{name}` is referred to and not there"))
    }
}

/// `path`, said in the folder of the file `from`, without `.` and `..`.
pub(super) fn resolve(from: &str, path: &str) -> String {
    let mut segments: Vec<&str> = from.split('/').collect();
    segments.pop();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    segments.join("/")
}

/// Whether there is a file `path`, or files below it.
pub(super) fn exists(files: &FileSet, path: &str) -> bool {
    let folder = format!("{}/", path.trim_end_matches('/'));
    files.get(path).is_some() || files.into_iter().any(|(path, _)| path.starts_with(&folder))
}

/// Files, for the proof that a check sees what is broken.
pub(super) fn set(files: &[(&str, &str)]) -> FileSet {
    let mut set = FileSet::new();
    for (path, text) in files {
        set.add(*path, *text);
    }
    set
}

/// The check passes what is whole, and tells `problem` of what is broken.
#[track_caller]
pub(super) fn proves(
    check: impl Fn(&FileSet) -> Checked,
    path: &str,
    whole: &str,
    breaks: &[(&str, &str, &str)],
) {
    assert_eq!(check(&set(&[(path, whole)])), Ok(()));
    for (from, to, problem) in breaks {
        assert!(whole.contains(from), "`{from}` is not in the text");
        let broken = whole.replacen(from, to, 1);
        match check(&set(&[(path, &broken)])) {
            Err(told) => assert!(told.contains(problem), "told: {told}"),
            Ok(()) => panic!("not seen: {from} -> {to}"),
        }
    }
}
