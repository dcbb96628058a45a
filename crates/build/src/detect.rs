//! What lies in a folder: which tool builds it, what starts it, what it needs. Reads files and runs nothing.
//!
//! One module a language; the first of [`detect`]'s order that recognises the folder decides. What is found is a proposal: the
//! file always wins over it.

mod cargo;
mod django;
mod dockerfile;
mod go;
mod node;
mod python;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use wharf_plan::model::Command;

use crate::error::DetectError;
use crate::sources::{HEALTH_ROUTES, LIVE_ROUTES, Sources};

pub use cargo::Cargo;
pub use go::Go;
pub use node::{Manager, Node};
pub use python::{Framework, Python};

/// A project file above this is none.
const FILE_MAX_BYTES: u64 = 4 << 20;

/// For a server of which nothing else is known.
const PORT: u16 = 8000;

/// What a folder holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Detected {
    /// Which tool builds it.
    pub kind: Kind,
    /// What starts it.
    pub default_command: Option<Command>,
    /// The port it usually listens on; none where it does not look like a server.
    pub port_hint: Option<u16>,
    /// The path of its health check.
    pub health_hint: Option<String>,
    /// The path that tells only whether the process answers, where it has another one than for its health.
    pub live_hint: Option<String>,
    /// The one first part that all its routes have: `/api`.
    pub route_hint: Option<String>,
    /// Whether it serves Prometheus metrics at `/metrics`.
    pub metrics_hint: bool,
    /// What brings its database up to date.
    pub release_hint: Option<Command>,
    /// Programs that run beside it: a name and a command (Celery's worker, further lines of a Procfile).
    pub companions: Vec<(String, Command)>,
    /// Where it has several programs that serve: each of them by itself, by name.
    pub servers: Vec<(String, Detected)>,
    /// The stores that its dependencies speak to.
    pub stores: BTreeSet<StoreNeed>,
    /// Files of the folder that it writes: a SQLite database.
    pub data_files: Vec<String>,
    /// Folders whose files a server may hand out by itself, by the path in front of them: `/static/` and `staticfiles`.
    pub static_files: BTreeMap<String, String>,
    /// Those of them that it writes while it runs: uploads.
    pub media: Option<String>,
    /// The environment variables that its source asks for.
    pub variables: BTreeSet<String>,
    /// Whether there is a Dockerfile too.
    pub dockerfile: bool,
    /// What the user should know or decide; sentences without their full stops.
    pub notes: Vec<String>,
}

/// A kind of store that a dependency speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreNeed {
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
}

/// Which tool builds a folder.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Rust, by Cargo.
    Cargo(Cargo),
    /// JavaScript or TypeScript, by npm, pnpm or Yarn.
    Node(Node),
    /// Python, in a virtual environment.
    Python(Python),
    /// Go modules.
    Go(Go),
    /// Only a Dockerfile: needs a container engine.
    Dockerfile,
    /// Nothing known: needs a `build.command`, or nothing at all.
    Command,
}

impl Kind {
    /// What it is called to users.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Cargo(_) => "Rust",
            Self::Node(_) => "Node.js",
            Self::Python(python) => match &python.framework {
                Some(Framework::Django { .. }) => "Django",
                Some(Framework::Flask { .. }) => "Flask",
                Some(Framework::FastApi { .. }) => "FastAPI",
                None => "Python",
            },
            Self::Go(_) => "Go",
            Self::Dockerfile => "Dockerfile",
            Self::Command => "unknown",
        }
    }
}

impl Detected {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            default_command: None,
            port_hint: None,
            health_hint: None,
            live_hint: None,
            route_hint: None,
            metrics_hint: false,
            release_hint: None,
            companions: Vec::new(),
            servers: Vec::new(),
            stores: BTreeSet::new(),
            data_files: Vec::new(),
            static_files: BTreeMap::new(),
            media: None,
            variables: BTreeSet::new(),
            dockerfile: false,
            notes: Vec::new(),
        }
    }

    /// What the code itself tells: variables and routes.
    fn read_from(&mut self, sources: &Sources) {
        self.variables = sources.variables();
        self.health_hint = sources.route(&HEALTH_ROUTES).map(str::to_owned);
        self.live_hint = sources
            .route(&LIVE_ROUTES)
            .map(str::to_owned)
            .filter(|live| {
                self.health_hint
                    .as_ref()
                    .is_some_and(|health| health != live)
            });
        self.route_hint = sources.first_part_of_routes();
    }
}

