//! What became of every eval, as a list that is committed.

use std::collections::BTreeMap;

use super::run::{Outcome, Ran};

/// Evals by the name of their script.
pub type Results = BTreeMap<String, Vec<Ran>>;

/// For each script how many evals passed, failed and were excluded; then a line for each that did not pass, with its class or
/// how it failed. `known` gives failures a class: of features that a target has not.
#[must_use]
pub fn list(results: &Results, known: impl Fn(&str, &Ran) -> Option<&'static str>) -> String {
    let mut counts = Vec::new();
    let mut lines = Vec::new();
    for (name, evals) in results {
        let (mut passed, mut failed, mut excluded) = (0, 0, 0);
        for ran in evals {
            let why = match &ran.outcome {
                Outcome::Passed => {
                    passed += 1;
                    continue;
                }
                Outcome::Excluded(class) => Ok(class.as_str()),
                Outcome::Failed(why) => known(name, ran).ok_or(why),
            };
            let line = ran.line;
            match why {
                Ok(class) => {
                    excluded += 1;
                    lines.push(format!("{name}:{line} {class}\n"));
                }
                Err(why) => {
                    failed += 1;
                    lines.push(format!("{name}:{line} failed: {why}\n"));
                }
            }
        }
        let total = evals.len();
        counts.push(format!(
            "{name} evals {total} passed {passed} failed {failed} excluded {excluded}\n"
        ));
    }
    format!("{}\n{}", counts.concat(), lines.concat())
}
