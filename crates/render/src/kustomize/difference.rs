//! What makes one object of another.

use serde_json::{Map, Value};

use crate::kubernetes::Object;
use crate::kubernetes::order::ordered;
use crate::map;
use crate::yaml::Yaml;

/// A patch of Kustomize.
#[derive(Debug, PartialEq)]
pub(super) enum Patch {
    /// A part of the object, laid over it; what is null goes.
    Merge(Yaml),
    /// Operations of RFC 6902: for lists, which a merge would mix.
    Operations(Yaml),
}

/// One operation of RFC 6902.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operation {
    /// Puts a value where there is none, or before what is there in a list.
    Add(String, Value),
    /// Puts a value in the place of another.
    Replace(String, Value),
    /// Takes a value away.
    Remove(String),
}

/// The patch that makes `to` of `from`; none if they are the same but for comments.
pub(super) fn patch(from: &Object, to: &Object) -> Option<Patch> {
    let (before, after) = (from.yaml.clone().into_json(), to.yaml.clone().into_json());
    let mut operations = vec![];
    compare("", &before, &after, &mut operations);
    if operations.is_empty() {
        return None;
    }
    if let Some(merge) = merged(to, &operations) {
        return Some(Patch::Merge(merge));
    }
    let operations = operations.into_iter().map(|operation| {
        let (op, path, value) = match operation {
            Operation::Add(path, value) => ("add", path, Some(value)),
            Operation::Replace(path, value) => ("replace", path, Some(value)),
            Operation::Remove(path) => ("remove", path, None),
        };
        let mut map = map! { "op" => op, "path" => path };
        map.set_some("value", value.map(ordered));
        Yaml::from(map)
    });
    Some(Patch::Operations(Yaml::List(operations.collect())))
}

/// The operations that make `to` of `from`, one after the other.
pub(super) fn compare(path: &str, from: &Value, to: &Value, operations: &mut Vec<Operation>) {
    match (from, to) {
        _ if from == to => {}
        (Value::Object(before), Value::Object(after)) => {
            for key in before.keys().filter(|key| !after.contains_key(*key)) {
                operations.push(Operation::Remove(below(path, key)));
            }
            for (key, value) in after {
                match before.get(key) {
                    Some(known) => compare(&below(path, key), known, value, operations),
                    None => operations.push(Operation::Add(below(path, key), value.clone())),
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            if !compare_lists(path, before, after, operations) {
                operations.push(Operation::Replace(path.to_owned(), to.clone()));
            }
        }
        _ => operations.push(Operation::Replace(path.to_owned(), to.clone())),
    }
}

/// Lists whose items have names: those that go, those that come, those that change. False if it takes less to replace the
/// whole list.
fn compare_lists(
    path: &str,
    before: &[Value],
    after: &[Value],
    operations: &mut Vec<Operation>,
) -> bool {
    let names = |items: &[Value]| -> Option<Vec<String>> {
        items
            .iter()
            .map(|item| Some(item.get("name")?.as_str()?.to_owned()))
            .collect()
    };
    let (Some(old), Some(new)) = (names(before), names(after)) else {
        return false;
    };
    let stay = |names: &[String], others: &[String]| -> Vec<String> {
        let stays = names.iter().filter(|name| others.contains(name));
        stays.cloned().collect()
    };
    let kept = stay(&old, &new);
    if kept.is_empty() || kept != stay(&new, &old) {
        return false;
    }
    for (index, name) in old.iter().enumerate().rev() {
        if !new.contains(name) {
            operations.push(Operation::Remove(format!("{path}/{index}")));
        }
    }
    for (index, (name, value)) in new.iter().zip(after).enumerate() {
        let at = format!("{path}/{index}");
        match old.iter().position(|known| known == name) {
            Some(known) => compare(&at, &before[known], value, operations),
            None => operations.push(Operation::Add(at, value.clone())),
        }
    }
    true
}

fn below(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// The operations as a part of the object; none where a list is concerned.
fn merged(object: &Object, operations: &[Operation]) -> Option<Yaml> {
    let whole = object.yaml.clone().into_json();
    let mut part = serde_json::json!({
        "apiVersion": whole.get("apiVersion")?,
        "kind": whole.get("kind")?,
        "metadata": { "name": whole.pointer("/metadata/name")? },
    });
    for operation in operations {
        let (path, value) = match operation {
            Operation::Add(path, value) | Operation::Replace(path, value) => (path, value.clone()),
            Operation::Remove(path) => (path, Value::Null),
        };
        if has_list(&value) {
            return None;
        }
        let mut place = &mut part;
        let mut known = &whole;
        for segment in path.trim_start_matches('/').split('/') {
            if known.is_array() {
                return None;
            }
            let key = segment.replace("~1", "/").replace("~0", "~");
            known = known.get(&key).unwrap_or(&Value::Null);
            let map = place.as_object_mut()?;
            place = map.entry(key).or_insert_with(|| Value::Object(Map::new()));
        }
        *place = value;
    }
    Some(ordered(part))
}

fn has_list(value: &Value) -> bool {
    match value {
        Value::Array(_) => true,
        Value::Object(map) => map.values().any(has_list),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What RFC 6902 says that the operations do.
    fn apply(mut value: Value, operations: &[Operation]) -> Value {
        for operation in operations {
            let (path, new) = match operation {
                Operation::Add(path, new) | Operation::Replace(path, new) => (path, Some(new)),
                Operation::Remove(path) => (path, None),
            };
            let (parent, key) = path.rsplit_once('/').expect("a pointer");
            let key = key.replace("~1", "/").replace("~0", "~");
            let replace = matches!(operation, Operation::Replace(..));
            match (value.pointer_mut(parent).expect("a place"), new) {
                (Value::Object(map), Some(new)) => {
                    map.insert(key, new.clone());
                }
                (Value::Object(map), None) => {
                    map.remove(&key);
                }
                (Value::Array(items), new) => {
                    let index: usize = key.parse().expect("an index");
                    match new {
                        Some(new) if replace => items[index] = new.clone(),
                        Some(new) => items.insert(index, new.clone()),
                        None => {
                            items.remove(index);
                        }
                    }
                }
                _ => panic!("{path} leads nowhere"),
            }
        }
        value
    }

    #[track_caller]
    fn check(from: Value, to: Value, count: usize) {
        let mut operations = vec![];
        compare("", &from, &to, &mut operations);
        assert_eq!(apply(from, &operations), to, "{operations:?}");
        assert_eq!(operations.len(), count, "{operations:?}");
    }

    #[test]
    fn operations_make_one_of_the_other() {
        check(json!({"a": 1, "b/c": 2}), json!({"b/c": 3, "d": {}}), 3);
        let item = |name: &str, value: u8| json!({"name": name, "value": value});
        check(
            json!({"env": [item("a", 1), item("b", 2), item("c", 3)]}),
            json!({"env": [item("x", 0), item("a", 1), item("c", 4), item("y", 0)]}),
            4,
        );
        // Another order is another list.
        check(
            json!({"env": [item("a", 1), item("b", 2)]}),
            json!({"env": [item("b", 2), item("a", 1)]}),
            1,
        );
        check(json!({"args": ["a", "b"]}), json!({"args": ["a"]}), 1);
    }
}
