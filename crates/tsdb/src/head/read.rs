//! Reads from the head without keeping its lock: a query remembers how far each series was when it began, and sees no more.

use std::io;
use std::sync::Arc;

use wharf_signal::Sample;

use super::chunk_files::Found;
use super::late::merge;
use super::{Head, LateMap};
use crate::chunk::{Chunk, Decoder};
use crate::flush::trimmed;

/// A series as a query found it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) id: u32,
    pub(crate) pairs: Arc<[(u32, u32)]>,
    /// The open chunk's number, and how many samples it had.
    open: u32,
    samples: u16,
}

/// What a query holds of the head.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Keeps the head from forgetting.
    _epoch: Arc<()>,
    pub(crate) frozen: Arc<LateMap>,
    pub(crate) seen: Vec<Seen>,
    /// Late samples, copied, of those that have some: by number, ascending.
    pub(crate) late: Vec<(u32, Vec<Sample>)>,
}

/// Chunks on their way to a query.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Vec<(Found, u16)>);

impl Head {
    /// The series as they are now, without those that have nothing between two times, inclusive.
    pub(crate) fn snapshot(&self, ids: &[u32], start: i64, end: i64) -> Snapshot {
        let mut seen = Vec::new();
        let mut late = Vec::new();
        for id in ids {
            let Some(series) = self.get(*id) else {
                continue;
            };
            let mut wanted = series.max() >= start && series.min().is_some_and(|min| min <= end);
            if let Some(samples) = self.late.get(id) {
                let samples = samples.read(start, end);
                if !samples.is_empty() {
                    late.push((*id, samples));
                    wanted = true;
                }
            }
            if wanted || (!self.frozen.is_empty() && self.frozen.contains_key(id)) {
                seen.push(Seen {
                    id: *id,
                    pairs: series.pairs.clone(),
                    open: series.open_number(),
                    samples: series.open.len(),
                });
            }
        }
        Snapshot {
            _epoch: self.epoch.clone(),
            frozen: self.frozen.clone(),
            seen,
            late,
        }
    }

    /// The chunks of a series that a query may see, between two times, inclusive.
    pub(crate) fn pieces(&self, seen: &Seen, start: i64, end: i64) -> Pieces {
        let mut pieces = Pieces::default();
        let Some(series) = self.get(seen.id) else {
            return pieces;
        };
        for (index, sealed) in series.sealed.iter().enumerate() {
            let number = series.forgotten.wrapping_add(index as u32);
            let limit = match seen.open.wrapping_sub(number) {
                0 => seen.samples,
                // It came later.
                behind if behind > u32::MAX / 2 => break,
                _ => u16::MAX,
            };
            if sealed.min() <= end && sealed.max() >= start && limit > 0 {
                pieces
                    .0
                    .extend(self.files.find(*sealed).map(|f| (f, limit)));
            }
        }
        if series.open_number() == seen.open && series.max() >= start && seen.samples > 0 {
            let bytes = series.open.bytes().to_vec();
            pieces.0.push((Found::Memory(bytes), seen.samples));
        }
        pieces
    }
}

impl Pieces {
    /// The chunks between two times, inclusive, as they are.
    pub(crate) fn chunks(self, start: i64, last: i64) -> io::Result<Vec<Chunk>> {
        let mut out = Vec::with_capacity(self.0.len());
        for (found, limit) in self.0 {
            out.extend(trimmed(found.read()?, limit, start, last)?);
        }
        Ok(out)
    }

    /// The samples between two times, inclusive. What cannot be read is left out, and said to `damaged`.
    pub(crate) fn samples(
        self,
        start: i64,
        end: i64,
        damaged: &mut dyn FnMut(String),
    ) -> Vec<Sample> {
        let mut out = Vec::new();
        for (found, limit) in self.0 {
            let bytes = match found.read() {
                Ok(bytes) => bytes,
                Err(error) => {
                    damaged(format!("chunks_head: {error}"));
                    continue;
                }
            };
            let samples = Decoder::new(&bytes).limit(limit).flatten();
            let ordered = out.last().is_none_or(|last: &Sample| {
                crate::chunk::first_time(&bytes).is_some_and(|first| first > last.t)
            });
            if ordered {
                out.extend(samples.filter(|s| (start..=end).contains(&s.t)));
            } else {
                let samples = samples.filter(|s| (start..=end).contains(&s.t));
                out = merge(out, samples.collect());
            }
        }
        out
    }
}
