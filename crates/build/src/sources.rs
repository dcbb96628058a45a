//! Reads a bounded part of a folder's source files, for hints that only the code gives: routes, entry points.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

/// Enough for the part of a project where its entry points are.
const FILES_MAX: usize = 400;

/// Larger files are generated or data.
const FILE_MAX_BYTES: u64 = 256 << 10;

/// Deeper folders hold no entry points.
const DEPTH_MAX: usize = 6;

/// What precedes the name of a variable that is asked for.
const ASKS: [&str; 22] = [
    "environ[\"",
    "environ['",
    "environ.get(\"",
    "environ.get('",
    "getenv(\"",
    "getenv('",
    "env(\"",
    "env('",
    "config(\"",
    "config('",
    "env.str(\"",
    "env.db(\"",
    "env.bool(\"",
    "process.env.",
    "process.env[\"",
    "process.env['",
    "env::var(\"",
    "env::var_os(\"",
    "os.Getenv(\"",
    "os.LookupEnv(\"",
    "env!(\"",
    "var(\"",
];

/// Source files by path relative to their folder, shallow ones first.
pub(crate) struct Sources(pub(crate) Vec<(PathBuf, String)>);

impl Sources {
    /// Reads the files of `dir` with one of the `extensions`. Files that cannot be read count as absent.
    pub(crate) fn read(dir: &Path, extensions: &[&str]) -> Self {
        let mut builder = WalkBuilder::new(dir);
        builder
            .hidden(true)
            .ignore(false)
            .git_global(false)
            .require_git(false)
            .max_depth(Some(DEPTH_MAX));
        builder.filter_entry(|entry| {
            let name = entry.file_name();
            let made = [
                "node_modules",
                "target",
                "tests",
                "test",
                "vendor",
                "migrations",
            ]
            .iter()
            .any(|made| name == *made);
            !(made || entry.depth() > 0 && entry.path().join("pyvenv.cfg").exists())
        });
        let mut paths: Vec<PathBuf> = builder
            .build()
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
            .map(ignore::DirEntry::into_path)
            .filter(|path| {
                path.extension()
                    .is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
            })
            .take(FILES_MAX * 10)
            .collect();
        paths.sort_by_key(|path| (path.components().count(), path.clone()));
        paths.truncate(FILES_MAX);
        let files = paths.into_iter().filter_map(|path| {
            let mut text = Vec::new();
            File::open(&path)
                .ok()?
                .take(FILE_MAX_BYTES)
                .read_to_end(&mut text)
                .ok()?;
            let inner = path.strip_prefix(dir).ok()?.to_owned();
            Some((inner, String::from_utf8_lossy(&text).into_owned()))
        });
        Self(files.collect())
    }

    /// The environment variables that the code asks for by name, in the ways of Python, JavaScript, Rust and Go.
    pub(crate) fn variables(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for (_, text) in &self.0 {
            for ask in ASKS {
                for (at, _) in text.match_indices(ask) {
                    let rest = &text[at + ask.len()..];
                    let end = rest
                        .find(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
                    let name = &rest[..end.unwrap_or(rest.len())];
                    if name.starts_with(|c: char| c.is_ascii_uppercase()) && name.len() > 1 {
                        found.insert(name.to_owned());
                    }
                }
            }
        }
        found
    }

    /// Whether some file has the text.
    pub(crate) fn contain(&self, text: &str) -> bool {
        self.0.iter().any(|(_, content)| content.contains(text))
    }

    /// The first of `paths` that stands in quotes in some file, as routes do; Django writes them without the leading slash.
    pub(crate) fn route(&self, paths: &[&'static str]) -> Option<&'static str> {
        paths.iter().copied().find(|path| {
            let bare = path.trim_start_matches('/');
            ['"', '\'', '`'].iter().any(|quote| {
                self.contain(&format!("{quote}{path}{quote}"))
                    || (bare.ends_with('/') && self.contain(&format!("path({quote}{bare}{quote}")))
            })
        })
    }
}

/// Where health is usually asked for, the most usual first.
pub(crate) const HEALTH_ROUTES: [&str; 9] = [
    "/health",
    "/healthz",
    "/health/",
    "/healthz/",
    "/api/health",
    "/_health",
    "/readyz",
    "/livez",
    "/up",
];
