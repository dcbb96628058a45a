//! Maps with fixed keys. One `record!` is the one place of its keys: the struct, how it is read, its schema and its
//! documentation all come from it.

use serde_json::{Value, json};

use super::{Decode, Definitions, wrong_shape};
use crate::diagnostic::{Code, Diagnostic, Findings, excerpt, nearest};
use crate::span::Field;
use crate::yaml::{Entry, Key, Kind, Node};

/// What is known of a record besides its type.
#[derive(Debug)]
pub struct RecordInfo {
    /// The Rust name, which names the schema too.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static [&'static str],
    /// Its keys.
    pub fields: &'static [FieldInfo],
    /// Keys that a later version reads; an error of their own until then.
    pub later: &'static [&'static str],
    /// The key, at most one, that a value which is no map stands for: `build: ./web` is `build: { context: ./web }`.
    pub shorthand: &'static [&'static str],
    /// Whether `x-…` keys pass.
    pub extensible: bool,
}

/// One key of a record.
#[derive(Debug)]
pub struct FieldInfo {
    /// The key.
    pub key: &'static str,
    /// What it is for.
    pub doc: &'static [&'static str],
    /// `required`, `default`, `example`, `also` (words of other tools for the same), each with its texts.
    pub attributes: &'static [(&'static str, &'static [&'static str])],
    /// What belongs there.
    pub expected: fn() -> String,
    /// The schema of its values.
    pub schema: fn(&mut Definitions) -> Value,
}

impl RecordInfo {
    /// The key that a value which is no map stands for.
    #[must_use]
    pub fn short(&self) -> Option<&'static FieldInfo> {
        self.fields
            .iter()
            .find(|field| self.shorthand.contains(&field.key))
    }
}

impl FieldInfo {
    /// The texts of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'static [&'static str]> {
        self.attributes
            .iter()
            .find(|(attribute, _)| *attribute == name)
            .map(|(_, texts)| *texts)
    }

    /// Whether the record needs it.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.attribute("required").is_some()
    }
}

