//! `tests/fixtures/compose/<case>/`: a Compose file, the `wharf.yaml` that comes of it, and what is left.

use std::fmt::Write as _;

use wharf_spec::compose::import;
use wharf_spec::diagnostic::{self, Code};

#[test]
fn compose_files() {
    let mut failures = vec![];
    let cases = crate::fixtures::cases("compose");
    for case in &cases {
        let bytes = std::fs::read(case.join("docker-compose.yml")).unwrap();
        let imported = import(&bytes, "My Project").unwrap();
        let (plan, diagnostics) = wharf_plan::resolve(imported.text.as_bytes(), None);
        let text = diagnostic::render(&diagnostics, "wharf.yaml", &imported.text, false);
        // In a container a command may name its port; whoever imports it is told what to write instead.
        let mut others = diagnostics
            .iter()
            .filter(|found| found.code != Code::FIXED_PORT.id);
        assert!(
            others.next().is_none(),
            "{}:\n{}\n{text}",
            case.display(),
            imported.text
        );
        crate::invariants::round_trips(&plan.unwrap());
        let mut left = String::new();
        for item in &imported.left {
            writeln!(left, "{}: {}: {}", item.line, item.key, item.reason).unwrap();
        }
        crate::fixtures::compare(&case.join("expected.yaml"), &imported.text, &mut failures);
        crate::fixtures::compare(&case.join("left.txt"), &left, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(cases.len() >= 5, "only {} cases", cases.len());
}

#[test]
fn what_is_no_compose_file() {
    for (text, code) in [
        ("", "W004"),
        ("a: b", "W011"),
        ("services: [", "W003"),
        ("- a", "W011"),
    ] {
        let codes: Vec<&str> = import(text.as_bytes(), "app")
            .unwrap_err()
            .iter()
            .map(|d| d.code)
            .collect();
        assert_eq!(codes, [code], "{text}");
    }
}

#[test]
fn odd_files_are_imported_without_a_panic() {
    for text in [
        "services:",
        "services: []",
        "services: { a: }",
        "services: { a: [b], ' ': {}, 'Ä': { image: x }, 'ä': { image: x } }",
        "services: { env: { image: 'redis:' }, web: { image: x, environment: { E: 'redis://env' , F: '${', G: '${}', H: '$', I: 'x://', J: '://', K: ':1' } } }",
        "services: { a: { image: x, ports: [0, a, '1:2:3:4:5', '::', { target: x }, '99999', '53:53/udp'], expose: [x, 1], healthcheck: { test: [] } } }",
        "services: { a: { image: x, volumes: [a, ':', 'a:b:c:d', {}, { type: tmpfs }, 1], deploy: [], cpus: x, mem_limit: 9999999999999999g } }",
        "services: { a: { image: x, command: [], entrypoint: '', healthcheck: { test: [CMD], interval: 0s } } }",
        "services: { a: { image: '', build: { args: [a], context: } , depends_on: { b: , a: { condition: [] } } } }",
    ] {
        if let Ok(imported) = import(text.as_bytes(), "") {
            crate::invariants::hold_for(imported.text.as_bytes());
        }
    }
}
