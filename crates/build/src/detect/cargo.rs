//! `Cargo.toml`: programs, members of a workspace, what its dependencies say about it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};
use wharf_plan::model::Command;

use super::{Detected, Kind, StoreNeed, members, read_toml};
use crate::error::DetectError;
use crate::sources::Sources;

/// Crates that make a program a server.
const SERVERS: [&str; 14] = [
    "axum",
    "actix-web",
    "rocket",
    "warp",
    "poem",
    "salvo",
    "tide",
    "hyper",
    "tonic",
    "ntex",
    "tower-http",
    "gotham",
    "loco-rs",
    "leptos_axum",
];

/// What the code of a program that serves has somewhere.
const LISTENS: [&str; 4] = [
    "TcpListener::bind",
    "axum::serve",
    "HttpServer::new",
    "rocket::build",
];

/// Usual among Rust servers; there is no rule.
const PORT: u16 = 8080;

/// A Cargo package or workspace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cargo {
    /// Its programs, by name; of a workspace those of its default members.
    pub bins: Vec<String>,
    /// The one that `cargo run` starts.
    pub default_run: Option<String>,
    /// Members of the workspace that have programs, relative to the folder.
    pub members: Vec<PathBuf>,
}

impl Cargo {
    /// The program to start where nobody says which.
    #[must_use]
    pub fn main_program(&self) -> Option<&str> {
        match (&self.default_run, self.bins.as_slice()) {
            (Some(name), _) => Some(name),
            (None, [only]) => Some(only),
            _ => None,
        }
    }
}

pub(super) fn detect(dir: &Path) -> Result<Option<Detected>, DetectError> {
    let Some(manifest) = read_toml(&dir.join("Cargo.toml"))? else {
        return Ok(None);
    };
    let mut cargo = Cargo {
        bins: programs(dir, &manifest),
        ..Cargo::default()
    };
    let package = manifest.get("package").and_then(Value::as_table);
    cargo.default_run = package
        .and_then(|package| package.get("default-run"))
        .and_then(Value::as_str)
        .map(str::to_owned);
    let mut stores = stores(&manifest);
    let mut server = is_server(&manifest);
    if let Some(workspace) = manifest.get("workspace").and_then(Value::as_table) {
        for path in listed(dir, workspace, "members") {
            if let Some(member) = read_toml(&dir.join(&path).join("Cargo.toml"))?
                && !programs(&dir.join(&path), &member).is_empty()
            {
                cargo.members.push(path);
            }
        }
        if package.is_none() {
            let key = if workspace.contains_key("default-members") {
                "default-members"
            } else {
                "members"
            };
            for path in listed(dir, workspace, key) {
                if let Some(member) = read_toml(&dir.join(&path).join("Cargo.toml"))? {
                    cargo.bins.extend(programs(&dir.join(&path), &member));
                    stores.extend(self::stores(&member));
                    server |= is_server(&member);
                }
            }
        }
    }
    let mut detected = Detected::new(Kind::Cargo(cargo.clone()));
    match (cargo.main_program(), cargo.bins.len()) {
        (Some(name), _) => {
            detected.default_command = Some(Command::Exec(vec![format!("./{name}")]))
        }
        (None, 0) => detected
            .notes
            .push("the Cargo package has no program, only a library".to_owned()),
        (None, _) => detected.notes.push(format!(
            "there are several programs ({}): say which one with `command`",
            cargo.bins.join(", ")
        )),
    }
    let sources = Sources::read(dir, &["rs"]);
    detected.port_hint = (server || sources.contain("TcpListener::bind")).then_some(PORT);
    detected.metrics_hint = sources.route(&["/metrics"]).is_some();
    detected.stores = stores;
    detected.read_from(&sources);
    if cargo.main_program().is_none() && package.is_some() {
        servers(dir, &manifest, &cargo, &sources, &mut detected);
    } else if let Some(name) = cargo.main_program() {
        detected.release_hint = migrations(dir, name, &sources, &mut detected.notes);
    }
    Ok(Some(detected))
}

/// Splits a package of several programs into those that serve, each with what its own part of the sources tells.
fn servers(dir: &Path, manifest: &Table, cargo: &Cargo, sources: &Sources, whole: &mut Detected) {
    for name in &cargo.bins {
        let Some(entry) = entry(dir, manifest, name) else {
            continue;
        };
        let own = sources.reached_from(&entry);
        if !LISTENS.iter().any(|text| own.contain(text)) {
            continue;
        }
        let mut one = Detected {
            default_command: Some(Command::Exec(vec![format!("./{name}")])),
            notes: vec![],
            servers: vec![],
            metrics_hint: own.route(&["/metrics"]).is_some(),
            ..whole.clone()
        };
        one.read_from(&own);
        one.release_hint = migrations(dir, name, &own, &mut one.notes);
        whole.servers.push((name.clone(), one));
    }
    if whole.servers.len() < 2 {
        whole.servers.clear();
    }
}

