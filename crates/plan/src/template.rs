//! Texts with references: `postgres://${db.user}@${db.host}/app`.
//!
//! A reference stays a reference in the plan. Who runs the plan asks [`Template::render`] to fill it in, so that
//! passwords never pass through a printed plan.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use wharf_base::ids::Name;

/// A text with references in it. `$$` stands for one `$`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    /// What it consists of, in order; no two [`Part::Text`] are neighbours.
    pub parts: Vec<Part>,
}

/// One part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text as it is.
    Text(String),
    /// `${…}`.
    Reference(Reference),
}

/// What a `${…}` points at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reference {
    /// `${db.url}`, `${backend.host}`: a field of a store or a service.
    Field {
        /// The store or service.
        of: Name,
        /// Which field.
        field: Field,
    },
    /// `${env.HOME}` or `${env.LEVEL:-info}`: a variable of whoever makes the release.
    Env {
        /// The variable.
        name: String,
        /// Used where the variable is not set or empty.
        default: Option<String>,
    },
    /// `${secret.jwt}`: a secret of the project.
    Secret(Name),
    /// `${volume.media}`: where a named volume is found by the program.
    Volume(Name),
    /// `${wharf.release}` and the like: what is known of the replica itself.
    Wharf(Own),
}

/// A field of a store or service. Services have `url`, `host` and `port` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// A URL with everything in it.
    Url,
    /// The host.
    Host,
    /// The port.
    Port,
    /// The user of a store.
    User,
    /// The password of a store.
    Password,
    /// The database of a store.
    Database,
}

/// What a replica may know of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Own {
    /// The project's name.
    Project,
    /// The service's name.
    Service,
    /// The release, `r12`.
    Release,
    /// The environment, empty where none is applied.
    Environment,
}

impl Field {
    /// Every field, in the order in which errors list them.
    pub const ALL: [Self; 6] = [
        Self::Url,
        Self::Host,
        Self::Port,
        Self::User,
        Self::Password,
        Self::Database,
    ];

    /// The word of the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Host => "host",
            Self::Port => "port",
            Self::User => "user",
            Self::Password => "password",
            Self::Database => "database",
        }
    }

    /// Whether a service has it too.
    #[must_use]
    pub fn of_service(self) -> bool {
        matches!(self, Self::Url | Self::Host | Self::Port)
    }
}

impl Own {
    /// Every one, in the order in which errors list them.
    pub const ALL: [Self; 4] = [
        Self::Project,
        Self::Service,
        Self::Release,
        Self::Environment,
    ];

    /// The word of the file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Service => "service",
            Self::Release => "release",
            Self::Environment => "environment",
        }
    }
}

/// Why a text is not a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong, as a sentence without its full stop.
    pub message: String,
    /// The byte at which the bad reference begins.
    pub at: usize,
    /// How many bytes of the text are at fault.
    pub len: usize,
    /// The word that would have been closest, if any comes near.
    pub suggestion: Option<String>,
}

impl Template {
    /// A text without references.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            parts: if text.is_empty() {
                vec![]
            } else {
                vec![Part::Text(text)]
            },
        }
    }

    /// Reads a text. Names of stores and services are not looked up here.
    ///
    /// # Errors
    /// A `${` that is not closed or holds none of the known references; the first of them.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let (template, errors) = Self::parse_all(text);
        match errors.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(template),
        }
    }

    /// Reads a text and reports every bad reference; the template holds the good ones.
    #[must_use]
    pub fn parse_all(text: &str) -> (Self, Vec<TemplateError>) {
        let mut parts = Vec::new();
        let mut errors = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            plain.push_str(&rest[..at]);
            let tail = &rest[at..];
            let begin = text.len() - tail.len();
            if let Some(after) = tail.strip_prefix("$$") {
                plain.push('$');
                rest = after;
            } else if let Some(inner) = tail.strip_prefix("${") {
                let Some(end) = inner.find('}') else {
                    errors.push(TemplateError {
                        message: "`${` has no closing `}`".to_owned(),
                        at: begin,
                        len: tail.len(),
                        suggestion: None,
                    });
                    rest = "";
                    break;
                };
                match Reference::parse(&inner[..end]) {
                    Ok(reference) => {
                        if !plain.is_empty() {
                            parts.push(Part::Text(std::mem::take(&mut plain)));
                        }
                        parts.push(Part::Reference(reference));
                    }
                    Err((message, suggestion)) => errors.push(TemplateError {
                        message,
                        at: begin,
                        len: end + 3,
                        suggestion,
                    }),
                }
                rest = &inner[end + 1..];
            } else {
                plain.push('$');
                rest = &tail[1..];
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        (Self { parts }, errors)
    }

    /// The references, in order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().filter_map(|part| match part {
            Part::Reference(reference) => Some(reference),
            Part::Text(_) => None,
        })
    }

    /// The text with every reference replaced by what `look_up` gives for it.
    ///
    /// # Errors
    /// The first error of `look_up`.
    pub fn render<E>(
        &self,
        mut look_up: impl FnMut(&Reference) -> Result<String, E>,
    ) -> Result<String, E> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Reference(reference) => text.push_str(&look_up(reference)?),
            }
        }
        Ok(text)
    }
}

