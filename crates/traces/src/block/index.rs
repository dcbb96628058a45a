//! What a block's index says: enough to leave out pages that cannot hold what is looked for.

use std::collections::{BTreeMap, BTreeSet};

use wharf_signal::{SpanKind, TraceId};

use super::NAMES_MAX;
use crate::codec::{Bytes, SpanRef, kind_code, kind_of, put_section, put_text};
use crate::tags::Scope;

/// The index of a block.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Index {
    pub(crate) level: u8,
    /// Milliseconds since the Unix epoch.
    pub(crate) created: u64,
    /// The last file of the log that is in it.
    pub(crate) wal_through: u64,
    pub(crate) spans: u64,
    pub(crate) traces: u64,
    pub(crate) raw_bytes: u64,
    /// Services and their operations.
    pub(crate) services: BTreeMap<String, BTreeSet<(SpanKind, String)>>,
    pub(crate) tags: BTreeSet<(Scope, String)>,
    pub(crate) pages: Vec<PageInfo>,
}

/// Where a page is and what may be in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PageInfo {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) raw_length: u32,
    pub(crate) sum: u32,
    pub(crate) first: TraceId,
    pub(crate) last: TraceId,
    pub(crate) stats: Stats,
    /// Places in the block's services; [`OTHERS`] for those that are not listed.
    pub(crate) services: BTreeSet<u32>,
}

/// The place of a service that the index has no room for.
pub(crate) const OTHERS: u32 = u32::MAX;

/// The borders of some spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stats {
    pub(crate) min_start: i64,
    pub(crate) max_start: i64,
    pub(crate) max_end: i64,
    pub(crate) max_duration: u64,
    pub(crate) errors: bool,
}

impl Stats {
    /// Of no span at all.
    pub(crate) const NONE: Self = Self {
        min_start: i64::MAX,
        max_start: i64::MIN,
        max_end: i64::MIN,
        max_duration: 0,
        errors: false,
    };

    pub(crate) fn add(&mut self, span: &SpanRef<'_>) {
        self.join(&Self {
            min_start: span.start,
            max_start: span.start,
            max_end: span.end(),
            max_duration: span.duration,
            errors: span.status == wharf_signal::SpanStatus::Error,
        });
    }

    pub(crate) fn join(&mut self, other: &Self) {
        self.min_start = self.min_start.min(other.min_start);
        self.max_start = self.max_start.max(other.max_start);
        self.max_end = self.max_end.max(other.max_end);
        self.max_duration = self.max_duration.max(other.max_duration);
        self.errors |= other.errors;
    }

    /// Whether a span of these may be running within the range, both ends inclusive.
    pub(crate) fn overlaps(&self, start: i64, end: i64) -> bool {
        self.min_start <= end && self.max_end >= start
    }
}

impl Index {
    /// The borders of all its spans.
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::NONE;
        for page in &self.pages {
            stats.join(&page.stats);
        }
        stats
    }

    /// Notes the names of a span.
    pub(super) fn note(&mut self, span: &SpanRef<'_>) {
        if !self.services.contains_key(span.service) {
            if self.services.len() >= NAMES_MAX {
                return;
            }
            self.services
                .insert(span.service.to_owned(), BTreeSet::new());
        }
        if let Some(operations) = self.services.get_mut(span.service)
            && operations.len() < NAMES_MAX
        {
            let operation = (span.kind, span.name.to_owned());
            operations.insert(operation);
        }
        let pairs = span.attributes().map(|(name, _)| (Scope::Span, name));
        for (scope, name) in pairs.chain(span.resource().map(|(name, _)| (Scope::Resource, name))) {
            if self.tags.len() >= NAMES_MAX {
                break;
            }
            let tag = (scope, name.to_owned());
            self.tags.insert(tag);
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.level];
        for number in [
            self.created,
            self.wal_through,
            self.spans,
            self.traces,
            self.raw_bytes,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        put_section(&mut out, |out| {
            for (service, operations) in &self.services {
                put_text(out, service);
                put_section(out, |out| {
                    for (kind, name) in operations {
                        out.push(kind_code(*kind));
                        put_text(out, name);
                    }
                });
            }
        });
        put_section(&mut out, |out| {
            for (scope, name) in &self.tags {
                out.push(scope.code());
                put_text(out, name);
            }
        });
        put_section(&mut out, |out| {
            for page in &self.pages {
                page.encode(out);
            }
        });
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Bytes(bytes);
        let mut index = Self {
            level: rest.u8()?,
            created: rest.u64()?,
            wal_through: rest.u64()?,
            spans: rest.u64()?,
            traces: rest.u64()?,
            raw_bytes: rest.u64()?,
            ..Self::default()
        };
        let mut services = Bytes(rest.section()?);
        while !services.0.is_empty() {
            let name = services.text()?.to_owned();
            let mut operations = Bytes(services.section()?);
            let known = index.services.entry(name).or_default();
            while !operations.0.is_empty() {
                known.insert((kind_of(operations.u8()?)?, operations.text()?.to_owned()));
            }
        }
        let mut tags = Bytes(rest.section()?);
        while !tags.0.is_empty() {
            let scope = Scope::of(tags.u8()?)?;
            index.tags.insert((scope, tags.text()?.to_owned()));
        }
        let mut pages = Bytes(rest.section()?);
        while !pages.0.is_empty() {
            index.pages.push(PageInfo::decode(&mut pages)?);
        }
        Some(index)
    }
}

impl PageInfo {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.offset.to_le_bytes());
        for number in [self.length, self.raw_length, self.sum] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for trace in [self.first, self.last] {
            out.extend_from_slice(&trace.0.to_le_bytes());
        }
        let stats = &self.stats;
        for nanos in [stats.min_start, stats.max_start, stats.max_end] {
            out.extend_from_slice(&nanos.to_le_bytes());
        }
        out.extend_from_slice(&stats.max_duration.to_le_bytes());
        out.push(u8::from(stats.errors));
        put_section(out, |out| {
            for service in &self.services {
                out.extend_from_slice(&service.to_le_bytes());
            }
        });
    }

    fn decode(rest: &mut Bytes<'_>) -> Option<Self> {
        Some(Self {
            offset: rest.u64()?,
            length: rest.u32()?,
            raw_length: rest.u32()?,
            sum: rest.u32()?,
            first: TraceId(rest.u128()?),
            last: TraceId(rest.u128()?),
            stats: Stats {
                min_start: rest.i64()?,
                max_start: rest.i64()?,
                max_end: rest.i64()?,
                max_duration: rest.u64()?,
                errors: rest.u8()? != 0,
            },
            services: {
                let mut places = Bytes(rest.section()?);
                std::iter::from_fn(|| places.u32()).collect()
            },
        })
    }
}
