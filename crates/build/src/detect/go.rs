//! `go.mod`: the programs of the module, what its dependencies say about it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wharf_plan::model::Command;

use super::{Detected, Kind, StoreNeed, read};
use crate::error::DetectError;
use crate::sources::Sources;

/// What the examples of `net/http` and most frameworks listen on.
const PORT: u16 = 8080;

/// A Go module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Go {
    /// Its programs, by the name that `go build` gives them.
    pub programs: Vec<String>,
}

pub(super) fn detect(dir: &Path) -> Result<Option<Detected>, DetectError> {
    let Some(module) = read(&dir.join("go.mod"))? else {
        return Ok(None);
    };
    let sources = Sources::read(dir, &["go"]);
    let folders: BTreeSet<PathBuf> = sources
        .0
        .iter()
        .filter(|(path, _)| !path.to_string_lossy().ends_with("_test.go"))
        .filter(|(_, text)| text.lines().any(|line| line.trim() == "package main"))
        .map(|(path, _)| path.parent().map(Path::to_owned).unwrap_or_default())
        .collect();
    let name_of_module = module
        .lines()
        .find_map(|line| line.trim().strip_prefix("module"))
        .unwrap_or_default()
        .trim();
    let programs: Vec<String> = folders
        .iter()
        .map(|folder| match folder.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => program_name(name_of_module),
        })
        .collect();
    let go = Go { programs };
    let mut detected = Detected::new(Kind::Go(go.clone()));
    match go.programs.as_slice() {
        [] => detected
            .notes
            .push("the Go module has no program, only packages".to_owned()),
        [only] => detected.default_command = Some(Command::Exec(vec![format!("./{only}")])),
        several => detected.notes.push(format!(
            "there are several programs ({}): say which one with `command`",
            several.join(", ")
        )),
    }
    let frameworks = [
        "gin-gonic/gin",
        "labstack/echo",
        "gofiber/fiber",
        "go-chi/chi",
        "gorilla/mux",
    ];
    let server = frameworks.iter().any(|name| module.contains(name))
        || ["http.ListenAndServe", "http.Server{", "net.Listen("]
            .iter()
            .any(|text| sources.contain(text));
    detected.port_hint = server.then_some(PORT);
    detected.read_from(&sources);
    detected.metrics_hint = sources.route(&["/metrics"]).is_some();
    if ["lib/pq", "jackc/pgx", "driver/postgres", "go-pg/pg"]
        .iter()
        .any(|name| module.contains(name))
    {
        detected.stores.insert(StoreNeed::Postgres);
    }
    if [
        "go-redis/redis",
        "redis/go-redis",
        "gomodule/redigo",
        "redis/rueidis",
    ]
    .iter()
    .any(|name| module.contains(name))
    {
        detected.stores.insert(StoreNeed::Redis);
    }
    Ok(Some(detected))
}

/// The last part of a module's path, without a major version behind it: `example.com/shop/v2` makes `shop`.
fn program_name(module: &str) -> String {
    let mut parts = module.trim_matches('"').rsplit('/');
    let last = parts.next().unwrap_or_default();
    let version = last
        .strip_prefix('v')
        .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let name = if version {
        parts.next().unwrap_or(last)
    } else {
        last
    };
    name.to_owned()
}
