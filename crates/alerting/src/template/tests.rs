use super::*;

fn filled(text: &str, value: f64) -> String {
    let labels = Labels::from_pairs([("service", "web"), ("instance", "a.example.com:9100")]);
    let external = BTreeMap::from([("project".to_owned(), "shop".to_owned())]);
    let query = |query: &str| -> Result<Vec<(Labels, f64)>, String> {
        match query {
            "up" => Ok(vec![
                (Labels::from_pairs([("instance", "b")]), 1.0),
                (Labels::from_pairs([("instance", "a")]), 0.0),
            ]),
            "none" => Ok(vec![]),
            _ => Err("no such series".to_owned()),
        }
    };
    expand(
        text,
        &Context {
            labels: &labels,
            value,
            external_labels: &external,
            external_url: "http://localhost:9090/prometheus",
            now: Timestamp(1_435_065_584_128),
            query: &query,
        },
    )
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(filled(text, 0.1234), expected, "{text}");
}

/// One function on one value.
#[track_caller]
fn number(function: &str, value: f64, expected: &str) {
    assert_eq!(
        filled(&format!("{{{{ $value | {function} }}}}"), value),
        expected,
        "{value}"
    );
}

#[track_caller]
fn fails(text: &str, expected: &str) {
    let found = filled(text, 1.0);
    assert!(
        found.starts_with("<error expanding template: error "),
        "{found}"
    );
    assert!(found.contains(expected) && found.ends_with('>'), "{found}");
}

#[test]
fn names_and_pipelines() {
    check("plain", "plain");
    check(
        "{{ $labels.service }} of {{ $externalLabels.project }}",
        "web of shop",
    );
    check(
        "{{ .Labels.service }} {{ .Value }} {{ $.ExternalLabels.project }}",
        "web 0.1234 shop",
    );
    check("[{{ $labels.none }}]", "[]");
    check(
        "{{ $labels.service | toUpper | printf \"%s %s\" \"a\" }}",
        "a WEB",
    );
    check("{{ index $labels \"service\" }}", "web");
    check(
        "{{ externalURL }}{{ pathPrefix }}",
        "http://localhost:9090/prometheus/prometheus",
    );
    check(
        "{{ $labels }}",
        "map[instance:a.example.com:9100 service:web]",
    );
    check("{{ \"{{\" }} `{{ `}}` }}`", "{{ `}}`");
    check("a {{- /* no */ -}} b {{- 1 -}} c", "ab1c");
    check("a {{/* no */}} b", "a  b");
}

#[test]
fn branches_and_loops() {
    check("{{ if gt $value 0.1 }}yes{{ else }}no{{ end }}", "yes");
    check(
        "{{ if $labels.none }}a{{ else if eq $labels.service \"web\" \"api\" }}b{{ else }}c{{ end }}",
        "b",
    );
    check(
        "{{ with $labels.service }}{{ . }}{{ end }}{{ with $labels.none }}x{{ else }}y{{ end }}",
        "weby",
    );
    check(
        "{{ range query \"up\" | sortByLabel \"instance\" }}{{ .Labels.instance }}={{ .Value }} {{ end }}",
        "a=0 b=1 ",
    );
    check(
        "{{ range $i, $s := query \"up\" }}{{ $i }}{{ label \"instance\" $s }}{{ end }}",
        "0b1a",
    );
    check(
        "{{ range query \"none\" }}x{{ else }}empty{{ end }}",
        "empty",
    );
    check(
        "{{ range $k, $v := $externalLabels }}{{ $k }}-{{ $v }}{{ end }}",
        "project-shop",
    );
    check(
        "{{ range query \"up\" }}{{ if eq (value .) 1.0 }}{{ continue }}{{ end }}{{ .Labels.instance }}{{ break }}{{ end }}",
        "a",
    );
    check(
        "{{ query \"up\" | first | value }} {{ len (query \"up\") }}",
        "1 2",
    );
    check(
        "{{ $a := 1 }}{{ if true }}{{ $a = 2 }}{{ end }}{{ $a }}",
        "2",
    );
    check("{{ (index (query \"up\") 1).Labels.instance }}", "a");
    check(
        "{{ define \"x\" }}<{{ .arg1 }}{{ .arg0 }}>{{ end }}{{ template \"x\" (args 1 \"b\") }}",
        "<b1>",
    );
    check(
        "{{ and 0 (query \"bad\") }}{{ or 1 (query \"bad\") }}{{ not 0 }}",
        "01true",
    );
}

