//! PostgreSQL's folder: `data` made by `initdb`, and the files beside it that Wharf writes anew at each start.
//!
//! ```text
//! <store>/data/              made as data.new-… and renamed when whole
//! <store>/admin-password     of the bootstrap superuser, mode 0600, Wharf's own
//! <store>/postgresql.conf    mode 0600
//! <store>/pg_hba.conf        mode 0600
//! ```
//!
//! `admin-password` is written before `initdb` begins and never changed, so that no interruption parts the two.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use rustix::rand::GetRandomFlags;
use tokio::process::Command;

use super::setup::ADMIN;
use crate::account::{self, Account};
use crate::credentials::{Credentials, hex};
use crate::error::StoreError;

/// `initdb` takes about a second; a loaded machine with a slow disk a minute at worst.
const INITDB_TIMEOUT: Duration = Duration::from_secs(180);

/// Linux can write a whole file system to disk with one call, where PostgreSQL's default is one for each of a thousand files:
/// several seconds on a common disk.
const SYNC_AT_ONCE: bool = cfg!(target_os = "linux");

/// Clients that come without a pool: PostgreSQL's own default.
const CONNECTIONS: u32 = 100;

/// How much of a failed tool's output an error carries.
const OUTPUT_MAX_LINES: usize = 6;

/// Loopback, with a password, nobody else.
const HBA: &str = "# Written by wharf at each start.\nhost all all 127.0.0.1/32 scram-sha-256\n";

/// Makes the data folder unless it is there. `initdb` stands beside `postgres`.
pub(crate) async fn data_folder(
    initdb: &Path,
    dir: &Path,
    admin_password: &str,
    account: Option<Account>,
) -> Result<(), StoreError> {
    let data = dir.join("data");
    if data.join("PG_VERSION").exists() {
        return account::give_all(&data, account);
    }
    remove_unfinished(dir)?;
    // The name holds what the folder is for while it is not whole; the account can write in it and nowhere else.
    let new = dir.join(format!("data.new-{}", std::process::id()));
    account::private_folder(&new, account)?;
    let password_file = dir.join("initdb-password");
    account::private_file(&password_file, &format!("{admin_password}\n"), account)?;
    let made = initialise(initdb, &new, &password_file, account).await;
    fs::remove_file(&password_file)
        .map_err(|e| StoreError::io("cannot remove", &password_file, e))?;
    made?;
    if SYNC_AT_ONCE {
        sync(&new).await?;
    }
    fs::rename(&new, &data).map_err(|e| StoreError::io("cannot make", &data, e))?;
    let folder = fs::File::open(dir).map_err(|e| StoreError::io("cannot open", dir, e))?;
    folder
        .sync_all()
        .map_err(|e| StoreError::io("cannot write", dir, e))
}

async fn initialise(
    initdb: &Path,
    new: &Path,
    password: &Path,
    account: Option<Account>,
) -> Result<(), StoreError> {
    // C.UTF-8 sorts by code point and knows the letters of every language; where the C library lacks it, plain C.
    let first = run_initdb(initdb, new, password, account, "C.UTF-8").await;
    match first {
        Err(StoreError::Tool { output, .. }) if output.contains("locale") => {
            fs::remove_dir_all(new).map_err(|e| StoreError::io("cannot remove", new, e))?;
            account::private_folder(new, account)?;
            run_initdb(initdb, new, password, account, "C").await
        }
        other => other,
    }
}

async fn run_initdb(
    initdb: &Path,
    new: &Path,
    password: &Path,
    account: Option<Account>,
    locale: &str,
) -> Result<(), StoreError> {
    let mut command = Command::new(initdb);
    command
        .args([
            "--username",
            ADMIN,
            "--auth",
            "scram-sha-256",
            "--data-checksums",
            "--encoding",
            "UTF8",
        ])
        .args(["--locale", locale, "--no-instructions"])
        .args(SYNC_AT_ONCE.then_some("--no-sync"))
        .arg("--pwfile")
        .arg(password)
        .arg("--pgdata")
        .arg(new)
        .env_remove("PGDATA")
        .current_dir(new)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(account) = account {
        command.uid(account.uid).gid(account.gid);
    }
    let child = command
        .spawn()
        .map_err(|e| StoreError::io("cannot run", initdb, e))?;
    let output = tokio::time::timeout(INITDB_TIMEOUT, child.wait_with_output())
        .await
        .map_err(|_| StoreError::ToolTimeout {
            command: "initdb",
            seconds: INITDB_TIMEOUT.as_secs(),
        })?
        .map_err(|e| StoreError::io("cannot run", initdb, e))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(OUTPUT_MAX_LINES)..].join("; ");
    Err(StoreError::Tool {
        command: "initdb",
        status: output.status.to_string(),
        output: last,
    })
}

#[cfg(target_os = "linux")]
async fn sync(folder: &Path) -> Result<(), StoreError> {
    let path = folder.to_owned();
    let synced = tokio::task::spawn_blocking(move || {
        let file = fs::File::open(&path)?;
        rustix::fs::syncfs(&file).map_err(io::Error::from)
    });
    let result = synced.await.unwrap_or_else(|e| Err(io::Error::other(e)));
    result.map_err(|e| StoreError::io("cannot write", folder, e))
}

