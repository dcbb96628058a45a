//! The store of spans, and questions to it: traces by id, searches (also in TraceQL), names, the graph of services.
//!
//! No thread of its own, no clock: whoever holds the store calls [`TraceStore::maintain`] with the time. What is in memory is bounded
//! by [`Options::head_bytes`]; a query reads page by page. Also here: the span that an access log line of the ingress tells of
//! ([`span_of`]).

mod access_span;
mod assemble;
mod block;
mod bloom;
mod codec;
mod graph;
mod head;
mod merge;
mod names;
mod options;
mod search;
mod store;
mod tags;
pub mod traceql;
mod wal;

pub use access_span::{Keep, span_of};
pub use assemble::{Matched, ServiceStats, Summary, Trace};
pub use graph::{Edge, ServiceGraph};
pub use names::{Range, TagValue};
pub use options::Options;
pub use search::{Conditions, Found, Search};
pub use store::{Health, Maintained, OpenError, PushError, Pushed, Recovery, TraceStore};
pub use tags::Scope;
