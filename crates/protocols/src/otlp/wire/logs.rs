//! Log records.

use prost::Message;
use serde::Deserialize;

use super::{AnyValue, KeyValue, Resource, Scope, json};

/// `ExportLogsServiceRequest`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct LogsRequest {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::otlp) struct LogRecord {
    #[prost(fixed64, tag = "1")]
    #[serde(deserialize_with = "json::number::deserialize")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(fixed64, tag = "11")]
    #[serde(deserialize_with = "json::number::deserialize")]
    pub(in crate::otlp) observed_time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    #[serde(deserialize_with = "json::severity")]
    pub(in crate::otlp) severity_number: i32,
    #[prost(string, tag = "3")]
    pub(in crate::otlp) severity_text: String,
    #[prost(message, optional, tag = "5")]
    pub(in crate::otlp) body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    #[serde(deserialize_with = "json::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    #[prost(fixed32, tag = "8")]
    #[serde(deserialize_with = "json::number::deserialize")]
    pub(in crate::otlp) flags: u32,
    #[prost(bytes = "vec", tag = "9")]
    #[serde(deserialize_with = "json::id::deserialize")]
    pub(in crate::otlp) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    #[serde(deserialize_with = "json::id::deserialize")]
    pub(in crate::otlp) span_id: Vec<u8>,
    #[prost(string, tag = "12")]
    pub(in crate::otlp) event_name: String,
}
