//! A set of files that exists only in memory: what a renderer makes.
//!
//! Paths are relative, with `/` between their segments, and never leave the set's folder. Nothing here does I/O.

use std::collections::BTreeMap;
use std::collections::btree_map;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// The whole text; it ends with a line feed unless it is empty.
    pub text: String,
    /// Whether it is a program.
    pub executable: bool,
}

/// Files by their path, in the order of their paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileSet {
    files: BTreeMap<String, File>,
}

impl FileSet {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text.
    ///
    /// # Panics
    /// If the path is not relative and clean, or is there already: a renderer that writes a file twice has lost one.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.insert(path.into(), text.into(), false);
    }

    /// Adds a program.
    ///
    /// # Panics
    /// As [`FileSet::add`].
    pub fn add_program(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.insert(path.into(), text.into(), true);
    }

    /// Adds every file of `other` under the folder `folder`; an empty name is this folder.
    ///
    /// # Panics
    /// As [`FileSet::add`].
    pub fn nest(&mut self, folder: &str, other: Self) {
        for (path, file) in other.files {
            let path = if folder.is_empty() {
                path
            } else {
                format!("{folder}/{path}")
            };
            self.insert(path, file.text, file.executable);
        }
    }

    fn insert(&mut self, path: String, mut text: String, executable: bool) {
        assert!(is_clean(&path), "`{path}` is no clean relative path");
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        let before = self.files.insert(path, File { text, executable });
        assert!(before.is_none(), "a file is rendered twice");
    }

    /// The file at `path`.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// The text at `path`, to be changed.
    pub fn get_mut(&mut self, path: &str) -> Option<&mut File> {
        self.files.get_mut(path)
    }

    /// Every path and file, in the order of the paths.
    pub fn iter(&self) -> btree_map::Iter<'_, String, File> {
        self.files.iter()
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl<'a> IntoIterator for &'a FileSet {
    type Item = (&'a String, &'a File);
    type IntoIter = btree_map::Iter<'a, String, File>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn is_clean(path: &str) -> bool {
    !path.is_empty()
        && path
            .split('/')
            .all(|segment| !matches!(segment, "" | "." | ".."))
        && !path.contains(['\\', '\0', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_with_a_line_feed_and_folders_nest() {
        let mut inner = FileSet::new();
        inner.add("b.txt", "b");
        let mut files = FileSet::new();
        files.add_program("a.sh", "a\n");
        files.nest("in/side", inner);
        let shown: Vec<_> = files
            .iter()
            .map(|(path, file)| (path.as_str(), file.text.as_str(), file.executable))
            .collect();
        assert_eq!(
            shown,
            [("a.sh", "a\n", true), ("in/side/b.txt", "b\n", false)]
        );
    }

    #[test]
    #[should_panic(expected = "no clean relative path")]
    fn no_path_leaves_the_set() {
        FileSet::new().add("../a", "");
    }
}
