//! A small REST API with what an operator asks of every service: health, metrics, log lines with trace ids, limits,
//! a graceful end. What it does not have is authentication: that is the edge's task.
//!
//! Everything is generic over the [`Store`](store::Store), so that `items-redis` is this crate and another store.

pub mod api;
pub mod journal;
pub mod observe;
pub mod server;
mod spans;
pub mod store;
pub mod streaming;
