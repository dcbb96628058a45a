//! What engine and shim say to each other: JSON, one message a line.
//!
//! The engine sends the [`crate::Launch`] to the shim's standard input and reads one [`Report`] from its standard output. Afterwards
//! any number of engines connect to `shim.sock`: the shim greets with [`Event::Running`], takes [`Command`]s, and says
//! [`Event::Exited`] at the end. Unknown messages end the connection.

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::facts::Facts;

/// A command's longest line; the longest real one has some 20 bytes.
pub(crate) const COMMAND_MAX_BYTES: usize = 256;
/// An event's longest line: facts with long paths, or an exit with many survivors.
pub(crate) const EVENT_MAX_BYTES: usize = 256 * 1024;

/// The shim's answer to a launch.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    /// The program has been executed.
    Running(Facts),
    /// It has not, and nothing runs.
    Failed(Failure),
}

/// Why a launch failed: at which step, and the system's error number (0: none).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) errno: i32,
}

/// The steps of a launch. The number travels with the error number through the pipe of a failed `exec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Fork, execution, and whatever has no step of its own.
    Exec = 0,
    Session = 1,
    Cwd = 2,
    User = 3,
    OpenFiles = 4,
    DeathSignal = 5,
    RunDirectory = 6,
    Log = 7,
    Socket = 8,
    Pipes = 9,
    Subreaper = 10,
}

impl Step {
    /// The step of this number; [`Step::Exec`] for any other.
    pub(crate) fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Session,
            2 => Self::Cwd,
            3 => Self::User,
            4 => Self::OpenFiles,
            5 => Self::DeathSignal,
            6 => Self::RunDirectory,
            7 => Self::Log,
            8 => Self::Socket,
            9 => Self::Pipes,
            10 => Self::Subreaper,
            _ => Self::Exec,
        }
    }
}

/// What an engine wants of a shim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Command {
    /// Send the stop signal; kill after the timeout.
    Stop,
    /// Kill now.
    Kill,
    /// Send this signal to the main process.
    Signal(crate::signal::Signal),
}

/// What a shim tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    /// The greeting.
    Running(Facts),
    /// The end; `exit.json` is written.
    Exited(Exit),
}

/// A message as a line.
pub(crate) fn line<T: Serialize>(message: &T) -> Vec<u8> {
    // Only maps with odd keys and failing writers make this fail; there is neither.
    let mut bytes = serde_json::to_vec(message).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}
