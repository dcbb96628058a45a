//! What can go wrong between a found server and a store that takes requests.

use std::io;
use std::path::{Path, PathBuf};

use crate::locate::NotInstalled;

/// Why a store could not be prepared or set up.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder could not be used.
    #[error("{what} {}", path.display())]
    Io {
        /// What was tried: `cannot write`.
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A server was to run as root.
    #[error("{server} must not run as root: name an unprivileged user for it")]
    Root {
        /// Which server.
        server: &'static str,
    },
    /// The account cannot get at the store's folder.
    #[error(
        "user id {uid}, which {server} runs as, cannot enter {}: move the state directory to a folder that it can \
         enter, or run `chmod o+x {}`",
        folder.display(),
        folder.display()
    )]
    Barred {
        /// Which server.
        server: &'static str,
        /// The account's user id.
        uid: u32,
        /// The folder that is closed to it.
        folder: PathBuf,
    },
    /// Another program listens on the store's port.
    #[error(
        "port {port} on 127.0.0.1, which belongs to this store, is taken by another program: stop that program"
    )]
    PortTaken {
        /// The port.
        port: u16,
    },
    /// A server works on the data folder already.
    #[error("process {pid} works on {} already: stop it with `kill -INT {pid}`", data.display())]
    AlreadyRunning {
        /// The server's process.
        pid: u32,
        /// The data folder.
        data: PathBuf,
    },
    /// The data folder belongs to another major version.
    #[error(
        "the data in {} was written by PostgreSQL {found} and this machine has PostgreSQL {installed}: {}",
        data.display(),
        remedy
    )]
    DataVersion {
        /// The data folder.
        data: PathBuf,
        /// Who wrote it.
        found: String,
        /// What is here.
        installed: String,
        /// What to try.
        remedy: Box<NotInstalled>,
    },
    /// A tool of the server's package failed.
    #[error("`{command}` failed with {status}: {output}")]
    Tool {
        /// The tool.
        command: &'static str,
        /// How it ended.
        status: String,
        /// Its last lines.
        output: String,
    },
    /// A tool of the server's package ran for too long.
    #[error("`{command}` did not end within {seconds} s")]
    ToolTimeout {
        /// The tool.
        command: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// The server could not be reached or did not speak its protocol.
    #[error("the server on {address} {what}")]
    Connection {
        /// Host and port.
        address: String,
        /// What went wrong, following "the server".
        what: String,
        /// The cause, where the system names one.
        source: Option<io::Error>,
    },
    /// The server answered a statement with an error.
    #[error("PostgreSQL refused to {action}: {message} ({code})")]
    Refused {
        /// What was tried: `create the database`.
        action: String,
        /// The server's words.
        message: String,
        /// SQLSTATE.
        code: String,
    },
    /// An extension's files are not there.
    #[error("the extension `{}` is not installed for PostgreSQL {major}: {install}", extension.0)]
    ExtensionMissing {
        /// Which one.
        extension: Extension,
        /// The server's major version.
        major: String,
        /// The command that installs it.
        install: String,
    },
    /// The server on the port is not the one that was prepared.
    #[error("the server on {address} works on {found} and not on {}: another server has taken the port", data.display())]
    OtherServer {
        /// Host and port.
        address: String,
        /// Its data folder.
        found: String,
        /// This store's data folder.
        data: PathBuf,
    },
}

/// The name of a PostgreSQL extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension(pub String);

impl StoreError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }
}
