//! Spans, as OpenTelemetry knows them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// 128 bits, never zero; written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct TraceId(pub u128);

/// 64 bits; written as 16 hexadecimal digits. Zero: none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct SpanId(pub u64);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TraceId {
    /// Reads up to 32 hexadecimal digits, or a UUID. Leading zeros may be left out, as Tempo and Jaeger allow.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.replace('-', "");
        let fits =
            (1..=32).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let id = u128::from_str_radix(&digits, 16).ok().filter(|_| fits)?;
        (id != 0).then_some(Self(id))
    }
}

impl SpanId {
    /// Reads 16 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let id = u64::from_str_radix(text, 16).ok().filter(|_| fits)?;
        Some(Self(id))
    }
}

/// Which side of a call it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum SpanKind {
    /// Nobody said.
    #[default]
    Unspecified,
    /// Within one service.
    Internal,
    /// Who answers.
    Server,
    /// Who asks.
    Client,
    /// Who sends a message.
    Producer,
    /// Who takes one.
    Consumer,
}

/// How it ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum SpanStatus {
    /// Nobody said: well, as far as is known.
    #[default]
    Unset,
    /// Well, it was said.
    Ok,
    /// It failed.
    Error,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Text.
    Text(String),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any number.
    Double(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several.
    List(Vec<Value>),
    /// By name.
    Map(Vec<(String, Value)>),
}

/// Something that happened within a span.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanEvent {
    /// Nanoseconds since the Unix epoch.
    pub nanos: i64,
    /// What.
    pub name: String,
    /// More about it.
    pub attributes: Vec<(String, Value)>,
}

/// A reference to a span elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanLink {
    /// Its trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// More about it.
    pub attributes: Vec<(String, Value)>,
}

/// A piece of work of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// What it belongs to.
    pub trace: TraceId,
    /// Itself.
    pub id: SpanId,
    /// Whose part it is; zero: the root.
    pub parent: SpanId,
    /// What: `GET /items`.
    pub name: String,
    /// Who: `service.name` of the resource.
    pub service: String,
    /// Which side of a call.
    pub kind: SpanKind,
    /// Nanoseconds since the Unix epoch.
    pub start_nanos: i64,
    /// Not before `start_nanos`.
    pub end_nanos: i64,
    /// How it ended.
    pub status: SpanStatus,
    /// More about how it ended; empty if nothing was said.
    pub message: String,
    /// More about it.
    pub attributes: Vec<(String, Value)>,
    /// About who did it, beside `service.name`.
    pub resource: Vec<(String, Value)>,
    /// Which library made it; empty if nothing was said.
    pub scope: String,
    /// What happened meanwhile.
    pub events: Vec<SpanEvent>,
    /// What it refers to.
    pub links: Vec<SpanLink>,
}
