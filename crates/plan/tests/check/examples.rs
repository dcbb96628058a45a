//! The `wharf.yaml` of every example, in every environment: its plan in `tests/fixtures/examples/NAME[@ENVIRONMENT].yaml`,
//! and what is said of the file in `NAME.txt`. Nothing of that may be an error.

use std::path::Path;

use wharf_plan::resolve;
use wharf_spec::diagnostic::{self, Findings, Severity};
use wharf_spec::document::Document;

#[test]
fn every_example_resolves_in_every_environment() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/examples");
    let mut failures = vec![];
    let mut seen = 0;
    let mut folders: Vec<_> = std::fs::read_dir(repository.join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("wharf.yaml").is_file())
        .collect();
    folders.sort();
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let bytes = std::fs::read(folder.join("wharf.yaml")).unwrap();
        let source = String::from_utf8_lossy(&bytes);
        let (_, diagnostics) = resolve(&bytes, None);
        let text = diagnostic::render(&diagnostics, "wharf.yaml", &source, false);
        let errors = diagnostics.iter().any(|d| d.severity == Severity::Error);
        assert!(!errors, "{name}:\n{text}");
        crate::fixtures::compare(&fixtures.join(format!("{name}.txt")), &text, &mut failures);
        let document = Document::parse(&bytes, &mut Findings::default()).unwrap();
        let environments = document.environments().map(|key| Some(key.text.clone()));
        for environment in std::iter::once(None).chain(environments) {
            let (plan, _) = resolve(&bytes, environment.as_deref());
            let plan = plan.unwrap();
            let of = environment.map_or_else(String::new, |environment| format!("@{environment}"));
            let yaml = wharf_plan::yaml::to_yaml(&plan).unwrap();
            crate::fixtures::compare(
                &fixtures.join(format!("{name}{of}.yaml")),
                &yaml,
                &mut failures,
            );
            crate::invariants::round_trips(&plan);
            seen += 1;
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(seen >= 15, "only {seen} plans");
}
