//! The spans that are in no block yet.

use std::sync::Arc;

use crate::block::Stats;
use crate::codec;

/// Batches of spans as they came. It is small enough (some MiB) to be looked through as a whole.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) batches: Vec<Arc<[u8]>>,
    pub(crate) bytes: usize,
    pub(crate) spans: u64,
    pub(crate) stats: Stats,
    /// When the first came, in milliseconds since the Unix epoch, as far as is known.
    pub(crate) since: Option<u64>,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            batches: vec![],
            bytes: 0,
            spans: 0,
            stats: Stats::NONE,
            since: None,
        }
    }
}

impl Head {
    pub(crate) fn add(&mut self, batch: Arc<[u8]>) {
        for span in codec::spans(&batch) {
            self.stats.add(&span);
            self.spans += 1;
        }
        self.bytes += batch.len();
        self.batches.push(batch);
    }

    /// The bytes of each span, in the order in which they came.
    pub(crate) fn frames(&self) -> impl Iterator<Item = &[u8]> {
        self.batches.iter().flat_map(|batch| codec::frames(batch))
    }
}

/// A head that is made into a block.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) head: Head,
    /// The last file of the log that is in it.
    pub(crate) wal_through: u64,
}
