//! The actions that workflows use, each by the commit of `actions.lock`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::yaml::Yaml;

static LOCK: LazyLock<BTreeMap<&str, (&str, &str)>> = LazyLock::new(|| {
    include_str!("actions.lock")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, (words.next()?, words.next()?)))
        })
        .collect()
});

/// The value of `uses` for an action: its commit, and its version as a comment.
///
/// # Panics
/// If the action is not in the lock file: it is part of the program, and each action is rendered by a test.
pub(super) fn uses(action: &str) -> Yaml {
    let (version, commit) = LOCK
        .get(action)
        .unwrap_or_else(|| panic!("{action} is not in actions.lock"));
    Yaml::Raw(format!("{action}@{commit} # {version}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_commit_and_a_source() {
        assert_eq!(LOCK.len(), 15);
        for (action, (version, commit)) in LOCK.iter() {
            assert_eq!(commit.len(), 40, "{action}");
            assert!(commit.bytes().all(|b| b.is_ascii_hexdigit()), "{action}");
            assert!(version.starts_with('v'), "{action}");
            let line = format!("{action} {version} {commit}");
            let behind = include_str!("actions.lock").split_once(&line).unwrap().1;
            let source = behind.lines().nth(1).unwrap();
            assert!(
                source.starts_with("# ") && source.contains(" @") || source.ends_with(".md"),
                "{action}"
            );
        }
    }
}
