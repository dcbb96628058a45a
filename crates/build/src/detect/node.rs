//! `package.json`: its scripts, its package manager, what its dependencies say about it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use wharf_plan::model::Command;

use super::{Detected, Kind, StoreNeed, members, read, read_json};
use crate::error::DetectError;
use crate::sources::Sources;

/// What Express's generator, Next.js, Nest and Create React App listen on.
const PORT: u16 = 3000;

/// Packages that make a program a server.
const SERVERS: [&str; 14] = [
    "express",
    "fastify",
    "koa",
    "@hapi/hapi",
    "@nestjs/core",
    "next",
    "nuxt",
    "hono",
    "@hono/node-server",
    "restify",
    "socket.io",
    "ws",
    "polka",
    "@remix-run/serve",
];

/// Vite's preview server by its API: the `vite preview` command writes beside its configuration, in the artifact.
const VITE_PREVIEW: &str = "node --input-type=module -e \"import { preview } from 'vite'; await preview({ configFile: false, \
    preview: { host: true, port: Number(process.env.PORT), strictPort: true, allowedHosts: true } })\"";

/// Who installs the dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// `npm`, also where no lock file is there.
    Npm,
    /// `pnpm-lock.yaml`.
    Pnpm,
    /// `yarn.lock`.
    Yarn,
}

impl Manager {
    /// The command.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn => "yarn",
        }
    }
}

/// A Node.js package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Who installs its dependencies.
    pub manager: Manager,
    /// Whether there is a lock file, so that every build gets the same dependencies.
    pub locked: bool,
    /// Its scripts.
    pub scripts: BTreeMap<String, String>,
    /// Whether it has dependencies to install.
    pub dependencies: bool,
    /// Packages of a workspace, relative to the folder.
    pub members: Vec<PathBuf>,
    /// Whether some dependency lies outside of the folder, so that a build depends on more than the folder.
    pub reaches_out: bool,
    /// Whether it is a React page that Vite builds to files, and no server.
    pub react_page: bool,
}

pub(super) fn detect(dir: &Path) -> Result<Option<Detected>, DetectError> {
    let Some(package) = read_json(&dir.join("package.json"))? else {
        return Ok(None);
    };
    let scripts: BTreeMap<String, String> = package
        .get("scripts")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, line)| Some((name.clone(), line.as_str()?.to_owned())))
        .collect();
    let exists = |name: &str| dir.join(name).is_file();
    let (manager, locked) = if exists("pnpm-lock.yaml") {
        (Manager::Pnpm, true)
    } else if exists("yarn.lock") {
        (Manager::Yarn, true)
    } else {
        (
            Manager::Npm,
            exists("package-lock.json") || exists("npm-shrinkwrap.json"),
        )
    };
    let dependencies = dependencies(&package);
    let node = Node {
        manager,
        locked,
        dependencies: !dependencies.is_empty() || package.get("workspaces").is_some(),
        members: workspace(dir, &package),
        reaches_out: dependencies.values().any(|version| reaches_out(version)),
        react_page: ["react", "vite"]
            .iter()
            .all(|name| dependencies.contains_key(*name))
            && scripts.contains_key("build")
            && !scripts.contains_key("start"),
        scripts,
    };
    let mut detected = Detected::new(Kind::Node(node.clone()));
    start(dir, &package, &node, &dependencies, &mut detected);
    detected.stores = stores(dir, &dependencies)?;
    let sources = Sources::read(dir, &["js", "mjs", "cjs", "ts", "tsx"]);
    let listens = dependencies
        .keys()
        .any(|name| SERVERS.contains(&name.as_str()))
        || [".listen(", "createServer("]
            .iter()
            .any(|text| sources.contain(text));
    if detected.port_hint.is_none() && listens {
        detected.port_hint = Some(PORT);
    }
    detected.read_from(&sources);
    detected.metrics_hint =
        dependencies.contains_key("prom-client") && sources.route(&["/metrics"]).is_some();
    if !node.locked && node.dependencies {
        detected.notes.push(
            "there is no lock file, so versions of dependencies may change from build to build: run `npm install` and \
             keep package-lock.json"
                .to_owned(),
        );
    }
    Ok(Some(detected))
}

