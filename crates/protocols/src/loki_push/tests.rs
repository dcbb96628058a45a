use proptest::prelude::*;

use super::*;

#[track_caller]
fn check_labels(text: &str, expected: Result<&str, &str>) {
    let read = labels::parse(text).map(|labels| labels.to_string());
    let read = read.map_err(|error| error.to_string());
    assert_eq!(read.as_deref().map_err(String::as_str), expected);
}

#[test]
fn labels_are_read_as_go_writes_them() {
    check_labels(r#"{b="1", a = `x"y` ,}"#, Ok(r#"{a="x\"y", b="1"}"#));
    check_labels(r#" {} "#, Ok("{}"));
    check_labels(r#"{"a.b"="\t\x41\u00e9\101\\"}"#, Ok("{a.b=\"\tAéA\\\\\"}"));
    check_labels(
        "{a=\"1\"",
        Err("error parsing labels \"{a=\\\"1\\\"\": expected `,` or `}` at byte 6"),
    );
    check_labels(
        r#"{a="\q"}"#,
        Err(r#"error parsing labels "{a=\"\\q\"}": expected one of Go's escapes at byte 3"#),
    );
    check_labels(
        "{1=\"\"}",
        Err("error parsing labels \"{1=\\\"\\\"}\": expected a label's name at byte 1"),
    );
    check_labels(
        "a",
        Err("error parsing labels \"a\": expected `{` at byte 0"),
    );
    check_labels(
        "{} x",
        Err("error parsing labels \"{} x\": expected nothing after `}` at byte 3"),
    );
}

#[test]
fn json_is_read() {
    let body = br#"{"streams": [
        {"stream": {"job": "web"}, "values": [
            ["1700000000000000001", "one"],
            ["1700000000000000002", "t\u0077o", {"trace_id": "ab", "n": 5, "deep": {"x": [1]}, "none": null}]
        ], "more": 1},
        {"stream": {}}
    ]}"#;
    let streams = decode_json(body).unwrap();
    assert_eq!(streams.len(), 2);
    let (labels, entries) = &streams[0];
    assert_eq!(labels.to_string(), r#"{job="web"}"#);
    assert_eq!(entries[0].nanos, 1_700_000_000_000_000_001);
    assert_eq!(entries[1].line, "two");
    assert_eq!(entries[1].metadata.to_string(), r#"{n="5", trace_id="ab"}"#);
}

#[test]
fn what_is_no_push_is_refused() {
    for body in [
        "",
        "{}",
        "[]",
        r#"{"streams": [{"values": []}]}"#,
        r#"{"streams": [{"stream": {}, "values": [["now", "x"]]}]}"#,
        r#"{"streams": [{"stream": {}, "values": [["1"]]}]}"#,
        r#"{"streams": [{"stream": {}, "values": [["1", 2]]}]}"#,
        r#"{"streams": [{"stream": {}, "values": [["99999999999999999999", "x"]]}]}"#,
    ] {
        let error = decode_json(body.as_bytes()).unwrap_err();
        assert!(
            error.to_string().starts_with("no push request: "),
            "{error}"
        );
    }
    assert!(matches!(
        decode_protobuf(b"x", 10),
        Err(PushError::Unpack(_))
    ));
    assert!(matches!(
        decode_protobuf(&snappy::pack(b"\x08"), 10),
        Err(PushError::Form(_))
    ));
}

#[test]
fn many_empty_entries_are_refused() {
    // 30,000 entries of two bytes in one stream.
    let entries = [0x12, 0x00].repeat(30_000);
    let mut body = vec![0x0a, 0xe0, 0xd4, 0x03];
    body.extend(entries);
    let error = decode_protobuf(&snappy::pack(&body), 1 << 20).unwrap_err();
    assert_eq!(error, PushError::TooMany { limit: 4 << 20 });
    assert!(
        decode_protobuf(&snappy::pack(&body), 1 << 21)
            .is_err_and(|error| matches!(error, PushError::Labels { .. }))
    );
}

#[test]
fn a_service_has_a_name() {
    #[track_caller]
    fn check(pairs: &[(&str, &str)], expected: &str) {
        let labels = Labels::from_pairs(pairs.iter().copied());
        assert_eq!(with_service_name(&labels).value(SERVICE_NAME), expected);
    }
    check(&[("service_name", "a"), ("service", "b")], "a");
    check(&[("job", "c"), ("app", "b")], "b");
    check(&[("x", "y")], "unknown_service");
}

fn labels() -> impl Strategy<Value = Labels> {
    let name = prop_oneof!["[a-zA-Z_][a-z0-9_]{0,4}", ".{1,4}"];
    prop::collection::vec((name, ".{0,8}"), 0..4).prop_map(Labels::from_pairs)
}

fn streams() -> impl Strategy<Value = Streams> {
    let entry = (any::<i64>(), ".{0,20}", labels());
    let entry = entry.prop_map(|(nanos, line, metadata)| LogEntry {
        nanos,
        line,
        metadata,
    });
    prop::collection::vec((labels(), prop::collection::vec(entry, 0..4)), 0..4)
}

proptest! {
    #[test]
    fn what_is_written_is_read(streams in streams()) {
        prop_assert_eq!(&decode_json(&encode_json(&streams)).unwrap(), &streams);
        prop_assert_eq!(&decode_protobuf(&encode_protobuf(&streams), 1 << 20).unwrap(), &streams);
    }

    #[test]
    fn any_labels_are_read_or_refused(text in "[{}=\",\\\\ `a-c0-9xuU\n]{0,30}") {
        let _either = labels::parse(&text);
    }
}
