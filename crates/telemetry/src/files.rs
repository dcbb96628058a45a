//! Files of the project that say what to scrape and to evaluate, read again when they change.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use wharf_alerting::rules::{self, RuleGroup};

use crate::config::Config;
use crate::health;
use crate::scrape::{Target, TargetFile};

/// From one look to the next.
pub(crate) const LOOK: Duration = Duration::from_secs(5);

/// The largest rule file: thousands of rules are some hundred KiB.
const RULES_MAX_BYTES: u64 = 8 << 20;

/// The files of a configuration, as they were read last.
#[derive(Debug, Default)]
pub(crate) struct Files {
    targets: Vec<TargetFile>,
    rules: Vec<RuleFile>,
}

#[derive(Debug)]
struct RuleFile {
    path: PathBuf,
    read: Option<(SystemTime, u64)>,
    groups: Vec<RuleGroup>,
    error: Option<String>,
}

impl Files {
    /// The files that a configuration names; nothing is read yet.
    pub(crate) fn of(config: &Config) -> Self {
        let targets = config
            .target_files
            .iter()
            .map(|(path, job)| TargetFile::new(path.clone(), job.clone(), config.interval));
        let rules = config.rule_files.iter().map(|path| RuleFile {
            path: path.clone(),
            read: None,
            groups: vec![],
            error: None,
        });
        Self {
            targets: targets.collect(),
            rules: rules.collect(),
        }
    }

    /// Reads what has changed. Whether anything has.
    pub(crate) fn refresh(&mut self, health: &health::Shared) -> bool {
        let mut changed = false;
        for file in &mut self.targets {
            changed |= file.refresh();
        }
        for file in &mut self.rules {
            changed |= file.refresh();
        }
        let of_targets = self.targets.iter().filter_map(TargetFile::error);
        let of_rules = self.rules.iter().filter_map(|file| file.error.as_deref());
        let errors: Vec<&str> = of_targets.chain(of_rules).collect();
        health.trouble("files", (!errors.is_empty()).then(|| errors.join("; ")));
        changed
    }

    /// What is scraped because of them.
    pub(crate) fn targets(&self) -> Vec<Target> {
        let files = self.targets.iter();
        files.flat_map(|file| file.targets().to_vec()).collect()
    }

    /// What is evaluated because of them.
    pub(crate) fn rules(&self) -> Vec<RuleGroup> {
        let files = self.rules.iter();
        files.flat_map(|file| file.groups.clone()).collect()
    }
}

impl RuleFile {
    /// Reads it if it has changed. One that is broken changes nothing: what it said is evaluated on.
    fn refresh(&mut self) -> bool {
        let name = self.path.display().to_string();
        let state = std::fs::metadata(&self.path)
            .and_then(|metadata| Ok((metadata.modified()?, metadata.len())));
        let state = match state {
            Ok(state) if Some(state) == self.read => return false,
            Ok(state) => state,
            Err(error) => {
                self.read = None;
                self.error = Some(format!("cannot read {name}: {error}"));
                return false;
            }
        };
        self.read = Some(state);
        if state.1 > RULES_MAX_BYTES {
            self.error = Some(format!("{name} is larger than {RULES_MAX_BYTES} bytes"));
            return false;
        }
        let parsed = std::fs::read(&self.path)
            .map_err(|error| format!("cannot read {name}: {error}"))
            .and_then(|bytes| {
                let check = |query: &str| {
                    let parsed = wharf_promql::parse(query);
                    parsed.map(drop).map_err(|error| error.to_string())
                };
                rules::parse(&bytes, &name, &check).map_err(|errors| {
                    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
                    texts.join("; ")
                })
            });
        match parsed {
            Ok(groups) => {
                self.error = None;
                let changed = groups != self.groups;
                self.groups = groups;
                changed
            }
            Err(error) => {
                self.error = Some(error);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_rule_file_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("shop.yml");
        let mut file = RuleFile {
            path: path.clone(),
            read: None,
            groups: vec![],
            error: None,
        };
        assert!(!file.refresh());
        assert!(
            file.error
                .as_deref()
                .is_some_and(|error| error.contains("cannot read"))
        );
        let good = "groups:\n- name: a\n  rules: [{ record: a:b, expr: sum(b) }]\n";
        std::fs::write(&path, good).expect("it is written");
        assert!(file.refresh());
        assert!(!file.refresh());
        std::fs::write(&path, good.replace("sum(b)", "sum(b")).expect("it is written");
        assert!(!file.refresh());
        assert!(
            file.error
                .as_deref()
                .is_some_and(|error| error.contains("parse error")),
            "{:?}",
            file.error
        );
        assert_eq!(file.groups.len(), 1);
    }
}
