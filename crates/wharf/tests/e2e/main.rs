//! The real binary, run as people and scripts run it, by its documented contract alone.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod commands;
mod contract;
mod failing;
mod http;
mod items;
mod leftovers;
mod order;
mod releases;
mod render;
mod resilience;
mod secrets;
mod stack;
mod static_files;
mod sticky;
mod stores;
