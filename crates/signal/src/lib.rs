//! What metrics, logs and traces are made of: labels, matchers, samples, log entries, spans; and what a query language asks
//! of a store.
//!
//! Pure: no I/O, no clock. Stores implement [`SampleSource`] and [`LogSource`], languages ask them; neither knows the other.

mod append;
mod interrupt;
mod labels;
mod log;
mod matcher;
mod metric;
mod regexp;
mod sample;
mod span;

pub use append::{AppendError, Appender, SampleSink, SeriesRef};
pub use interrupt::{Interrupt, Interrupted};
pub use labels::{Builder, Labels, NAME};
pub use log::{Direction, LogEntry, LogSelect, LogSource, LogVisit};
pub use matcher::{MatchOp, Matcher, MatcherError};
pub use metric::{Exemplar, Metadata, MetricKind};
pub use regexp::{compile_regexp, translate_regexp};
pub use sample::{STALE, Sample, SampleSource, Select, Selected, Series, SourceError, is_stale};
pub use span::{Span, SpanEvent, SpanId, SpanKind, SpanLink, SpanStatus, TraceId, Value};
