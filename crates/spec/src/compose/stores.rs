//! Images of databases and caches -> stores.

use super::emit::Out;
use super::{Importer, text};
use crate::yaml::{Entry, Kind, Node};

/// Which store a service of the Compose file becomes, and what its users may call it by.
#[derive(Debug, Clone)]
pub(super) struct StoreOrigin {
    pub(super) postgres: bool,
    version: Option<String>,
    /// As typed, variables included; so that the same text elsewhere is recognised.
    pub(super) user: String,
    pub(super) password: Option<String>,
    pub(super) database: String,
}

impl StoreOrigin {
    /// The port that the server listens on.
    pub(super) fn port(&self) -> u16 {
        if self.postgres { 5432 } else { 6379 }
    }
}

/// The store that a service is: by its image, whatever the registry.
pub(super) fn origin(service: &Node) -> Option<StoreOrigin> {
    if service.entry("build").is_some() {
        return None;
    }
    let image = text(&service.entry("image")?.value)?;
    let (path, tag) = image.rsplit_once(':').unwrap_or((image, ""));
    let name = path.rsplit('/').next()?;
    let postgres = match name {
        "postgres" | "postgresql" | "postgis" => true,
        "redis" | "valkey" | "redis-stack-server" => false,
        _ => return None,
    };
    let digits: String = tag
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let version = digits.trim_matches('.').to_owned();
    let variable = |names: &[&str]| names.iter().find_map(|name| variable(service, name));
    let user = variable(&["POSTGRES_USER", "POSTGRESQL_USERNAME"])
        .unwrap_or_else(|| "postgres".to_owned());
    Some(StoreOrigin {
        postgres,
        version: (!version.is_empty()).then_some(version),
        password: variable(&["POSTGRES_PASSWORD", "POSTGRESQL_PASSWORD", "REDIS_PASSWORD"]),
        database: variable(&["POSTGRES_DB", "POSTGRESQL_DATABASE"]).unwrap_or_else(|| user.clone()),
        user,
    })
}

/// A variable of a service's `environment`, map or list.
fn variable(service: &Node, name: &str) -> Option<String> {
    let environment = &service.entry("environment")?.value;
    match &environment.kind {
        Kind::Map(_) => text(&environment.entry(name)?.value).map(str::to_owned),
        Kind::List(items) => items
            .iter()
            .filter_map(text)
            .filter_map(|item| item.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned()),
        _ => None,
    }
}

impl Importer<'_> {
    pub(super) fn store(&mut self, entry: &Entry) -> Out {
        let name = entry.key.text.as_str();
        let Some(origin) = self.stores.get(name).cloned() else {
            return Out::Map(vec![]);
        };
        let engine = if origin.postgres { "postgres" } else { "redis" };
        let mut store = vec![("engine".to_owned(), Out::text(engine))];
        if let Some(version) = origin.version {
            store.push(("version".to_owned(), Out::text(version)));
        }
        for key in entry.value.entries() {
            let reason = match key.key.text.as_str() {
                // A store is kept, watched and given its data by Wharf itself.
                "image" | "restart" | "healthcheck" | "container_name" | "hostname"
                | "networks" | "expose" | "init" | "platform" | "pull_policy" => continue,
                "volumes" => {
                    self.store_volumes(name, &key.value);
                    continue;
                }
                "environment" => {
                    "Wharf makes user, password and database; services refer to them as `${NAME.user}`, `.password` and `.database`"
                }
                "env_file" => "Wharf makes user, password and database; take them out of the file",
                "ports" => {
                    "a store listens for this machine alone, on a port of its own; `wharf ps` names it"
                }
                "command" | "entrypoint" => "the server's settings are Wharf's",
                "deploy" | "mem_limit" | "cpus" | "shm_size" => {
                    "a store has no limits of its own yet"
                }
                _ => "a store has no such key",
            };
            self.left(&key.value, format!("{name}.{}", key.key.text), reason);
        }
        Out::Map(store)
    }

    /// The data is kept anyway; scripts that fill it are not run.
    fn store_volumes(&mut self, name: &str, volumes: &Node) {
        for volume in super::items(volumes) {
            let scripts = match (&volume.kind, text(volume)) {
                (_, Some(short)) => {
                    short.contains("docker-entrypoint-initdb.d")
                        || short.ends_with(".conf")
                        || short.contains(".conf:")
                }
                (Kind::Map(_), _) => {
                    let target = volume
                        .entry("target")
                        .and_then(|target| text(&target.value));
                    target.is_some_and(|target| {
                        target.contains("docker-entrypoint-initdb.d") || target.ends_with(".conf")
                    })
                }
                _ => false,
            };
            if scripts {
                let reason = "scripts and settings of the image are not used; put what fills the database into a service's `release`";
                self.left(volume, format!("{name}.volumes"), reason);
            }
        }
    }
}