/// Makes a struct whose fields are the keys of a map.
macro_rules! record {
    (
        $(#[doc = $doc:literal])+
        pub struct $name:ident {
            $(
                $(#[doc = $fdoc:literal])+
                $([$attribute:ident $($text:literal)*])*
                $field:ident: $type:ty,
            )*
        }
        $( shorthand $shorthand:ident )?
        $( later { $( $later:literal ),* $(,)? } )?
        $( extensible $extensible:literal )?
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Default)]
        pub struct $name {
            $( $(#[doc = $fdoc])+ pub $field: $crate::span::Field<$type>, )*
        }

        impl $name {
            /// Its keys and what is known of them.
            pub const INFO: $crate::decode::RecordInfo = $crate::decode::RecordInfo {
                name: stringify!($name),
                doc: &[$($doc),+],
                fields: &[$(
                    $crate::decode::FieldInfo {
                        key: $crate::decode::key_of(stringify!($field)),
                        doc: &[$($fdoc),+],
                        attributes: &[$((stringify!($attribute), &[$($text),*])),*],
                        expected: <$type as $crate::decode::Decode>::expected,
                        schema: <$type as $crate::decode::Decode>::schema,
                    },
                )*],
                later: &[$($($later),*)?],
                shorthand: &[$(stringify!($shorthand))?],
                extensible: false $( || $extensible )?,
            };
        }

        impl $crate::decode::Decode for $name {
            fn expected() -> String {
                $crate::decode::Reader::expected(&Self::INFO)
            }

            fn decode(
                node: &$crate::yaml::Node,
                findings: &mut $crate::diagnostic::Findings,
            ) -> Option<Self> {
                let mut record = Self::default();
                let reader = $crate::decode::Reader::new(&Self::INFO);
                for entry in reader.entries::<Self>(node, findings)?.iter() {
                    let key = reader.key(entry, node, findings);
                    match key.meant {
                        $(
                            Some(meant) if meant == $crate::decode::key_of(stringify!($field)) => {
                                record.$field = key.read(entry, findings);
                            }
                        )*
                        _ => {}
                    }
                }
                reader.missing(node, findings);
                Some(record)
            }

            fn schema(definitions: &mut $crate::decode::Definitions) -> serde_json::Value {
                $crate::decode::record_schema(&Self::INFO, definitions)
            }
        }
    };
}
pub(crate) use record;

/// The key that a field of a record stands for: `r#for` is `for`.
pub(crate) const fn key_of(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

/// No record has more keys than this; of a larger map a missing key is not looked for among the misspelt ones.
const LOOKED_AT: usize = 100;

/// The key of an entry.
pub(crate) struct ReadKey {
    /// The record's key that it is, or was meant to be.
    pub(crate) meant: Option<&'static str>,
    /// Whether its value is worth reading.
    readable: bool,
}

impl ReadKey {
    pub(crate) fn read<T: Decode>(&self, entry: &Entry, findings: &mut Findings) -> Field<T> {
        if self.readable {
            super::field(entry, findings)
        } else {
            Field::present(entry.key.span.clone(), None)
        }
    }
}

/// What `record!` does not have to expand anew for each record.
pub(crate) struct Reader {
    info: &'static RecordInfo,
}

impl Reader {
    pub(crate) fn new(info: &'static RecordInfo) -> Self {
        Self { info }
    }

    pub(crate) fn expected(info: &RecordInfo) -> String {
        let shorthand = info
            .short()
            .map(|field| format!("{} or ", (field.expected)()));
        format!("{}a map", shorthand.unwrap_or_default())
    }

    /// The entries of the map; of another value the one entry that it is short for.
    pub(crate) fn entries<'a, T: Decode>(
        &self,
        node: &'a Node,
        findings: &mut Findings,
    ) -> Option<std::borrow::Cow<'a, [Entry]>> {
        match (&node.kind, self.info.short()) {
            (Kind::Map(entries), _) => Some(entries.into()),
            (Kind::Null, _) | (_, None) => {
                findings.report(wrong_shape::<T>(node));
                None
            }
            (_, Some(shorthand)) => {
                let key = Key {
                    text: shorthand.key.to_owned(),
                    span: node.span.clone(),
                };
                let value = node.clone();
                Some(vec![Entry { key, value }].into())
            }
        }
    }

    /// Which key of the record `entry` has. One that it does not have is reported, and taken for the one that was meant:
    /// so what is in it is checked as well, and nothing that is there under a wrong name is called missing.
    pub(crate) fn key(&self, entry: &Entry, node: &Node, findings: &mut Findings) -> ReadKey {
        let word = entry.key.text.as_str();
        if let Some(field) = self.info.fields.iter().find(|field| field.key == word) {
            return ReadKey {
                meant: Some(field.key),
                readable: true,
            };
        }
        let unread = ReadKey {
            meant: None,
            readable: false,
        };
        if self.info.extensible && word.starts_with("x-") {
            return unread;
        }
        if findings.is_full() {
            findings.report(Diagnostic::error(
                Code::UNKNOWN_KEY,
                entry.key.span.clone(),
                "unknown key",
            ));
            return unread;
        }
        let shown = excerpt(word);
        if self.info.later.contains(&word) {
            let message = format!("`{shown}` is not supported yet");
            findings.report(
                Diagnostic::error(Code::NOT_YET, entry.key.span.clone(), message)
                    .help(super::NOT_YET_HELP),
            );
            return unread;
        }
        let message = format!("unknown key `{shown}`");
        let diagnostic = Diagnostic::error(Code::UNKNOWN_KEY, entry.key.span.clone(), message);
        let Some((meant, foreign)) = self.meant(word) else {
            let keys: Vec<String> = self.keys().map(|key| format!("`{key}`")).collect();
            findings.report(diagnostic.help(format!("the keys here are {}", keys.join(", "))));
            return unread;
        };
        findings.report(diagnostic.help(format!("did you mean `{meant}`?")));
        let there = node.entry(meant).is_some();
        let field = self.keys().find(|key| *key == meant && !there);
        ReadKey {
            meant: field,
            readable: !foreign,
        }
    }

    /// Whether the record neither has `word` nor passes or refuses it for a reason of its own.
    fn is_unknown(&self, word: &str) -> bool {
        let passes = self.info.extensible && word.starts_with("x-");
        !passes && !self.info.later.contains(&word) && !self.keys().any(|key| key == word)
    }

    fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.info.fields.iter().map(|field| field.key)
    }

    /// What `word` was meant to be, and whether it is another tool's word, whose values are written in another way.
    fn meant(&self, word: &str) -> Option<(&'static str, bool)> {
        let foreign = self.info.fields.iter().find(|field| {
            let words = field.attribute("also").unwrap_or_default();
            words.contains(&word)
        });
        let near = || nearest(word, self.keys().chain(self.info.later.iter().copied()));
        match foreign {
            Some(field) => Some((field.key, true)),
            None => near().map(|near| (near, false)),
        }
    }

    /// Reports required keys that are not there.
    pub(crate) fn missing(&self, node: &Node, findings: &mut Findings) {
        let Kind::Map(_) = node.kind else {
            return;
        };
        for field in self.info.fields.iter().filter(|field| field.is_required()) {
            let misspelt = |entry: &Entry| {
                let meant = self.meant(&entry.key.text);
                self.is_unknown(&entry.key.text)
                    && meant.is_some_and(|(meant, _)| meant == field.key)
            };
            let there = node.entry(field.key).is_some()
                || node.entries().iter().take(LOOKED_AT).any(misspelt);
            if there {
                continue;
            }
            let message = format!("the key `{}` is missing here", field.key);
            let diagnostic = Diagnostic::error(Code::MISSING_KEY, node.span.clone(), message)
                .label(format!("expected `{}`: {}", field.key, (field.expected)()));
            findings.report(match field.attribute("example").and_then(<[_]>::first) {
                Some(example) => diagnostic.help(format!("for example `{}: {example}`", field.key)),
                None => diagnostic,
            });
        }
    }
}

