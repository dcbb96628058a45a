//! The lines that are in no chunk file yet.

use std::collections::HashMap;
use std::sync::Arc;

use wharf_signal::Labels;

use crate::block::{Sealed, Sealer};
use crate::codec::Damaged;
use crate::rows::Rows;
use crate::wal::Named;

/// More entries make a block, however short they are: adding a late one to a block moves those behind it.
const MOST_ENTRIES: usize = 16_384;

/// A stream with lines that are in no chunk file yet, or was one lately.
pub(crate) struct Live {
    /// The greatest time that was ever pushed, while this is kept.
    pub(crate) newest: i64,
    pub(crate) growing: Rows,
    pub(crate) sealed: Vec<Arc<Sealed>>,
    /// Where the log names it.
    pub(crate) named: Option<Named>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            newest: i64::MIN,
            growing: Rows::default(),
            sealed: Vec::new(),
            named: None,
        }
    }
}

impl Live {
    pub(crate) fn is_empty(&self) -> bool {
        self.growing.is_empty() && self.sealed.is_empty()
    }
}

/// All streams with such lines.
pub(crate) struct Head {
    pub(crate) live: HashMap<Labels, Live>,
    pub(crate) sealer: Sealer,
    /// The order of the next block.
    pub(crate) next_order: u64,
    block_bytes: usize,
    bytes: usize,
}

/// The lines on their way to a chunk file. Nothing is added to them any more.
pub(crate) struct Frozen {
    pub(crate) streams: Vec<FrozenStream>,
    /// The last file of the log that has lines of these.
    pub(crate) covered: u64,
}

pub(crate) struct FrozenStream {
    pub(crate) labels: Labels,
    pub(crate) sealed: Vec<Arc<Sealed>>,
    pub(crate) growing: Rows,
    /// The order that the block of `growing` will have.
    pub(crate) order: u64,
}

impl Head {
    pub(crate) fn new(block_bytes: usize, level: i32, next_order: u64) -> Self {
        Self {
            live: HashMap::new(),
            sealer: Sealer::new(level),
            next_order,
            block_bytes,
            bytes: 0,
        }
    }

    /// What the lines take in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn has_lines(&self) -> bool {
        self.live.values().any(|stream| !stream.is_empty())
    }

    /// Adds an entry, which the log has by now. A stream that is full becomes a block.
    ///
    /// # Errors
    /// There is no room for it, which would take blocks of gigabytes.
    pub(crate) fn add(
        &mut self,
        labels: &Labels,
        nanos: i64,
        line: &str,
        set: &[u8],
    ) -> Result<(), Damaged> {
        let live = match self.live.get_mut(labels) {
            Some(live) => live,
            None => self.live.entry(labels.clone()).or_default(),
        };
        live.newest = live.newest.max(nanos);
        let before = live.growing.bytes();
        live.growing.push(nanos, line, set)?;
        self.bytes += live.growing.bytes() - before;
        let full = live.growing.text.len() + live.growing.sets.len() >= self.block_bytes
            || live.growing.len() >= MOST_ENTRIES;
        // What cannot be compressed for want of memory stays as it is until the next line.
        if full && let Ok(sealed) = self.sealer.seal(&live.growing, self.next_order) {
            self.next_order += 1;
            self.bytes = (self.bytes + sealed.bytes()).saturating_sub(live.growing.bytes());
            live.sealed.push(Arc::new(sealed));
            live.growing = Rows::default();
        }
        Ok(())
    }

    /// Takes all lines out. Streams that had none since the last time are forgotten.
    pub(crate) fn freeze(&mut self, covered: u64) -> Frozen {
        self.live.retain(|_, live| !live.is_empty());
        let mut streams = Vec::with_capacity(self.live.len());
        for (labels, live) in &mut self.live {
            streams.push(FrozenStream {
                labels: labels.clone(),
                sealed: std::mem::take(&mut live.sealed),
                growing: std::mem::take(&mut live.growing),
                order: self.next_order,
            });
            self.next_order += 1;
        }
        self.bytes = 0;
        streams.sort_by(|a, b| a.labels.cmp(&b.labels));
        Frozen { streams, covered }
    }
}
