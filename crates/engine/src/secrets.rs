//! What a release was filled with: the values of `${env.…}` and the content of its `env_file`s.
//!
//! They lie in one file a release, `secrets/<release>.json`, mode 0600 in a directory of mode 0700; the release itself
//! keeps only their digest. The passwords of stores lie beside them, drawn once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wharf_base::ids::{Name, ReleaseId};

use crate::state_dir::{StateDir, write_secret};

/// The secret part of a release.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secrets {
    /// The values of `${env.…}`.
    pub(crate) env: BTreeMap<String, String>,
    /// The values of `${secret.…}`.
    #[serde(default)]
    pub(crate) secrets: BTreeMap<Name, String>,
    /// What the `env_file`s of each service say, the later file over the earlier.
    pub(crate) files: BTreeMap<Name, BTreeMap<String, String>>,
}

impl Secrets {
    fn path(state: &StateDir, release: ReleaseId) -> std::path::PathBuf {
        state.secret(&format!("{release}.json"))
    }

    /// Keeps them for the release.
    pub(crate) fn save(&self, state: &StateDir, release: ReleaseId) -> io::Result<()> {
        let bytes = serde_json::to_vec(self).map_err(io::Error::other)?;
        write_secret(&Self::path(state, release), &bytes)
    }

    /// Those of the release.
    pub(crate) fn load(state: &StateDir, release: ReleaseId) -> io::Result<Self> {
        let bytes = std::fs::read(Self::path(state, release))?;
        serde_json::from_slice(&bytes).map_err(io::Error::other)
    }

    /// Forgets those of the release.
    pub(crate) fn remove(state: &StateDir, release: ReleaseId) -> io::Result<()> {
        std::fs::remove_file(Self::path(state, release))
    }
}

/// Why an `env_file` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EnvFileError {
    /// It cannot be read.
    #[error("cannot read the env_file {path}")]
    Read {
        /// Which.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A line is not `KEY=value`.
    #[error("line {line} of the env_file {path} is not `KEY=value`")]
    Line {
        /// Which.
        path: String,
        /// Which line, from 1.
        line: usize,
    },
}

/// Reads a file of `KEY=value` lines: `#` begins a comment line, `export ` before a key is passed over, a value may be
/// in single or double quotes. Errors never show a line's content.
pub(crate) fn read_env_file(path: &Path) -> Result<BTreeMap<String, String>, EnvFileError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| EnvFileError::Read {
        path: shown.clone(),
        source,
    })?;
    let mut values = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let valid = |key: &str| {
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let Some((key, value)) = line.split_once('=').filter(|(key, _)| valid(key.trim())) else {
            return Err(EnvFileError::Line {
                path: shown,
                line: index + 1,
            });
        };
        values.insert(key.trim().to_owned(), unquote(value.trim()));
    }
    Ok(values)
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inner.to_owned();
        }
    }
    match value.split_once(" #") {
        Some((value, _comment)) => value.trim_end().to_owned(),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("env");
        std::fs::write(&path, text).unwrap();
        let values = read_env_file(&path).unwrap();
        let values: Vec<_> = values
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(values, expected, "{text}");
    }

    #[test]
    fn reads_env_files() {
        check(
            "A=1\n# no\n\nexport B = two \n",
            &[("A", "1"), ("B", "two")],
        );
        check(
            "A=\"x # y\"\nB='='\nC=a=b # c",
            &[("A", "x # y"), ("B", "="), ("C", "a=b")],
        );
    }

    #[test]
    fn an_error_shows_the_place_and_not_the_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("env");
        std::fs::write(&path, "A=1\nhunter2\n").unwrap();
        let message = read_env_file(&path).unwrap_err().to_string();
        assert!(
            message.contains("line 2") && !message.contains("hunter2"),
            "{message}"
        );
    }
}
