//! What holds for any bytes at all. The fuzz target `wharf_yaml` uses this file too.

use wharf_plan::model::Plan;
use wharf_spec::diagnostic::{self, Findings, Severity};

/// Resolves `bytes` and checks everything that must be so, whatever they are.
pub(crate) fn hold_for(bytes: &[u8]) {
    let (plan, diagnostics) = wharf_plan::resolve(bytes, None);
    let errors = diagnostics.iter().any(|d| d.severity == Severity::Error);
    assert_eq!(
        plan.is_none(),
        errors,
        "a plan, or an error: {diagnostics:?}"
    );
    assert!(diagnostics.len() <= diagnostic::FINDINGS_MAX + 1);
    for found in &diagnostics {
        let spans = found
            .related
            .iter()
            .map(|(span, _)| span)
            .chain([&found.span]);
        for span in spans {
            assert!(
                span.start <= span.end && span.end <= bytes.len(),
                "{found:?}"
            );
        }
        assert!(found.message.len() < 1_000, "{found:?}");
    }
    let source = String::from_utf8_lossy(bytes);
    let text = diagnostic::render(&diagnostics, "wharf.yaml", &source, false);
    assert_eq!(text.is_empty(), diagnostics.is_empty());
    let obeyed = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(obeyed), "what a terminal obeys in {text:?}");
    let (variant, found) = wharf_plan::resolve(bytes, Some("prod"));
    let errors = found.iter().any(|d| d.severity == Severity::Error);
    assert_eq!(variant.is_none(), errors, "prod: {found:?}");
    if let Some(plan) = plan {
        round_trips(&plan);
        assert_eq!(
            wharf_plan::resolve(bytes, None).0.as_ref(),
            Some(&plan),
            "not the same twice"
        );
    }
}

/// A plan reads back from JSON, and from the YAML that people are shown.
pub(crate) fn round_trips(plan: &Plan) {
    let json = serde_json::to_string(plan).expect("a plan is JSON");
    let read: Plan = serde_json::from_str(&json).expect("a plan reads back");
    assert_eq!(&read, plan, "the way through JSON");
    let yaml = wharf_plan::yaml::to_yaml(plan).expect("a plan is YAML");
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    assert!(!yaml.contains(obeyed), "what a terminal obeys in {yaml:?}");
    let mut findings = Findings::default();
    let tree = wharf_spec::yaml::parse(yaml.as_bytes(), &mut findings);
    if let Some(tree) = tree {
        let read: Plan = serde_json::from_value(wharf_spec::decode::to_json(&tree))
            .unwrap_or_else(|error| panic!("{error} in\n{yaml}"));
        assert_eq!(&read, plan, "the way through YAML:\n{yaml}");
    } else {
        // A plan may be larger than a file may be, never wrong.
        let codes: Vec<&str> = findings.into_sorted().iter().map(|d| d.code).collect();
        assert_eq!(codes, ["W002"], "{yaml}");
    }
}
