//! Warnings and infos: what may be wrong with a query that has an answer.

use crate::ast::Position;
use crate::text::{format_short, quote};

/// How many different ones are kept: a query over thousands of metrics could have one for each.
const MOST: usize = 100;

/// Something to tell who asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Note {
    InvalidQuantile(f64),
    BadBucket { label: String, metric: String },
    SortInRange,
    NotACounter(String),
    FloatsInBinary(&'static str),
    Monotonicity(Monotonicity),
}

/// Buckets that had to be corrected.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Monotonicity {
    pub(super) metric: String,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) difference: f64,
    pub(super) count: u64,
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Note {
    fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::InvalidQuantile(_) | Self::BadBucket { .. } | Self::SortInRange
        )
    }

    /// What it says without what differs from step to step.
    fn text(&self) -> String {
        match self {
            Self::InvalidQuantile(q) => {
                let q = format_short(*q);
                format!("quantile value should be between 0 and 1, got {q}")
            }
            Self::BadBucket { label, metric } => {
                let label = quote(label);
                let what = "bucket label \"le\" is missing or has a malformed value";
                format!("{what} of {label}{}", for_metric(metric))
            }
            Self::SortInRange => {
                "sort is ineffective for range queries since results are always ordered by labels"
                    .to_owned()
            }
            Self::NotACounter(metric) => {
                let ends = "name does not end in _total/_sum/_count/_bucket";
                format!("metric might not be a counter, {ends}: {}", quote(metric))
            }
            Self::FloatsInBinary(op) => {
                let what = "incompatible sample types encountered for binary operator";
                format!("{what} {}: float {op} float", quote(op))
            }
            Self::Monotonicity(m) => {
                let see = "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile";
                let what = "input to histogram_quantile needed to be fixed for monotonicity";
                format!("{what} (see {see}){}", for_metric(&m.metric))
            }
        }
    }

    fn details(&self) -> String {
        let Self::Monotonicity(m) = self else {
            return String::new();
        };
        let (from, to) = (format_short(m.from), format_short(m.to));
        let difference = two_digits(m.difference);
        let (count, first, last) = (
            m.count,
            super::dates::rfc3339(m.first),
            super::dates::rfc3339(m.last),
        );
        format!(
            ", from buckets {from} to {to}, with a max diff of {difference}, over {count} samples from {first} to {last}"
        )
    }
}

fn for_metric(metric: &str) -> String {
    if metric.is_empty() {
        String::new()
    } else {
        format!(" for metric name {}", quote(metric))
    }
}

/// With two significant digits.
fn two_digits(value: f64) -> String {
    let rounded = format!("{value:.1e}").parse().unwrap_or(value);
    if (100.0..1e6).contains(&rounded) {
        // Go's `%.2g` knows no longer number.
        let text = format!("{rounded:e}");
        if let Some((mantissa, exponent)) = text.split_once('e') {
            return format!("{mantissa}e+{exponent:0>2}");
        }
    }
    format_short(rounded)
}

/// All notes of a query, each text once.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<(String, Note, Position)>);

impl Notes {
    pub(super) fn add(&mut self, note: Note, at: Position) {
        let text = note.text();
        if let Some((_, known, place)) = self.0.iter_mut().find(|(t, ..)| *t == text) {
            *place = at;
            if let (Note::Monotonicity(known), Note::Monotonicity(new)) = (known, note) {
                known.first = known.first.min(new.first);
                known.last = known.last.max(new.last);
                known.from = known.from.min(new.from);
                known.to = known.to.max(new.to);
                known.difference = known.difference.max(new.difference);
                known.count += new.count;
            }
        } else if self.0.len() < MOST {
            self.0.push((text, note, at));
        }
    }

    /// Warnings and infos as they are told.
    pub(super) fn told(self) -> (Vec<String>, Vec<String>) {
        let (mut warnings, mut infos) = (Vec::new(), Vec::new());
        for (text, note, at) in self.0 {
            let details = note.details();
            if note.is_warning() {
                warnings.push(format!("PromQL warning: {text}{details} ({at})"));
            } else {
                infos.push(format!("PromQL info: {text}{details} ({at})"));
            }
        }
        (warnings, infos)
    }
}