/// What starts it. Scripts run as they are, without `npm` in between, so that signals reach the program; one with a
/// `prestart` needs npm.
fn start(
    dir: &Path,
    package: &Value,
    node: &Node,
    dependencies: &BTreeMap<String, String>,
    detected: &mut Detected,
) {
    let manager = node.manager.as_str();
    let shell = |line: &str| Some(Command::Shell(line.to_owned()));
    detected.default_command = match node.scripts.get("start") {
        Some(line) if line.contains("react-scripts start") => {
            detected.port_hint = Some(PORT);
            if dependencies.contains_key("serve") {
                shell("serve -s build -l tcp://0.0.0.0:$PORT")
            } else {
                detected.notes.push(
                    "add `serve` to the dependencies: `npx` fetches it at every start".to_owned(),
                );
                shell("npx --yes serve -s build -l tcp://0.0.0.0:$PORT")
            }
        }
        Some(_) if node.scripts.contains_key("prestart") => shell(&format!("{manager} start")),
        Some(line) if line.starts_with("next start") && !line.contains("-p") => {
            shell(&format!("{line} -p $PORT"))
        }
        Some(line) => shell(line),
        None if dependencies.contains_key("vite") && node.scripts.contains_key("build") => {
            detected.port_hint = Some(PORT);
            detected.notes.push(if node.react_page {
                "the built page is served by Vite's preview server here, and by Nginx in its image".to_owned()
            } else {
                "the built page is served by Vite's preview server, from `dist`; a static host is better in production"
                    .to_owned()
            });
            shell(VITE_PREVIEW)
        }
        None if dependencies.contains_key("next") => {
            detected.port_hint = Some(PORT);
            shell("next start -p $PORT")
        }
        None => {
            let main = package
                .get("main")
                .and_then(Value::as_str)
                .filter(|main| dir.join(main).is_file());
            let usual = [
                "server.js",
                "index.js",
                "app.js",
                "server.mjs",
                "index.mjs",
                "src/index.js",
                "src/server.js",
            ];
            let usual = usual.into_iter().find(|name| dir.join(name).is_file());
            main.or(usual)
                .map(|main| Command::Exec(vec!["node".to_owned(), main.to_owned()]))
        }
    };
    if detected.default_command.is_none() && node.members.is_empty() {
        detected.notes.push(
            "package.json has no `start` script: say what starts it with `command`".to_owned(),
        );
    }
}

fn dependencies(package: &Value) -> BTreeMap<String, String> {
    ["dependencies", "devDependencies", "optionalDependencies"]
        .iter()
        .filter_map(|key| package.get(key)?.as_object())
        .flatten()
        .map(|(name, version)| {
            (
                name.clone(),
                version.as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

fn reaches_out(version: &str) -> bool {
    let path = ["file:", "link:", "portal:"]
        .iter()
        .find_map(|scheme| version.strip_prefix(scheme));
    path.unwrap_or(version).starts_with("../") || path.is_some_and(|path| path.starts_with('/'))
}

fn workspace(dir: &Path, package: &Value) -> Vec<PathBuf> {
    let listed = match package.get("workspaces") {
        Some(Value::Array(patterns)) => Some(patterns),
        Some(Value::Object(object)) => object.get("packages").and_then(Value::as_array),
        _ => None,
    };
    let patterns = listed.into_iter().flatten().filter_map(Value::as_str);
    let found = patterns.flat_map(|pattern| members(dir, pattern));
    found
        .filter(|path| dir.join(path).join("package.json").is_file())
        .collect()
}

fn stores(
    dir: &Path,
    dependencies: &BTreeMap<String, String>,
) -> Result<BTreeSet<StoreNeed>, DetectError> {
    let mut needs = BTreeSet::new();
    for name in dependencies.keys() {
        match name.as_str() {
            "pg" | "postgres" | "pg-promise" | "@vercel/postgres" | "pg-boss"
            | "@prisma/adapter-pg" => {
                needs.insert(StoreNeed::Postgres);
            }
            "@prisma/client" | "prisma" => {
                let schema = read(&dir.join("prisma/schema.prisma"))?.unwrap_or_default();
                if schema.contains("\"postgresql\"") || schema.contains("\"postgres\"") {
                    needs.insert(StoreNeed::Postgres);
                }
            }
            "redis"
            | "ioredis"
            | "bull"
            | "bullmq"
            | "connect-redis"
            | "@socket.io/redis-adapter" => {
                needs.insert(StoreNeed::Redis);
            }
            _ => {}
        }
    }
    Ok(needs)
}
