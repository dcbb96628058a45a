use wharf_signal::Labels;

use super::*;

fn fill(template: &str) -> Result<String, String> {
    let labels = Labels::from_pairs([
        ("app", "Web"),
        ("status", "503"),
        ("json", r#"{"a":{"b":[1,"x",2.5]},"n":null}"#),
        ("empty", ""),
        ("took", "1.5s"),
        ("query", "a b&c"),
    ]);
    let mut fields = Fields::default();
    fields.begin(&labels, &Labels::empty());
    let scope = Scope {
        fields: &fields,
        line: "the line",
        nanos: 1_700_000_000_123_456_789,
        now: 1_700_000_100_000_000_000,
    };
    let mut out = String::new();
    Template::parse(template)?.render(&scope, &mut out)?;
    Ok(out)
}

#[test]
fn templates_say_what_gos_say() {
    let cases = include_str!("../../tests/fixtures/templates.txt");
    let mut count = 0;
    for case in cases.split("\n\n").filter(|case| !case.starts_with('#')) {
        let Some((template, expected)) = case.split_once("\n=> ") else {
            panic!("a template and what it makes: {case:?}");
        };
        let expected = expected.trim_end_matches('\n').replace("\\n", "\n");
        assert_eq!(fill(template), Ok(expected), "{template}");
        count += 1;
    }
    assert!(count > 60, "{count}");
}

#[test]
fn what_is_no_template_is_refused() {
    for template in [
        "{{",
        "{{.a",
        "{{if .a}}",
        "{{end}}",
        "{{else}}",
        "{{.a | }}",
        "{{unknown .a}}",
        "{{$x}}",
        "{{.a.}}",
        "{{1 2}}",
        "{{break}}",
        "{{define \"a\"}}{{end}}",
        "{{\"a}}",
        "{{.a | .b}}",
        "{{(.a}}",
        "{{if .a}}{{else}}{{else}}{{end}}",
        "{{$x = 1}}",
    ] {
        assert!(Template::parse(template).is_err(), "{template}");
    }
    let deep = format!("{}1{}", "{{if .a}}".repeat(100), "{{end}}".repeat(100));
    assert!(Template::parse(&deep).is_err());
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(Template::parse(&deep).is_err());
}

#[test]
fn what_fails_says_why() {
    for (template, part) in [
        ("{{div 1 0}}", "divide by zero"),
        ("{{lt .app 1}}", "incompatible types"),
        ("{{.app.x}}", "can't evaluate field x"),
        ("{{repeat 10000000 .app}}", "longer than"),
        ("{{printf \"%99999999d\" 1}}", "longer than"),
        (
            "{{range $i := 100000}}{{range $j := 100000}}{{end}}{{end}}",
            "steps",
        ),
        ("{{index .app 99}}", "out of range"),
        (
            "{{regexReplaceAll \"(\" .app \"\"}}",
            "error parsing regexp",
        ),
    ] {
        let error = fill(template).expect_err(template);
        assert!(error.contains(part), "{template}: {error}");
    }
}

#[test]
fn the_labels_it_asks_for_are_known() {
    let names = |template: &str| {
        let mut names = Vec::new();
        let known = Template::parse(template).expect(template).names(&mut names);
        (known, names.join(","))
    };
    assert_eq!(
        names("{{.a}} {{if eq .b \"x\"}}{{.c | lower}}{{end}}"),
        (true, "a,b,c".to_owned())
    );
    assert_eq!(
        names("{{with .a}}{{.}}{{$.b}}{{end}}"),
        (true, "a,b".to_owned())
    );
    assert!(!names("{{range $k, $v := .}}{{$k}}{{end}}").0);
}
