//! The indexes of chunk files that were asked for last.

use std::sync::{Arc, Mutex};

use crate::chunk::{BlockRef, ChunkFile, Index, ReadError, StreamBlocks};
use crate::damage::lock;

/// What they may take: the indexes of 1 GiB of lines, or one of any size.
const MOST_BYTES: usize = 2 << 20;

/// Indexes with their files' numbers and what they take, the one that was asked for last at the end.
#[derive(Default)]
pub(crate) struct Indexes(Mutex<Vec<(u64, usize, Arc<Index>)>>);

impl Indexes {
    pub(crate) fn of(&self, file: &ChunkFile) -> Result<Arc<Index>, ReadError> {
        let id = file.summary.id;
        {
            let mut kept = lock(&self.0);
            if let Some(place) = kept.iter().position(|(kept, ..)| *kept == id) {
                let found = kept.remove(place);
                let index = found.2.clone();
                kept.push(found);
                return Ok(index);
            }
        }
        let index = Arc::new(file.open()?.index(file.summary.size)?);
        let bytes = bytes(&index);
        let mut kept = lock(&self.0);
        let mut total: usize = bytes + kept.iter().map(|(_, bytes, _)| bytes).sum::<usize>();
        while total > MOST_BYTES && !kept.is_empty() {
            total -= kept.remove(0).1;
        }
        if bytes <= MOST_BYTES {
            kept.push((id, bytes, index.clone()));
        }
        Ok(index)
    }

    /// Forgets all of them.
    pub(crate) fn clear(&self) {
        *lock(&self.0) = Vec::new();
    }
}

fn bytes(index: &Index) -> usize {
    let of = |stream: &StreamBlocks| {
        stream.labels.as_bytes().len() + stream.blocks.len() * size_of::<BlockRef>() + 64
    };
    index.streams.iter().map(of).sum()
}
