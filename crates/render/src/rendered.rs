//! What a target has made: its files and its gaps.

use std::collections::BTreeSet;

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
            let mut places: Vec<&mut Yaml> = documents.iter_mut().collect();
            if let Err(gap) = lay(&patch, &mut places) {
                self.gap(gap.what, gap.why);
            }
        }
        self.files.add(path, yaml::to_text(header, &documents));
    }

    /// Adds a JSON file, and lays the plan's patches over it.
    pub fn json(&mut self, path: &str, mut value: serde_json::Value) {
        for patch in self.take_patches(path) {
            let mut tree = Yaml::from(value.clone());
            match lay(&patch, &mut [&mut tree]) {
                Ok(()) => value = tree.into_json(),
                Err(gap) => self.gap(gap.what, gap.why),
            }
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

    /// Forgets the patches: the target has laid them over what its files are made of.
    pub(crate) fn patches_are_laid(&mut self) {
        self.patches.clear();
    }

    /// The files that patches are for and nothing was rendered as yet.
    pub(crate) fn patched_files(&self) -> BTreeSet<String> {
        let patches = self.patches.iter();
        patches.map(|patch| file(patch).to_owned()).collect()
    }

    /// Reports the patches that no file took.
    pub(crate) fn finish(&mut self) {
        for patch in std::mem::take(&mut self.patches) {
            let gap = no_file(&patch);
            self.gap(gap.what, gap.why);
        }
    }

    fn take_patches(&mut self, path: &str) -> Vec<Patch> {
        let (mine, others) = std::mem::take(&mut self.patches)
            .into_iter()
            .partition(|patch| file(patch) == path);
        self.patches = others;
        mine
    }
}

/// The file that a patch is for.
fn file(patch: &Patch) -> &str {
    let (file, _) = patch.path.split_once('#').unwrap_or((&patch.path, ""));
    file
}

/// Lays a patch over the documents of its file. A pointer into several begins with the document's number.
///
/// # Errors
///
/// The patch has no place there: the gap says why.
pub(crate) fn lay(patch: &Patch, documents: &mut [&mut Yaml]) -> Result<(), Gap> {
    let (_, pointer) = patch.path.split_once('#').unwrap_or_default();
    let value = Yaml::from(patch.value.clone());
    let done = match documents {
        [] => return Err(no_file(patch)),
        [only] => only.put(pointer, value),
        several => {
            let pointer = pointer.trim_start_matches('/');
            let (index, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
            let document = index.parse::<usize>().ok();
            let document = document.and_then(|index| several.get_mut(index));
            document.is_some_and(|document| document.put(&format!("/{rest}"), value))
        }
    };
    if done {
        return Ok(());
    }
    Err(Gap {
        what: format!("patches `{}`", patch.path),
        why: "the file has no place of this name".to_owned(),
    })
}

fn no_file(patch: &Patch) -> Gap {
    Gap {
        what: format!("patches `{}`", patch.path),
        why: "no structured file of this name is rendered".to_owned(),
    }
}
