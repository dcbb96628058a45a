//! A pool of connections before a PostgreSQL: PgBouncer, found, configured, asked, told of a new configuration.
//!
//! ```text
//! <store>/pool/pgbouncer.ini    mode 0600; written anew at each start and for each change
//! <store>/pool/users.txt        mode 0600; the store's user and the console's
//! <store>/pool/admin-password   of the console's user, mode 0600, Wharf's own
//! ```
//!
//! Clients log in to the pool as they would to the server, and the pool to the server with the same password. Only Wharf
//! may use its console.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use wharf_plan::model::{Pool, PoolMode};

use crate::Readiness;
use crate::account::{self, Account};
use crate::credentials::Credentials;
use crate::error::StoreError;
use crate::locate::{self, NotInstalled};
use crate::postgres::files::admin_password;
use crate::postgres::session::Session;
use crate::postgres::wire::{Connection, Greeting, WireError};
use crate::prepare::Stop;

/// Who may use the console; no role of the server.
const CONSOLE_USER: &str = "wharf-console";

/// The name under which PgBouncer offers its console.
const CONSOLE: &str = "pgbouncer";

/// Before it, statements that were prepared are lost with the transaction's end.
const FIRST_WITH_PREPARED_STATEMENTS: [u32; 2] = [1, 21];

/// How many prepared statements are kept on each connection to the server; PgBouncer's own default since 1.24.
const PREPARED_STATEMENTS: u32 = 200;

/// What PgBouncer says when the clients that it may have are there.
const TOO_MANY_CLIENTS: &str = "no more connections allowed";

/// PgBouncer, as it is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooler {
    /// Its program.
    pub program: PathBuf,
    /// Its version as it says: `1.18.0`.
    pub version: String,
}

impl Pooler {
    /// Finds PgBouncer; runs it with `--version`.
    ///
    /// # Errors
    /// It is not installed.
    pub fn find() -> Result<Self, NotInstalled> {
        let programs = locate::common_folders()
            .into_iter()
            .map(|folder| folder.join("pgbouncer"));
        programs
            .filter(|program| program.is_file())
            .find_map(Self::ask)
            .ok_or_else(|| NotInstalled {
                product: "PgBouncer".to_owned(),
                command: format!("{} pgbouncer", locate::Distribution::this()),
                otherwise: "leave the store's `pool:` out here",
            })
    }

    fn ask(program: PathBuf) -> Option<Self> {
        let output = Command::new(&program)
            .arg("--version")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let version = locate::parse_version(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self { program, version })
    }

    fn keeps_prepared_statements(&self) -> bool {
        let mut numbers = self.version.split('.').map(|part| part.parse().ok());
        let mut number = || numbers.next().flatten().unwrap_or(0);
        [number(), number()] >= FIRST_WITH_PREPARED_STATEMENTS
    }

    /// What of `pool` this version cannot do, as one sentence.
    #[must_use]
    pub fn shortcoming(&self, pool: &Pool) -> Option<String> {
        (pool.mode == PoolMode::Transaction && !self.keeps_prepared_statements()).then(|| {
            format!(
                "PgBouncer {} forgets prepared statements at the end of a transaction: install 1.21 or later, set \
                 `mode: session`, or have the clients prepare none",
                self.version
            )
        })
    }
}

/// A pool before a server: where both are, whose files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSite {
    /// How the server is reached and logged in to.
    pub server: Credentials,
    /// Where the pool listens on the loopback address.
    pub port: u16,
    /// The store's own folder, `<state>/stores/<name>`, absolute; made where it is not there.
    pub dir: PathBuf,
    /// Who the pool runs as; needed when this process is root, and otherwise left out.
    pub account: Option<Account>,
}

/// How a pool is launched and stopped.
#[derive(Debug, Clone)]
pub struct PreparedPool {
    /// The program and its arguments; no secrets among them.
    pub argv: Vec<String>,
    /// The folder it starts in.
    pub cwd: PathBuf,
    /// How it is stopped.
    pub stop: Stop,
}

