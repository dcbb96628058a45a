//! Which entries of a block a query wants, as far as the store can tell.

use memchr::memmem::Finder;
use wharf_signal::Labels;

use crate::filter;
use crate::rows::{Row, Rows};

/// What every entry that is wanted has.
pub(crate) struct Wanted<'a> {
    start: i64,
    end: i64,
    /// In every line; the longest first.
    texts: Vec<(&'a str, Finder<'a>)>,
    /// Among the metadata, unless the stream has a label of the name.
    metadata: &'a [(String, String)],
}

impl<'a> Wanted<'a> {
    pub(crate) fn new(
        start: i64,
        end: i64,
        contains: &'a [String],
        metadata: &'a [(String, String)],
    ) -> Self {
        let mut texts: Vec<&str> = contains.iter().map(String::as_str).collect();
        texts.retain(|text| !text.is_empty());
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        Self {
            start,
            end,
            texts: texts.into_iter().map(|t| (t, Finder::new(t))).collect(),
            metadata,
        }
    }

    /// Whether something between these times may be wanted.
    pub(crate) fn overlaps(&self, min: i64, max: i64) -> bool {
        min < self.end && max >= self.start
    }

    /// Whether filters can tell anything.
    pub(crate) fn asks_filters(&self) -> bool {
        !self.texts.is_empty() || !self.metadata.is_empty()
    }

    /// Whether a block of a stream with this filter may have something.
    pub(crate) fn may_be_in(&self, stream: &Labels, filter: &[u8]) -> bool {
        let mut metadata = self.metadata_in(stream);
        self.texts.iter().all(|(t, _)| filter::may_hold(filter, t))
            && metadata.all(|(_, v)| filter::may_hold(filter, v))
    }

    /// What the metadata of a stream's entries has to have.
    fn metadata_in<'w>(
        &self,
        stream: &'w Labels,
    ) -> impl Iterator<Item = &'a (String, String)> + use<'a, 'w> {
        let metadata = self.metadata.iter();
        metadata.filter(|(name, _)| stream.get(name).is_none())
    }

    /// The wanted rows of those of a stream, which are ordered by time.
    pub(crate) fn of(&self, stream: &Labels, rows: &Rows) -> Vec<Row> {
        let all = rows.between(self.start, self.end);
        let mut picked = match self.texts.split_first() {
            None => all.to_vec(),
            Some((first, others)) => {
                let mut picked = with(rows, all, &first.1, first.0.len());
                picked.retain(|row| {
                    let line = rows.line(*row).as_bytes();
                    others.iter().all(|(_, finder)| finder.find(line).is_some())
                });
                picked
            }
        };
        let metadata: Vec<_> = self.metadata_in(stream).collect();
        if !metadata.is_empty() {
            picked.retain(|row| {
                let labels = rows.metadata(*row);
                let mut wanted = metadata.iter();
                wanted.all(|(name, value)| labels.value(name) == value)
            });
        }
        picked
    }
}

/// The rows in whose line a text is. Where lines lie in the order of rows, as in a block, they are searched as one.
fn with(rows: &Rows, all: &[Row], finder: &Finder<'_>, length: usize) -> Vec<Row> {
    let (Some(first), Some(last)) = (all.first(), all.last()) else {
        return Vec::new();
    };
    let in_order = all
        .windows(2)
        .all(|w| matches!(w, [a, b] if a.start + a.length == b.start));
    if !in_order {
        let has = |row: &&Row| finder.find(rows.line(**row).as_bytes()).is_some();
        return all.iter().filter(has).copied().collect();
    }
    let mut picked = Vec::new();
    let text = rows.text.as_bytes();
    let end = (last.start + last.length) as usize;
    let mut at = first.start as usize;
    let mut next = 0;
    while let Some(found) = text.get(at..end).and_then(|rest| finder.find(rest)) {
        let place = at + found;
        // The row that the place is in: the last that begins there or before.
        let behind = all.get(next..).unwrap_or_default();
        let skipped = behind.partition_point(|r| r.start as usize <= place);
        let Some(index) = (next + skipped).checked_sub(1) else {
            break;
        };
        let Some(row) = all.get(index) else { break };
        let row_end = (row.start + row.length) as usize;
        if place + length <= row_end {
            picked.push(*row);
            at = row_end;
            next = index + 1;
        } else {
            // It reaches into the next line.
            at = place + 1;
            next = index;
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lines_with_a_text_are_found(
            lines in prop::collection::vec((0i64..5, "[ab]{0,6}"), 0..30),
            texts in prop::collection::vec("[ab]{0,3}", 0..3),
            start in 0i64..4,
            length in 0i64..5,
            sorted: bool,
        ) {
            let mut rows = Rows::default();
            let mut lines = lines;
            if sorted {
                lines.sort_by_key(|(nanos, _)| *nanos);
            }
            for (nanos, line) in &lines {
                rows.push(*nanos, line, &[]).expect("room");
            }
            let wanted = Wanted::new(start, start + length, &texts, &[]);
            let found: Vec<_> = wanted.of(&Labels::empty(), &rows).iter().map(|r| (r.nanos, rows.line(*r).to_owned())).collect();
            lines.sort_by_key(|(nanos, _)| *nanos);
            lines.retain(|(nanos, line)| (start..start + length).contains(nanos) && texts.iter().all(|t| line.contains(t.as_str())));
            prop_assert_eq!(found, lines);
        }
    }
}
