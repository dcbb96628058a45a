//! The JSON form.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::json;
use wharf_signal::{Labels, LogEntry};

use super::{PushError, Streams};
use crate::label_pairs::set_of;

#[derive(serde::Deserialize)]
struct Request {
    streams: Vec<Stream>,
}

#[derive(serde::Deserialize)]
struct Stream {
    stream: Pairs,
    #[serde(default)]
    values: Vec<Entry>,
}

pub(super) fn decode(body: &[u8]) -> Result<Streams, PushError> {
    let request: Request =
        serde_json::from_slice(body).map_err(|error| PushError::Form(error.to_string()))?;
    let streams = request.streams.into_iter().map(|stream| {
        let entries = stream.values.into_iter().map(|entry| entry.0).collect();
        (set_of(stream.stream.0), entries)
    });
    Ok(streams.collect())
}

pub(super) fn encode(streams: &Streams) -> Vec<u8> {
    let pairs = |labels: &Labels| -> serde_json::Map<String, serde_json::Value> {
        labels
            .iter()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect()
    };
    let entry = |entry: &LogEntry| {
        let nanos = entry.nanos.to_string();
        if entry.metadata.is_empty() {
            return json!([nanos, entry.line]);
        }
        json!([nanos, entry.line, pairs(&entry.metadata)])
    };
    let stream = |(labels, entries): &(Labels, Vec<LogEntry>)| {
        let values: Vec<_> = entries.iter().map(entry).collect();
        json!({"stream": pairs(labels), "values": values})
    };
    let streams: Vec<_> = streams.iter().map(stream).collect();
    json!({"streams": streams}).to_string().into_bytes()
}

/// An object of texts; numbers and truth values are texts too, anything deeper is left out.
#[derive(Default)]
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if let Scalar(Some(value)) = map.next_value()? {
                        pairs.push((name, value.into_owned()));
                    }
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// A text, number or truth value.
struct Scalar<'de>(Option<Cow<'de, str>>);

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
                Ok(Scalar(Some(Cow::Borrowed(text))))
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
                Ok(Scalar(Some(Cow::Owned(text.to_owned()))))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
                Ok(Scalar(Some(Cow::Owned(value.to_string()))))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
                Ok(Scalar(Some(Cow::Owned(value.to_string()))))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
                Ok(Scalar(Some(Cow::Owned(value.to_string()))))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
                Ok(Scalar(Some(Cow::Owned(value.to_string()))))
            }

            fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
                Ok(Scalar(None))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar(None))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// `["nanoseconds", "line", {"name": "value"}]`
struct Entry(LogEntry);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Array;
        impl<'de> Visitor<'de> for Array {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "[\"nanoseconds\", \"line\"], with or without an object of texts behind",
                )
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Entry, A::Error> {
                let short = |seen| A::Error::invalid_length(seen, &Array);
                let Scalar(time) = seq.next_element()?.ok_or_else(|| short(0))?;
                let time = time.unwrap_or_default();
                let nanos = time.parse().map_err(|_| {
                    let time: String = time.chars().take(40).collect();
                    A::Error::custom(format!("expected nanoseconds since 1970, not {time:?}"))
                })?;
                let line: String = seq.next_element()?.ok_or_else(|| short(1))?;
                let metadata: Option<Option<Pairs>> = seq.next_element()?;
                if seq.next_element::<IgnoredAny>()?.is_some() {
                    return Err(short(4));
                }
                let metadata = set_of(metadata.flatten().unwrap_or_default().0);
                Ok(Entry(LogEntry {
                    nanos,
                    line,
                    metadata,
                }))
            }
        }
        deserializer.deserialize_seq(Array)
    }
}
