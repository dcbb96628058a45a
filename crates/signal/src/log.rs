//! Log entries, and what a query asks of a store of them.

use std::ops::ControlFlow;

use crate::{Interrupt, Labels, Matcher, SourceError};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Nanoseconds since the Unix epoch.
    pub nanos: i64,
    /// The line, without its line feed.
    pub line: String,
    /// What is known of this line alone: `trace_id`, `request_id`, fields of JSON. Not indexed.
    pub metadata: Labels,
}

/// In which order entries are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The oldest first.
    Forward,
    /// The newest first.
    Backward,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct LogSelect<'a> {
    /// On the stream's labels; all have to match.
    pub matchers: &'a [Matcher],
    /// The first time, in nanoseconds, inclusive.
    pub start: i64,
    /// The end, exclusive.
    pub end: i64,
    /// The order over all streams.
    pub direction: Direction,
    /// Texts that each line that is wanted contains. A hint: a store may leave out lines that do not, and need not.
    pub contains: &'a [String],
    /// Values of structured metadata that each wanted entry has, as names and values. A hint like `contains`; for a stream that has
    /// a label of the name itself it says nothing.
    pub metadata: &'a [(String, String)],
}

/// Takes one entry: its stream's labels, and the entry. Breaks when it has enough.
pub type LogVisit<'v> = dyn FnMut(&Labels, &LogEntry) -> ControlFlow<()> + 'v;

/// A store of log lines.
pub trait LogSource: Send + Sync {
    /// Gives every entry of the streams that match, in the order of time over all streams, until `visit` breaks. Entries of one time and
    /// stream keep the order in which they came; backward is the exact reverse of forward.
    ///
    /// # Errors
    /// The store failed, or `interrupt` said so.
    fn visit(
        &self,
        select: LogSelect<'_>,
        interrupt: &dyn Interrupt,
        visit: &mut LogVisit<'_>,
    ) -> Result<(), SourceError>;

    /// As [`LogSource::visit`], but in whatever order costs least: entries of one stream follow each other for a while, so that who
    /// counts them need not look up the stream for each. `direction` says nothing.
    ///
    /// # Errors
    /// As [`LogSource::visit`].
    fn visit_unordered(
        &self,
        select: LogSelect<'_>,
        interrupt: &dyn Interrupt,
        visit: &mut LogVisit<'_>,
    ) -> Result<(), SourceError> {
        self.visit(select, interrupt, visit)
    }
}
