//! What a target has made: its files and its gaps.

use wharf_base::files::FileSet;
use wharf_plan::model::{Patch, Plan};

use crate::gap::Gap;
use crate::yaml::{self, Yaml};

/// The files of one target, and what is not in them.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// The files, by their path in the target's folder.
    pub files: FileSet,
    /// What the target cannot express.
    pub gaps: Vec<Gap>,
    /// The patches of the target that no file has taken yet.
    patches: Vec<Patch>,
}

impl Rendered {
    /// Nothing yet; `patches` are those of the target.
    #[must_use]
    pub(crate) fn new(patches: Vec<Patch>) -> Self {
        Self {
            patches,
            ..Self::default()
        }
    }

    /// Nothing yet, with the patches that `plan` has for `target`: for a target whose files others put into their own.
    #[must_use]
    pub(crate) fn of(plan: &Plan, target: &str) -> Self {
        let patches = plan.patches.iter();
        Self::new(
            patches
                .filter(|patch| patch.target == target)
                .cloned()
                .collect(),
        )
    }

    /// Adds a text.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.files.add(path, text);
    }

    /// Adds a program.
    pub fn add_program(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.files.add_program(path, text);
    }

    /// Adds a YAML file of one or more documents, with `header` as a comment above them, and lays the plan's patches
    /// over it. A pointer into a file of several documents begins with the document's number: `all.yaml#/0/spec`.
    pub fn yaml(&mut self, path: &str, header: &str, mut documents: Vec<Yaml>) {
        for patch in self.take_patches(path) {
            let pointer = pointer(&patch.path);
            let value = Yaml::from(patch.value.clone());
            let done = if let [only] = documents.as_mut_slice() {
                only.put(pointer, value)
            } else {
                let (index, rest) = pointer
                    .trim_start_matches('/')
                    .split_once('/')
                    .unwrap_or_default();
                let document = index.parse::<usize>().ok();
                let document = document.and_then(|index| documents.get_mut(index));
                document.is_some_and(|document| document.put(&format!("/{rest}"), value))
            };
            self.note_patch(&patch, done);
        }
        self.files.add(path, yaml::to_text(header, &documents));
    }

    /// Adds a JSON file, and lays the plan's patches over it.
    pub fn json(&mut self, path: &str, mut value: serde_json::Value) {
        for patch in self.take_patches(path) {
            let mut tree = Yaml::from(value.clone());
            let done = tree.put(pointer(&patch.path), Yaml::from(patch.value.clone()));
            if done {
                value = tree.into_json();
            }
            self.note_patch(&patch, done);
        }
        let text = serde_json::to_string_pretty(&value).unwrap_or_default();
        self.files.add(path, text);
    }

    /// Says that something of the plan is not in the files.
    pub fn gap(&mut self, what: impl Into<String>, why: impl Into<String>) {
        let gap = Gap {
            what: what.into(),
            why: why.into(),
        };
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }

    /// Reports the patches that no file took.
    pub(crate) fn finish(&mut self) {
        for patch in std::mem::take(&mut self.patches) {
            self.gap(
                format!("patches `{}`", patch.path),
                "no structured file of this name is rendered",
            );
        }
    }

    fn take_patches(&mut self, path: &str) -> Vec<Patch> {
        let (mine, others) = std::mem::take(&mut self.patches)
            .into_iter()
            .partition(|patch| patch.path.split('#').next() == Some(path));
        self.patches = others;
        mine
    }

    fn note_patch(&mut self, patch: &Patch, done: bool) {
        if !done {
            self.gap(
                format!("patches `{}`", patch.path),
                "the file has no place of this name",
            );
        }
    }
}

fn pointer(path: &str) -> &str {
    path.split_once('#').map_or("", |(_, pointer)| pointer)
}
