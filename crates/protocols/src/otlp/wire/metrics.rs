//! Metrics.

use prost::{Message, Oneof};
use serde::Deserialize;

use super::{KeyValue, Resource, Scope, json};

/// `ExportMetricsServiceRequest`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct MetricsRequest {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ScopeMetrics {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(from = "json::Metric")]
pub(in crate::otlp) struct Metric {
    #[prost(string, tag = "1")]
    pub(in crate::otlp) name: String,
    #[prost(string, tag = "2")]
    pub(in crate::otlp) description: String,
    #[prost(string, tag = "3")]
    pub(in crate::otlp) unit: String,
    #[prost(oneof = "Data", tags = "5, 7, 9, 10, 11")]
    pub(in crate::otlp) data: Option<Data>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(in crate::otlp) enum Data {
    #[prost(message, tag = "5")]
    Gauge(Gauge),
    #[prost(message, tag = "7")]
    Sum(Sum),
    #[prost(message, tag = "9")]
    Histogram(Histogram),
    #[prost(message, tag = "10")]
    ExponentialHistogram(ExponentialHistogram),
    #[prost(message, tag = "11")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct Gauge {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) data_points: Vec<NumberPoint>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct Sum {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) data_points: Vec<NumberPoint>,
    #[prost(int32, tag = "2")]
    #[serde(deserialize_with = "json::temporality")]
    pub(in crate::otlp) aggregation_temporality: i32,
    #[prost(bool, tag = "3")]
    pub(in crate::otlp) is_monotonic: bool,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct Histogram {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) data_points: Vec<HistogramPoint>,
    #[prost(int32, tag = "2")]
    #[serde(deserialize_with = "json::temporality")]
    pub(in crate::otlp) aggregation_temporality: i32,
}

/// Only counted: none is stored.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct ExponentialHistogram {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) data_points: Vec<ExponentialPoint>,
}

#[derive(Clone, Copy, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ExponentialPoint {}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct Summary {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) data_points: Vec<SummaryPoint>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(from = "json::NumberPoint")]
pub(in crate::otlp) struct NumberPoint {
    #[prost(message, repeated, tag = "7")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "3")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(oneof = "Number", tags = "4, 6")]
    pub(in crate::otlp) value: Option<Number>,
    #[prost(message, repeated, tag = "5")]
    pub(in crate::otlp) exemplars: Vec<Exemplar>,
    #[prost(uint32, tag = "8")]
    pub(in crate::otlp) flags: u32,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(in crate::otlp) enum Number {
    #[prost(double, tag = "4")]
    AsDouble(f64),
    #[prost(sfixed64, tag = "6")]
    AsInt(i64),
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct HistogramPoint {
    #[prost(message, repeated, tag = "9")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "3")]
    #[serde(deserialize_with = "json::number::deserialize")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    #[serde(deserialize_with = "json::number::deserialize")]
    pub(in crate::otlp) count: u64,
    #[prost(double, optional, tag = "5")]
    #[serde(deserialize_with = "json::maybe_double")]
    pub(in crate::otlp) sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    #[serde(deserialize_with = "json::numbers")]
    pub(in crate::otlp) bucket_counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    #[serde(deserialize_with = "json::doubles")]
    pub(in crate::otlp) explicit_bounds: Vec<f64>,
    #[prost(message, repeated, tag = "8")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) exemplars: Vec<Exemplar>,
    #[prost(uint32, tag = "10")]
    #[serde(deserialize_with = "json::number::deserialize")]
    pub(in crate::otlp) flags: u32,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct SummaryPoint {
    #[prost(message, repeated, tag = "7")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "3")]
    #[serde(deserialize_with = "json::number::deserialize")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    #[serde(deserialize_with = "json::number::deserialize")]
    pub(in crate::otlp) count: u64,
    #[prost(double, tag = "5")]
    #[serde(deserialize_with = "json::double")]
    pub(in crate::otlp) sum: f64,
    #[prost(message, repeated, tag = "6")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) quantile_values: Vec<QuantileValue>,
    #[prost(uint32, tag = "8")]
    #[serde(deserialize_with = "json::number::deserialize")]
    pub(in crate::otlp) flags: u32,
}

#[derive(Clone, Copy, PartialEq, Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct QuantileValue {
    #[prost(double, tag = "1")]
    #[serde(deserialize_with = "json::double")]
    pub(in crate::otlp) quantile: f64,
    #[prost(double, tag = "2")]
    #[serde(deserialize_with = "json::double")]
    pub(in crate::otlp) value: f64,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(from = "json::Exemplar")]
pub(in crate::otlp) struct Exemplar {
    #[prost(message, repeated, tag = "7")]
    pub(in crate::otlp) filtered_attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "2")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(oneof = "ExemplarNumber", tags = "3, 6")]
    pub(in crate::otlp) value: Option<ExemplarNumber>,
    #[prost(bytes = "vec", tag = "4")]
    pub(in crate::otlp) span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub(in crate::otlp) trace_id: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Oneof)]
pub(in crate::otlp) enum ExemplarNumber {
    #[prost(double, tag = "3")]
    AsDouble(f64),
    #[prost(sfixed64, tag = "6")]
    AsInt(i64),
}
