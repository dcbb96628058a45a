//! `values.schema.json`: the shape of the values, so that a misspelt one is refused before anything is installed.

use serde_json::{Map as Object, Value, json};

use crate::yaml::{Map, Yaml};

/// Keys whose maps are the operator's own: any key may stand in them.
const FREE: [&str; 24] = [
    "affinity",
    "annotations",
    "behavior",
    "command",
    "config",
    "data",
    "env",
    "envFrom",
    "hard",
    "labels",
    "limits",
    "livenessProbe",
    "nodeSelector",
    "podAnnotations",
    "podSecurityContext",
    "readinessProbe",
    "requests",
    "resources",
    "selector",
    "startupProbe",
    "strategy",
    "tolerations",
    "triggers",
    "spec",
];

/// The schema of `values`.
pub(super) fn of(values: &Map) -> Value {
    let mut schema = shape(values);
    if let Value::Object(schema) = &mut schema {
        schema.insert(
            "$schema".into(),
            "http://json-schema.org/draft-07/schema#".into(),
        );
        schema.insert("title".into(), "Values".into());
    }
    schema
}

fn shape(map: &Map) -> Value {
    let mut properties = Object::new();
    for entry in map.entries() {
        let free = FREE.contains(&entry.key.as_str());
        let mut schema = match &entry.value {
            Yaml::Map(map) if !free && !map.is_empty() => shape(map),
            Yaml::Map(_) => json!({ "type": ["object", "null"] }),
            Yaml::Null | Yaml::Raw(_) => json!({}),
            Yaml::Bool(_) => json!({ "type": ["boolean", "null"] }),
            Yaml::Int(_) => json!({ "type": ["integer", "null"], "minimum": 0 }),
            Yaml::Float(_) => json!({ "type": ["number", "null"] }),
            // A quantity may be a number, and `25%` may be a count.
            Yaml::Text(_) => json!({ "type": ["string", "integer", "null"] }),
            Yaml::List(_) | Yaml::Inline(_) => json!({ "type": ["array", "null"] }),
        };
        if let (Value::Object(schema), Some(about)) =
            (&mut schema, entry.comment.trim_start().strip_prefix("-- "))
        {
            schema.insert("description".into(), about.into());
        }
        properties.insert(entry.key.clone(), schema);
    }
    // Helm gives `global` to every chart.
    properties
        .entry("global")
        .or_insert_with(|| json!({ "type": "object" }));
    json!({ "type": ["object", "null"], "properties": properties, "additionalProperties": false })
}
