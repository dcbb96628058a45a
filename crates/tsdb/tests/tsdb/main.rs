//! The store as its users see it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod crash;
mod damage;
mod full;
mod model;
mod promtool;
mod store;
mod stores;
