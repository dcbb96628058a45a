//! Tree -> typed values, collecting every error on the way.
//!
//! A type that can stand in the file implements [`Decode`]: how it is read, what the JSON Schema says of it, what an
//! error says was expected. Most are texts and implement [`FromText`]; maps with fixed keys are made by `record!`.

mod cloud_names;
mod collections;
mod identifiers;
mod quantities;
mod record;
mod scalars;
mod texts;
mod words;

pub use cloud_names::{BackupWindow, BucketName, Identifier, MachineImage, MaintenanceWindow};
pub use collections::{Entry, List, OneOrMany, Table, TableKey};
pub use identifiers::{
    Email, GitUrl, KubernetesVersion, Line, Machine, Region, Repository, Subnet, Word, Zone,
};
pub use quantities::{Figure, Money};
pub use record::{FieldInfo, RecordInfo};
pub(crate) use record::{Reader, key_of, paragraph, record, record_schema};
pub use scalars::{Count, Port, StatusRange, Unlimited};
pub use texts::{Cidr, EnvName, Folder, HeaderName, HostPattern, UrlPath};
pub(crate) use words::{near_word, words};

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::diagnostic::{Code, Diagnostic, Findings};
use crate::span::{Field, Spanned};
use crate::yaml::{Entry as NodeEntry, Kind, Node};

/// What to do about what a later version reads.
pub(crate) const NOT_YET_HELP: &str =
    "take it out for now; nothing in the file is ignored silently";

/// The schemas of the records that are referred to, by name (`$defs`).
pub type Definitions = BTreeMap<String, Value>;

/// A value of the file.
pub trait Decode: Sized {
    /// Whether it is written as a list; else, where it is a section of the file, as a map.
    const LIST: bool = false;

    /// What belongs here, for "expected …".
    fn expected() -> String;

    /// Reads it. None if it cannot be read; then at least one finding has been reported.
    fn decode(node: &Node, findings: &mut Findings) -> Option<Self>;

    /// Its JSON Schema; records are put into `definitions` and referred to.
    fn schema(definitions: &mut Definitions) -> Value;
}

/// Why a text was refused.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The kind of the diagnostic.
    pub code: Code,
    /// What is wrong; none: "expected …, found …".
    pub message: Option<String>,
    /// What to try.
    pub help: Option<String>,
}

impl Refusal {
    /// "expected …, found …".
    #[must_use]
    pub fn unexpected() -> Self {
        Self {
            code: Code::BAD_VALUE,
            message: None,
            help: None,
        }
    }

    /// A refusal with its own sentence.
    #[must_use]
    pub fn because(message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            ..Self::unexpected()
        }
    }

    /// With what to try.
    #[must_use]
    pub fn help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// A value that is written as one text.
pub trait FromText: Sized {
    /// What belongs here, with examples, for "expected …".
    fn wording() -> String;

    /// Reads it.
    ///
    /// # Errors
    /// Why it cannot be.
    fn from_text(text: &str) -> Result<Self, Refusal>;

    /// Its JSON Schema.
    fn text_schema() -> Value;
}

/// The longest text that anything but a free text may be; longer ones are not looked at.
const WORD_MAX_BYTES: usize = 4096;

impl<T: FromText> Decode for T {
    fn expected() -> String {
        T::wording()
    }

    fn decode(node: &Node, findings: &mut Findings) -> Option<Self> {
        let Kind::Scalar(scalar) = &node.kind else {
            findings.report(wrong_shape::<Self>(node));
            return None;
        };
        let result = if scalar.text.len() > WORD_MAX_BYTES {
            Err(Refusal::unexpected())
        } else {
            T::from_text(&scalar.text)
        };
        result
            .map_err(|refusal| {
                let message = refusal.message.unwrap_or_else(|| {
                    format!("expected {}, found {}", T::wording(), node.described())
                });
                let diagnostic = Diagnostic::error(refusal.code, node.span.clone(), message);
                findings.report(Diagnostic {
                    help: refusal.help,
                    ..diagnostic
                });
            })
            .ok()
    }

    fn schema(_: &mut Definitions) -> Value {
        T::text_schema()
    }
}

/// "expected a list, found `x`".
pub(crate) fn wrong_shape<T: Decode>(node: &Node) -> Diagnostic {
    let message = format!("expected {}, found {}", T::expected(), node.described());
    Diagnostic::error(Code::WRONG_SHAPE, node.span.clone(), message)
}

/// Reads `node` with its place.
pub(crate) fn spanned<T: Decode>(node: &Node, findings: &mut Findings) -> Option<Spanned<T>> {
    T::decode(node, findings).map(|value| Spanned::new(value, node.span.clone()))
}

/// Reads the value of a key; nothing at all is an error of its own.
pub(crate) fn field<T: Decode>(entry: &NodeEntry, findings: &mut Findings) -> Field<T> {
    let value = if entry.value.kind == Kind::Null {
        findings.report(no_value::<T>(entry));
        None
    } else {
        spanned(&entry.value, findings)
    };
    Field::present(entry.key.span.clone(), value)
}

pub(crate) fn no_value<T: Decode>(entry: &NodeEntry) -> Diagnostic {
    let key = crate::diagnostic::excerpt(&entry.key.text);
    Diagnostic::error(
        Code::NO_VALUE,
        entry.key.span.clone(),
        format!("`{key}` has no value"),
    )
    .label(format!("expected {}", T::expected()))
}

/// A free text: any scalar, as it was typed.
impl Decode for String {
    fn expected() -> String {
        "a text".to_owned()
    }

    fn decode(node: &Node, findings: &mut Findings) -> Option<Self> {
        let Kind::Scalar(scalar) = &node.kind else {
            findings.report(wrong_shape::<Self>(node));
            return None;
        };
        Some(scalar.text.clone())
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": ["string", "number", "boolean"] })
    }
}

/// Any value, as YAML's core schema reads it.
impl Decode for Value {
    fn expected() -> String {
        "a value".to_owned()
    }

    fn decode(node: &Node, _: &mut Findings) -> Option<Self> {
        Some(to_json(node))
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({})
    }
}

/// A tree as JSON: plain scalars by YAML's core schema (1.2, section 10.3), all others as texts.
#[must_use]
pub fn to_json(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Scalar(scalar) if scalar.plain => core_schema(&scalar.text),
        Kind::Scalar(scalar) => Value::String(scalar.text.clone()),
        Kind::List(items) => items.iter().map(to_json).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| (entry.key.text.clone(), to_json(&entry.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

fn core_schema(text: &str) -> Value {
    match text {
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if !text.starts_with([
        '-', '+', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
    ]) {
        return Value::String(text.to_owned());
    }
    if let Ok(number) = text.parse::<i64>() {
        return number.into();
    }
    let hexadecimal = text.strip_prefix("0x");
    if let Some(Ok(number)) = hexadecimal.map(|digits| i64::from_str_radix(digits, 16)) {
        return number.into();
    }
    let numeric = text
        .bytes()
        .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
    match text.parse::<f64>() {
        Ok(number) if numeric && number.is_finite() => number.into(),
        _ => Value::String(text.to_owned()),
    }
}
