//! Attributes' values: as signals have them, and as texts.

use std::fmt::Write;

use wharf_signal::Value;

use super::wire::any_value::Kind;
use super::wire::{AnyValue, ArrayValue, KeyValue, KeyValueList, base64_text, double_name};

/// A value that is not there is an empty text.
pub(super) fn of_wire(value: Option<AnyValue>) -> Value {
    match value.and_then(|value| value.kind) {
        None => Value::Text(String::new()),
        Some(Kind::Text(text)) => Value::Text(text),
        Some(Kind::Bool(value)) => Value::Bool(value),
        Some(Kind::Int(value)) => Value::Int(value),
        Some(Kind::Double(value)) => Value::Double(value),
        Some(Kind::Bytes(bytes)) => Value::Bytes(bytes),
        Some(Kind::Array(array)) => {
            let values = array.values.into_iter();
            Value::List(values.map(|value| of_wire(Some(value))).collect())
        }
        Some(Kind::Map(list)) => Value::Map(attributes(list.values)),
    }
}

/// Attributes as signals have them.
pub(super) fn attributes(list: Vec<KeyValue>) -> Vec<(String, Value)> {
    list.into_iter()
        .map(|pair| (pair.key, of_wire(pair.value)))
        .collect()
}

pub(super) fn to_wire(value: &Value) -> AnyValue {
    let kind = match value {
        Value::Text(text) => Kind::Text(text.clone()),
        Value::Bool(value) => Kind::Bool(*value),
        Value::Int(value) => Kind::Int(*value),
        Value::Double(value) => Kind::Double(*value),
        Value::Bytes(bytes) => Kind::Bytes(bytes.clone()),
        Value::List(values) => Kind::Array(ArrayValue {
            values: values.iter().map(to_wire).collect(),
        }),
        Value::Map(pairs) => Kind::Map(KeyValueList {
            values: to_attributes(pairs),
        }),
    };
    AnyValue { kind: Some(kind) }
}

pub(super) fn to_attributes(pairs: &[(String, Value)]) -> Vec<KeyValue> {
    pairs
        .iter()
        .map(|(key, value)| KeyValue {
            key: key.clone(),
            value: Some(to_wire(value)),
        })
        .collect()
}

/// About how much memory it takes.
pub(super) fn weight(value: &Value) -> usize {
    size_of::<Value>()
        + match value {
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(values) => values.iter().map(weight).sum(),
            Value::Map(pairs) => attributes_weight(pairs),
            Value::Bool(_) | Value::Int(_) | Value::Double(_) => 0,
        }
}

pub(super) fn attributes_weight(pairs: &[(String, Value)]) -> usize {
    let pair = |(key, value): &(String, Value)| size_of::<String>() + key.len() + weight(value);
    pairs.iter().map(pair).sum()
}

/// A value as a label's: texts as they are, lists and maps as JSON, bytes in base64.
#[must_use]
pub fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Bytes(bytes) => base64_text(bytes),
        Value::Double(value) => {
            double_name(*value).map_or_else(|| value.to_string(), str::to_owned)
        }
        other => {
            let mut text = String::new();
            json(other, &mut text);
            text
        }
    }
}

fn json(value: &Value, text: &mut String) {
    let written = match value {
        Value::Text(inner) => write!(text, "{}", serde_json::Value::from(inner.as_str())),
        Value::Bool(value) => write!(text, "{value}"),
        Value::Int(value) => write!(text, "{value}"),
        Value::Double(value) => match double_name(*value) {
            Some(name) => write!(text, "\"{name}\""),
            None => write!(text, "{value}"),
        },
        Value::Bytes(bytes) => write!(text, "\"{}\"", base64_text(bytes)),
        Value::List(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                json(value, text);
            }
            text.push(']');
            Ok(())
        }
        Value::Map(pairs) => {
            // Ordered, as other receivers write it.
            let mut pairs: Vec<_> = pairs.iter().collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            text.push('{');
            for (index, (key, value)) in pairs.into_iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                json(&Value::Text(key.clone()), text);
                text.push(':');
                json(value, text);
            }
            text.push('}');
            Ok(())
        }
    };
    written.expect("a string takes every text");
}
