//! The bytes of a span, the same in the log and in blocks.
//!
//! # Format
//! Numbers are little-endian; a `text` is a `u32` length and that many bytes of UTF-8.
//!
//! ```text
//! trace u128, id u64, parent u64, start i64 (nanoseconds), duration u64 (nanoseconds), kind u8, status u8
//! service text, name text, message text, scope text
//! attributes section, resource section, events section, links section
//! ```
//!
//! A `section` is a `u32` length and that many bytes. Attributes and the resource are pairs of a text and a value; an event is
//! `nanos i64, name text, attributes section`; a link is `trace u128, span u64, attributes section`. A value is one byte of kind and what
//! follows from it: 0 text, 1 bool `u8`, 2 int `i64`, 3 double `f64`, 4 bytes (a section), 5 list (a section of values), 6 map (a section
//! of pairs).
//!
//! Spans stand one after the other, each behind its length (`u32`). Versions are those of the files that hold them.

mod value;

use wharf_signal::{Span, SpanEvent, SpanId, SpanKind, SpanLink, SpanStatus, TraceId};

pub(crate) use value::{Pairs, ValueRef};

/// The bytes before the first text.
const FIXED_BYTES: usize = 16 + 8 + 8 + 8 + 8 + 1 + 1;

/// Reads numbers and texts; None where the bytes end early or are none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(crate) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    pub(crate) fn section(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (section, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(section)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.section()?).ok()
    }
}

/// Writes a text behind its length.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_section(out, |out| out.extend_from_slice(text.as_bytes()));
}

/// Writes what `write` writes behind its length.
pub(crate) fn put_section(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    // A span is refused far below 4 GiB; what were longer would be found by its length.
    let length = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// Writes a span behind its length.
pub(crate) fn put_span(out: &mut Vec<u8>, span: &Span) {
    put_section(out, |out| {
        out.extend_from_slice(&span.trace.0.to_le_bytes());
        out.extend_from_slice(&span.id.0.to_le_bytes());
        out.extend_from_slice(&span.parent.0.to_le_bytes());
        out.extend_from_slice(&span.start_nanos.to_le_bytes());
        let duration = if span.end_nanos > span.start_nanos {
            span.end_nanos.abs_diff(span.start_nanos)
        } else {
            0
        };
        out.extend_from_slice(&duration.to_le_bytes());
        out.push(kind_code(span.kind));
        out.push(status_code(span.status));
        for text in [&span.service, &span.name, &span.message, &span.scope] {
            put_text(out, text);
        }
        put_section(out, |out| value::put_pairs(out, &span.attributes));
        put_section(out, |out| value::put_pairs(out, &span.resource));
        put_section(out, |out| {
            for event in &span.events {
                out.extend_from_slice(&event.nanos.to_le_bytes());
                put_text(out, &event.name);
                put_section(out, |out| value::put_pairs(out, &event.attributes));
            }
        });
        put_section(out, |out| {
            for link in &span.links {
                out.extend_from_slice(&link.trace.0.to_le_bytes());
                out.extend_from_slice(&link.span.0.to_le_bytes());
                put_section(out, |out| value::put_pairs(out, &link.attributes));
            }
        });
    });
}

/// A span in its bytes: what a search looks at is there without a copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpanRef<'a> {
    /// Its bytes, without the length.
    pub(crate) bytes: &'a [u8],
    pub(crate) trace: TraceId,
    pub(crate) id: SpanId,
    pub(crate) parent: SpanId,
    pub(crate) start: i64,
    pub(crate) duration: u64,
    pub(crate) kind: SpanKind,
    pub(crate) status: SpanStatus,
    pub(crate) service: &'a str,
    pub(crate) name: &'a str,
    pub(crate) message: &'a str,
    pub(crate) scope: &'a str,
    attributes: &'a [u8],
    resource: &'a [u8],
    events: &'a [u8],
    links: &'a [u8],
}

