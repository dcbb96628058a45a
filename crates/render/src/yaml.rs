//! YAML with an order and with comments, as a person would have written it.
//!
//! Maps keep the order in which they were built. What is written is YAML 1.2 that a YAML 1.1 reader understands in the same
//! way: a text that either would take for something else (`yes`, `on`, `1.10`, `12:30`) stands in quotes.

mod text;

use serde_json::Value;

pub use text::to_text;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Yaml {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// A text; several lines become a literal block.
    Text(String),
    /// A text that stands as it is: a tag such as `!Ref name`, an anchor's alias, a Helm expression.
    Raw(String),
    /// A list.
    List(Vec<Yaml>),
    /// A list on one line: `[a, b]`. Its items are scalars.
    Inline(Vec<Yaml>),
    /// A map.
    Map(Map),
}

/// A map that keeps its order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map {
    entries: Vec<Entry>,
}

/// One key of a [`Map`].
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The lines above it, without their `# `; none if empty. A line feed at the beginning makes an empty line above.
    pub comment: String,
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Yaml,
}

impl Map {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key, or replaces its value where it stands.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Yaml>) -> &mut Self {
        self.set_with_comment("", key, value)
    }

    /// As [`Map::set`], with lines above it.
    pub fn set_with_comment(
        &mut self,
        comment: impl Into<String>,
        key: impl Into<String>,
        value: impl Into<Yaml>,
    ) -> &mut Self {
        let (comment, key, value) = (comment.into(), key.into(), value.into());
        match self.entries.iter_mut().find(|entry| entry.key == key) {
            Some(entry) => {
                entry.value = value;
                if !comment.is_empty() {
                    entry.comment = comment;
                }
            }
            None => self.entries.push(Entry {
                comment,
                key,
                value,
            }),
        }
        self
    }

    /// Adds a key if there is a value.
    pub fn set_some(&mut self, key: &str, value: Option<impl Into<Yaml>>) -> &mut Self {
        if let Some(value) = value {
            self.set(key, value);
        }
        self
    }

    /// Adds a key if its value is no empty list or map.
    pub fn set_full(&mut self, key: &str, value: impl Into<Yaml>) -> &mut Self {
        let value = value.into();
        if !value.is_empty() {
            self.set(key, value);
        }
        self
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Yaml> {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Yaml> {
        let mut entries = self.entries.iter_mut();
        let entry = entries.find(|entry| entry.key == key);
        entry.map(|entry| &mut entry.value)
    }

    /// The keys and values, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether it has no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keeps the entries that `keep` says.
    pub fn retain(&mut self, keep: impl FnMut(&Entry) -> bool) {
        self.entries.retain(keep);
    }

    /// The values, in order, to change them where they stand.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Yaml> {
        self.entries.iter_mut().map(|entry| &mut entry.value)
    }

    /// Moves `keys` to the front, in their order; what is not there is passed over.
    pub fn lead_with(&mut self, keys: &[&str]) {
        let place = |key: &str| keys.iter().position(|k| *k == key).unwrap_or(keys.len());
        self.entries.sort_by_key(|entry| place(&entry.key));
    }
}

