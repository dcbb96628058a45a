//! The words that every other crate shares: names and ids, units, time, sets of files.
//!
//! Nothing here does I/O, except [`clock::now`], which reads the time.

pub mod clock;
pub mod cron;
pub mod duration;
pub mod files;
pub mod ids;
pub mod units;
