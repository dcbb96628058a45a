//! Redis: its configuration, its protocol, a PING.

pub(crate) mod client;
pub(crate) mod files;
pub(crate) mod ready;
