//! The store of log lines.
