//! What an evaluation gives, and what it may use.

use std::time::Duration;

use wharf_signal::{Interrupt, Labels, Sample, Series};

/// One series at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// Which series.
    pub labels: Labels,
    /// Its value, at the time of the evaluation.
    pub sample: Sample,
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number.
    Scalar(Sample),
    /// A text, and the time of the evaluation.
    String {
        /// Milliseconds since the Unix epoch.
        t: i64,
        /// The text.
        v: String,
    },
    /// Series at one time. The order is that of the expression: of `sort` and `topk` by value.
    Vector(Vec<Element>),
    /// Series over time, ordered by labels.
    Matrix(Vec<Series>),
}

/// An answer with what may be wrong with the question.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// The answer.
    pub value: Value,
    /// What is probably wrong, as Prometheus words it, each with its place in the query.
    pub warnings: Vec<String>,
    /// What may be wrong.
    pub infos: Vec<String>,
}

/// What an evaluation may use, and what the expression does not say.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// For how long a sample counts.
    pub lookback: Duration,
    /// How many samples may be in memory.
    pub max_samples: usize,
    /// The step of subqueries that say none.
    pub subquery_step: Duration,
    /// Whether names of metrics are removed at the end of the evaluation only: experimental in Prometheus.
    pub delayed_name_removal: bool,
    /// Asked every few thousand samples.
    pub interrupt: &'a dyn Interrupt,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            lookback: Duration::from_secs(5 * 60),
            max_samples: 50_000_000,
            subquery_step: Duration::from_secs(60),
            delayed_name_removal: false,
            interrupt: &(),
        }
    }
}

impl std::fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("lookback", &self.lookback)
            .field("max_samples", &self.max_samples)
            .field("subquery_step", &self.subquery_step)
            .field("delayed_name_removal", &self.delayed_name_removal)
            .finish_non_exhaustive()
    }
}