/// Looks at a folder: Cargo, Node.js, Python, Go, Dockerfile, in this order; a `Procfile` then says what starts it.
///
/// # Errors
/// There is no such folder, or a project file cannot be read or is not in its format.
pub fn detect(dir: &Path) -> Result<Detected, DetectError> {
    if !dir.is_dir() {
        return Err(DetectError::NoFolder(dir.to_owned()));
    }
    let mut detected = match cargo::detect(dir)? {
        Some(detected) => Some(detected),
        None => match node::detect(dir)? {
            Some(detected) => Some(detected),
            None => match python::detect(dir)? {
                Some(detected) => Some(detected),
                None => go::detect(dir)?,
            },
        },
    };
    // What asks for PORT is a server, whatever it is made with.
    if let Some(found) = &mut detected
        && found.port_hint.is_none()
        && found.variables.contains("PORT")
    {
        found.port_hint = Some(PORT);
    }
    let docker = dockerfile::read_in(dir)?;
    let mut detected = detected.unwrap_or_else(|| {
        Detected::new(if docker.is_some() {
            Kind::Dockerfile
        } else {
            Kind::Command
        })
    });
    if let Some(docker) = docker {
        detected.dockerfile = true;
        if detected.kind == Kind::Dockerfile || detected.port_hint.is_some() {
            detected.port_hint = docker.port.or(detected.port_hint);
        }
    }
    procfile(dir, &mut detected)?;
    Ok(detected)
}

/// `name: command` a line; `web` is the service itself, `release` its one-shot, the others are companions.
fn procfile(dir: &Path, detected: &mut Detected) -> Result<(), DetectError> {
    let Some(text) = read(&dir.join("Procfile"))? else {
        return Ok(());
    };
    for line in text.lines() {
        let Some((name, command)) = line.split_once(':') else {
            continue;
        };
        let (name, command) = (name.trim(), command.trim());
        if name.is_empty() || name.starts_with('#') || command.is_empty() {
            continue;
        }
        let command = Command::Shell(command.to_owned());
        match name {
            "web" => detected.default_command = Some(command),
            "release" => detected.release_hint = Some(command),
            name => {
                detected.companions.retain(|(other, _)| other != name);
                detected.companions.push((name.to_owned(), command));
            }
        }
    }
    Ok(())
}

/// A text file; none where it is not there.
fn read(path: &Path) -> Result<Option<String>, DetectError> {
    let fail = |source| DetectError::Io {
        path: path.to_owned(),
        source,
    };
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() && metadata.len() <= FILE_MAX_BYTES => {}
        Ok(metadata) if metadata.is_file() => {
            return Err(DetectError::Malformed {
                path: path.to_owned(),
                message: format!("it is larger than {} MiB", FILE_MAX_BYTES >> 20),
            });
        }
        Ok(_) => return Ok(None),
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(e) => return Err(fail(e)),
    }
    let bytes = fs::read(path).map_err(fail)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

fn read_toml(path: &Path) -> Result<Option<toml::Table>, DetectError> {
    let Some(text) = read(path)? else {
        return Ok(None);
    };
    let table = text.parse::<toml::Table>();
    table.map(Some).map_err(|e| DetectError::Malformed {
        path: path.to_owned(),
        message: e.message().to_owned(),
    })
}

fn read_json(path: &Path) -> Result<Option<serde_json::Value>, DetectError> {
    let Some(text) = read(path)? else {
        return Ok(None);
    };
    let value = serde_json::from_str(text.trim_start_matches('\u{feff}'));
    value.map(Some).map_err(|e| DetectError::Malformed {
        path: path.to_owned(),
        message: e.to_string(),
    })
}

/// The folders that a pattern such as `crates/*` names, relative to `dir`. Only whole components may be `*`.
fn members(dir: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern
        .trim_end_matches('/')
        .split('/')
        .filter(|c| !c.is_empty() && *c != ".")
    {
        found = found
            .into_iter()
            .flat_map(|base| match component {
                "*" | "**" => {
                    let entries = fs::read_dir(dir.join(&base))
                        .into_iter()
                        .flatten()
                        .filter_map(Result::ok);
                    entries.map(|entry| base.join(entry.file_name())).collect()
                }
                name => vec![base.join(name)],
            })
            .filter(|path| dir.join(path).is_dir())
            .collect();
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests;
