//! Lists, and maps whose keys the file chooses.

use serde_json::{Value, json};

use super::{Decode, Definitions, Refusal, no_value, spanned, wrong_shape};
use crate::diagnostic::{Diagnostic, Findings, excerpt};
use crate::span::Spanned;
use crate::yaml::{Kind, Node};

/// `[a, b]`; items that could not be read are left out.
#[derive(Debug, Clone)]
pub struct List<T>(pub Vec<Spanned<T>>);

impl<T: Decode> Decode for List<T> {
    const LIST: bool = true;

    fn expected() -> String {
        format!("a list, each item {}", T::expected())
    }

    fn decode(node: &Node, findings: &mut Findings) -> Option<Self> {
        let Kind::List(items) = &node.kind else {
            findings.report(wrong_shape::<Self>(node));
            return None;
        };
        Some(Self(
            items
                .iter()
                .filter_map(|item| spanned(item, findings))
                .collect(),
        ))
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "type": "array", "items": T::schema(definitions) })
    }
}

/// `a` or `[a, b]`; items that could not be read are left out.
#[derive(Debug, Clone)]
pub struct OneOrMany<T>(pub Vec<Spanned<T>>);

impl<T: Decode> Decode for OneOrMany<T> {
    fn expected() -> String {
        format!("{} or a list of such", T::expected())
    }

    fn decode(node: &Node, findings: &mut Findings) -> Option<Self> {
        match &node.kind {
            Kind::List(_) => List::decode(node, findings).map(|list| Self(list.0)),
            _ => spanned(node, findings).map(|item| Self(vec![item])),
        }
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [T::schema(definitions), List::<T>::schema(definitions)] })
    }
}

/// What may be a key of a [`Table`].
pub trait TableKey: Sized {
    /// What the keys are, for "expected …".
    const WORDING: &'static str;
    /// What a JSON Schema says of the keys.
    const PATTERN: &'static str;

    /// Reads a key.
    ///
    /// # Errors
    /// Why it cannot be one.
    fn from_key(text: &str) -> Result<Self, Refusal>;
}

/// One entry of a [`Table`].
#[derive(Debug, Clone)]
pub struct Entry<K, V> {
    /// Its key.
    pub key: Spanned<K>,
    /// Its value; none if it could not be read.
    pub value: Option<Spanned<V>>,
}

/// A map whose keys the file chooses, in its order.
#[derive(Debug, Clone)]
pub struct Table<K, V> {
    /// What could be read.
    pub entries: Vec<Entry<K, V>>,
    /// Keys that could not; so that what refers to them is not reported as well.
    pub refused: Vec<String>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            entries: vec![],
            refused: vec![],
        }
    }
}

impl<K: AsRef<str>, V> Table<K, V> {
    /// The entry with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Entry<K, V>> {
        self.entries
            .iter()
            .find(|entry| entry.key.value.as_ref() == key)
    }

    /// Whether the key was typed, even if it or its value could not be read.
    #[must_use]
    pub fn mentions(&self, key: &str) -> bool {
        self.get(key).is_some() || self.refused.iter().any(|refused| refused == key)
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.key.value.as_ref())
    }
}

impl<K: TableKey, V: Decode> Decode for Table<K, V> {
    fn expected() -> String {
        format!("a map with {} as keys", K::WORDING)
    }

    fn decode(node: &Node, findings: &mut Findings) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            findings.report(wrong_shape::<Self>(node));
            return None;
        };
        let mut table = Self::default();
        for entry in entries {
            let value = if entry.value.kind == Kind::Null {
                findings.report(no_value::<V>(entry));
                None
            } else {
                spanned(&entry.value, findings)
            };
            match K::from_key(&entry.key.text) {
                Ok(key) => table.entries.push(Entry {
                    key: Spanned::new(key, entry.key.span.clone()),
                    value,
                }),
                Err(refusal) => {
                    let message = refusal.message.unwrap_or_else(|| {
                        format!(
                            "expected {}, found `{}`",
                            K::WORDING,
                            excerpt(&entry.key.text)
                        )
                    });
                    let diagnostic =
                        Diagnostic::error(refusal.code, entry.key.span.clone(), message);
                    findings.report(Diagnostic {
                        help: refusal.help,
                        ..diagnostic
                    });
                    table.refused.push(entry.key.text.clone());
                }
            }
        }
        Some(table)
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({
            "type": "object",
            "propertyNames": { "pattern": K::PATTERN },
            "additionalProperties": V::schema(definitions),
        })
    }
}
