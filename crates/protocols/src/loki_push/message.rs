//! The Protocol Buffers form: `logproto.PushRequest`.

use prost::Message;
use wharf_signal::{Labels, LogEntry};

use super::{PushError, Streams, labels};
use crate::label_pairs::set_of;
use crate::wire::{LEAF, Shape, weigh};

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(message, repeated, tag = "1")]
    streams: Vec<Stream>,
}

#[derive(Clone, PartialEq, Message)]
struct Stream {
    #[prost(string, tag = "1")]
    labels: String,
    #[prost(message, repeated, tag = "2")]
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(message, optional, tag = "1")]
    timestamp: Option<Timestamp>,
    #[prost(string, tag = "2")]
    line: String,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Pair>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

static REQUEST: Shape = Shape(&[(1, size_of::<Stream>(), &STREAM)]);
static STREAM: Shape = Shape(&[(2, size_of::<Entry>(), &ENTRY)]);
static ENTRY: Shape = Shape(&[(3, size_of::<Pair>(), &LEAF)]);

/// Takes at most `limit` bytes for what is read.
pub(super) fn decode(bytes: &[u8], limit: usize) -> Result<Streams, PushError> {
    weigh(bytes, &REQUEST, limit).ok_or(PushError::TooMany { limit })?;
    let request = Request::decode(bytes).map_err(|error| PushError::Form(error.to_string()))?;
    let mut streams = Vec::with_capacity(request.streams.len());
    for stream in request.streams {
        let labels = labels::parse(&stream.labels)?;
        let entries: Result<_, _> = stream.entries.into_iter().map(entry).collect();
        streams.push((labels, entries?));
    }
    Ok(streams)
}

fn entry(entry: Entry) -> Result<LogEntry, PushError> {
    let time = entry.timestamp.unwrap_or_default();
    let nanos = time
        .seconds
        .checked_mul(1_000_000_000)
        .and_then(|nanos| nanos.checked_add(i64::from(time.nanos)))
        .ok_or_else(|| PushError::Time(format!("{} s", time.seconds)))?;
    let metadata = entry.metadata.into_iter();
    Ok(LogEntry {
        nanos,
        line: entry.line,
        metadata: set_of(metadata.map(|pair| (pair.name, pair.value)).collect()),
    })
}

pub(super) fn encode(streams: &Streams) -> Vec<u8> {
    let pair = |(name, value): (&str, &str)| Pair {
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let entry = |entry: &LogEntry| Entry {
        timestamp: Some(Timestamp {
            seconds: entry.nanos.div_euclid(1_000_000_000),
            nanos: i32::try_from(entry.nanos.rem_euclid(1_000_000_000)).unwrap_or_default(),
        }),
        line: entry.line.clone(),
        metadata: entry.metadata.iter().map(pair).collect(),
    };
    let stream = |(labels, entries): &(Labels, Vec<LogEntry>)| Stream {
        labels: labels::write(labels),
        entries: entries.iter().map(entry).collect(),
    };
    let request = Request {
        streams: streams.iter().map(stream).collect(),
    };
    request.encode_to_vec()
}
