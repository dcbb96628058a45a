//! What an exposition says beside the samples.

use crate::Labels;

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum MetricKind {
    /// Nobody said.
    #[default]
    Unknown,
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets.
    Histogram,
    /// Buckets that are not cumulative over time.
    GaugeHistogram,
    /// Quantiles.
    Summary,
    /// Facts as labels.
    Info,
    /// One of several states.
    StateSet,
}

impl MetricKind {
    /// The word of OpenMetrics and of Prometheus's API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }
}

/// What is said of a metric family.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Metadata {
    /// Its kind.
    pub kind: MetricKind,
    /// Its unit; empty if none was said.
    pub unit: String,
    /// One sentence; empty if none was said.
    pub help: String,
}

/// An example of what was counted, usually with a trace id.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// Which one.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// When, in milliseconds since the Unix epoch, if it was said.
    pub t: Option<i64>,
}
