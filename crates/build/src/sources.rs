//! Reads a bounded part of a folder's source files, for hints that only the code gives: routes, entry points.

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
