//! The JSON Schema of `wharf.yaml` (draft 2020-12), from the records of the model.
//!
//! Editors complete and check with it. It knows shapes, words and patterns; what one part means to another only
//! `wharf check` knows.

use serde_json::{Value, json};

use crate::decode::{Decode, Definitions};
use crate::model::Spec;

/// Where the references of a schema point.
const DEFINITIONS: &str = "#/$defs/";
/// The definitions of what an environment lays over the file.
const OVERLAY: &str = "Overlay";

/// The schema. The same version of Wharf gives the same bytes.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Definitions::new();
    let root = Spec::schema(&mut definitions);
    let mut relaxed = Definitions::new();
    for (name, definition) in &mut definitions {
        if name == "Environment" {
            take_overlays(definition);
        }
    }
    for (name, definition) in &definitions {
        relaxed.insert(format!("{OVERLAY}{name}"), overlay(definition));
    }
    definitions.extend(relaxed);
    let used = reachable(&root, &definitions);
    definitions.retain(|name, _| used.contains(name));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "wharf.yaml",
        "description": "What an application is: its services, stores, routes and environments.",
        "$ref": root["$ref"],
        "$defs": definitions,
    })
}

/// Replaces `{x-overlay: schema}` by the relaxed schema.
fn take_overlays(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(inner) = map.remove("x-overlay") {
                let description = map.remove("description");
                *value = overlay(&inner);
                if let (Value::Object(map), Some(description)) = (value, description) {
                    map.insert("description".to_owned(), description);
                }
                return;
            }
            map.values_mut().for_each(take_overlays);
        }
        Value::Array(items) => items.iter_mut().for_each(take_overlays),
        _ => {}
    }
}

/// A schema for what is laid over: nothing is required, every property may be null, references go to their like.
fn overlay(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => map
            .iter()
            .filter(|(key, _)| key.as_str() != "required")
            .map(|(key, value)| {
                let value = match (key.as_str(), value) {
                    ("$ref", Value::String(to)) => match to.strip_prefix(DEFINITIONS) {
                        Some(name) => format!("{DEFINITIONS}{OVERLAY}{name}").into(),
                        None => value.clone(),
                    },
                    ("properties", Value::Object(properties)) => properties
                        .iter()
                        .map(|(key, value)| (key.clone(), or_null(overlay(value))))
                        .collect::<serde_json::Map<_, _>>()
                        .into(),
                    ("additionalProperties", Value::Object(_)) => or_null(overlay(value)),
                    _ => overlay(value),
                };
                (key.clone(), value)
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(overlay).collect(),
        other => other.clone(),
    }
}

fn or_null(mut schema: Value) -> Value {
    let description = schema
        .as_object_mut()
        .and_then(|map| map.remove("description"));
    let mut either = json!({ "anyOf": [schema, { "type": "null" }] });
    if let (Value::Object(map), Some(description)) = (&mut either, description) {
        map.insert("description".to_owned(), description);
    }
    either
}

/// The names of the definitions that `root` leads to.
fn reachable(root: &Value, definitions: &Definitions) -> std::collections::BTreeSet<String> {
    let mut seen = std::collections::BTreeSet::new();
    let mut ahead = vec![root];
    while let Some(value) = ahead.pop() {
        match value {
            Value::Object(map) => {
                let name = map
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(|to| to.strip_prefix(DEFINITIONS));
                if let Some(name) = name.filter(|name| !seen.contains(*name)) {
                    seen.insert(name.to_owned());
                    ahead.extend(definitions.get(name));
                }
                ahead.extend(map.values());
            }
            Value::Array(items) => ahead.extend(items),
            _ => {}
        }
    }
    seen
}
