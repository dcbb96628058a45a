//! Spans.

use prost::Message;
use serde::{Deserialize, Serialize};

use super::{KeyValue, Resource, Scope, json};

/// `ExportTraceServiceRequest`, which is also `TracesData`.
#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct TraceRequest {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::list", alias = "batches")]
    pub(in crate::otlp) resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct Span {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(with = "json::id")]
    pub(in crate::otlp) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    #[serde(with = "json::id")]
    pub(in crate::otlp) span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    #[serde(with = "json::id", skip_serializing_if = "Vec::is_empty")]
    pub(in crate::otlp) parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(in crate::otlp) name: String,
    #[prost(int32, tag = "6")]
    #[serde(with = "json::span_kind")]
    pub(in crate::otlp) kind: i32,
    #[prost(fixed64, tag = "7")]
    #[serde(with = "json::number")]
    pub(in crate::otlp) start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    #[serde(with = "json::number")]
    pub(in crate::otlp) end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "json::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    #[prost(message, repeated, tag = "11")]
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "json::list")]
    pub(in crate::otlp) events: Vec<Event>,
    #[prost(message, repeated, tag = "13")]
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "json::list")]
    pub(in crate::otlp) links: Vec<Link>,
    #[prost(message, optional, tag = "15")]
    pub(in crate::otlp) status: Option<Status>,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct Event {
    #[prost(fixed64, tag = "1")]
    #[serde(with = "json::number")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(string, tag = "2")]
    pub(in crate::otlp) name: String,
    #[prost(message, repeated, tag = "3")]
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "json::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct Link {
    #[prost(bytes = "vec", tag = "1")]
    #[serde(with = "json::id")]
    pub(in crate::otlp) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    #[serde(with = "json::id")]
    pub(in crate::otlp) span_id: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "json::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct Status {
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(in crate::otlp) message: String,
    #[prost(int32, tag = "3")]
    #[serde(with = "json::status_code")]
    pub(in crate::otlp) code: i32,
}
