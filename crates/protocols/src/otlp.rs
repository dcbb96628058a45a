//! OpenTelemetry's protocol, OTLP 1.x: traces, logs and metrics as Protocol Buffers or JSON.
//!
//! Spans become [`Span`]s; log records become entries of streams, labelled as Loki's OTLP endpoint labels them; metrics become
//! samples, named as Prometheus's OTLP endpoint names them. What cannot be stored of a request is counted in [`Rejected`], which
//! the answer tells the sender; the rest is taken.
//!
//! A request says things once that are stored many times (a resource's attributes belong to each of its spans), and takes more
//! memory read than written. Both are bounded by [`Limits`] before they happen.

mod logs;
mod metrics;
mod names;
mod response;
mod spans;
mod value;
mod weight;
mod wire;

use std::fmt::Write;

use wharf_signal::{Exemplar, Labels, Metadata, Span};

use crate::loki_push::Streams;

pub use response::{error_body, response};
pub use value::text as value_text;

/// In which form a request or an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `application/x-protobuf`
    Protobuf,
    /// `application/json`
    Json,
}

impl Encoding {
    /// The form that a `Content-Type` names.
    #[must_use]
    pub fn of(content_type: &str) -> Option<Self> {
        let media = content_type.split(';').next()?.trim();
        match media.to_ascii_lowercase().as_str() {
            "application/x-protobuf" | "application/protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    /// The `Content-Type` of this form.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// What a request tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Data points.
    Metrics,
}

/// What a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Memory for the request as it is read, in bytes, about.
    pub read_bytes: usize,
    /// Memory for what becomes of it, in bytes, about.
    pub signal_bytes: usize,
}

impl Default for Limits {
    /// Many times what a collector sends at once: batches of 8,192 spans.
    fn default() -> Self {
        Self {
            read_bytes: 64 << 20,
            signal_bytes: 64 << 20,
        }
    }
}

/// Why a request was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OtlpError {
    /// It is no request.
    #[error("no OTLP request: {0}")]
    Form(String),
    /// It would take too much memory.
    #[error("the request would take more than {limit} bytes of memory; send smaller batches")]
    TooLarge {
        /// What it may take.
        limit: usize,
    },
}

/// What was not taken of a request, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejected {
    /// How many spans, log records or data points.
    pub count: u64,
    /// Why: some of the reasons, in one line. Empty if all was taken.
    pub message: String,
}

impl Rejected {
    fn add(&mut self, count: usize, reason: std::fmt::Arguments<'_>) {
        // A few reasons are enough to act upon.
        const LONGEST: usize = 600;
        self.count = self.count.saturating_add(count as u64);
        let reason = reason.to_string();
        if self.message.len() < LONGEST && !self.message.contains(&reason) {
            let gap = if self.message.is_empty() { "" } else { "; " };
            let reason: String = reason.chars().take(200).collect();
            write!(self.message, "{gap}{reason}").expect("a string takes every text");
        }
    }
}

/// Samples of a request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MetricBatch {
    /// In the order of the request.
    pub samples: Vec<MetricSample>,
    /// What is said of families.
    pub metadata: Vec<(String, Metadata)>,
    /// What could not be taken.
    pub rejected: Rejected,
}

/// A sample of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSample {
    /// With its name.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub t: i64,
    /// The value.
    pub v: f64,
    /// Examples of it, ordered by time.
    pub exemplars: Vec<Exemplar>,
}

/// The spans of a request.
///
/// # Errors
/// It is no request, or too large.
pub fn decode_traces(
    body: &[u8],
    encoding: Encoding,
    limits: Limits,
) -> Result<(Vec<Span>, Rejected), OtlpError> {
    let request = read(body, encoding, &weight::TRACES, limits)?;
    spans::of_request(request, &mut Budget::new(limits))
}

/// The log records of a request as entries. One that has no time has `now_nanos`.
///
/// # Errors
/// It is no request, or too large.
pub fn decode_logs(
    body: &[u8],
    encoding: Encoding,
    limits: Limits,
    now_nanos: i64,
) -> Result<(Streams, Rejected), OtlpError> {
    let request = read(body, encoding, &weight::LOGS, limits)?;
    logs::of_request(request, now_nanos, &mut Budget::new(limits))
}

/// The data points of a request as samples.
///
/// # Errors
/// It is no request, or too large.
pub fn decode_metrics(
    body: &[u8],
    encoding: Encoding,
    limits: Limits,
) -> Result<MetricBatch, OtlpError> {
    let request = read(body, encoding, &weight::METRICS, limits)?;
    metrics::of_request(request, &mut Budget::new(limits))
}

/// Spans as `TracesData`, grouped by resource and scope in their order: what Tempo's API answers, and a request.
#[must_use]
pub fn encode_spans(spans: &[Span], encoding: Encoding) -> Vec<u8> {
    spans::encode(spans, encoding)
}

fn read<M: prost::Message + Default + serde::de::DeserializeOwned>(
    body: &[u8],
    encoding: Encoding,
    shape: &crate::wire::Shape,
    limits: Limits,
) -> Result<M, OtlpError> {
    match encoding {
        Encoding::Protobuf => {
            weight::of_protobuf(body, shape, limits.read_bytes)?;
            M::decode(body).map_err(|error| OtlpError::Form(error.to_string()))
        }
        Encoding::Json => {
            weight::of_json(body, limits.read_bytes)?;
            serde_json::from_slice(body).map_err(|error| OtlpError::Form(error.to_string()))
        }
    }
}

/// What may still be made of a request.
struct Budget {
    left: usize,
    limit: usize,
}

impl Budget {
    fn new(limits: Limits) -> Self {
        Self {
            left: limits.signal_bytes,
            limit: limits.signal_bytes,
        }
    }

    fn take(&mut self, bytes: usize) -> Result<(), OtlpError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(OtlpError::TooLarge { limit: self.limit })?;
        Ok(())
    }
}

/// Nanoseconds that the stores can hold: up to the year 2262.
fn nanos(unsigned: u64) -> Option<i64> {
    i64::try_from(unsigned).ok()
}

#[cfg(test)]
mod tests;
