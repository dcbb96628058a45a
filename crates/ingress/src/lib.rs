//! The data plane: a reverse proxy in a process of its own.

pub mod config;
