//! Signals by name, as people write them: `SIGTERM`, `TERM` or `15`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A signal that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal(rustix::process::Signal);

/// Why a text is not a [`Signal`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a signal such as SIGTERM, SIGINT or SIGQUIT, found `{0}`")]
pub struct ParseSignalError(pub String);

/// Numbers are those of Linux on x86 and ARM; the names are POSIX's and Linux's.
const NAMES: [(&str, rustix::process::Signal); 29] = {
    use rustix::process::Signal as S;
    [
        ("HUP", S::HUP),
        ("INT", S::INT),
        ("QUIT", S::QUIT),
        ("ILL", S::ILL),
        ("TRAP", S::TRAP),
        ("ABRT", S::ABORT),
        ("BUS", S::BUS),
        ("FPE", S::FPE),
        ("KILL", S::KILL),
        ("USR1", S::USR1),
        ("SEGV", S::SEGV),
        ("USR2", S::USR2),
        ("PIPE", S::PIPE),
        ("ALRM", S::ALARM),
        ("TERM", S::TERM),
        ("CHLD", S::CHILD),
        ("CONT", S::CONT),
        ("STOP", S::STOP),
        ("TSTP", S::TSTP),
        ("TTIN", S::TTIN),
        ("TTOU", S::TTOU),
        ("URG", S::URG),
        ("XCPU", S::XCPU),
        ("XFSZ", S::XFSZ),
        ("VTALRM", S::VTALARM),
        ("PROF", S::PROF),
        ("WINCH", S::WINCH),
        ("IO", S::IO),
        ("SYS", S::SYS),
    ]
};

impl Signal {
    /// Asks to end.
    pub const TERM: Self = Self(rustix::process::Signal::TERM);
    /// Ctrl-C; PostgreSQL's fast shutdown.
    pub const INT: Self = Self(rustix::process::Signal::INT);
    /// Ctrl-\; nginx's and uWSGI's graceful shutdown.
    pub const QUIT: Self = Self(rustix::process::Signal::QUIT);
    /// Asks many servers to read their configuration again.
    pub const HUP: Self = Self(rustix::process::Signal::HUP);
    /// Ends at once; cannot be handled.
    pub const KILL: Self = Self(rustix::process::Signal::KILL);

    /// The signal of this number, if it has a name.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        rustix::process::Signal::from_named_raw(number).map(Self)
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> i32 {
        self.0.as_raw()
    }

    pub(crate) fn as_rustix(self) -> rustix::process::Signal {
        self.0
    }
}

impl FromStr for Signal {
    type Err = ParseSignalError;

    fn from_str(text: &str) -> Result<Self, ParseSignalError> {
        if let Ok(number) = text.parse::<i32>() {
            return Self::from_number(number).ok_or_else(|| ParseSignalError(text.to_owned()));
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, signal)| Self(*signal))
            .ok_or_else(|| ParseSignalError(text.to_owned()))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, signal)| *signal == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None => write!(f, "signal {}", self.number()),
        }
    }
}

impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i32(self.number())
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i32::deserialize(deserializer)?;
        Self::from_number(number)
            .ok_or_else(|| D::Error::custom(format!("signal {number} has no name")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(
            text.parse::<Signal>()
                .ok()
                .map(|s| s.to_string())
                .as_deref(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn reads_what_people_write() {
        check("SIGTERM", Some("SIGTERM"));
        check("term", Some("SIGTERM"));
        check("2", Some("SIGINT"));
        check("SIGNOPE", None);
        check("0", None);
        check("-9", None);
        check("", None);
    }
}
