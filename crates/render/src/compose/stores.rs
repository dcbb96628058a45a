//! The databases and caches of a stack.

use wharf_base::ids::Name;
use wharf_plan::model::{Store, StoreEngine};

use super::addresses::database;
use super::parts::{self, DEVELOPMENT, Mode, literal};
use super::stack::Stack;
use crate::Rendered;
use crate::values::{secret_variable, store_password};
use crate::yaml::{Map, Yaml};
use crate::{list, map};

/// The volume of a store.
pub(super) fn volume(store: &Name) -> String {
    format!("{store}-data")
}

/// The server, without what only one of the files has.
pub(super) fn server(stack: &Stack<'_>, name: &Name, store: &Store, mode: Mode) -> Map {
    match store.engine {
        StoreEngine::Postgres => postgres(stack, name, store, mode),
        StoreEngine::Redis => redis(stack, name, store, mode),
    }
}

/// The folders of a store's image that have to be writable, beside its volume.
pub(super) fn writable(store: &Store) -> Yaml {
    match store.engine {
        StoreEngine::Postgres => list!["/tmp", "/run/postgresql"],
        StoreEngine::Redis => list!["/tmp"],
    }
}

/// The SQL that makes the extensions of a store, which PostgreSQL's image runs once.
pub(super) fn extensions(
    stack: &Stack<'_>,
    name: &Name,
    store: &Store,
    out: &mut Rendered,
) -> bool {
    if store.extensions.is_empty() || store.engine != StoreEngine::Postgres {
        return false;
    }
    let mut text = format!("-- {}\n", stack.header);
    for extension in &store.extensions {
        let extension = extension.replace('"', "\"\"").replace('\n', " ");
        text.push_str(&format!(
            "CREATE EXTENSION IF NOT EXISTS \"{extension}\";\n"
        ));
    }
    out.add(format!("postgres/{name}.sql"), text);
    true
}

fn postgres(stack: &Stack<'_>, name: &Name, store: &Store, mode: Mode) -> Map {
    let version = version(stack, store, "postgres");
    let database = database(stack.plan);
    let secret = store_password(name);
    let mut environment =
        map! { "POSTGRES_DB" => database.as_str(), "POSTGRES_USER" => database.as_str() };
    let variable = secret_variable(&secret);
    match mode {
        Mode::Production if stack.carried.is_file(&secret) => {
            environment.set("POSTGRES_PASSWORD_FILE", format!("/run/secrets/{secret}"));
        }
        Mode::Production => {
            let value = format!("${{{variable}:?it is a secret, see env.example}}");
            environment.set("POSTGRES_PASSWORD", value);
        }
        Mode::Development => {
            environment.set(
                "POSTGRES_PASSWORD",
                format!("${{{variable}:-{DEVELOPMENT}}}"),
            );
        }
    }
    // From 18 on the image keeps a folder for each major version.
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    let data = if major.is_some_and(|major| major >= 18) {
        "/var/lib/postgresql"
    } else {
        "/var/lib/postgresql/data"
    };
    let check = [
        "CMD",
        "pg_isready",
        "--host=127.0.0.1",
        "--username",
        &database,
        "--dbname",
        &database,
    ];
    map! {
        "image" => literal(&format!("postgres:{version}")),
        // Where sorts and hash joins share memory, Docker's 64 MB are too few.
        "shm_size" => "128mb",
        "environment" => environment,
        "volumes" => list![format!("{}:{data}", volume(name))],
        "healthcheck" => healthcheck(Yaml::Inline(check.iter().map(|word| (*word).into()).collect())),
    }
}

fn redis(stack: &Stack<'_>, name: &Name, store: &Store, mode: Mode) -> Map {
    let version = version(stack, store, "redis");
    let secret = store_password(name);
    let mut server = map! { "image" => literal(&format!("redis:{version}")) };
    let password = match mode {
        Mode::Development => None,
        Mode::Production if stack.carried.is_file(&secret) => {
            Some(format!("$$(cat /run/secrets/{secret})"))
        }
        Mode::Production => Some("$${REDIS_PASSWORD}".to_owned()),
    };
    let check = match &password {
        None => {
            server.set(
                "command",
                Yaml::Inline(
                    ["redis-server", "--appendonly", "yes"]
                        .map(Yaml::from)
                        .to_vec(),
                ),
            );
            Yaml::Inline(["CMD", "redis-cli", "ping"].map(Yaml::from).to_vec())
        }
        Some(password) => {
            // On the command line every process of the server could read the password.
            let start = format!(
                "umask 077\nprintf 'requirepass %s\\n' \"{password}\" >/tmp/password.conf\nexec redis-server /tmp/password.conf --appendonly yes --dir /data\n"
            );
            server.set("command", list!["/bin/sh", "-euc", start]);
            if !stack.carried.is_file(&secret) {
                let value = format!(
                    "${{{}:?it is a secret, see env.example}}",
                    secret_variable(&secret)
                );
                server.set("environment", map! { "REDIS_PASSWORD" => value });
            }
            let check = format!("REDISCLI_AUTH=\"{password}\" redis-cli ping | grep -q PONG");
            Yaml::Inline(vec!["CMD-SHELL".into(), check.into()])
        }
    };
    server.set("volumes", list![format!("{}:/data", volume(name))]);
    server.set("healthcheck", healthcheck(check));
    server
}

fn version<'a>(stack: &Stack<'a>, store: &'a Store, tool: &str) -> &'a str {
    let asked = store.version.as_ref();
    asked
        .or_else(|| stack.plan.versions.get(tool))
        .map_or("latest", String::as_str)
}

fn healthcheck(test: Yaml) -> Map {
    map! {
        "test" => test,
        "interval" => "10s",
        "timeout" => "5s",
        "retries" => 5,
        "start_period" => "30s",
    }
}

/// Processes and threads of a container at most: enough for a pool of threads, too few for a fork bomb.
pub(super) const PROCESSES: u16 = 512;

/// CPU, memory and processes of a store or service, as `deploy.resources`.
pub(super) fn resources(resources: wharf_plan::model::Resources) -> Map {
    let (mut limits, mut reservations) = (Map::new(), Map::new());
    if let Some(cpu) = resources.cpu {
        limits.set("cpus", cores(cpu.limit.0));
        reservations.set("cpus", cores(cpu.request.0));
    }
    if let Some(memory) = resources.memory {
        limits.set("memory", parts::memory(memory.limit));
        reservations.set("memory", parts::memory(memory.request));
    }
    limits.set("pids", PROCESSES);
    let mut both = map! { "limits" => limits };
    both.set_full("reservations", reservations);
    both
}

fn cores(millicores: u32) -> String {
    let text = format!("{}.{:03}", millicores / 1000, millicores % 1000);
    let short = text.trim_end_matches('0');
    match short.strip_suffix('.') {
        Some(whole) => format!("{whole}.0"),
        None => short.to_owned(),
    }
}
