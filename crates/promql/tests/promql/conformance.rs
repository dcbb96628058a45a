//! Prometheus's `promqltest` scripts, which lie beside the repository and are no part of it.
//!
//! Every eval is accounted for in a committed list: how many passed in each script, and which did not and why. A run has to
//! give exactly that list; `PROMQL_UPDATE=1` writes it anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wharf_promql::ParseOptions;
use wharf_promql::testing::{Features, Memory, Outcome, Ran, Results, Script, list, run};

use crate::require::skip;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The scripts with their names, ordered.
fn scripts() -> Option<BTreeMap<String, Script>> {
    let folder = Path::new(HERE).join("../../../shared/conformance/promqltest");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        skip("the scripts of promqltest are not beside the repository");
        return None;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let scripts = paths.filter(|path| path.extension().is_some_and(|end| end == "test"));
    let parse = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let script = Script::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, script)
    };
    Some(scripts.map(parse).collect())
}

fn run_all(scripts: &BTreeMap<String, Script>, all_features: bool) -> Results {
    let language = ParseOptions {
        experimental_functions: all_features,
    };
    let features = Features {
        language,
        at_variants: true,
    };
    let results = scripts.iter().map(|(name, script)| {
        let mut target = Memory::default();
        target.language = language;
        target.delayed_name_removal = all_features;
        (name.clone(), run(script, &mut target, features).unwrap())
    });
    results.collect()
}

#[track_caller]
fn check(found: &str, file: &str) {
    let path = Path::new(HERE).join("tests/promql/conformance").join(file);
    if std::env::var_os("PROMQL_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    let news = found
        .lines()
        .filter(|line| !expected.lines().any(|l| l == *line));
    let news: Vec<&str> = news.collect();
    assert!(found == expected, "not as in {file}:\n{}", news.join("\n"));
    for line in found.lines().take_while(|line| !line.is_empty()) {
        eprintln!("{line}");
    }
}

/// With all that Prometheus runs its scripts with, as far as it is there; and with what it has without any flag: evals
/// that pass only with the names of metrics removed late are listed as such.
#[test]
fn every_eval_of_every_script_is_accounted_for() {
    let Some(scripts) = scripts() else { return };
    let with_all = run_all(&scripts, true);
    check(&list(&with_all, |_, _| None), "all-features.txt");

    let passes = |name: &str, ran: &Ran| {
        let same = with_all[name].iter().find(|other| other.line == ran.line);
        same.is_some_and(|other| other.outcome == Outcome::Passed)
    };
    let stable = list(&run_all(&scripts, false), |name, ran| {
        passes(name, ran).then_some("delayed-name-removal")
    });
    check(&stable, "stable.txt");
}
