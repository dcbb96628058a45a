//! Conditions on labels.

use regex::Regex;
use wharf_signal::{MatchOp, Matcher};

use super::ip::IpRange;
use crate::ast::{CompareOp, LabelFilter};
use crate::fields::{ERROR, Fields};
use crate::text::{parse_bytes, parse_float, parse_go_duration};

const FAILED: &str = "LabelFilterErr";

/// A condition, ready to be asked.
#[derive(Debug, Clone)]
pub(crate) enum LabelTest {
    And(Box<LabelTest>, Box<LabelTest>),
    Or(Box<LabelTest>, Box<LabelTest>),
    Text(Matcher),
    Number(String, CompareOp, f64),
    Duration(String, CompareOp, i64),
    Bytes(String, CompareOp, u64),
    Ip(String, bool, IpRange),
}

impl LabelTest {
    /// A condition.
    ///
    /// # Errors
    /// An address in it is none.
    pub(crate) fn new(filter: &LabelFilter) -> Result<Self, String> {
        let both = |left: &LabelFilter, right: &LabelFilter| {
            Ok::<_, String>((Box::new(Self::new(left)?), Box::new(Self::new(right)?)))
        };
        Ok(match filter {
            LabelFilter::And(left, right) => {
                let (left, right) = both(left, right)?;
                Self::And(left, right)
            }
            LabelFilter::Or(left, right) => {
                let (left, right) = both(left, right)?;
                Self::Or(left, right)
            }
            LabelFilter::Text(matcher) => Self::Text(matcher.clone()),
            LabelFilter::Number(name, op, value) => Self::Number(name.clone(), *op, *value),
            LabelFilter::Duration(name, op, value) => Self::Duration(name.clone(), *op, *value),
            LabelFilter::Bytes(name, op, value) => Self::Bytes(name.clone(), *op, *value),
            LabelFilter::Ip(name, inside, range) => {
                Self::Ip(name.clone(), *inside, IpRange::parse(range)?)
            }
        })
    }

    /// Asks it. A value that cannot be compared passes, with an error.
    pub(crate) fn passes(&self, fields: &mut Fields) -> bool {
        match self {
            Self::And(left, right) => {
                let left = left.passes(fields);
                right.passes(fields) && left
            }
            Self::Or(left, right) => left.passes(fields) || right.passes(fields),
            Self::Text(matcher) if matcher.name == ERROR => matcher.matches(fields.error()),
            Self::Text(matcher) => matcher.matches(fields.get(&matcher.name).unwrap_or_default()),
            Self::Number(name, op, value) => compare(fields, name, *op, value, parse_float),
            Self::Duration(name, op, value) => compare(fields, name, *op, value, parse_go_duration),
            Self::Bytes(name, op, value) => compare(fields, name, *op, value, parse_bytes),
            Self::Ip(name, inside, range) => {
                if !fields.error().is_empty() {
                    return true;
                }
                let found = fields.get(name).map(|value| range.is_in(value));
                found.is_some_and(|found| found == *inside)
            }
        }
    }

    /// Adds the names it asks for.
    pub(crate) fn names(&self, names: &mut Vec<String>) {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.names(names);
                right.names(names);
            }
            Self::Text(matcher) => names.push(matcher.name.clone()),
            Self::Number(name, ..)
            | Self::Duration(name, ..)
            | Self::Bytes(name, ..)
            | Self::Ip(name, ..) => names.push(name.clone()),
        }
    }

    /// Labels that have to have a value, for this to pass.
    pub(crate) fn equalities(&self, found: &mut Vec<(String, String)>) {
        match self {
            Self::And(left, right) => {
                left.equalities(found);
                right.equalities(found);
            }
            Self::Text(matcher) if matcher.op == MatchOp::Equal && !matcher.value.is_empty() => {
                found.push((matcher.name.clone(), matcher.value.clone()));
            }
            _ => {}
        }
    }
}

fn compare<T: PartialOrd>(
    fields: &mut Fields,
    name: &str,
    op: CompareOp,
    value: &T,
    parse: impl Fn(&str) -> Result<T, String>,
) -> bool {
    let Some(text) = fields.get(name) else {
        return false;
    };
    match parse(text) {
        Ok(found) => op.holds(&found, value),
        Err(error) => {
            // What failed before says more.
            if fields.error().is_empty() {
                fields.set_error(FAILED, &error);
            }
            true
        }
    }
}

/// An expression that a whole value has to match, for `label_replace`.
pub(crate) fn whole(pattern: &str) -> Result<Regex, String> {
    wharf_signal::compile_regexp(&format!("^(?:{pattern})$")).map_err(|error| error.to_string())
}
