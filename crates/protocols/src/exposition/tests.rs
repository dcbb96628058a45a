use std::path::Path;

use proptest::prelude::*;

use super::*;

/// What is read, line by line, in a form to compare.
fn read(content: &[u8], format: Format) -> Result<Vec<String>, ParseError> {
    let mut seen = Vec::new();
    let mut wrong = None;
    parse(content, format, &mut |item| {
        seen.push(match item {
            Item::Sample(sample) => match sample.labels() {
                Ok(labels) => {
                    let exemplar = sample.exemplar.as_ref();
                    let exemplar =
                        exemplar.map(|e| format!(" # {} {} {:?}", e.labels, e.value, e.t));
                    format!(
                        "{labels} {} {:?}{}",
                        sample.value,
                        sample.t,
                        exemplar.unwrap_or_default()
                    )
                }
                Err(error) => {
                    wrong = Some(error);
                    return std::ops::ControlFlow::Break(());
                }
            },
            Item::Help { family, text } => format!("HELP {family} {text:?}"),
            Item::Type { family, kind } => format!("TYPE {family} {}", kind.as_str()),
            Item::Unit { family, unit } => format!("UNIT {family} {unit:?}"),
            Item::Eof => "EOF".to_owned(),
        });
        std::ops::ControlFlow::Continue(())
    })?;
    wrong.map_or(Ok(seen), Err)
}

#[track_caller]
fn check(format: Format, content: &str, expected: &[&str]) {
    assert_eq!(
        read(content.as_bytes(), format),
        Ok(expected.iter().map(ToString::to_string).collect()),
        "{content}"
    );
}