/// The schema of a record: put into `definitions` once, then referred to.
pub(crate) fn record_schema(info: &'static RecordInfo, definitions: &mut Definitions) -> Value {
    let reference = json!({ "$ref": format!("#/$defs/{}", info.name) });
    if definitions.contains_key(info.name) {
        return reference;
    }
    definitions.insert(info.name.to_owned(), Value::Null);
    let mut properties = serde_json::Map::new();
    for field in info.fields {
        let mut schema = (field.schema)(definitions);
        if let Value::Object(object) = &mut schema {
            object.insert("description".to_owned(), paragraph(field.doc).into());
            if let Some(default) = field.attribute("default").and_then(<[_]>::first) {
                let text = format!("{} Default: {default}.", paragraph(field.doc));
                object.insert("description".to_owned(), text.into());
            }
        }
        properties.insert(field.key.to_owned(), schema);
    }
    let required: Vec<&str> = info
        .fields
        .iter()
        .filter(|field| field.is_required())
        .map(|field| field.key)
        .collect();
    let mut object = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if let Value::Object(map) = &mut object {
        if !required.is_empty() {
            map.insert("required".to_owned(), required.into());
        }
        if info.extensible {
            map.insert("patternProperties".to_owned(), json!({ "^x-": {} }));
        }
    }
    let short = info.short().map(|field| (field.schema)(definitions));
    let mut schema = match short {
        Some(short) => json!({ "anyOf": [short, object] }),
        None => object,
    };
    if let Value::Object(map) = &mut schema {
        map.insert("description".to_owned(), paragraph(info.doc).into());
    }
    definitions.insert(info.name.to_owned(), schema);
    reference
}

/// Doc lines as one paragraph.
pub(crate) fn paragraph(lines: &[&str]) -> String {
    lines
        .iter()
        .map(|line| line.trim())
        .collect::<Vec<_>>()
        .join(" ")
        .trim()
        .to_owned()
}
