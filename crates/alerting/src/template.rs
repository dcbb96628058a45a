//! The templates of labels and annotations: Go's `text/template` with the functions of Prometheus, as far as alerts use it.
//!
//! `{{ $labels.service }}`, `{{ $value | humanize }}`, `printf`, `if`, `range`, `with`, `define`, `template`, variables,
//! comparisons, and [Prometheus' functions](https://prometheus.io/docs/prometheus/latest/configuration/template_reference/).
//! What is not there: methods of values, and the functions that make links and HTML, which are of Prometheus' consoles.
//!
//! A template that fails is no failed alert: [`Template::expand_or_error`] puts the error into the text, as Prometheus does.
//! Everything is bounded: the length of a template and of its text, its depth, and its steps.

mod eval;
mod format;
mod functions;
mod lex;
mod parse;
mod time;
mod value;

use std::collections::BTreeMap;

use wharf_base::clock::Timestamp;
use wharf_signal::Labels;

pub(crate) use functions::escape_query;
pub use parse::Template;

/// Longer than any annotation.
pub const TEMPLATE_MAX_BYTES: usize = 64 << 10;

/// The longest text that comes of one.
pub const TEXT_MAX_BYTES: usize = 64 << 10;

/// Why there is no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is no template.
    #[error("error parsing template: {0}")]
    Parse(String),
    /// It is one, and fails on these values.
    #[error("error executing template: {0}")]
    Execute(String),
}

/// Asks PromQL, for `query` in a template: each result with its labels and value.
pub type Query<'a> = &'a dyn Fn(&str) -> Result<Vec<(Labels, f64)>, String>;

/// What a template can name.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// `$labels`: the labels of the query's result.
    pub labels: &'a Labels,
    /// `$value`: its value.
    pub value: f64,
    /// `$externalLabels`: what all series of this server have in common.
    pub external_labels: &'a BTreeMap<String, String>,
    /// `$externalURL`: where people find it.
    pub external_url: &'a str,
    /// When the rule is evaluated.
    pub now: Timestamp,
    /// For `query`.
    pub query: Query<'a>,
}

/// A query where there is nothing to ask.
///
/// # Errors
/// Always.
pub fn no_query(_: &str) -> Result<Vec<(Labels, f64)>, String> {
    Err("there is nothing to ask here".to_owned())
}

impl Template {
    /// The text.
    ///
    /// # Errors
    /// A function fails, or a bound is passed.
    pub fn expand(&self, context: &Context<'_>) -> Result<String, TemplateError> {
        eval::expand(self, context).map_err(TemplateError::Execute)
    }

    /// The text, or the error as one.
    #[must_use]
    pub fn expand_or_error(&self, context: &Context<'_>) -> String {
        self.expand(context).unwrap_or_else(|error| shown(&error))
    }
}

/// An error as the text of an annotation.
fn shown(error: &TemplateError) -> String {
    format!("<error expanding template: {error}>")
}

/// The text of a template, or the error as one.
#[must_use]
pub fn expand(text: &str, context: &Context<'_>) -> String {
    match Template::parse(text) {
        Ok(template) => template.expand_or_error(context),
        Err(error) => shown(&error),
    }
}

#[cfg(test)]
mod tests;