impl Yaml {
    /// Whether it is an empty list or map.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::List(items) | Self::Inline(items) => items.is_empty(),
            Self::Map(map) => map.is_empty(),
            _ => false,
        }
    }

    /// The map that it is.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value at a JSON Pointer (RFC 6901).
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&Self> {
        segments(pointer)?
            .iter()
            .try_fold(self, |value, segment| match value {
                Self::Map(map) => map.get(segment),
                Self::List(items) | Self::Inline(items) => {
                    items.get(segment.parse::<usize>().ok()?)
                }
                _ => None,
            })
    }

    /// As [`Yaml::at`], to change what is there.
    pub fn at_mut(&mut self, pointer: &str) -> Option<&mut Self> {
        segments(pointer)?
            .iter()
            .try_fold(self, |value, segment| match value {
                Self::Map(map) => {
                    let mut entries = map.entries.iter_mut();
                    let entry = entries.find(|entry| entry.key == *segment);
                    entry.map(|entry| &mut entry.value)
                }
                Self::List(items) | Self::Inline(items) => {
                    items.get_mut(segment.parse::<usize>().ok()?)
                }
                _ => None,
            })
    }

    /// Puts lines above the key at a JSON Pointer; above a list's first key if it leads to a map in one. False if it
    /// leads nowhere.
    pub fn comment(&mut self, pointer: &str, comment: impl Into<String>) -> bool {
        let Some((parent, key)) = pointer.rsplit_once('/') else {
            return false;
        };
        let key = key.replace("~1", "/").replace("~0", "~");
        let entry = match self.at_mut(parent) {
            Some(Self::Map(map)) => map.entries.iter_mut().find(|entry| entry.key == key),
            Some(Self::List(items)) => {
                let index = key.parse::<usize>().ok();
                let item = index.and_then(|index| items.get_mut(index));
                item.and_then(Self::as_map_mut)
                    .and_then(|map| map.entries.first_mut())
            }
            _ => None,
        };
        match entry {
            Some(entry) => {
                entry.comment = comment.into();
                true
            }
            None => false,
        }
    }

    /// Puts `value` at a JSON Pointer: maps on the way are made, `-` behind a list adds to it. False if the way leads
    /// through something that is neither map nor list.
    pub fn put(&mut self, pointer: &str, value: Self) -> bool {
        let Some(segments) = segments(pointer) else {
            return false;
        };
        let mut place = self;
        for segment in &segments {
            if matches!(place, Self::Null) {
                *place = Self::Map(Map::new());
            }
            place = match place {
                Self::Map(map) => {
                    if map.get(segment).is_none() {
                        map.set(segment.clone(), Self::Null);
                    }
                    match map.entries.iter_mut().find(|entry| entry.key == *segment) {
                        Some(entry) => &mut entry.value,
                        None => return false,
                    }
                }
                Self::List(items) | Self::Inline(items) => {
                    if segment == "-" {
                        items.push(Self::Null);
                    }
                    let index = match segment.as_str() {
                        "-" => Some(items.len() - 1),
                        digits => digits.parse::<usize>().ok(),
                    };
                    match index.and_then(|index| items.get_mut(index)) {
                        Some(item) => item,
                        None => return false,
                    }
                }
                _ => return false,
            };
        }
        *place = value;
        true
    }

    /// As JSON; comments and the raw marks are lost.
    #[must_use]
    pub fn into_json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(bool) => bool.into(),
            Self::Int(int) => int.into(),
            Self::Float(float) => float.into(),
            Self::Text(text) | Self::Raw(text) => text.into(),
            Self::List(items) | Self::Inline(items) => {
                items.into_iter().map(Self::into_json).collect()
            }
            Self::Map(map) => map
                .entries
                .into_iter()
                .map(|entry| (entry.key, entry.value.into_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

fn segments(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(vec![]);
    }
    let rest = pointer.strip_prefix('/')?;
    Some(
        rest.split('/')
            .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
            .collect(),
    )
}

impl From<Value> for Yaml {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(bool) => Self::Bool(bool),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(int), _) => Self::Int(int),
                (None, Some(float)) => Self::Float(float),
                (None, None) => Self::Text(number.to_string()),
            },
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Value::Object(object) => Self::Map(Map {
                entries: object
                    .into_iter()
                    .map(|(key, value)| Entry {
                        comment: String::new(),
                        key,
                        value: value.into(),
                    })
                    .collect(),
            }),
        }
    }
}

impl From<bool> for Yaml {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Yaml {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

macro_rules! from_int {
    ($($type:ty),*) => {$(
        impl From<$type> for Yaml {
            fn from(value: $type) -> Self {
                Self::Int(i64::from(value))
            }
        }
    )*};
}
from_int!(i64, i32, u32, u16, u8);

impl From<&str> for Yaml {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Yaml {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<&wharf_base::ids::Name> for Yaml {
    fn from(value: &wharf_base::ids::Name) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<Map> for Yaml {
    fn from(value: Map) -> Self {
        Self::Map(value)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Yaml {
    fn from(value: Vec<T>) -> Self {
        Self::List(value.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>, const N: usize> From<[T; N]> for Yaml {
    fn from(value: [T; N]) -> Self {
        Self::List(value.into_iter().map(Into::into).collect())
    }
}

impl From<std::collections::BTreeMap<String, String>> for Yaml {
    fn from(value: std::collections::BTreeMap<String, String>) -> Self {
        let mut map = Map::new();
        for (key, value) in value {
            map.set(key, value);
        }
        Self::Map(map)
    }
}

/// A [`Map`] with its keys in the order in which they stand: `map! { "kind" => "Service", "port" => 80 }`.
#[macro_export]
macro_rules! map {
    () => {
        $crate::yaml::Map::new()
    };
    ($($key:expr => $value:expr),+ $(,)?) => {{
        let mut map = $crate::yaml::Map::new();
        $(map.set($key, $value);)+
        map
    }};
}

/// A list of values of different kinds: `list!["a", 1, map! {}]`.
#[macro_export]
macro_rules! list {
    ($($value:expr),* $(,)?) => {
        $crate::yaml::Yaml::List(vec![$($crate::yaml::Yaml::from($value)),*])
    };
}
