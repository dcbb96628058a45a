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
        // A function of their own reads the variable of a name: then its callers name them.
        if BY_NAME.iter().any(|text| self.contain(text)) {
            for (_, text) in &self.0 {
                found.extend(named_in_calls(text));
            }
        }
        found
    }

    /// The part that a program consists of: its first file, the library's, and every module whose name one of them has in its
    /// code. Of a program with its own copy of a name that is more than it should be, never less.
    pub(crate) fn reached_from(&self, entry: &Path) -> Self {
        let is_entry =
            |path: &Path| path.starts_with("src/bin") || path == Path::new("src/main.rs");
        let mut reached: BTreeSet<usize> = BTreeSet::new();
        let mut open: Vec<usize> = (0..self.0.len())
            .filter(|at| self.0[*at].0 == entry || self.0[*at].0 == Path::new("src/lib.rs"))
            .collect();
        while let Some(at) = open.pop() {
            if !reached.insert(at) {
                continue;
            }
            let words = words_of_paths(&self.0[at].1);
            open.extend((0..self.0.len()).filter(|other| {
                let path = &self.0[*other].0;
                !is_entry(path) && module_name(path).is_some_and(|name| words.contains(name))
            }));
        }
        Self(reached.into_iter().map(|at| self.0[at].clone()).collect())
    }

    /// `/api`, where every route but those of operations begins with it.
    pub(crate) fn first_part_of_routes(&self) -> Option<String> {
        let mut parts = BTreeSet::new();
        for (_, text) in &self.0 {
            for definition in ROUTES {
                for (at, _) in text.match_indices(definition) {
                    let rest = &text[at + definition.len()..];
                    let mut chars = rest.chars();
                    let quote = chars.next().filter(|c| matches!(c, '"' | '\''));
                    let Some(path) = quote.and_then(|quote| chars.as_str().split(quote).next())
                    else {
                        continue;
                    };
                    let operations = HEALTH_ROUTES.contains(&path)
                        || LIVE_ROUTES.contains(&path)
                        || ["/metrics", "/openapi.json"].contains(&path);
                    if path.starts_with('/') && !operations {
                        parts.insert(path[1..].split('/').next().unwrap_or_default());
                    }
                }
            }
        }
        let only = parts.pop_first().filter(|_| parts.is_empty())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        (!only.is_empty() && only.chars().all(plain)).then(|| format!("/{only}"))
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
                    || self.contain(&format!("path({quote}{bare}{quote}"))
            })
        })
    }
}

/// The names that calls begin with: `variable("REDIS_URL", …)`. One word in capitals may be anything else (`method("GET")`).
fn named_in_calls(text: &str) -> impl Iterator<Item = String> {
    text.match_indices('(').filter_map(|(at, _)| {
        // A function; a type with a value is none.
        let function = text[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let called = function
            .into_iter()
            .next()
            .is_some_and(|word| word.starts_with(|c: char| c.is_ascii_lowercase() || c == '_'));
        let inner = text[at + 1..].trim_start().strip_prefix('"')?;
        let name = inner.split('"').next()?;
        let capitals = name.starts_with(|c: char| c.is_ascii_uppercase())
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        let long = name.contains('_') || ["PORT", "HOST"].contains(&name);
        (called && capitals && long).then(|| name.to_owned())
    })
}

/// The parts of the paths in a Rust file, and the words of what it uses. Comments and declarations of modules have none.
fn words_of_paths(text: &str) -> BTreeSet<&str> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = BTreeSet::new();
    let mut using = false;
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
    {
        using |= line.starts_with("use ") || line.starts_with("pub use ");
        if using {
            let used = line.split(';').next().unwrap_or_default();
            words.extend(used.split(|c: char| !word(c)));
            using = !line.contains(';');
        }
        for (at, separator) in line.match_indices("::") {
            words.extend(line[..at].rsplit(|c: char| !word(c)).next());
            words.extend(
                line[at + separator.len()..]
                    .split(|c: char| !word(c))
                    .next(),
            );
        }
    }
    words
}

/// The name of the module that a file is.
fn module_name(path: &Path) -> Option<&str> {
    if path.file_name()? == "mod.rs" {
        return path.parent()?.file_name()?.to_str();
    }
    path.file_stem()?.to_str()
}

/// How a function begins that reads the variable of a name that it was given, in Rust and Python.
const BY_NAME: [&str; 4] = [
    "env::var(name",
    "environ.get(name",
    "environ[name",
    "getenv(name",
];

/// What precedes the path of a route, in the ways of Rust, Go, Python and JavaScript. A client's `.get(` is none.
const ROUTES: [&str; 8] = [
    ".route(",
    ".nest(",
    "HandleFunc(",
    "app.get(",
    "app.post(",
    "app.use(",
    "router.get(",
    "router.post(",
];

/// Where it is asked whether a process answers, whatever its stores do.
pub(crate) const LIVE_ROUTES: [&str; 5] = ["/live", "/livez", "/live/", "/livez/", "/alive"];

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
