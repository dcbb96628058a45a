//! From a found server to files on disk and a command line.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

use wharf_plan::model::StoreEngine;

use crate::account::{self, Account};
use crate::credentials::Credentials;
use crate::error::StoreError;
use crate::locate::{self, Server};
use crate::postgres;
use crate::redis;

/// How long the statements of [`Prepared::set_up`] may take together; creating a database copies a few megabytes.
const SET_UP_TIMEOUT: Duration = Duration::from_secs(60);

/// What [`prepare`] is to prepare.
#[derive(Debug, Clone)]
pub struct Request {
    /// The server, as [`crate::find`] gave it.
    pub server: Server,
    /// How clients will log in; the same at each start of a store. The host must be `127.0.0.1`.
    pub credentials: Credentials,
    /// The store's own folder, `<state>/stores/<name>`, absolute; made where it is not there.
    pub dir: PathBuf,
    /// Who the server runs as; needed when this process is root, and otherwise left out.
    pub account: Option<Account>,
    /// PostgreSQL extensions to create.
    pub extensions: Vec<String>,
    /// Connections of a pool that PostgreSQL must have room for, beside its usual ones.
    pub pooled: u32,
}

/// A store that is ready to be launched.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The program and its arguments; no secrets among them.
    pub argv: Vec<String>,
    /// The folder it starts in.
    pub cwd: PathBuf,
    /// Variables that it needs, over the launcher's own.
    pub env: BTreeMap<String, String>,
    /// Who it runs as.
    pub account: Option<Account>,
    /// How it is stopped.
    pub stop: Stop,
    /// Which server was taken, with its version.
    pub server: Server,
    /// Whether its data was made just now.
    pub fresh: bool,
    credentials: Credentials,
    dir: PathBuf,
    extensions: Vec<String>,
}

/// How a server is stopped in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// The number of the signal: SIGINT (2) ends PostgreSQL's connections and writes a checkpoint, SIGTERM (15) makes Redis save.
    pub signal: i32,
    /// How long it may take before it is killed; what was acknowledged survives that too.
    pub timeout: Duration,
}

/// Makes the data folder where there is none, writes the configuration and says what to launch.
///
/// Takes about a second for a new PostgreSQL and a few milliseconds otherwise. May be repeated; must not run twice at once
/// for one folder. Dropping the future kills `initdb`; the next call begins anew.
///
/// # Errors
/// The port is taken, a server works on the folder already, the account cannot reach the folder, the data belongs to
/// another major version, `initdb` fails, or a file cannot be written.
pub async fn prepare(request: Request) -> Result<Prepared, StoreError> {
    let Request {
        mut server,
        credentials,
        dir,
        account,
        extensions,
        pooled,
    } = request;
    let product = locate::product(server.engine);
    if Account::may_change() && account.is_none_or(|account| account.uid == 0) {
        return Err(StoreError::Root { server: product });
    }
    // Others may pass through to `data`, which is closed to them, and see nothing.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(&dir)
        .map_err(|e| StoreError::io("cannot make", &dir, e))?;
    let dir = dir
        .canonicalize()
        .map_err(|e| StoreError::io("cannot read", &dir, e))?;
    if let (Some(folder), Some(account)) = (account::barred(&dir.join("data"), account), account) {
        return Err(StoreError::Barred {
            server: product,
            uid: account.uid,
            folder,
        });
    }
    postgres::files::check_lock_file(&dir)?;
    if TcpListener::bind((Ipv4Addr::LOCALHOST, credentials.port)).is_err() {
        return Err(StoreError::PortTaken {
            port: credentials.port,
        });
    }
    let fresh = !dir.join("data").exists();
    let (argv, stop) = match server.engine {
        StoreEngine::Postgres => {
            server = matching(server, &dir)?;
            let admin = postgres::files::admin_password(&dir)?;
            let initdb = server.program.with_file_name("initdb");
            postgres::files::data_folder(&initdb, &dir, &admin, account).await?;
            let configuration = postgres::files::configuration(
                &dir,
                &credentials,
                server.major(),
                pooled,
                account,
            )?;
            let argument = format!("config_file={}", configuration.display());
            (
                vec!["-c".to_owned(), argument],
                Stop {
                    signal: 2,
                    timeout: Duration::from_secs(30),
                },
            )
        }
        StoreEngine::Redis => {
            let data = dir.join("data");
            account::private_folder(&data, account)?;
            account::give_all(&data, account)?;
            let configuration = redis::files::configuration(&dir, &credentials, account)?;
            (
                vec![configuration.display().to_string()],
                Stop {
                    signal: 15,
                    timeout: Duration::from_secs(30),
                },
            )
        }
    };
    let argv = std::iter::once(server.program.display().to_string())
        .chain(argv)
        .collect();
    let cwd = dir.join("data");
    Ok(Prepared {
        argv,
        cwd,
        env: BTreeMap::new(),
        account,
        stop,
        server,
        fresh,
        credentials,
        dir,
        extensions,
    })
}

/// The installed server that can read the data folder: PostgreSQL reads only what its own major version wrote.
fn matching(server: Server, dir: &std::path::Path) -> Result<Server, StoreError> {
    let Some(written) = postgres::files::data_version(dir) else {
        return Ok(server);
    };
    if server.major() == written {
        return Ok(server);
    }
    match locate::find(StoreEngine::Postgres, Some(&written)) {
        Ok(mut other) if other.major() == written => {
            other.warning = Some(format!(
                "the data was written by PostgreSQL {written}, which is used for it"
            ));
            Ok(other)
        }
        _ => Err(StoreError::DataVersion {
            data: dir.join("data"),
            installed: server.major().to_owned(),
            remedy: Box::new(locate::missing(StoreEngine::Postgres, Some(&written))),
            found: written,
        }),
    }
}

impl Prepared {
    /// Once the server is ready: makes what it lacks (role, database, extensions). Idempotent; safe to drop and repeat.
    ///
    /// # Errors
    /// The server on the port is another one, refuses a statement, or an extension is not installed.
    pub async fn set_up(&self) -> Result<(), StoreError> {
        match self.server.engine {
            StoreEngine::Redis => Ok(()),
            StoreEngine::Postgres => {
                let admin_password = postgres::files::admin_password(&self.dir)?;
                let data = self.dir.join("data");
                let wanted = postgres::setup::Wanted {
                    credentials: &self.credentials,
                    admin_password: &admin_password,
                    data: &data,
                    major: self.server.major(),
                    extensions: &self.extensions,
                };
                tokio::time::timeout(SET_UP_TIMEOUT, postgres::setup::set_up(&wanted))
                    .await
                    .unwrap_or_else(|_| {
                        Err(StoreError::Connection {
                            address: self.credentials.address(),
                            what: format!(
                                "did not finish its set-up within {} s",
                                SET_UP_TIMEOUT.as_secs()
                            ),
                            source: None,
                        })
                    })
            }
        }
    }
}
