//! Names of any kind -> [`Name`]s, each used once.

use std::collections::{BTreeMap, BTreeSet};

use wharf_base::ids::{NAME_MAX_BYTES, Name};

/// Words that `${…}` keeps for itself.
const RESERVED: [&str; 5] = ["env", "secret", "self", "volume", "wharf"];

/// The names that have been given.
#[derive(Debug, Default)]
pub(super) struct Names {
    given: BTreeMap<String, Name>,
    taken: BTreeSet<Name>,
}

impl Names {
    /// The name for `text`, the same one each time: `My_App` is `my-app`. If nothing of it fits, a count of `kind`.
    pub(super) fn name(&mut self, text: &str, kind: &str) -> Name {
        if let Some(name) = self.given.get(text) {
            return name.clone();
        }
        let mut candidate: String = text
            .chars()
            .flat_map(char::to_lowercase)
            .map(|c| {
                if c.is_ascii_lowercase() || c.is_ascii_digit() {
                    c
                } else {
                    '-'
                }
            })
            // Room for a count.
            .take(NAME_MAX_BYTES - 6)
            .collect();
        candidate = candidate.trim_matches('-').to_owned();
        if candidate.is_empty() {
            candidate = kind.to_owned();
        }
        if RESERVED.contains(&candidate.as_str()) {
            candidate = format!("{candidate}-{kind}");
        }
        let counted = (2..).map(|count| format!("{candidate}-{count}"));
        let name = std::iter::once(candidate.clone())
            .chain(counted)
            .filter_map(|candidate| candidate.parse::<Name>().ok())
            .find(|name| !self.taken.contains(name))
            .expect(
                "letters, digits and `-`, at most 63 of them, with an endless choice of counts",
            );
        self.taken.insert(name.clone());
        self.given.insert(text.to_owned(), name.clone());
        name
    }
}
