//! Finds the servers that this machine has, and says how to install the ones it has not.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wharf_plan::model::StoreEngine;

/// A server that is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Which server.
    pub engine: StoreEngine,
    /// Its program.
    pub program: PathBuf,
    /// Its version as it says: `15.18`, `7.0.15`.
    pub version: String,
    /// What to tell the user: the version is not the one that was asked for.
    pub warning: Option<String>,
}

impl Server {
    /// The part of the version before the first point.
    #[must_use]
    pub fn major(&self) -> &str {
        self.version.split('.').next().unwrap_or(&self.version)
    }
}

/// A server is not installed; its text is one sentence with the command that installs it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{product} is not installed: install it with `{command}`, or {otherwise}")]
pub struct NotInstalled {
    /// What is missing: `PostgreSQL`, `PostgreSQL 14`.
    pub product: String,
    /// The command that installs it on this system.
    pub command: String,
    /// What to do without it.
    pub otherwise: &'static str,
}

/// Finds the server for `engine`: the one of the asked `version` (a major version, or more of it), else the newest.
///
/// Runs the found programs with `--version`.
///
/// # Errors
/// None is installed.
pub fn find(engine: StoreEngine, version: Option<&str>) -> Result<Server, NotInstalled> {
    let mut servers = installed(engine);
    servers.sort_by_key(|server| numbers(&server.version));
    let exact = |server: &Server| version.is_none_or(|wanted| matches(&server.version, wanted));
    if let Some(at) = servers.iter().rposition(exact) {
        return Ok(servers.swap_remove(at));
    }
    match (servers.pop(), version) {
        (Some(mut server), Some(wanted)) => {
            let product = product(engine);
            server.warning = Some(format!(
                "{product} {wanted} was asked for and this machine has {}, which is used here",
                server.version
            ));
            Ok(server)
        }
        (Some(server), None) => Ok(server),
        (None, _) => Err(missing(engine, version)),
    }
}

pub(crate) fn missing(engine: StoreEngine, version: Option<&str>) -> NotInstalled {
    let product = match version {
        Some(version) => format!("{} {version}", product(engine)),
        None => product(engine).to_owned(),
    };
    NotInstalled {
        product,
        command: install_command(engine, Distribution::this()),
        otherwise: "give the store a `url:`",
    }
}

pub(crate) fn product(engine: StoreEngine) -> &'static str {
    match engine {
        StoreEngine::Postgres => "PostgreSQL",
        StoreEngine::Redis => "Redis",
    }
}

fn matches(version: &str, wanted: &str) -> bool {
    version
        .strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

fn installed(engine: StoreEngine) -> Vec<Server> {
    let mut programs: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for folder in folders(engine) {
        for name in names(engine) {
            let program = folder.join(name);
            // Named once however many links lead to it. PostgreSQL's other tools stand beside the file itself; Redis
            // goes by the name it was called as (Debian's redis-server is a link to redis-check-rdb).
            if let Ok(target) = program.canonicalize()
                && target.is_file()
            {
                let run = if engine == StoreEngine::Postgres {
                    target.clone()
                } else {
                    program
                };
                programs.entry(target).or_insert(run);
            }
        }
    }
    programs
        .into_values()
        .filter_map(|program| ask(engine, program))
        .collect()
}

fn ask(engine: StoreEngine, program: PathBuf) -> Option<Server> {
    let output = Command::new(&program)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let version = parse_version(&String::from_utf8_lossy(&output.stdout))?;
    // Without initdb there is no way to make a data folder: a client-only or broken package.
    if engine == StoreEngine::Postgres && !program.with_file_name("initdb").is_file() {
        return None;
    }
    Some(Server {
        engine,
        program,
        version,
        warning: None,
    })
}

/// `postgres (PostgreSQL) 15.18 (Debian …)`, `postgres (PostgreSQL) 17beta1`, `Redis server v=7.0.15 sha=…`,
/// `PgBouncer 1.18.0`.
pub(crate) fn parse_version(line: &str) -> Option<String> {
    line.split_whitespace().find_map(|word| {
        let digits = word.strip_prefix("v=").unwrap_or(word);
        let end = digits
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(digits.len());
        let version = digits[..end].trim_end_matches('.');
        version
            .starts_with(|c: char| c.is_ascii_digit())
            .then(|| version.to_owned())
    })
}

fn names(engine: StoreEngine) -> &'static [&'static str] {
    match engine {
        StoreEngine::Postgres => &["postgres"],
        StoreEngine::Redis => &["redis-server", "valkey-server"],
    }
}

