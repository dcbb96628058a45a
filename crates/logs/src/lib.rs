//! The store of log lines: Loki's model (streams of a label set each, entries with metadata of their own) in a folder.
//!
//! ```text
//! push --> log (wal/) and memory --cut--> chunk files (hot/) --merge, day by day--> larger ones --age--> archive --age--> gone
//!                         \                      |                                     |                /
//!                          `--------------------- visit: in the order of time, forward and backward ----'
//! ```
//!
//! - A batch is one record of the log, with the cursors of the sources that it was read from: after a crash every line is there
//!   once. [`LogStore::push`] returns when the system has the record.
//! - Lines are compressed in blocks of one stream each, with a filter that tells which texts are in none of its lines.
//! - Many streams share a file. What belongs to the store is in a manifest, which is replaced as a whole.
//! - Everything carries a CRC. What is damaged is named, left out, and never given.
//! - Memory is bounded: that of lines not written yet, that of a query, that of indexes.
//!
//! It starts no thread and reads no clock: whoever has it calls [`LogStore::maintain`] now and then. All calls block.

mod admit;
mod archive;
mod batch;
mod block;
mod catalog;
mod chunk;
mod codec;
mod cut;
mod damage;
mod filter;
mod head;
mod indexes;
mod keep;
mod listen;
mod manifest;
mod merge;
mod open;
mod options;
mod pick;
mod push;
mod rows;
mod snapshot;
mod store;
mod visit;
mod wal;

pub use archive::{Archive, Folder};
pub use batch::{Batch, Cursor, Origin, PushError, Pushed, Refusal, Refused};
pub use catalog::Stats;
pub use damage::Damage;
pub use keep::{KeepError, Kept};
pub use listen::Listener;
pub use options::{Limits, Options};
pub use store::{Health, LogStore, OpenError, Recovery, Tally};
