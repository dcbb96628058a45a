//! What a query sees: the files and the lines in memory at its beginning. What is pushed or merged meanwhile changes nothing.

use std::sync::Arc;

use wharf_signal::{Interrupt, Labels, Matcher, SourceError};

use crate::block::Sealed;
use crate::chunk::{ChunkFile, Index};
use crate::damage::lock;
use crate::head::Frozen;
use crate::pick::Wanted;
use crate::rows::Rows;
use crate::store::Inner;

pub(crate) struct Snapshot {
    pub(crate) files: Vec<Arc<ChunkFile>>,
    pub(crate) frozen: Option<Arc<Frozen>>,
    /// The streams that match, in memory.
    pub(crate) live: Vec<LiveStream>,
}

pub(crate) struct LiveStream {
    pub(crate) labels: Labels,
    pub(crate) sealed: Vec<Arc<Sealed>>,
    /// The wanted entries of those that are no block yet.
    pub(crate) growing: Rows,
}

pub(crate) fn matches(labels: &Labels, matchers: &[Matcher]) -> bool {
    matchers.iter().all(|m| m.matches_labels(labels))
}

impl Inner {
    pub(crate) fn snapshot(&self, matchers: &[Matcher], wanted: &Wanted<'_>) -> Snapshot {
        let state = lock(&self.state);
        let mut live = Vec::new();
        for (labels, stream) in &state.head.live {
            if stream.is_empty() || !matches(labels, matchers) {
                continue;
            }
            let sealed = stream.sealed.iter();
            let sealed = sealed.filter(|s| wanted.overlaps(s.meta.min, s.meta.max));
            live.push(LiveStream {
                labels: labels.clone(),
                sealed: sealed.cloned().collect(),
                growing: copy(labels, &stream.growing, wanted),
            });
        }
        let files = state.files.iter();
        let files = files.filter(|f| wanted.overlaps(f.summary.min, f.summary.max));
        Snapshot {
            files: files.cloned().collect(),
            frozen: state.frozen.clone(),
            live,
        }
    }

    /// The index of a file; none if it is damaged, which is noted.
    ///
    /// # Errors
    /// It cannot be read at present.
    pub(crate) fn index(&self, file: &ChunkFile) -> Result<Option<Arc<Index>>, SourceError> {
        match self.indexes.of(file) {
            Ok(index) => Ok(Some(index)),
            Err(e) => self.left_out(file, "its index", e).map(|()| None),
        }
    }

    /// Notes what is damaged; what cannot be read ends the query, for the answer would not be whole without anybody knowing.
    pub(crate) fn left_out(
        &self,
        file: &ChunkFile,
        what: &str,
        error: crate::chunk::ReadError,
    ) -> Result<(), SourceError> {
        use crate::chunk::ReadError;
        let place = file.place();
        match error {
            ReadError::Damaged(_) => {
                file.damaged
                    .store(true, std::sync::atomic::Ordering::Relaxed);
                let what = format!("{place}: {what} is damaged; left out");
                lock(&self.damage).add(what);
                Ok(())
            }
            ReadError::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                lock(&self.damage).add(format!("{place}: {what} is cut off; left out"));
                Ok(())
            }
            e => Err(SourceError::Failed(format!("cannot read {place}: {e}"))),
        }
    }
}

/// The wanted rows of a stream, in their order, as rows of their own.
pub(crate) fn copy(stream: &Labels, rows: &Rows, wanted: &Wanted<'_>) -> Rows {
    Rows::copy_of(rows, &wanted.of(stream, rows))
}

/// Asks now and then whether the query may go on.
pub(crate) struct Pulse<'a> {
    interrupt: &'a dyn Interrupt,
    left: u32,
}

/// Entries between two questions.
const PAUSE: u32 = 4096;

impl<'a> Pulse<'a> {
    pub(crate) fn new(interrupt: &'a dyn Interrupt) -> Self {
        Self {
            interrupt,
            left: PAUSE,
        }
    }

    pub(crate) fn beat(&mut self) -> Result<(), SourceError> {
        self.left -= 1;
        if self.left == 0 {
            return self.now();
        }
        Ok(())
    }

    pub(crate) fn now(&mut self) -> Result<(), SourceError> {
        self.left = PAUSE;
        Ok(self.interrupt.check()?)
    }
}
