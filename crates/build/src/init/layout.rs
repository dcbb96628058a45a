//! Which folders become services, under which names, behind which paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use wharf_base::ids::{NAME_MAX_BYTES, Name};
use wharf_plan::model::Command;

use super::variables;
use crate::detect::{Detected, Kind, StoreNeed, detect};
use crate::error::DetectError;

/// Folders that hold no service of their own.
const NO_SERVICES: [&str; 17] = [
    "xtask",
    "node_modules",
    "target",
    "dist",
    "build",
    "docs",
    "doc",
    "tests",
    "test",
    "examples",
    "scripts",
    "vendor",
    "venv",
    "migrations",
    "deploy",
    "benches",
    "fuzz",
];

/// Folders that are services of their own even beside one in the root.
const PARTS: [&str; 13] = [
    "frontend",
    "client",
    "ui",
    "webapp",
    "web",
    "backend",
    "server",
    "api",
    "worker",
    "websocket",
    "realtime",
    "gateway",
    "admin",
];

/// Folders whose folders are services.
const COLLECTIONS: [&str; 4] = ["services", "apps", "packages", "cmd"];

/// A project as it will be written.
pub(super) struct Project {
    pub(super) name: Name,
    pub(super) services: Vec<Service>,
    pub(super) stores: BTreeSet<StoreNeed>,
}

/// A service as it will be written.
pub(super) struct Service {
    pub(super) name: Name,
    /// `.`, `./backend`.
    pub(super) folder: String,
    pub(super) detected: Detected,
    /// Which of the folder's programs it is, where there are several.
    pub(super) program: Option<String>,
    /// Its command, where it is to be written.
    pub(super) command: Option<Command>,
    /// The path of its route.
    pub(super) path: Option<String>,
    /// Whether it is a companion of the service before it: same build, no port.
    pub(super) companion: bool,
    /// Its file of variables, relative to the project.
    pub(super) env_file: Option<EnvFile>,
}

/// A file of variables that is there.
#[derive(Clone)]
pub(super) struct EnvFile {
    /// Relative to the project.
    pub(super) path: String,
    /// The names that it sets.
    pub(super) names: BTreeSet<String>,
}

/// Looks at the folder and at the folders in it.
pub(super) fn project(dir: &Path) -> Result<Project, DetectError> {
    let root = detect(dir)?;
    let canonical = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let name = canonical
        .file_name()
        .and_then(|name| sanitised(&name.to_string_lossy()));
    let mut found: Vec<(PathBuf, Detected)> = Vec::new();
    let root_runs = runs(&root);
    for folder in folders(dir, &root, root_runs) {
        let detected = detect(&dir.join(&folder))?;
        if runs(&detected) || (detected.kind == Kind::Dockerfile && !root_runs) {
            found.push((folder, detected));
        }
    }
    if root_runs || found.is_empty() {
        found.insert(0, (PathBuf::new(), root));
    }
    let mut services = Vec::new();
    for (folder, detected) in found {
        add(dir, &folder, detected, &mut services);
    }
    place(&mut services);
    let stores = services
        .iter()
        .flat_map(|service| service.detected.stores.iter().copied())
        .collect();
    Ok(Project {
        name: name.unwrap_or_else(|| fixed("app")),
        services,
        stores,
    })
}

/// Whether there is something to start.
fn runs(detected: &Detected) -> bool {
    match &detected.kind {
        Kind::Cargo(cargo) => !cargo.bins.is_empty() && cargo.members.is_empty(),
        Kind::Go(go) => !go.programs.is_empty(),
        Kind::Node(_) | Kind::Python(_) | Kind::Command => detected.default_command.is_some(),
        Kind::Dockerfile => false,
    }
}

/// The folders that may be services, relative to `dir`.
fn folders(dir: &Path, root: &Detected, root_runs: bool) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    match &root.kind {
        Kind::Cargo(cargo) => {
            found.extend(
                cargo
                    .members
                    .iter()
                    .filter(|path| !path.ends_with("xtask"))
                    .cloned(),
            );
        }
        Kind::Node(node) => found.extend(node.members.iter().cloned()),
        _ => {}
    }
    for name in inside(dir) {
        let known = PARTS.contains(&name.as_str());
        if COLLECTIONS.contains(&name.as_str()) && !root_runs {
            found.extend(
                inside(&dir.join(&name))
                    .into_iter()
                    .map(|inner| Path::new(&name).join(inner)),
            );
        } else if known || (!root_runs && !NO_SERVICES.contains(&name.as_str())) {
            found.insert(name.into());
        }
    }
    found
}