#[test]
fn numbers_are_made_readable() {
    for (value, expected) in [
        (0.0, "0"),
        (1.0, "1"),
        (1_234_567.0, "1.235M"),
        (0.12, "120m"),
        (1e-7, "100n"),
        (-1500.0, "-1.5k"),
        (1e30, "1e+06Y"),
        (f64::NAN, "NaN"),
        (f64::INFINITY, "+Inf"),
    ] {
        number("humanize", value, expected);
    }
    for (value, expected) in [
        (0.0, "0"),
        (1024.0, "1ki"),
        (1048576.0, "1Mi"),
        (0.12, "0.12"),
    ] {
        number("humanize1024", value, expected);
    }
    for (value, expected) in [
        (0.0, "0s"),
        (1.0, "1s"),
        (1.2345, "1.234s"),
        (12.345, "12.35s"),
        (60.5, "1m 0s"),
        (0.12345, "123.5ms"),
        (899.99, "14m 59s"),
        (86400.0, "1d 0h 0m 0s"),
        (-183_845.0, "-2d 3h 4m 5s"),
        (1e-4, "100us"),
        (f64::NEG_INFINITY, "-Inf"),
    ] {
        number("humanizeDuration", value, expected);
    }
    for (value, expected) in [
        (0.123_456, "12.35%"),
        (1.0, "100%"),
        (0.0, "0%"),
        (123.0, "1.23e+04%"),
    ] {
        number("humanizePercentage", value, expected);
    }
    number(
        "humanizeTimestamp",
        1_435_065_584.128,
        "2015-06-23 13:19:44.128 +0000 UTC",
    );
    number("humanizeTimestamp", 0.0, "1970-01-01 00:00:00 +0000 UTC");
    number("humanizeTimestamp", f64::NAN, "NaN");
    check(
        "{{ \"60\" | humanizeDuration }} {{ humanize \"0x1\" }}",
        "<error expanding template: error executing template: error calling humanize: strconv.ParseFloat: parsing \"0x1\": invalid syntax>",
    );
    check(
        "{{ toDuration 3661.5 }} {{ now | humanizeTimestamp }}",
        "1h1m1.5s 2015-06-23 13:19:44.128 +0000 UTC",
    );
    check("{{ parseDuration \"1h2m10ms\" }}", "3720.01");
}