impl PoolSite {
    /// What clients log in with: as to the server, at another address.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        Credentials {
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: self.port,
            ..self.server.clone()
        }
    }

    /// Writes the files and says what to launch.
    ///
    /// # Errors
    /// The port is taken, the account cannot reach the folder, a file cannot be written.
    pub fn prepare(&self, pooler: &Pooler, pool: &Pool) -> Result<PreparedPool, StoreError> {
        if Account::may_change() && self.account.is_none_or(|account| account.uid == 0) {
            return Err(StoreError::Root {
                server: "PgBouncer",
            });
        }
        if TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            return Err(StoreError::PortTaken { port: self.port });
        }
        let file = self.configure(pooler, pool)?;
        Ok(PreparedPool {
            argv: vec![
                pooler.program.display().to_string(),
                file.display().to_string(),
            ],
            cwd: self.folder(),
            // SIGINT lets the transactions under way end, in every version; SIGTERM cuts them in older ones, and waits
            // for every client in newer ones.
            stop: Stop {
                signal: 2,
                timeout: Duration::from_secs(10),
            },
        })
    }

    /// Has a running pool take on `pool`: no client is cut off.
    ///
    /// # Errors
    /// A file cannot be written, or the pool does not answer.
    pub async fn reload(&self, pooler: &Pooler, pool: &Pool) -> Result<(), StoreError> {
        self.configure(pooler, pool)?;
        let mut console = self.console().await?;
        console.table("RELOAD").await?;
        console.close().await;
        Ok(())
    }

    /// Logs in to the pool's console, which takes `SHOW …` and commands and no SQL.
    ///
    /// # Errors
    /// The pool does not answer.
    pub async fn console(&self) -> Result<Session, StoreError> {
        let password = admin_password(&self.folder())?;
        Session::login(&self.credentials(), CONSOLE_USER, &password, CONSOLE).await
    }

    /// Asks the pool, within `timeout`: whether a client can log in (`whole`), which at the first time it can only when the
    /// server has let the pool in; or just whether it takes connections.
    pub async fn is_ready(&self, whole: bool, timeout: Duration) -> Readiness {
        let address = self.credentials().address();
        match tokio::time::timeout(timeout, self.ask(whole)).await {
            Ok(Ok(())) => Readiness::Ready,
            Ok(Err(WireError::Server(error))) if error.message.contains(TOO_MANY_CLIENTS) => {
                Readiness::Ready
            }
            Ok(Err(WireError::Server(error))) => {
                Readiness::NotReady(format!("PgBouncer says: {}", error.message))
            }
            Ok(Err(WireError::Protocol(what))) => {
                Readiness::NotReady(format!("the pool on {address} {what}"))
            }
            Ok(Err(WireError::Io(error))) => {
                Readiness::NotReady(format!("cannot reach the pool on {address}: {error}"))
            }
            Err(_) => {
                let limit = wharf_base::duration::format(timeout);
                Readiness::NotReady(format!("no answer of the pool on {address} within {limit}"))
            }
        }
    }

    async fn ask(&self, whole: bool) -> Result<(), WireError> {
        let Credentials {
            user,
            password,
            database,
            ..
        } = &self.server;
        let credentials = self.credentials();
        if whole {
            let connection = Connection::login(&credentials, user, password, database).await?;
            connection.close().await;
            return Ok(());
        }
        match Connection::greet(&credentials, user, database).await? {
            (connection, Greeting::Sasl(_)) => {
                connection.close().await;
                Ok(())
            }
            _ => Err(WireError::Protocol("asks for no SCRAM-SHA-256 login")),
        }
    }

    /// That it did not answer in time.
    #[must_use]
    pub fn silent(&self) -> StoreError {
        StoreError::Connection {
            address: self.credentials().address(),
            what: "did not answer in time".to_owned(),
            source: None,
        }
    }

    fn folder(&self) -> PathBuf {
        self.dir.join("pool")
    }

    /// Writes the two files; gives the path of the configuration.
    fn configure(&self, pooler: &Pooler, pool: &Pool) -> Result<PathBuf, StoreError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(&self.dir)
            .map_err(|e| StoreError::io("cannot make", &self.dir, e))?;
        let folder = self.folder();
        if let (Some(closed), Some(account)) =
            (account::barred(&folder, self.account), self.account)
        {
            return Err(StoreError::Barred {
                server: "PgBouncer",
                uid: account.uid,
                folder: closed,
            });
        }
        account::private_folder(&folder, self.account)?;
        let users = folder.join("users.txt");
        let listed = [
            (self.server.user.as_str(), self.server.password.as_str()),
            (CONSOLE_USER, &admin_password(&folder)?),
        ]
        .map(|(user, password)| format!("{} {}\n", quoted(user, '"'), quoted(password, '"')));
        account::private_file(&users, &listed.concat(), self.account)?;
        let file = folder.join("pgbouncer.ini");
        account::private_file(&file, &self.settings(&users, pooler, pool), self.account)?;
        Ok(file)
    }

    fn settings(&self, users: &Path, pooler: &Pooler, pool: &Pool) -> String {
        let (host, server_port) = (quoted(&self.server.host, '\''), self.server.port);
        let (port, size, clients) = (self.port, pool.size, pool.clients);
        let mode = match pool.mode {
            PoolMode::Transaction => "transaction",
            PoolMode::Session => "session",
        };
        let prepared = match pool.mode {
            PoolMode::Transaction if pooler.keeps_prepared_statements() => {
                format!("max_prepared_statements = {PREPARED_STATEMENTS}\n")
            }
            _ => String::new(),
        };
        let users = users.display();
        format!(
            "; Written by wharf at each start and for each change.\n\
             [databases]\n\
             * = host={host} port={server_port}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             ; No socket file: its path would be too long in deep folders, and loopback is what every client can use.\n\
             unix_socket_dir =\n\
             auth_type = scram-sha-256\n\
             auth_file = {users}\n\
             admin_users = {CONSOLE_USER}\n\
             pool_mode = {mode}\n\
             default_pool_size = {size}\n\
             max_client_conn = {clients}\n\
             {prepared}\
             ignore_startup_parameters = extra_float_digits,options\n\
             server_tls_sslmode = disable\n\
             ; A server that was started again is used after a second, not after fifteen.\n\
             server_login_retry = 1\n\
             server_connect_timeout = 5\n\
             ; Every look at whether it is ready would be a line.\n\
             log_connections = 0\n\
             log_disconnections = 0\n\
             log_stats = 0\n"
        )
    }
}

