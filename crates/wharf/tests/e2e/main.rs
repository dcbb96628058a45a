//! The real binary, run as people and scripts run it, by its documented contract alone.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod alert_path;
mod browser;
mod builds;
mod chat;
mod commands;
mod contract;
mod django;
mod failing;
mod http;
mod init;
mod installed;
mod items;
mod leftovers;
mod order;
mod pools;
mod releases;
mod render;
mod resilience;
mod secrets;
mod singletons;
mod sinks;
mod stack;
mod static_files;
mod sticky;
mod stores;
mod telemetry;
mod tutorials;
