//! What the API asks of a store beside its lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use wharf_logs::{Listener, LogStore};
use wharf_signal::{Interrupt, Labels, LogSource, Matcher, SourceError};

/// How much there is of a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Blocks.
    pub chunks: u64,
    /// Entries.
    pub entries: u64,
    /// Bytes of their lines.
    pub bytes: u64,
}

/// A store of lines that knows what it has without reading them.
pub(crate) trait LogIndex: LogSource {
    /// The streams that match and have entries in `start..end` (nanoseconds), with how much there is of each, about.
    ///
    /// # Errors
    /// The store failed, or `interrupt` said so.
    fn series(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        interrupt: &dyn Interrupt,
    ) -> Result<BTreeMap<Labels, Size>, SourceError>;

    /// Calls `listener` whenever there are more lines, for as long as somebody keeps it.
    fn listen(&self, listener: &Arc<Listener>);
}

impl LogIndex for LogStore {
    fn series(
        &self,
        matchers: &[Matcher],
        start: i64,
        end: i64,
        interrupt: &dyn Interrupt,
    ) -> Result<BTreeMap<Labels, Size>, SourceError> {
        let series = Self::series(self, matchers, start, end, interrupt)?;
        let size = |stats: wharf_logs::Stats| Size {
            chunks: stats.chunks,
            entries: stats.entries,
            bytes: stats.bytes,
        };
        let series = series.into_iter();
        Ok(series
            .map(|(labels, stats)| (labels, size(stats)))
            .collect())
    }

    fn listen(&self, listener: &Arc<Listener>) {
        Self::listen(self, listener);
    }
}
