//! The values of attributes in their bytes.

use wharf_signal::Value;

use super::{Bytes, put_section, put_text};

/// How deep lists and maps may be in each other. What is deeper is left out: nobody reads it, and a hostile sender could make
/// any depth.
const DEPTH_MAX: u8 = 8;

/// A value in its bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ValueRef<'a> {
    Text(&'a str),
    Bool(bool),
    Int(i64),
    Double(f64),
    Bytes(&'a [u8]),
    List(&'a [u8]),
    Map(&'a [u8]),
}

impl<'a> ValueRef<'a> {
    fn read(bytes: &mut Bytes<'a>) -> Option<Self> {
        Some(match bytes.u8()? {
            0 => Self::Text(bytes.text()?),
            1 => Self::Bool(bytes.u8()? != 0),
            2 => Self::Int(bytes.i64()?),
            3 => Self::Double(f64::from_bits(bytes.u64()?)),
            4 => Self::Bytes(bytes.section()?),
            5 => Self::List(bytes.section()?),
            6 => Self::Map(bytes.section()?),
            _ => return None,
        })
    }

    fn owned(self, depth: u8) -> Value {
        match self {
            Self::Text(text) => Value::Text(text.to_owned()),
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Double(value) => Value::Double(value),
            Self::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
            Self::List(_) | Self::Map(_) if depth >= DEPTH_MAX => Value::List(vec![]),
            Self::List(items) => {
                let mut rest = Bytes(items);
                let items = std::iter::from_fn(|| ValueRef::read(&mut rest));
                Value::List(items.map(|item| item.owned(depth + 1)).collect())
            }
            Self::Map(pairs) => Value::Map(
                Pairs(Bytes(pairs))
                    .map(|(name, value)| (name.to_owned(), value.owned(depth + 1)))
                    .collect(),
            ),
        }
    }

    /// The items of a list; of anything else, itself.
    pub(crate) fn items(self) -> impl Iterator<Item = ValueRef<'a>> {
        let (mut rest, alone) = match self {
            Self::List(items) => (Bytes(items), None),
            other => (Bytes(&[]), Some(other)),
        };
        alone
            .into_iter()
            .chain(std::iter::from_fn(move || ValueRef::read(&mut rest)))
    }

    /// As a person reads it; None of bytes, lists and maps.
    pub(crate) fn plain(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.to_owned()),
            Self::Bool(value) => Some(value.to_string()),
            Self::Int(value) => Some(value.to_string()),
            Self::Double(value) => Some(value.to_string()),
            Self::Bytes(_) | Self::List(_) | Self::Map(_) => None,
        }
    }
}

/// Names and values.
#[derive(Debug, Clone)]
pub(crate) struct Pairs<'a>(pub(super) Bytes<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, ValueRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.text()?, ValueRef::read(&mut self.0)?))
    }
}

impl<'a> Pairs<'a> {
    /// The first value of this name.
    pub(crate) fn get(mut self, name: &str) -> Option<ValueRef<'a>> {
        self.find_map(|(n, value)| (n == name).then_some(value))
    }

    pub(super) fn owned(self) -> Vec<(String, Value)> {
        self.map(|(name, value)| (name.to_owned(), value.owned(0)))
            .collect()
    }
}

pub(super) fn put_pairs(out: &mut Vec<u8>, pairs: &[(String, Value)]) {
    pairs_at(out, pairs, 0);
}

fn pairs_at(out: &mut Vec<u8>, pairs: &[(String, Value)], depth: u8) {
    for (name, value) in pairs {
        put_text(out, name);
        value_at(out, value, depth);
    }
}

fn value_at(out: &mut Vec<u8>, value: &Value, depth: u8) {
    match value {
        Value::Text(text) => {
            out.push(0);
            put_text(out, text);
        }
        Value::Bool(value) => out.extend_from_slice(&[1, u8::from(*value)]),
        Value::Int(value) => {
            out.push(2);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::Double(value) => {
            out.push(3);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Value::Bytes(bytes) => {
            out.push(4);
            put_section(out, |out| out.extend_from_slice(bytes));
        }
        Value::List(_) | Value::Map(_) if depth >= DEPTH_MAX => {
            out.push(5);
            put_section(out, |_| {});
        }
        Value::List(items) => {
            out.push(5);
            put_section(out, |out| {
                for item in items {
                    value_at(out, item, depth + 1);
                }
            });
        }
        Value::Map(pairs) => {
            out.push(6);
            put_section(out, |out| pairs_at(out, pairs, depth + 1));
        }
    }
}
