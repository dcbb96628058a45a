//! The messages of OpenTelemetry's protocol, in both of its forms: Protocol Buffers, and the JSON that says the same with ids in
//! hexadecimal digits and 64-bit numbers as texts. Fields that nobody here asks for are left out; readers skip them.

mod common;
mod json;
mod logs;
mod metrics;
mod trace;

pub(super) use common::{AnyValue, ArrayValue, KeyValue, KeyValueList, Resource, Scope, any_value};
pub(super) use json::{base64_text, double_name};
pub(super) use logs::{LogRecord, LogsRequest, ResourceLogs};
pub(super) use metrics::{
    Data, Exemplar, ExemplarNumber, Histogram, HistogramPoint, Metric, MetricsRequest, Number,
    NumberPoint, ResourceMetrics, Sum, Summary, SummaryPoint,
};
pub(super) use trace::{Event, Link, ResourceSpans, ScopeSpans, Span, Status, TraceRequest};

#[cfg(test)]
pub(super) use metrics::ScopeMetrics;