#[test]
fn numbers_are_those_of_go() {
    for (value, expected) in [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (100_000.0, "100000"),
        (1e6, "1e+06"),
        (1_234_567.0, "1.234567e+06"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (123.456, "123.456"),
        (1e100, "1e+100"),
        (0.1 + 0.2, "0.30000000000000004"),
    ] {
        assert_eq!(filled("{{ $value }}", value), expected);
    }
    for (format, expected) in [
        ("%.2f", "2.35"),
        ("%f", "2.345600"),
        ("%e", "2.345600e+00"),
        ("%g", "2.3456"),
        ("%.3g", "2.35"),
        ("%8.2f|", "    2.35|"),
        ("%-8.2f|", "2.35    |"),
        ("%08.2f", "00002.35"),
        ("%+.1f", "+2.3"),
        ("%d", "%!d(float64=2.3456)"),
        ("%s", "%!s(float64=2.3456)"),
        ("%v%%", "2.3456%"),
        ("%v %v", "2.3456 %!v(MISSING)"),
        ("none", "none%!(EXTRA float64=2.3456)"),
        ("%", "%!(NOVERB)%!(EXTRA float64=2.3456)"),
        ("%.9999999999f", ""),
    ] {
        let found = filled(&format!("{{{{ printf \"{format}\" $value }}}}"), 2.3456);
        if !expected.is_empty() {
            assert_eq!(found, expected, "{format}");
        }
    }
    check(
        "{{ printf \"%5d|%-5d|%05d|%x|%q|%t|%c\" 42 42 42 255 \"a\\\"b\" true 'x' }}",
        "   42|42   |00042|ff|\"a\\\"b\"|true|x",
    );
    check(
        "{{ print 1 2 \"a\" 3 }} {{ println 1 \"b\" }}",
        "1 2a3 1 b\n",
    );
}

#[test]
fn texts() {
    check("{{ \"hello wide world\" | title }}", "Hello Wide World");
    check(
        "{{ reReplaceAll \"(.*)\\\\.example.*\" \"$1!\" $labels.instance }}",
        "a!",
    );
    check(
        "{{ match \"^a\" $labels.instance }} {{ stripPort $labels.instance }} {{ stripDomain $labels.instance }}",
        "true a.example.com a:9100",
    );
    check(
        "{{ stripDomain \"10.0.0.1:80\" }} {{ stripPort \"[::1]:80\" }}",
        "10.0.0.1:80 ::1",
    );
    check(
        "{{ urlQueryEscape \"a b&c\" }} {{ slice \"abcdef\" 1 3 }} {{ len \"äb\" }}",
        "a+b%26c bc 3",
    );
}

#[test]
fn errors_become_text() {
    fails("{{ $labels.service", "parsing template: unclosed action");
    fails("{{ nothing }}", "function \"nothing\" not defined");
    fails("{{ $none }}", "undefined variable \"$none\"");
    fails("{{ if true }}", "unexpected EOF");
    fails("{{ end }}", "unexpected {{end}}");
    fails("{{ query \"bad\" }}", "error calling query: no such series");
    fails(
        "{{ query \"none\" | first }}",
        "first() called on vector with no elements",
    );
    fails("{{ gt $value 1 }}", "incompatible types for comparison");
    fails(
        "{{ $value.foo }}",
        "can't evaluate field foo in type float64",
    );
    fails(
        "{{ humanize $labels }}",
        "can't convert map[string]string to float",
    );
    fails("{{ match \"(\" \"a\" }}", "error parsing regexp");
    fails("{{ template \"x\" }}", "template \"x\" not defined");
    fails("{{ humanizeTimestamp 1e300 }}", "overflows int64");
    fails("{{ break }}", "outside {{range}}");
    fails("{{ 1 | 2 }}", "non executable command in pipeline");
}

#[test]
fn hostile_templates_end() {
    fails(&"{{ if true }}".repeat(1000), "nested deeper than");
    fails(
        &format!("{{{{ {}1{} }}}}", "(".repeat(1000), ")".repeat(1000)),
        "nested deeper than",
    );
    fails(
        "{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}",
        "more than 20 deep",
    );
    fails(
        "{{ range 100000000 }}{{ range 100000000 }}{{ end }}{{ end }}",
        "steps",
    );
    fails(
        "{{ range 199999 }}aaaaaaaaaaaaaaaaaaaaaaa{{ end }}",
        "longer than",
    );
    fails(&"x".repeat(TEMPLATE_MAX_BYTES + 1), "longer than");
    fails(
        "{{ reReplaceAll \"(a{1000}){1000}\" \"\" \"\" }}",
        "error parsing regexp",
    );
    for bad in [
        "{{ \"",
        "{{ '",
        "{{ `",
        "{{/*",
        "{{ \"\\",
        "{{ \"\\u12",
        "{{ 1.2.3 }}",
        "{{ 0x }}",
        "{{ $a := }}",
        "{{ | }}",
        "{{ a.b }}",
        "{{ ( }}",
        "{{ $a, }}",
        "{{ -9223372036854775808 }}",
    ] {
        let _ = filled(bad, 1.0);
    }
}