/// The program itself as the one-shot of a release, where it has migrations and knows the word.
fn migrations(
    dir: &Path,
    program: &str,
    sources: &Sources,
    notes: &mut Vec<String>,
) -> Option<Command> {
    if !dir.join("migrations").is_dir() || !sources.contain("\"migrate\"") {
        return None;
    }
    notes.push(format!(
        "there are migrations, and its source has the word \"migrate\": look whether `./{program} migrate` runs them and ends"
    ));
    Some(Command::Shell(format!("./{program} migrate")))
}

/// The file in which a program begins, relative to the folder.
fn entry(dir: &Path, manifest: &Table, name: &str) -> Option<PathBuf> {
    let listed = manifest
        .get("bin")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|bin| bin.get("name").and_then(Value::as_str) == Some(name))
        .and_then(|bin| bin.get("path")?.as_str());
    let usual = [
        format!("src/bin/{name}.rs"),
        format!("src/bin/{name}/main.rs"),
        "src/main.rs".to_owned(),
    ];
    let mut paths = listed.map(str::to_owned).into_iter().chain(usual);
    paths
        .find(|path| dir.join(path).is_file())
        .map(PathBuf::from)
}

/// The programs that Cargo finds in a package: `[[bin]]`, `src/main.rs`, `src/bin/*`.
fn programs(dir: &Path, manifest: &Table) -> Vec<String> {
    let Some(package) = manifest.get("package").and_then(Value::as_table) else {
        return Vec::new();
    };
    let mut names: BTreeSet<String> = manifest
        .get("bin")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|bin| bin.get("name")?.as_str())
        .map(str::to_owned)
        .collect();
    let paths: Vec<&str> = manifest
        .get("bin")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|bin| bin.get("path")?.as_str())
        .collect();
    if package.get("autobins").and_then(Value::as_bool) != Some(false) {
        if let Some(name) = package.get("name").and_then(Value::as_str)
            && dir.join("src/main.rs").is_file()
            && !paths.contains(&"src/main.rs")
        {
            names.insert(name.to_owned());
        }
        for entry in fs::read_dir(dir.join("src/bin"))
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            let path = entry.path();
            let inner = Path::new("src/bin").join(entry.file_name());
            let named = paths
                .iter()
                .any(|known| Path::new(known).starts_with(&inner));
            let program =
                path.extension().is_some_and(|e| e == "rs") || path.join("main.rs").is_file();
            if let Some(stem) = path.file_stem()
                && program
                && !named
            {
                names.insert(stem.to_string_lossy().into_owned());
            }
        }
    }
    names.into_iter().collect()
}

/// The members that a list of the workspace names, without its `exclude`.
fn listed(dir: &Path, workspace: &Table, key: &str) -> BTreeSet<PathBuf> {
    let paths = |key: &str| {
        let patterns = workspace
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        patterns
            .flat_map(|pattern| members(dir, pattern))
            .collect::<BTreeSet<_>>()
    };
    let excluded = paths("exclude");
    paths(key).difference(&excluded).cloned().collect()
}

fn dependencies(manifest: &Table) -> impl Iterator<Item = (&str, Option<&Value>)> {
    manifest
        .get("dependencies")
        .and_then(Value::as_table)
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let package = value.get("package").and_then(Value::as_str).unwrap_or(name);
            (package, value.get("features"))
        })
}

fn is_server(manifest: &Table) -> bool {
    dependencies(manifest).any(|(name, _)| SERVERS.contains(&name))
}

fn stores(manifest: &Table) -> BTreeSet<StoreNeed> {
    let mut needs = BTreeSet::new();
    for (name, features) in dependencies(manifest) {
        let has = |part: &str| {
            let features = features
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            features.into_iter().any(|feature| feature.contains(part))
        };
        match name {
            "postgres" | "tokio-postgres" | "deadpool-postgres" | "bb8-postgres" => {
                needs.insert(StoreNeed::Postgres)
            }
            "sqlx" | "diesel" | "diesel-async" | "sea-orm" if has("postgres") => {
                needs.insert(StoreNeed::Postgres)
            }
            "redis" | "deadpool-redis" | "bb8-redis" | "fred" | "rustis" => {
                needs.insert(StoreNeed::Redis)
            }
            _ => false,
        };
    }
    needs
}