fn inside(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = folders.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// Adds the service of a folder and its companions.
fn add(dir: &Path, folder: &Path, detected: Detected, services: &mut Vec<Service>) {
    let root = folder.as_os_str().is_empty();
    let usual = if detected.port_hint.is_some() || detected.kind == Kind::Command {
        "web"
    } else {
        "worker"
    };
    let wanted = if root {
        Some(fixed(usual))
    } else {
        folder
            .file_name()
            .and_then(|name| sanitised(&name.to_string_lossy()))
    };
    let shown = if root {
        ".".to_owned()
    } else {
        format!("./{}", folder.display())
    };
    let env_file = env_file(dir, folder);
    if !detected.servers.is_empty() {
        for (name, mut one) in detected.servers.clone() {
            let Some(wanted) = sanitised(&name) else {
                continue;
            };
            variables::without_unused_stores(&mut one, &detected.servers);
            services.push(Service {
                name: free(wanted, services),
                folder: shown.clone(),
                program: Some(name),
                command: None,
                path: None,
                companion: false,
                env_file: env_file.clone(),
                detected: one,
            });
        }
        return;
    }
    let command = match (&detected.kind, &detected.default_command) {
        // A single program is what the build itself starts.
        (Kind::Cargo(_) | Kind::Go(_), Some(Command::Exec(_))) => None,
        (Kind::Cargo(cargo), None) => cargo
            .bins
            .first()
            .map(|name| Command::Exec(vec![format!("./{name}")])),
        (Kind::Go(go), None) => go
            .programs
            .first()
            .map(|name| Command::Exec(vec![format!("./{name}")])),
        (Kind::Command, None) => Some(Command::Shell("python3 -m http.server $PORT".to_owned())),
        (_, command) => command.clone(),
    };
    let companions = detected.companions.clone();
    let name = free(wanted.unwrap_or_else(|| fixed("app")), services);
    services.push(Service {
        name,
        folder: shown.clone(),
        program: None,
        command,
        path: None,
        companion: false,
        env_file: env_file.clone(),
        detected: detected.clone(),
    });
    for (name, command) in companions {
        let Some(name) = sanitised(&name) else {
            continue;
        };
        services.push(Service {
            name: free(name, services),
            folder: shown.clone(),
            program: None,
            command: Some(command),
            path: None,
            companion: true,
            env_file: env_file.clone(),
            detected: Detected {
                port_hint: None,
                release_hint: None,
                health_hint: None,
                static_files: BTreeMap::new(),
                notes: vec![],
                ..detected.clone()
            },
        });
    }
}

fn env_file(dir: &Path, folder: &Path) -> Option<EnvFile> {
    let path = folder.join(".env");
    let text = fs::read_to_string(dir.join(&path)).ok()?;
    let names = text.lines().filter_map(|line| {
        let (name, _) = line.trim().trim_start_matches("export ").split_once('=')?;
        Some(name.trim().to_owned())
    });
    Some(EnvFile {
        names: names.collect(),
        path: path.display().to_string(),
    })
}

/// Gives each server its path: the page is at `/`, the others where all their routes begin, or else by name: an interface at
/// `/api`, a WebSocket server at `/ws`.
fn place(services: &mut [Service]) {
    let serves = |service: &Service| {
        !service.companion
            && (service.detected.port_hint.is_some() || service.detected.kind == Kind::Command)
    };
    let pages = ["web", "frontend", "client", "ui", "webapp", "app", "site"];
    let first = pages
        .iter()
        .find_map(|page| {
            services
                .iter()
                .position(|service| serves(service) && service.name.as_str() == *page)
        })
        .or_else(|| services.iter().position(serves));
    let mut taken = BTreeSet::new();
    for (at, service) in services.iter_mut().enumerate() {
        if !serves(service) {
            continue;
        }
        let name = service.name.as_str();
        let path = if Some(at) == first {
            "/".to_owned()
        } else if let Some(path) = &service.detected.route_hint {
            path.clone()
        } else if ["backend", "api", "server"]
            .iter()
            .any(|word| name.contains(word))
        {
            "/api".to_owned()
        } else if ["ws", "websocket", "socket", "realtime"]
            .iter()
            .any(|word| name.contains(word))
        {
            "/ws".to_owned()
        } else {
            format!("/{name}")
        };
        let path = if taken.contains(&path) {
            format!("/{name}")
        } else {
            path
        };
        taken.insert(path.clone());
        service.path = Some(path);
    }
}

/// The name, or the name with the first number that makes it new.
fn free(name: Name, services: &[Service]) -> Name {
    let taken = |name: &Name| {
        // The stores' names, and those that references use.
        ["db", "cache", "env", "secret", "self", "volume", "wharf"].contains(&name.as_str())
            || services.iter().any(|service| service.name == *name)
    };
    if !taken(&name) {
        return name;
    }
    let numbered = (2..=u32::MAX).filter_map(|number| format!("{name}-{number}").parse().ok());
    numbered
        .into_iter()
        .find(|name| !taken(name))
        .unwrap_or(name)
}

/// The nearest valid name: `My_App` is `my-app`.
fn sanitised(text: &str) -> Option<Name> {
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    // Room for the number of `free`.
    name.truncate(NAME_MAX_BYTES - 12);
    name.trim_end_matches('-').parse().ok()
}

fn fixed(name: &'static str) -> Name {
    name.parse().expect("the constant is a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_valid() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(
                sanitised(text).as_ref().map(Name::as_str),
                expected,
                "{text}"
            );
        }
        check("My_App", Some("my-app"));
        check(".hidden--x.", Some("hidden-x"));
        check("äöü", None);
        check(&"x".repeat(200), Some(&"x".repeat(51)));
    }
}