/// `PATH`, and where packages put programs that are not on everybody's.
pub(crate) fn common_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    folders.extend(
        [
            "/usr/bin",
            "/usr/sbin",
            "/usr/local/bin",
            "/usr/local/sbin",
            "/opt/homebrew/bin",
        ]
        .map(PathBuf::from),
    );
    folders
}

/// Where the server of `engine` may be.
fn folders(engine: StoreEngine) -> Vec<PathBuf> {
    let mut folders = common_folders();
    if engine == StoreEngine::Postgres {
        // Debian; Alpine; the packages of postgresql.org for Red Hat; Homebrew on both processors.
        folders.extend(below("/usr/lib/postgresql", "", "bin"));
        folders.extend(below("/usr/libexec", "postgresql", ""));
        folders.extend(below("/usr", "pgsql-", "bin"));
        folders.extend(below("/opt/homebrew/opt", "postgresql", "bin"));
        folders.extend(below("/usr/local/opt", "postgresql", "bin"));
        folders.push(PathBuf::from("/usr/local/pgsql/bin"));
    }
    folders
}

/// The folders of `parent` whose names begin with `prefix`, each with `inner` behind it.
fn below(parent: &str, prefix: &str, inner: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(inner))
        .collect();
    found.sort();
    found
}

/// Whose package manager this system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distribution {
    Debian,
    RedHat,
    Alpine,
    Arch,
    Suse,
    Mac,
    Other,
}

impl Distribution {
    pub(crate) fn this() -> Self {
        if cfg!(target_os = "macos") {
            return Self::Mac;
        }
        let text = fs::read_to_string(Path::new("/etc/os-release")).unwrap_or_default();
        Self::of(&text)
    }

    /// From the text of `/etc/os-release` (os-release(5)): `ID` first, then what it is like.
    fn of(os_release: &str) -> Self {
        let value = |key: &str| {
            os_release
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .map(|value| value.trim_matches(['"', '\'']))
                .unwrap_or_default()
        };
        let words = [value("ID"), value("ID_LIKE")].join(" ");
        words
            .split_whitespace()
            .find_map(|word| match word {
                "debian" | "ubuntu" => Some(Self::Debian),
                "rhel" | "fedora" | "centos" | "amzn" => Some(Self::RedHat),
                "alpine" => Some(Self::Alpine),
                "arch" => Some(Self::Arch),
                "suse" | "opensuse" => Some(Self::Suse),
                _ => None,
            })
            .unwrap_or(Self::Other)
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debian => "sudo apt-get install",
            Self::RedHat => "sudo dnf install",
            Self::Alpine => "sudo apk add",
            Self::Arch => "sudo pacman -S",
            Self::Suse => "sudo zypper install",
            Self::Mac => "brew install",
            Self::Other => "your package manager: install",
        })
    }
}

fn install_command(engine: StoreEngine, distribution: Distribution) -> String {
    let package = match (engine, distribution) {
        (StoreEngine::Postgres, Distribution::RedHat | Distribution::Suse) => "postgresql-server",
        (StoreEngine::Postgres, _) => "postgresql",
        (StoreEngine::Redis, Distribution::Debian) => "redis-server",
        (StoreEngine::Redis, _) => "redis",
    };
    format!("{distribution} {package}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        #[track_caller]
        fn check(line: &str, expected: Option<&str>) {
            assert_eq!(parse_version(line).as_deref(), expected, "{line}");
        }
        check(
            "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)",
            Some("15.18"),
        );
        check("postgres (PostgreSQL) 17beta1", Some("17"));
        check(
            "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64",
            Some("7.0.15"),
        );
        check("Valkey server v=8.0.1 sha=0", Some("8.0.1"));
        check("no server here", None);
        assert!(
            matches("15.18", "15")
                && matches("15.18", "15.18")
                && !matches("15.18", "1")
                && !matches("15.1", "15.18")
        );
    }

    #[test]
    fn distributions() {
        #[track_caller]
        fn check(os_release: &str, engine: StoreEngine, expected: &str) {
            assert_eq!(
                install_command(engine, Distribution::of(os_release)),
                expected
            );
        }
        check(
            "NAME=x\nID=debian\n",
            StoreEngine::Redis,
            "sudo apt-get install redis-server",
        );
        check(
            "ID=pop\nID_LIKE=\"ubuntu debian\"\n",
            StoreEngine::Postgres,
            "sudo apt-get install postgresql",
        );
        check(
            "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
            StoreEngine::Postgres,
            "sudo dnf install postgresql-server",
        );
        check("ID=alpine\n", StoreEngine::Redis, "sudo apk add redis");
        check(
            "",
            StoreEngine::Redis,
            "your package manager: install redis",
        );
    }
}
