//! `tests/fixtures/{check,plan}/<case>/`: a file, and the diagnostics or the plan that come of it.
//!
//! `UPDATE_FIXTURES=1` writes what is expected anew. A case named `…@prod` is resolved for the environment `prod`.

use std::path::{Path, PathBuf};

use wharf_plan::resolve;
use wharf_spec::diagnostic;

pub(crate) fn cases(area: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(area);
    let mut cases: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    cases.sort();
    cases
}

fn environment(case: &Path) -> Option<String> {
    let name = case.file_name()?.to_str()?;
    name.split_once('@')
        .map(|(_, environment)| environment.to_owned())
}

#[track_caller]
pub(crate) fn compare(expected: &Path, got: &str, failures: &mut Vec<String>) {
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(expected, got).unwrap();
        return;
    }
    let want = std::fs::read_to_string(expected).unwrap_or_default();
    if want != got {
        failures.push(format!(
            "== {}\n-- expected\n{want}-- got\n{got}",
            expected.display()
        ));
    }
}

#[test]
fn broken_files() {
    let mut failures = vec![];
    let cases = cases("check");
    for case in &cases {
        let bytes = std::fs::read(case.join("wharf.yaml")).unwrap();
        let (plan, diagnostics) = resolve(&bytes, environment(case).as_deref());
        let warnings_only = diagnostics
            .iter()
            .all(|d| d.severity == diagnostic::Severity::Warning);
        assert_eq!(plan.is_some(), warnings_only, "{}", case.display());
        assert!(
            !diagnostics.is_empty(),
            "{} has nothing wrong",
            case.display()
        );
        let source = String::from_utf8_lossy(&bytes);
        let text = diagnostic::render(&diagnostics, "wharf.yaml", &source, false);
        compare(&case.join("expected.txt"), &text, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(cases.len() >= 24, "only {} cases", cases.len());
}

#[test]
fn good_files() {
    let mut failures = vec![];
    let cases = cases("plan");
    for case in &cases {
        let bytes = std::fs::read(case.join("wharf.yaml")).unwrap();
        let (plan, diagnostics) = resolve(&bytes, environment(case).as_deref());
        let source = String::from_utf8_lossy(&bytes);
        let text = diagnostic::render(&diagnostics, "wharf.yaml", &source, false);
        assert!(diagnostics.is_empty(), "{}:\n{text}", case.display());
        let plan = plan.expect("a file without diagnostics has a plan");
        let yaml = wharf_plan::yaml::to_yaml(&plan).unwrap();
        compare(&case.join("expected.yaml"), &yaml, &mut failures);
        crate::invariants::round_trips(&plan);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(cases.len() >= 12, "only {} cases", cases.len());
}