#[track_caller]
fn refused(format: Format, content: impl AsRef<[u8]>, expected: &str) {
    let error = read(content.as_ref(), format).expect_err("an error");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn text_is_read() {
    check(
        Format::Text,
        "# HELP a he\\nl\\\\p \\\" x\n# TYPE  a\tcounter\n#TYPE b gauge\n# whatever\n\n \t\na 1\n  a{} 2 3\n\
         a { x = \"1\" , y=\"q\\\"\\\\\\n\\z\", } +Inf\t-5 \na{x=\"\"} nan\nb{x=\"1\"}2",
        &[
            "HELP a \"he\\nl\\\\p \\\\\\\" x\"",
            "TYPE a counter",
            r#"{__name__="a"} 1 None"#,
            r#"{__name__="a"} 2 Some(3)"#,
            r#"{__name__="a", x="1", y="q\"\\\n\\z"} inf Some(-5)"#,
            r#"{__name__="a"} NaN None"#,
            r#"{__name__="b", x="1"} 2 None"#,
        ],
    );
}

#[test]
fn names_may_be_quoted() {
    for format in [Format::Text, Format::OpenMetrics] {
        let content = "# TYPE \"a.b\" gauge\n{\"a.b\",\"l.m\"=\"x\",k=\"}\\\"{\"} 1\n# EOF\n";
        let mut expected = vec![
            "TYPE a.b gauge",
            r#"{__name__="a.b", k="}\"{", l.m="x"} 1 None"#,
        ];
        if format == Format::OpenMetrics {
            expected.push("EOF");
        }
        check(format, content, &expected);
    }
}

#[test]
fn bounds_have_one_spelling() {
    check(
        Format::Text,
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\n# TYPE s summary\ns{quantile=\"0.90\"} 1\n\
         s{le=\"1\"} 1\n",
        &[
            "TYPE h histogram",
            r#"{__name__="h_bucket", le="1.0"} 1 None"#,
            r#"{__name__="h_bucket", le="+Inf"} 1 None"#,
            "TYPE s summary",
            r#"{__name__="s", quantile="0.9"} 1 None"#,
            r#"{__name__="s", le="1"} 1 None"#,
        ],
    );
}

#[test]
fn openmetrics_is_read() {
    check(
        Format::OpenMetrics,
        "# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds x\\\"y\n\
         a_seconds_total{l=\"1\"} 1.5 1.25 # {trace_id=\"ab # }\"} 0.5 1.001\na_seconds_created 3 # {} 1\n# EOF",
        &[
            "TYPE a_seconds counter",
            "UNIT a_seconds \"seconds\"",
            "HELP a_seconds \"x\\\"y\"",
            r#"{__name__="a_seconds_total", l="1"} 1.5 Some(1250) # {trace_id="ab # }"} 0.5 Some(1001)"#,
            r#"{__name__="a_seconds_created"} 3 None # {} 1 None"#,
            "EOF",
        ],
    );
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    refused(
        Format::Text,
        "a 1\n\nb x\n",
        "line 3: expected a value at \"x\"",
    );
    refused(
        Format::Text,
        "a{b=\"1} 2\n",
        "line 1: expected `}` after the labels at \"{b=\\\"1} 2\"",
    );
    refused(
        Format::Text,
        "a 1\na{0=\"1\"} 2\n",
        "line 2: expected a label's name at \"0=\\\"1\\\"}\"",
    );
    refused(
        Format::Text,
        "a{b=\"1\",b=\"2\"} 2\n",
        "line 1: expected the label \"b\" once at \"a{b=\\\"1\\\",b=\\\"2\\\"}\"",
    );
    refused(
        Format::Text,
        "{b=\"1\"} 2\n",
        "line 1: expected a metric's name at \"{b=\\\"1\\\"}\"",
    );
    refused(
        Format::Text,
        "# TYPE a meh\n",
        "line 1: expected `counter`, `gauge`, `histogram`, `summary` or `untyped` at \"# TYPE a meh\"",
    );
    refused(
        Format::Text,
        "a 1 2 3\n",
        "line 1: expected the line's end after the timestamp at \"3\"",
    );
    refused(
        Format::Text,
        b"a 1\nb{c=\"\xff\"} 1\n",
        "line 2: expected UTF-8 at \"b{c=\\\"\u{fffd}\\\"} 1\"",
    );
    refused(
        Format::OpenMetrics,
        "a 1\n",
        "line 2: expected `# EOF` as the last line at \"\"",
    );
    refused(
        Format::OpenMetrics,
        "a 1\n# EOF\na",
        "line 3: expected nothing after `# EOF` at \"a\"",
    );
    refused(
        Format::OpenMetrics,
        b"a 1\n#\xff\n# EOF\n",
        "line 2: expected UTF-8 at \"#\u{fffd}\"",
    );
}

#[test]
fn comments_of_text_may_be_anything() {
    let read = read(b"a 1\n# \xff\xfe\n#\xff\nb 2\n", Format::Text);
    assert_eq!(read.map(|lines| lines.len()), Ok(2));
}

#[test]
fn who_has_enough_gets_no_more() {
    let mut seen = 0;
    parse(b"a 1\nb 2\nc x\n", Format::Text, &mut |_| {
        seen += 1;
        std::ops::ControlFlow::Break(())
    })
    .unwrap();
    assert_eq!(seen, 1);
}

#[test]
fn content_types_are_known() {
    for (text, format) in [
        (
            "text/plain; version=0.0.4; charset=utf-8",
            Some(Format::Text),
        ),
        ("text/plain", Some(Format::Text)),
        (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Some(Format::OpenMetrics),
        ),
        (
            "Application/OpenMetrics-Text;version=\"0.0.1\"",
            Some(Format::OpenMetrics),
        ),
        ("application/openmetrics-text; version=2.0.0", None),
        ("text/html", None),
        ("", None),
    ] {
        assert_eq!(Format::of(text), format, "{text}");
    }
}

#[test]
fn the_cases_of_openmetrics() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/openmetrics");
    if !folder.is_dir() {
        assert!(
            std::env::var_os("WHARF_TEST_REQUIRE").is_none_or(|all| all != "all"),
            "no {}",
            folder.display()
        );
        println!("skipped: no {}", folder.display());
        return;
    }
    let (mut cases, mut wrong, mut scraped) = (0, Vec::new(), 0);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let case = entry.unwrap().path();
        if !case.is_dir() {
            continue;
        }
        cases += 1;
        let about = std::fs::read_to_string(case.join("test.json")).unwrap();
        let about: serde_json::Value = serde_json::from_str(&about).unwrap();
        let expected = about["shouldParse"].as_bool().unwrap();
        let content = std::fs::read(case.join("metrics")).unwrap();
        let verdict = validate(&content);
        if verdict.is_ok() != expected {
            wrong.push(format!("{}: {verdict:?}", case.display()));
        }
        let read = read(&content, Format::OpenMetrics);
        scraped += usize::from(read.is_ok() == expected);
        assert!(read.is_ok() || !expected, "{}: {read:?}", case.display());
    }
    println!(
        "{cases} cases, {} wrong; scraping alone agrees on {scraped}",
        wrong.len()
    );
    assert!(
        wrong.is_empty() && cases >= 211,
        "{cases} cases, wrong: {wrong:#?}"
    );
}

