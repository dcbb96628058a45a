//! What there is to ask for: services, operations, names and values of attributes.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use wharf_signal::{Interrupt, Interrupted, SpanKind};

use crate::assemble::Patience;
use crate::block::{Index, Stats};
use crate::codec::{self, SpanRef, ValueRef};
use crate::store::TraceStore;
use crate::tags::Scope;
use crate::traceql::Field;

/// Values of an attribute that are listed: more is no list to choose from.
const VALUES_MAX: usize = 1_000;
/// Pages that are read for the values of one attribute: some 256 MiB of spans, the newest.
const PAGES_MAX: usize = 2_000;

/// A range of time, in nanoseconds since the Unix epoch, both ends inclusive. A span is in it if it runs at any time of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// From here.
    pub start: i64,
    /// To here.
    pub end: i64,
}

impl Range {
    /// All of time.
    pub const ALL: Self = Self {
        start: i64::MIN,
        end: i64::MAX,
    };

    pub(crate) fn meets(&self, stats: &Stats) -> bool {
        stats.overlaps(self.start, self.end)
    }

    pub(crate) fn has(&self, span: &SpanRef<'_>) -> bool {
        span.start <= self.end && span.end() >= self.start
    }
}

/// A value that an attribute has somewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TagValue {
    /// The word of TraceQL: `string`, `int`, `float`, `bool`, `duration`, `keyword`.
    pub kind: &'static str,
    /// As text.
    pub text: String,
}

impl TraceStore {
    /// The services that have spans.
    #[must_use]
    pub fn services(&self, range: Range) -> BTreeSet<String> {
        let mut services = BTreeSet::new();
        let more = self.look(
            range,
            &mut |index| services.extend(index.services.into_keys()),
            &mut |span, services: &mut BTreeSet<String>| {
                if !services.contains(span.service) {
                    services.insert(span.service.to_owned());
                }
            },
        );
        services.extend(more);
        services
    }

    /// What a service does: kinds and names of its spans.
    #[must_use]
    pub fn operations(&self, service: &str, range: Range) -> BTreeSet<(SpanKind, String)> {
        let mut operations = BTreeSet::new();
        let more = self.look(
            range,
            &mut |mut index| operations.extend(index.services.remove(service).unwrap_or_default()),
            &mut |span, operations: &mut BTreeSet<(SpanKind, String)>| {
                if span.service == service {
                    operations.insert((span.kind, span.name.to_owned()));
                }
            },
        );
        operations.extend(more);
        operations
    }

    /// The names of attributes.
    #[must_use]
    pub fn tag_names(&self, range: Range) -> BTreeSet<(Scope, String)> {
        let mut tags = BTreeSet::new();
        let more = self.look(
            range,
            &mut |index| tags.extend(index.tags),
            &mut |span, tags: &mut BTreeSet<(Scope, String)>| {
                let of_span = span.attributes().map(|(name, _)| (Scope::Span, name));
                let of_resource = span.resource().map(|(name, _)| (Scope::Resource, name));
                for (scope, name) in of_span.chain(of_resource) {
                    tags.insert((scope, name.to_owned()));
                }
            },
        );
        tags.extend(more);
        tags.insert((Scope::Resource, "service.name".to_owned()));
        tags
    }

    /// Values of an attribute or of a fact about spans, the newest blocks first, a thousand at most.
    ///
    /// # Errors
    /// `interrupt` said so.
    pub fn tag_values(
        &self,
        field: &Field,
        range: Range,
        interrupt: &dyn Interrupt,
    ) -> Result<BTreeSet<TagValue>, Interrupted> {
        let mut values = BTreeSet::new();
        let mut patience = Patience::new(interrupt);
        let mut stopped = None;
        let mut each = |span: &SpanRef<'_>| {
            if let Err(error) = patience.check() {
                stopped = Some(error);
                return ControlFlow::Break(());
            }
            if range.has(span) {
                field.values_of(span, &mut |value| {
                    values.extend(tag_value(value));
                });
            }
            if values.len() >= VALUES_MAX {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        // It breaks also where the values are enough.
        match (self.newest_spans(range, &mut each), stopped) {
            (ControlFlow::Break(()), Some(error)) => Err(error),
            (ControlFlow::Break(()) | ControlFlow::Continue(()), _) => Ok(values),
        }
    }

    fn newest_spans(
        &self,
        range: Range,
        each: &mut dyn FnMut(&SpanRef<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let snapshot = self.snapshot();
        for head in snapshot.heads.iter().rev() {
            for batch in head.batches.iter().rev() {
                codec::spans(batch).try_for_each(|span| each(&span))?;
            }
        }
        let mut pages = 0;
        for block in snapshot.blocks.iter().rev() {
            if !range.meets(&block.stats) {
                continue;
            }
            let index = match block.index() {
                Ok(index) => index,
                Err(error) => {
                    self.damaged(&error);
                    continue;
                }
            };
            for info in index.pages.iter().filter(|info| range.meets(&info.stats)) {
                pages += 1;
                if pages > PAGES_MAX {
                    return ControlFlow::Break(());
                }
                match block.page(info) {
                    Ok(page) => codec::spans(&page).try_for_each(|span| each(&span))?,
                    Err(error) => self.damaged(&error),
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// Gives every index of the range to `block`, and every span in memory to `span` together with what it gathers.
    fn look<T: Default>(
        &self,
        range: Range,
        block: &mut dyn FnMut(Index),
        span: &mut dyn FnMut(&SpanRef<'_>, &mut T),
    ) -> T {
        let snapshot = self.snapshot();
        for found in &snapshot.blocks {
            if range.meets(&found.stats) {
                match found.index() {
                    Ok(index) => block(index),
                    Err(error) => self.damaged(&error),
                }
            }
        }
        let mut gathered = T::default();
        for found in snapshot.heads.iter().flat_map(crate::head::Head::frames) {
            if let Some(found) = SpanRef::parse(found).filter(|found| range.has(found)) {
                span(&found, &mut gathered);
            }
        }
        gathered
    }
}

fn tag_value(value: ValueRef<'_>) -> Option<TagValue> {
    let kind = match value {
        ValueRef::Text(_) => "string",
        ValueRef::Bool(_) => "bool",
        ValueRef::Int(_) => "int",
        ValueRef::Double(_) => "float",
        ValueRef::Bytes(_) | ValueRef::List(_) | ValueRef::Map(_) => return None,
    };
    let text = value.plain()?;
    Some(TagValue { kind, text })
}