impl<'a> SpanRef<'a> {
    /// Reads a span; None if these are no bytes of one.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        Some(Self {
            bytes,
            trace: TraceId(rest.u128()?),
            id: SpanId(rest.u64()?),
            parent: SpanId(rest.u64()?),
            start: rest.i64()?,
            duration: rest.u64()?,
            kind: kind_of(rest.u8()?)?,
            status: status_of(rest.u8()?)?,
            service: rest.text()?,
            name: rest.text()?,
            message: rest.text()?,
            scope: rest.text()?,
            attributes: rest.section()?,
            resource: rest.section()?,
            events: rest.section()?,
            links: rest.section()?,
        })
    }

    /// When it ended.
    pub(crate) fn end(&self) -> i64 {
        self.start.saturating_add_unsigned(self.duration)
    }

    /// What makes it itself in its trace: sent twice, it is kept once. A client and a server may share an id (Zipkin).
    pub(crate) fn identity(&self) -> (SpanId, SpanKind, u32) {
        (self.id, self.kind, crc32c::crc32c(self.service.as_bytes()))
    }

    pub(crate) fn attributes(&self) -> Pairs<'a> {
        Pairs(Bytes(self.attributes))
    }

    pub(crate) fn resource(&self) -> Pairs<'a> {
        Pairs(Bytes(self.resource))
    }

    /// Its events: time, name, attributes.
    pub(crate) fn events(&self) -> impl Iterator<Item = (i64, &'a str, Pairs<'a>)> + use<'a> {
        let mut rest = Bytes(self.events);
        std::iter::from_fn(move || Some((rest.i64()?, rest.text()?, Pairs(Bytes(rest.section()?)))))
    }

    fn links(&self) -> impl Iterator<Item = SpanLink> + use<'a> {
        let mut rest = Bytes(self.links);
        std::iter::from_fn(move || {
            Some(SpanLink {
                trace: TraceId(rest.u128()?),
                span: SpanId(rest.u64()?),
                attributes: Pairs(Bytes(rest.section()?)).owned(),
            })
        })
    }

    /// The span on its own.
    pub(crate) fn to_span(self) -> Span {
        Span {
            trace: self.trace,
            id: self.id,
            parent: self.parent,
            name: self.name.to_owned(),
            service: self.service.to_owned(),
            kind: self.kind,
            start_nanos: self.start,
            end_nanos: self.end(),
            status: self.status,
            message: self.message.to_owned(),
            attributes: self.attributes().owned(),
            resource: self.resource().owned(),
            scope: self.scope.to_owned(),
            events: self
                .events()
                .map(|(nanos, name, attributes)| SpanEvent {
                    nanos,
                    name: name.to_owned(),
                    attributes: attributes.owned(),
                })
                .collect(),
            links: self.links().collect(),
        }
    }
}

/// The bytes of spans that stand one after the other, each without its length. Ends where the bytes do, or make no sense.
pub(crate) fn frames(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Bytes(bytes);
    std::iter::from_fn(move || rest.section())
}

/// The spans that stand one after the other.
pub(crate) fn spans(bytes: &[u8]) -> impl Iterator<Item = SpanRef<'_>> {
    frames(bytes).filter_map(SpanRef::parse)
}

/// The trace of a span's bytes, without reading the rest.
pub(crate) fn trace_of(frame: &[u8]) -> Option<TraceId> {
    (frame.len() >= FIXED_BYTES).then_some(())?;
    Bytes(frame).u128().map(TraceId)
}

pub(crate) fn kind_code(kind: SpanKind) -> u8 {
    match kind {
        SpanKind::Unspecified => 0,
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

pub(crate) fn kind_of(code: u8) -> Option<SpanKind> {
    Some(match code {
        0 => SpanKind::Unspecified,
        1 => SpanKind::Internal,
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        _ => return None,
    })
}

fn status_code(status: SpanStatus) -> u8 {
    match status {
        SpanStatus::Unset => 0,
        SpanStatus::Ok => 1,
        SpanStatus::Error => 2,
    }
}

fn status_of(code: u8) -> Option<SpanStatus> {
    Some(match code {
        0 => SpanStatus::Unset,
        1 => SpanStatus::Ok,
        2 => SpanStatus::Error,
        _ => return None,
    })
}
