//! How a process ended.

use std::fmt;

use serde::{Deserialize, Serialize};
use wharf_base::clock::Timestamp;

/// How and when a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// What its status said.
    pub cause: Cause,
    /// When the shim saw it.
    pub at: Timestamp,
    /// Whether the kernel killed it, or something below it, for going over its memory limit. Only known where a memory cgroup holds it.
    #[serde(default)]
    pub oom_killed: bool,
    /// Whether it was asked to end before it did ([`crate::Handle::stop`] or [`crate::Handle::kill`]).
    #[serde(default)]
    pub asked: bool,
    /// Log lines that could not be written (a full disk).
    #[serde(default)]
    pub dropped_lines: u64,
    /// Processes below it that could not be killed in time (uninterruptible, or of a user that the shim may not signal).
    #[serde(default)]
    pub survivors: Vec<i32>,
}

/// What ended a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It returned this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
    /// Its shim was killed, and with it everything of it; its own status is unknown.
    ShimLost,
}

impl Exit {
    /// Whether it returned 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.cause == Cause::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Code(code) => write!(f, "exited with code {code}")?,
            Cause::Signal(number) => match crate::Signal::from_number(number) {
                Some(signal) => write!(f, "killed by {signal}")?,
                None => write!(f, "killed by signal {number}")?,
            },
            Cause::ShimLost => f.write_str("ended with its supervisor, which was killed")?,
        }
        if self.oom_killed {
            f.write_str(" (out of memory: it went over its memory limit)")?;
        }
        Ok(())
    }
}
