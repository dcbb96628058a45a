//! Entries of one stream side by side, in memory: what is being filled, what a block is made of, what a query holds.

use wharf_signal::{Labels, LogEntry};

use crate::codec::{Damaged, Reader};

/// One entry. Texts are kept beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) nanos: i64,
    /// Where the line begins in `text`, and its length.
    pub(crate) start: u32,
    pub(crate) length: u32,
    /// Where its metadata begins in `sets`, plus one; zero: it has none.
    pub(crate) set: u32,
}

/// Entries, ordered by time; those of one time in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    /// The lines, in any order.
    pub(crate) text: String,
    /// The metadata, packed as `codec` says, in any order. Rows may share one.
    pub(crate) sets: Vec<u8>,
    /// Where the last of `sets` begins.
    last_set: usize,
}

/// Beyond this a row could not say where its text is.
const MOST_BYTES: usize = u32::MAX as usize - 1;

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes everything out, and keeps the buffers.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.text.clear();
        self.sets.clear();
        self.last_set = 0;
    }

    /// These rows of others, in this order, in no more memory than they need.
    pub(crate) fn copy_of(others: &Self, picked: &[Row]) -> Self {
        let text = picked.iter().map(|r| r.length as usize).sum();
        let sets = picked.iter().map(|r| others.set(*r).len()).sum();
        let mut copied = Self {
            rows: Vec::with_capacity(picked.len()),
            text: String::with_capacity(text),
            sets: Vec::with_capacity(sets),
            last_set: 0,
        };
        for row in picked {
            // What has room there has room here.
            copied
                .append(row.nanos, others.line(*row), others.set(*row))
                .ok();
        }
        copied
    }

    /// What it takes in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.sets.len() + self.rows.len() * size_of::<Row>()
    }

    /// What its buffers take, filled or not.
    pub(crate) fn held(&self) -> usize {
        let rows = self.rows.capacity() * size_of::<Row>();
        self.text.capacity() + self.sets.capacity() + rows
    }

    pub(crate) fn line(&self, row: Row) -> &str {
        let start = row.start as usize;
        // Ranges are checked when rows are made.
        self.text
            .get(start..start + row.length as usize)
            .unwrap_or_default()
    }

    /// The packed metadata of a row; empty if it has none.
    pub(crate) fn set(&self, row: Row) -> &[u8] {
        let Some(start) = (row.set as usize).checked_sub(1) else {
            return &[];
        };
        let mut reader = Reader(self.sets.get(start..).unwrap_or_default());
        reader.packed_labels().unwrap_or_default()
    }

    /// Writes a row to an entry that is used again and again.
    pub(crate) fn fill(&self, row: Row, entry: &mut LogEntry) {
        entry.nanos = row.nanos;
        entry.line.clear();
        entry.line.push_str(self.line(row));
        entry.metadata = self.metadata(row);
    }

    pub(crate) fn metadata(&self, row: Row) -> Labels {
        match self.set(row) {
            [] => Labels::empty(),
            packed => unpack(packed).unwrap_or_default(),
        }
    }

    /// Adds an entry behind those of its time and before.
    ///
    /// # Errors
    /// It is full, which no block size makes it.
    pub(crate) fn push(&mut self, nanos: i64, line: &str, set: &[u8]) -> Result<(), Damaged> {
        let place = match self.rows.last() {
            Some(last) if last.nanos > nanos => self.rows.partition_point(|r| r.nanos <= nanos),
            _ => self.rows.len(),
        };
        let row = self.row(nanos, line, set)?;
        self.rows.insert(place, row);
        Ok(())
    }

    /// Adds an entry at the end, whatever its time.
    fn append(&mut self, nanos: i64, line: &str, set: &[u8]) -> Result<(), Damaged> {
        let row = self.row(nanos, line, set)?;
        self.rows.push(row);
        Ok(())
    }

    fn row(&mut self, nanos: i64, line: &str, set: &[u8]) -> Result<Row, Damaged> {
        if self.text.len() + line.len() + self.sets.len() + set.len() > MOST_BYTES {
            return Err(Damaged);
        }
        let start = self.text.len() as u32;
        self.text.push_str(line);
        let set = if set.is_empty() {
            0
        } else {
            if self.sets.get(self.last_set..) != Some(set) {
                self.last_set = self.sets.len();
                self.sets.extend_from_slice(set);
            }
            self.last_set as u32 + 1
        };
        Ok(Row {
            nanos,
            start,
            length: line.len() as u32,
            set,
        })
    }

    /// Whether there is an entry of this time with this line.
    pub(crate) fn has(&self, nanos: i64, line: &str) -> bool {
        let first = self.rows.partition_point(|r| r.nanos < nanos);
        self.rows[first..]
            .iter()
            .take_while(|r| r.nanos == nanos)
            .any(|r| self.line(*r) == line)
    }

    /// The rows of a time range, if they are ordered by time.
    pub(crate) fn between(&self, start: i64, end: i64) -> &[Row] {
        let first = self.rows.partition_point(|r| r.nanos < start);
        let behind = self.rows.partition_point(|r| r.nanos < end);
        self.rows.get(first..behind).unwrap_or_default()
    }

    pub(crate) fn min(&self) -> i64 {
        self.rows.first().map_or(0, |r| r.nanos)
    }

    pub(crate) fn max(&self) -> i64 {
        self.rows.last().map_or(0, |r| r.nanos)
    }
}

/// A label set out of its packed form.
pub(crate) fn unpack(packed: &[u8]) -> Result<Labels, Damaged> {
    Reader(packed).labels()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_one_time_keep_their_order() {
        let mut rows = Rows::default();
        for (nanos, line) in [(3, "a"), (1, "b"), (3, "c"), (1, "d"), (2, "e")] {
            rows.push(nanos, line, &[]).expect("room");
        }
        let lines: Vec<_> = rows.rows.iter().map(|r| rows.line(*r)).collect();
        assert_eq!(lines, ["b", "d", "e", "a", "c"]);
        assert!(rows.has(1, "d") && !rows.has(2, "d"));
        assert_eq!(rows.between(1, 3).len(), 3);
        assert_eq!((rows.min(), rows.max()), (1, 3));
    }
}
