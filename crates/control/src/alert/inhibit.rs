//! What keeps an alert from being told while a worse one fires.

use std::collections::BTreeSet;

use wharf_signal::{Labels, Matcher};

/// While an alert that matches `source` fires, those that match `target` and agree with it in `equal` are not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inhibition {
    /// The worse one.
    pub source: Vec<Matcher>,
    /// What is kept back.
    pub target: Vec<Matcher>,
    /// Labels in which both agree; a label that neither has is equal.
    pub equal: Vec<String>,
}

/// The inhibitions, and what fires of their sources now.
pub(super) struct Inhibitions<'a> {
    rules: Vec<(&'a Inhibition, BTreeSet<Labels>, BTreeSet<Labels>)>,
}

fn fulfils(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|m| m.matches_labels(labels))
}

impl Inhibition {
    fn agreed(&self, labels: &Labels) -> Labels {
        labels.only(|name| self.equal.iter().any(|equal| equal == name))
    }
}

impl<'a> Inhibitions<'a> {
    pub(super) fn of<'b>(
        rules: &'a [Inhibition],
        firing: impl Iterator<Item = &'b Labels> + Clone,
    ) -> Self {
        let rules = rules.iter().map(|rule| {
            let sources = || firing.clone().filter(|l| fulfils(&rule.source, l));
            let all = sources().map(|l| rule.agreed(l)).collect();
            // What is both does not hold back others that are both, itself among them; so it is in Alertmanager.
            let only = sources()
                .filter(|l| !fulfils(&rule.target, l))
                .map(|l| rule.agreed(l))
                .collect();
            (rule, all, only)
        });
        Self {
            rules: rules.collect(),
        }
    }

    /// Whether an alert is kept back.
    pub(super) fn mute(&self, labels: &Labels) -> bool {
        self.rules.iter().any(|(rule, all, only)| {
            fulfils(&rule.target, labels) && {
                let agreed = rule.agreed(labels);
                let sources = if fulfils(&rule.source, labels) {
                    only
                } else {
                    all
                };
                sources.contains(&agreed)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        Labels::from_pairs(text.split(' ').filter_map(|pair| pair.split_once('=')))
    }

    #[track_caller]
    fn check(firing: &[&str], asked: &str, expected: bool) {
        let rules = [Inhibition {
            source: vec![Matcher::equal("severity", "critical")],
            target: vec![
                Matcher::new("severity", wharf_signal::MatchOp::Regex, "critical|warning").unwrap(),
            ],
            equal: vec!["service".to_owned()],
        }];
        let firing: Vec<Labels> = firing.iter().map(|text| labels(text)).collect();
        let now = Inhibitions::of(&rules, firing.iter());
        assert_eq!(now.mute(&labels(asked)), expected, "{asked}");
    }

    #[test]
    fn the_worse_keeps_back_the_rest_of_the_same_service() {
        let down = "severity=critical service=web";
        check(&[down], "severity=warning service=web", true);
        check(&[down], "severity=info service=web", false);
        check(&[down], "severity=warning service=api", false);
        check(&["severity=critical"], "severity=warning", true);
        check(&[], "severity=warning service=web", false);
    }

    #[test]
    fn nothing_keeps_itself_back() {
        let down = "severity=critical service=web";
        check(&[down], down, false);
        check(&[down, "severity=critical service=web a=b"], down, false);
    }
}