fn labels() -> impl Strategy<Value = Labels> {
    let name = prop_oneof![Just("a_metric".to_owned()), "[a-z:]{1,5}", ".{1,6}"];
    let label = prop_oneof!["[a-zA-Z_][a-z0-9_]{0,4}", ".{1,4}"];
    (name, prop::collection::vec((label, ".{0,8}"), 0..4)).prop_map(|(name, mut pairs)| {
        pairs.retain(|(label, _)| label != "__name__");
        pairs.push(("__name__".to_owned(), name));
        Labels::from_pairs(pairs)
    })
}

fn sample() -> impl Strategy<Value = FamilySample> {
    let exemplar = (
        labels(),
        any::<f64>(),
        prop::option::of(-1_000_000_000_000..2_000_000_000_000_i64),
    );
    let exemplar = exemplar.prop_map(|(labels, value, t)| Exemplar {
        labels: labels.without(|name| name == "__name__"),
        value,
        t,
    });
    (
        labels(),
        any::<f64>(),
        prop::option::of(-1_000_000_000_000..2_000_000_000_000_i64),
        prop::option::of(exemplar),
    )
        .prop_map(|(labels, value, t, exemplar)| FamilySample {
            labels,
            value,
            t,
            exemplar,
        })
}

proptest! {
    #[test]
    fn what_is_written_is_read(samples in prop::collection::vec(sample(), 0..6), help in ".{0,10}") {
        let family = Family {
            name: "a.family".to_owned(),
            metadata: wharf_signal::Metadata { help: help.clone(), ..Default::default() },
            samples,
        };
        for format in [Format::Text, Format::OpenMetrics] {
            let text = match format {
                Format::Text => write_text([&family]),
                Format::OpenMetrics => write_openmetrics([&family]),
            };
            let mut read = Vec::new();
            parse(text.as_bytes(), format, &mut |item| {
                match item {
                    Item::Sample(line) => read.push(FamilySample {
                        labels: line.labels().unwrap(),
                        value: line.value,
                        t: line.t,
                        exemplar: line.exemplar,
                    }),
                    Item::Help { text, .. } => assert_eq!(text, help),
                    _ => {}
                }
                std::ops::ControlFlow::Continue(())
            }).map_err(|error| TestCaseError::fail(format!("{error} in {text}")))?;
            let exemplars = format == Format::OpenMetrics;
            prop_assert_eq!(read.len(), family.samples.len());
            for (read, written) in read.iter().zip(&family.samples) {
                prop_assert_eq!(&read.labels, &written.labels);
                prop_assert_eq!(read.value.to_string(), written.value.to_string());
                prop_assert_eq!(read.t, written.t);
                let exemplar = written.exemplar.as_ref().filter(|_| exemplars);
                prop_assert_eq!(format!("{:?}", read.exemplar), format!("{:?}", exemplar.cloned()));
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a#{}=\",\\\\ \n\t01.eHELPTYUNOF_é+-]{0,60}") {
        for format in [Format::Text, Format::OpenMetrics] {
            let _either = read(text.as_bytes(), format);
        }
        let _either = validate(text.as_bytes());
    }
}
