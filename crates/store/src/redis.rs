//! Redis: its configuration and a PING.

pub(crate) mod files;
pub(crate) mod ready;