impl Reference {
    fn parse(inner: &str) -> Result<Self, (String, Option<String>)> {
        let plain = |message: String| (message, None);
        let Some((of, field)) = inner.split_once('.') else {
            return Err((
                format!(
                    "`${{{inner}}}` is no reference; expected one such as `${{db.url}}`, `${{env.NAME}}` or `${{volume.NAME}}`"
                ),
                is_variable(inner).then(|| format!("${{env.{inner}}}")),
            ));
        };
        match of {
            "env" => {
                let (name, default) = match field.split_once(":-") {
                    Some((name, default)) => (name, Some(default.to_owned())),
                    None => (field, None),
                };
                if !is_variable(name) {
                    return Err(plain(format!(
                        "`{name}` is no name of an environment variable"
                    )));
                }
                Ok(Self::Env {
                    name: name.to_owned(),
                    default,
                })
            }
            "volume" => field
                .parse()
                .map(Self::Volume)
                .map_err(|e| plain(e.to_string())),
            "secret" => field.parse().map(Self::Secret).map_err(|_| {
                let meant = field.to_lowercase().replace('_', "-");
                (
                    format!("`{field}` is no name of a secret: lower-case letters, digits and `-`"),
                    meant
                        .parse::<Name>()
                        .is_ok()
                        .then(|| format!("${{secret.{meant}}}")),
                )
            }),
            "wharf" => one_of(field, &Own::ALL, Own::as_str).map(Self::Wharf),
            _ => {
                let name = of.parse::<Name>().map_err(|e| plain(e.to_string()))?;
                one_of(field, &Field::ALL, Field::as_str)
                    .map(|field| Self::Field { of: name, field })
            }
        }
    }
}

/// `NAME` or `NAME:-default`.
fn is_variable(text: &str) -> bool {
    let name = text.split_once(":-").map_or(text, |(name, _)| name);
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !name.is_empty() && name.bytes().all(valid)
}

fn one_of<T: Copy>(
    word: &str,
    all: &[T],
    as_str: fn(T) -> &'static str,
) -> Result<T, (String, Option<String>)> {
    all.iter()
        .copied()
        .find(|item| as_str(*item) == word)
        .ok_or_else(|| {
            let words: Vec<_> = all.iter().map(|item| as_str(*item)).collect();
            let nearest =
                wharf_spec::diagnostic::nearest(word, words.iter().copied()).map(str::to_owned);
            (
                format!(
                    "there is no field `{word}`; expected one of {}",
                    words.join(", ")
                ),
                nearest,
            )
        })
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { of, field } => write!(f, "${{{of}.{}}}", field.as_str()),
            Self::Env {
                name,
                default: None,
            } => write!(f, "${{env.{name}}}"),
            Self::Env {
                name,
                default: Some(default),
            } => write!(f, "${{env.{name}:-{default}}}"),
            Self::Secret(name) => write!(f, "${{secret.{name}}}"),
            Self::Volume(name) => write!(f, "${{volume.{name}}}"),
            Self::Wharf(own) => write!(f, "${{wharf.{}}}", own.as_str()),
        }
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => f.write_str(&text.replace('$', "$$"))?,
                Part::Reference(reference) => reference.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: Result<&str, &str>) {
        match (Template::parse(text), shown) {
            (Ok(template), Ok(shown)) => {
                assert_eq!(template.to_string(), shown);
                assert_eq!(Template::parse(shown), Ok(template), "round trip of {text}");
            }
            (Err(error), Err(part)) => {
                assert!(error.message.contains(part), "{text}: {}", error.message)
            }
            (got, expected) => panic!("{text}: expected {expected:?}, got {got:?}"),
        }
    }

    #[test]
    fn reads_references() {
        check("${db.url}", Ok("${db.url}"));
        check("a${db.host}:${db.port}b", Ok("a${db.host}:${db.port}b"));
        check("${env.LEVEL:-info}", Ok("${env.LEVEL:-info}"));
        check("100$$", Ok("100$$"));
        check("$HOME", Ok("$$HOME"));
        check("${wharf.release}", Ok("${wharf.release}"));
        check("${secret.jwt}", Ok("${secret.jwt}"));
        check("", Ok(""));
    }

    #[test]
    fn names_what_is_wrong() {
        check("${db.url", Err("no closing"));
        check("${HOME}", Err("no reference"));
        check("${db.urk}", Err("no field `urk`"));
        check("${Db.url}", Err("expected a name"));
        check("${secret.API_KEY}", Err("no name of a secret"));
        check("${env.}", Err("no name of an environment variable"));
    }
}
