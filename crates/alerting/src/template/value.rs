//! What a template calculates with.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::format::{self, number};

/// A value. Clones share what is large.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A value that is not there.
    Missing,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    Map(Arc<Map>),
    List(Arc<Vec<Value>>),
    Sample(Arc<Sample>),
    /// A time, as it is printed.
    Time(Arc<str>),
    /// Nanoseconds.
    Duration(i64),
}

/// A map of texts, or of anything.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Map {
    pub(super) entries: BTreeMap<String, Value>,
    /// What a key that is not there gives: of texts the empty one.
    pub(super) of_texts: bool,
}

/// A result of a query.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample {
    pub(super) labels: Arc<Map>,
    pub(super) value: f64,
}

impl Map {
    pub(super) fn of_texts<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Arc<Self> {
        Arc::new(Self {
            entries: pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), Value::from(value)))
                .collect(),
            of_texts: true,
        })
    }

    pub(super) fn get(&self, key: &str) -> Value {
        match self.entries.get(key) {
            Some(value) => value.clone(),
            None if self.of_texts => Value::from(""),
            None => Value::Missing,
        }
    }

    pub(super) fn text(&self, key: &str) -> Arc<str> {
        match self.get(key) {
            Value::Text(text) => text,
            _ => "".into(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl Value {
    /// What `if` takes for true: what is not zero and not empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Missing | Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(number) | Self::Duration(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Map(map) => !map.entries.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Sample(_) | Self::Time(_) => true,
        }
    }

    /// `.name` of it.
    pub(super) fn field(&self, name: &str) -> Result<Self, String> {
        match self {
            Self::Map(map) => Ok(map.get(name)),
            Self::Sample(sample) => match name {
                "Labels" => Ok(Self::Map(sample.labels.clone())),
                "Value" => Ok(Self::Float(sample.value)),
                _ => Err(format!(
                    "can't evaluate field {name} in type *template.sample"
                )),
            },
            Self::Missing | Self::Nil => Err(format!("nil data; no entry for key {name:?}")),
            other => Err(format!(
                "can't evaluate field {name} in type {}",
                other.kind()
            )),
        }
    }

    /// Go's word for its type.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Missing | Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Map(map) if map.of_texts => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::List(_) => "template.queryResult",
            Self::Sample(_) => "*template.sample",
            Self::Time(_) => "*time.Time",
            Self::Duration(_) => "*time.Duration",
        }
    }

    /// How many things are in it.
    pub(super) fn count(&self) -> Result<usize, String> {
        match self {
            Self::Text(text) => Ok(text.len()),
            Self::Map(map) => Ok(map.entries.len()),
            Self::List(list) => Ok(list.len()),
            other => Err(format!("len of type {}", other.kind())),
        }
    }

    /// As Prometheus' functions take a number: a text that holds one is one.
    pub(super) fn as_number(&self) -> Result<f64, String> {
        #[expect(clippy::cast_precision_loss, reason = "as Go converts")]
        match self {
            Self::Float(number) => Ok(*number),
            Self::Int(number) => Ok(*number as f64),
            Self::Duration(nanos) => Ok(*nanos as f64 / 1e9),
            Self::Text(text) => format::parse_number(text)
                .ok_or_else(|| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax")),
            other => Err(format!("can't convert {} to float", other.kind())),
        }
    }

    /// As `{{ }}` prints it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Missing => "<no value>".to_owned(),
            Self::Nil => "<nil>".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(value) => number(*value),
            Self::Text(text) => text.to_string(),
            Self::Map(map) => {
                let pairs = map
                    .entries
                    .iter()
                    .map(|(k, v)| format!("{k}:{}", v.shown()));
                format!("map[{}]", pairs.collect::<Vec<_>>().join(" "))
            }
            Self::List(list) => {
                let items: Vec<String> = list.iter().map(Self::shown).collect();
                format!("[{}]", items.join(" "))
            }
            Self::Sample(sample) => {
                let labels = Self::Map(sample.labels.clone()).shown();
                format!("{{{labels} {}}}", number(sample.value))
            }
            Self::Time(text) => text.to_string(),
            Self::Duration(nanos) => super::time::duration(*nanos),
        }
    }
}
