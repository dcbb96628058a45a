//! `label_replace`, `label_join`.

use wharf_signal::NAME;

use super::row::{Grid, Row, merge_same_labels};
use super::{Evaluator, label_name, text};
use crate::ast::{Call, Expr};
use crate::error::EvalError;

/// What an expression may cost in memory when it is compiled.
const PATTERN_SIZE: usize = 4 << 20;

impl<'a> Evaluator<'a> {
    pub(super) fn label_replace(
        &mut self,
        call: &'a Call,
        grid: Grid,
    ) -> Result<Vec<Row>, EvalError> {
        let [vector, to, replacement, from, pattern] = &call.args[..] else {
            return Err(EvalError::invalid("label_replace() takes five arguments"));
        };
        let to = label_name(to);
        let (replacement, from, pattern) = (text(replacement), text(from), text(pattern));
        let regex = regex::RegexBuilder::new(&format!("^(?s:{pattern})$"))
            .size_limit(PATTERN_SIZE)
            .build()
            .map_err(|_| {
                let what = "invalid regular expression in label_replace()";
                EvalError::invalid(format!("{what}: {pattern}"))
            })?;
        let to = to.map_err(|to| {
            let what = "invalid destination label name in label_replace()";
            EvalError::invalid(format!("{what}: {}", bare(&to)))
        })?;
        let mut rows = self.vector(vector, grid)?;
        for row in &mut rows {
            let value = row.labels.value(from);
            let Some(captures) = regex.captures(value) else {
                continue;
            };
            let mut expanded = String::new();
            captures.expand(replacement, &mut expanded);
            set_label(row, to, expanded);
        }
        merge_same_labels(rows)
    }

    pub(super) fn label_join(&mut self, call: &'a Call, grid: Grid) -> Result<Vec<Row>, EvalError> {
        let [vector, to, separator, from @ ..] = &call.args[..] else {
            return Err(EvalError::invalid("label_join() takes three arguments"));
        };
        let separator = text(separator);
        let checked = |name: &'a Expr, which: &str| {
            label_name(name).map_err(|name| {
                let what = format!("invalid {which} label name in label_join()");
                EvalError::invalid(format!("{what}: {}", bare(&name)))
            })
        };
        let from: Result<Vec<&str>, EvalError> =
            from.iter().map(|name| checked(name, "source")).collect();
        let (from, to) = (from?, checked(to, "destination")?);
        let mut rows = self.vector(vector, grid)?;
        for row in &mut rows {
            let values: Vec<&str> = from.iter().map(|name| row.labels.value(name)).collect();
            let joined = values.join(separator);
            set_label(row, to, joined);
        }
        merge_same_labels(rows)
    }
}

/// A literal without its quotes.
fn bare(quoted: &str) -> &str {
    quoted.trim_matches('"')
}

fn set_label(row: &mut Row, name: &str, value: String) {
    let mut labels = row.labels.edit();
    labels.set(name, value);
    row.labels = labels.build();
    if name == NAME {
        row.drop_name = false;
    }
}