/// In quotes, which are doubled within.
fn quoted(text: &str, quote: char) -> String {
    let inner = text.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{inner}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(mode: PoolMode) -> Pool {
        Pool {
            size: 7,
            clients: 300,
            mode,
        }
    }

    fn pooler(version: &str) -> Pooler {
        Pooler {
            program: "/usr/sbin/pgbouncer".into(),
            version: version.to_owned(),
        }
    }

    #[test]
    fn prepared_statements_are_kept_where_the_version_knows_how() {
        #[track_caller]
        fn check(version: &str, mode: PoolMode, kept: bool, told: bool) {
            let site = PoolSite {
                server: Credentials {
                    user: "db".to_owned(),
                    password: "secret".to_owned(),
                    database: "db".to_owned(),
                    host: "127.0.0.1".to_owned(),
                    port: 1,
                },
                port: 2,
                dir: "/x".into(),
                account: None,
            };
            let settings = site.settings(Path::new("/x/users"), &pooler(version), &pool(mode));
            assert_eq!(
                settings.contains("max_prepared_statements"),
                kept,
                "{settings}"
            );
            assert!(settings.contains("default_pool_size = 7\nmax_client_conn = 300\n"));
            assert!(!settings.contains("secret"), "{settings}");
            let shortcoming = pooler(version).shortcoming(&pool(mode));
            assert_eq!(shortcoming.is_some(), told, "{shortcoming:?}");
        }
        check("1.18.0", PoolMode::Transaction, false, true);
        check("1.18.0", PoolMode::Session, false, false);
        check("1.21.0", PoolMode::Transaction, true, false);
        check("1.24.1", PoolMode::Transaction, true, false);
        check("1.24.1", PoolMode::Session, false, false);
    }

    #[test]
    fn words_are_quoted() {
        assert_eq!(quoted("a\"b", '"'), "\"a\"\"b\"");
        assert_eq!(quoted("it's", '\''), "'it''s'");
    }
}