#[cfg(not(target_os = "linux"))]
async fn sync(_folder: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// Removes what interrupted starts left behind.
fn remove_unfinished(dir: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(dir).map_err(|e| StoreError::io("cannot read", dir, e))? {
        let entry = entry.map_err(|e| StoreError::io("cannot read", dir, e))?;
        if entry.file_name().to_string_lossy().starts_with("data.new-") {
            let path = entry.path();
            fs::remove_dir_all(&path).map_err(|e| StoreError::io("cannot remove", &path, e))?;
        }
    }
    Ok(())
}

/// The superuser's password, made at the first start.
pub(crate) fn admin_password(dir: &Path) -> Result<String, StoreError> {
    let path = dir.join("admin-password");
    match fs::read_to_string(&path) {
        Ok(text) => return Ok(text.trim().to_owned()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(StoreError::io("cannot read", &path, e)),
    }
    let mut random = [0; crate::RANDOM_BYTES];
    rustix::rand::getrandom(&mut random, GetRandomFlags::empty())
        .map_err(|e| StoreError::io("cannot read random bytes for", &path, e.into()))?;
    let password = hex(&random);
    account::private_file(&path, &format!("{password}\n"), None)?;
    Ok(password)
}

/// Writes the two configuration files; gives the path of the first.
pub(crate) fn configuration(
    dir: &Path,
    credentials: &Credentials,
    major: &str,
    pooled: u32,
    account: Option<Account>,
) -> Result<PathBuf, StoreError> {
    let (hba, path) = (dir.join("pg_hba.conf"), dir.join("postgresql.conf"));
    account::private_file(&hba, HBA, account)?;
    account::private_file(
        &path,
        &settings(dir, &hba, credentials.port, major, pooled),
        account,
    )?;
    Ok(path)
}

/// For a small machine that runs several such servers: shared memory is modest, planner and durability as they come.
/// What `ALTER SYSTEM` sets (in `data/postgresql.auto.conf`) wins over it.
fn settings(dir: &Path, hba: &Path, port: u16, major: &str, pooled: u32) -> String {
    let connections = CONNECTIONS.saturating_add(pooled);
    let quoted = |path: &Path| format!("'{}'", path.to_string_lossy().replace('\'', "''"));
    let data = dir.join("data");
    let (data_folder, hba, ident) = (
        quoted(&data),
        quoted(hba),
        quoted(&data.join("pg_ident.conf")),
    );
    // The setting is as old as version 14.
    let sync_before_recovery = match major.parse::<u32>() {
        Ok(14..) if SYNC_AT_ONCE => "recovery_init_sync_method = 'syncfs'\n",
        _ => "",
    };
    format!(
        "# Written by wharf at each start; change settings with ALTER SYSTEM.\n\
         data_directory = {data_folder}\n\
         hba_file = {hba}\n\
         ident_file = {ident}\n\
         listen_addresses = '127.0.0.1'\n\
         port = {port}\n\
         # No socket file: its path would be too long in deep folders, and loopback is what every client can use.\n\
         unix_socket_directories = ''\n\
         password_encryption = 'scram-sha-256'\n\
         max_connections = {connections}\n\
         shared_buffers = '64MB'\n\
         huge_pages = off\n\
         max_wal_size = '256MB'\n\
         min_wal_size = '64MB'\n\
         # Compiling short queries costs more than it gives.\n\
         jit = off\n\
         log_destination = 'stderr'\n\
         logging_collector = off\n\
         log_line_prefix = '%m [%p] %q%u@%d '\n\
         log_timezone = 'UTC'\n\
         timezone = 'UTC'\n\
         {sync_before_recovery}"
    )
}

/// The major version that wrote the data folder; none where there is no folder yet.
pub(crate) fn data_version(dir: &Path) -> Option<String> {
    fs::read_to_string(dir.join("data/PG_VERSION"))
        .ok()
        .map(|text| text.trim().to_owned())
}

/// Looks at the lock file of an earlier run.
///
/// A live server is an error. A lock file whose process id now belongs to some other program (after a reboot, or in a
/// fresh container) would keep PostgreSQL from starting, and is removed; one of a dead process PostgreSQL removes itself.
pub(crate) fn check_lock_file(dir: &Path) -> Result<(), StoreError> {
    let data = dir.join("data");
    let path = data.join("postmaster.pid");
    let Ok(text) = fs::read_to_string(&path) else {
        return Ok(());
    };
    let Some(pid) = text
        .lines()
        .next()
        .and_then(|line| line.trim().parse::<u32>().ok())
    else {
        return Ok(());
    };
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let alive = process.is_some_and(|pid| {
        !matches!(rustix::process::test_kill_process(pid), Err(e) if e == rustix::io::Errno::SRCH)
    });
    if !alive {
        return Ok(());
    }
    // A postmaster's working folder is its data folder.
    let folder = fs::read_link(format!("/proc/{pid}/cwd"));
    match folder {
        Ok(folder) if folder == data || Some(&folder) == data.canonicalize().ok().as_ref() => {
            Err(StoreError::AlreadyRunning { pid, data })
        }
        Ok(_) => fs::remove_file(&path).map_err(|e| StoreError::io("cannot remove", &path, e)),
        // Gone meanwhile, another user's, or no /proc: PostgreSQL decides.
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_of_another_program_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data/postmaster.pid");
        fs::create_dir(dir.path().join("data")).unwrap();
        fs::write(&path, format!("{}\n", std::process::id())).unwrap();
        check_lock_file(dir.path()).unwrap();
        assert!(!path.exists(), "this test is no PostgreSQL");
        fs::write(&path, "not a number").unwrap();
        check_lock_file(dir.path()).unwrap();
        assert!(path.exists(), "nothing is known about it");
    }

    #[test]
    fn paths_are_quoted() {
        let text = settings(
            Path::new("/a'b"),
            Path::new("/a'b/pg_hba.conf"),
            5432,
            "13",
            50,
        );
        assert!(text.contains("data_directory = '/a''b/data'\n"), "{text}");
    }
}
