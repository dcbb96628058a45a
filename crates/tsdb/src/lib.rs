//! The store of samples, in the format of Prometheus.
//!
//! ```text
//! wal/            what is acknowledged, in order                       -> wal
//! chunks_head/    full chunks of the head, out of memory               -> head::chunk_files
//! 01JD…/          blocks: two hours each at first, longer ones later   -> block
//! head.json       how far the head was written into blocks             -> open
//! lock            held while the store is open
//! ```
//! A sample goes into the log and into the head. Once the head spans more than one and a half ranges, its oldest range becomes a block;
//! blocks grow together, and are removed when they are too old or too many. A query reads head and blocks at once.
//!
//! What differs from Prometheus: late samples are in the one log instead of a second one, so that a Prometheus that opens the
//! folder drops those that are not in blocks yet. Native histograms, exemplars and metadata are not kept.
//!
//! Invariants: what was acknowledged survives the end of the process at any point. What is read is checked by its checksum first; what is
//! damaged is left out and said, never served. A query sees whole commits only. No file is mapped.

mod append;
mod block;
mod bytes;
mod cache;
mod checkpoint;
mod chunk;
mod compact;
mod db;
mod delete;
mod files;
mod flush;
mod head;
mod maintain;
mod matching;
mod names;
mod open;
mod options;
mod query;
mod replay;
mod state;
mod wal;

pub use db::{Db, StoreError};
pub use open::OpenError;
pub use options::Options;
pub use state::{Cardinality, Count, Damage, Health, Recovery, Stats};
