//! Values.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::time::Moment;
use crate::text::{format_number, parse_float};

/// What an expression gives.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Time(Moment),
    List(Vec<Value>),
    /// Of JSON.
    Map(BTreeMap<String, Value>),
    /// All labels: what is not in it is the empty text.
    Labels(BTreeMap<String, Value>),
}

impl Value {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Time(_) => "time.Time",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Labels(_) => "map[string]string",
        }
    }

    /// Whether `if` takes it for true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Time(_) => true,
            Self::List(list) => !list.is_empty(),
            Self::Map(map) | Self::Labels(map) => !map.is_empty(),
        }
    }

    /// Appends it as `%v` writes it.
    pub(super) fn print(&self, out: &mut String) {
        match self {
            Self::Nil => out.push_str("<no value>"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(value) => out.push_str(&value.to_string()),
            Self::Float(value) => out.push_str(&format_number(*value)),
            Self::Text(text) => out.push_str(text),
            Self::Time(time) => {
                out.push_str(&time.format("2006-01-02 15:04:05.999999999 -0700 MST"));
            }
            Self::List(list) => {
                out.push('[');
                for (index, value) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(' ');
                    }
                    value.print(out);
                }
                out.push(']');
            }
            Self::Map(map) | Self::Labels(map) => {
                out.push_str("map[");
                for (index, (name, value)) in map.iter().enumerate() {
                    if index > 0 {
                        out.push(' ');
                    }
                    out.push_str(name);
                    out.push(':');
                    value.print(out);
                }
                out.push(']');
            }
        }
    }

    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        self.print(&mut out);
        out
    }

    /// As a whole number, however far that is possible; else 0.
    pub(super) fn int(&self) -> i64 {
        match self {
            Self::Int(value) => *value,
            Self::Bool(value) => i64::from(*value),
            // A cast saturates, and makes 0 of what is none.
            Self::Float(value) => *value as i64,
            Self::Text(text) => match text.strip_prefix("0x") {
                Some(hex) => i64::from_str_radix(hex, 16).unwrap_or(0),
                None => text.parse().unwrap_or(0),
            },
            _ => 0,
        }
    }

    /// As a number, however far that is possible; else 0.
    pub(super) fn float(&self) -> f64 {
        match self {
            Self::Int(value) => *value as f64,
            Self::Float(value) => *value,
            Self::Bool(value) => f64::from(u8::from(*value)),
            Self::Text(text) => parse_float(text).unwrap_or(0.0),
            _ => 0.0,
        }
    }

    /// Compares two of a kind.
    pub(super) fn compare(&self, other: &Self) -> Result<Option<Ordering>, String> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Ok(Some(a.cmp(b))),
            (Self::Float(a), Self::Float(b)) => Ok(a.partial_cmp(b)),
            (Self::Text(a), Self::Text(b)) => Ok(Some(a.cmp(b))),
            (Self::Time(_), Self::Time(_)) | (Self::Bool(_), Self::Bool(_)) => {
                Err("invalid type for comparison".to_owned())
            }
            _ => Err("incompatible types for comparison".to_owned()),
        }
    }

    pub(super) fn equals(&self, other: &Self) -> Result<bool, String> {
        match (self, other) {
            (Self::Nil, _) | (_, Self::Nil) => Ok(self == other),
            (Self::Bool(a), Self::Bool(b)) => Ok(a == b),
            (Self::Time(a), Self::Time(b)) => Ok(a == b),
            _ => Ok(self.compare(other)? == Some(Ordering::Equal)),
        }
    }

    /// A member by name.
    pub(super) fn member(&self, name: &str) -> Result<Self, String> {
        match self {
            Self::Labels(map) => Ok(map.get(name).cloned().unwrap_or(Self::Text(String::new()))),
            Self::Map(map) => Ok(map.get(name).cloned().unwrap_or(Self::Nil)),
            Self::Nil => Err(format!("nil data; no entry for key \"{name}\"")),
            other => Err(format!(
                "can't evaluate field {name} in type {}",
                other.kind()
            )),
        }
    }

    /// From JSON; what is none is nothing.
    pub(super) fn from_json(text: &str) -> Self {
        serde_json::from_str(text).map_or(Self::Nil, |value: serde_json::Value| Self::of(value))
    }

    fn of(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Nil,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(value) => Self::Float(value.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(list) => Self::List(list.into_iter().map(Self::of).collect()),
            serde_json::Value::Object(map) => {
                Self::Map(map.into_iter().map(|(k, v)| (k, Self::of(v))).collect())
            }
        }
    }
}
