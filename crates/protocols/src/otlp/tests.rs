use std::path::Path;

use proptest::prelude::*;
use prost::Message;
use wharf_signal::{
    Labels, MetricKind, SpanEvent, SpanId, SpanKind, SpanLink, SpanStatus, TraceId, Value, is_stale,
};

use super::wire::{
    AnyValue, Histogram, HistogramPoint, KeyValue, LogsRequest, Metric, MetricsRequest,
    ResourceMetrics, ScopeMetrics, Sum, TraceRequest,
};
use super::*;

/// An example of OpenTelemetry's, if it is there.
fn example(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/otlp");
    let content = std::fs::read(path.join(name));
    if content.is_err() {
        assert!(
            std::env::var_os("WHARF_TEST_REQUIRE").is_none_or(|all| all != "all"),
            "no {name} in {}",
            path.display()
        );
        println!("skipped: no {name} in {}", path.display());
    }
    content.ok()
}

/// The same in the other form.
fn as_protobuf<M: Message + serde::de::DeserializeOwned>(json: &[u8]) -> Vec<u8> {
    serde_json::from_slice::<M>(json).unwrap().encode_to_vec()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn the_example_of_traces() {
    let Some(json) = example("trace.json") else {
        return;
    };
    let protobuf = as_protobuf::<TraceRequest>(&json);
    for (body, encoding) in [(&json, Encoding::Json), (&protobuf, Encoding::Protobuf)] {
        let (spans, rejected) = decode_traces(body, encoding, Limits::default()).unwrap();
        assert_eq!(rejected, Rejected::default());
        let expected = Span {
            trace: TraceId(0x5B8E_FFF7_9803_8103_D269_B633_813F_C60C),
            id: SpanId(0xEEE1_9B7E_C3C1_B174),
            parent: SpanId(0xEEE1_9B7E_C3C1_B173),
            name: "I'm a server span".to_owned(),
            service: "my.service".to_owned(),
            kind: SpanKind::Server,
            start_nanos: 1_544_712_660_000_000_000,
            end_nanos: 1_544_712_661_000_000_000,
            status: SpanStatus::Unset,
            message: String::new(),
            attributes: vec![("my.span.attr".to_owned(), text("some value"))],
            resource: Vec::new(),
            scope: "my.library".to_owned(),
            events: Vec::new(),
            links: Vec::new(),
        };
        assert_eq!(spans, [expected]);
    }
}

#[test]
fn the_example_of_logs() {
    let Some(json) = example("logs.json") else {
        return;
    };
    let protobuf = as_protobuf::<LogsRequest>(&json);
    for (body, encoding) in [(&json, Encoding::Json), (&protobuf, Encoding::Protobuf)] {
        let (streams, rejected) = decode_logs(body, encoding, Limits::default(), 1).unwrap();
        assert_eq!(rejected, Rejected::default());
        let [(labels, entries)] = streams.as_slice() else {
            panic!("{streams:?}");
        };
        assert_eq!(labels.to_string(), r#"{service_name="my.service"}"#);
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].nanos, 1_544_712_660_300_000_000);
        assert_eq!(entries[0].line, "Example log record");
        let expected = Labels::from_pairs([
            ("array_attribute", r#"["many","values"]"#),
            ("boolean_attribute", "true"),
            ("detected_level", "info"),
            ("double_attribute", "637.704"),
            ("int_attribute", "10"),
            ("map_attribute_some_map_key", "some value"),
            ("my_scope_attribute", "some scope attribute"),
            ("observed_timestamp", "1544712660300000000"),
            ("scope_name", "my.library"),
            ("scope_version", "1.0.0"),
            ("severity_number", "10"),
            ("severity_text", "Information"),
            ("span_id", "eee19b7ec3c1b174"),
            ("string_attribute", "some string"),
            ("trace_id", "5b8efff798038103d269b633813fc60c"),
        ]);
        assert_eq!(entries[0].metadata, expected);
    }
}

#[test]
fn the_example_of_events() {
    let Some(json) = example("events.json") else {
        return;
    };
    let (streams, _) = decode_logs(&json, Encoding::Json, Limits::default(), 1).unwrap();
    let entry = &streams[0].1[0];
    assert_eq!(
        entry.line,
        r#"{"referrer":"https://wwww.google.com","title":"Free Online GUID Generator","type":0,"url":"https://www.guidgenerator.com/online-guid-generator.aspx"}"#
    );
    assert_eq!(entry.metadata.value("event_name"), "browser.page_view");
    assert_eq!(
        entry.metadata.value("event_attribute"),
        "some event attribute"
    );
    assert_eq!(entry.metadata.value("detected_level"), "info");
}

#[test]
fn the_example_of_metrics() {
    let Some(json) = example("metrics.json") else {
        return;
    };
    let protobuf = as_protobuf::<MetricsRequest>(&json);
    for (body, encoding) in [(&json, Encoding::Json), (&protobuf, Encoding::Protobuf)] {
        let batch = decode_metrics(body, encoding, Limits::default()).unwrap();
        // All but the gauge are deltas or exponential.
        let expected =
            r#"{__name__="my_gauge_ratio", job="my.service", my_gauge_attr="some value"}"#;
        let [sample] = batch.samples.as_slice() else {
            panic!("{:?}", batch.samples);
        };
        assert_eq!(sample.labels.to_string(), expected);
        assert_eq!((sample.t, sample.v), (1_544_712_660_300, 10.0));
        assert_eq!(batch.rejected.count, 3);
        assert_eq!(
            batch.rejected.message,
            "\"my.counter\" is not cumulative: let the SDK export cumulative temporality; \
             \"my.histogram\" is not cumulative: let the SDK export cumulative temporality; \
             \"my.exponential.histogram\" is an exponential histogram, which is not stored: let the SDK aggregate in \
             explicit buckets"
        );
        assert_eq!(batch.metadata[0].0, "my_gauge_ratio");
        assert_eq!(batch.metadata[0].1.kind, MetricKind::Gauge);
        assert_eq!(batch.metadata[0].1.help, "I am a Gauge");
    }
}

#[track_caller]
fn check_metrics(json: &str, expected: &[&str]) {
    let batch = decode_metrics(json.as_bytes(), Encoding::Json, Limits::default()).unwrap();
    let seen: Vec<_> = batch
        .samples
        .iter()
        .map(|s| {
            let exemplars: String = s
                .exemplars
                .iter()
                .map(|e| format!(" # {} {} {:?}", e.labels, e.value, e.t))
                .collect();
            let v = if is_stale(s.v) {
                "stale".to_owned()
            } else {
                s.v.to_string()
            };
            format!("{} {v} @{}{exemplars}", s.labels, s.t)
        })
        .collect();
    assert_eq!(seen, expected, "{:?}", batch.rejected);
}

#[test]
fn cumulative_metrics_are_samples() {
    check_metrics(
        r#"{"resourceMetrics": [{
            "resource": {"attributes": [
                {"key": "service.name", "value": {"stringValue": "web"}},
                {"key": "service.namespace", "value": {"stringValue": "shop"}},
                {"key": "service.instance.id", "value": {"stringValue": "web-1"}},
                {"key": "host.name", "value": {"stringValue": "h1"}}
            ]},
            "scopeMetrics": [{"metrics": [
                {"name": "http.requests", "unit": "{request}", "sum": {"aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
                    "isMonotonic": true, "dataPoints": [
                    {"asInt": "5", "timeUnixNano": "1000000000000", "attributes": [
                        {"key": "a.b", "value": {"intValue": 1}}, {"key": "a_b", "value": {"boolValue": true}}],
                     "exemplars": [{"asDouble": 0.5, "timeUnixNano": 1000000000000, "traceId": "5B8EFFF798038103D269B633813FC60C",
                        "filteredAttributes": [{"key": "x", "value": {"stringValue": "y"}}]}]},
                    {"timeUnixNano": "1000000000000", "flags": 1}
                ]}},
                {"name": "latency", "unit": "s", "histogram": {"aggregationTemporality": 2, "dataPoints": [
                    {"timeUnixNano": "1000000000000", "count": "4", "sum": 2.5, "bucketCounts": ["1", 2, "1"],
                     "explicitBounds": [0.1, 1], "exemplars": [{"asDouble": 0.5}, {"asDouble": 7}]}
                ]}},
                {"name": "gc", "summary": {"dataPoints": [
                    {"timeUnixNano": "1000000000000", "count": 2, "sum": "NaN", "quantileValues": [{"quantile": 0.5, "value": 1}]}
                ]}}
            ]}]
        }]}"#,
        &[
            r#"{__name__="http_requests_total", a_b="1;true", instance="web-1", job="shop/web"} 5 @1000000 # {trace_id="5b8efff798038103d269b633813fc60c", x="y"} 0.5 Some(1000000)"#,
            r#"{__name__="http_requests_total", instance="web-1", job="shop/web"} stale @1000000"#,
            r#"{__name__="latency_seconds_sum", instance="web-1", job="shop/web"} 2.5 @1000000"#,
            r#"{__name__="latency_seconds_count", instance="web-1", job="shop/web"} 4 @1000000"#,
            r#"{__name__="latency_seconds_bucket", instance="web-1", job="shop/web", le="0.1"} 1 @1000000"#,
            r#"{__name__="latency_seconds_bucket", instance="web-1", job="shop/web", le="1"} 3 @1000000 # {} 0.5 None"#,
            r#"{__name__="latency_seconds_bucket", instance="web-1", job="shop/web", le="+Inf"} 4 @1000000 # {} 7 None"#,
            r#"{__name__="gc_sum", instance="web-1", job="shop/web"} NaN @1000000"#,
            r#"{__name__="gc_count", instance="web-1", job="shop/web"} 2 @1000000"#,
            r#"{__name__="gc", instance="web-1", job="shop/web", quantile="0.5"} 1 @1000000"#,
            r#"{__name__="target_info", host_name="h1", instance="web-1", job="shop/web"} 1 @1000000"#,
        ],
    );
}

#[test]
fn target_info_is_said_as_long_as_samples_last() {
    let point = |nanos: &str| format!(r#"{{"asInt": 1, "timeUnixNano": "{nanos}"}}"#);
    let points = format!("{},{}", point("0"), point("400000000000"));
    let json = format!(
        r#"{{"resourceMetrics": [{{"resource": {{"attributes": [
            {{"key": "service.name", "value": {{"stringValue": "a"}}}}, {{"key": "x", "value": {{"intValue": 1}}}}]}},
            "scopeMetrics": [{{"metrics": [{{"name": "g", "gauge": {{"dataPoints": [{points}]}}}}]}}]}}]}}"#
    );
    let batch = decode_metrics(json.as_bytes(), Encoding::Json, Limits::default()).unwrap();
    let infos = batch
        .samples
        .iter()
        .filter(|s| s.labels.name() == "target_info");
    let times: Vec<_> = infos.map(|s| s.t).collect();
    assert_eq!(times, [0, 150_000, 300_000, 400_000]);
}

#[test]
fn times_that_end_never_are_refused() {
    let json = br#"{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "g", "gauge": {"dataPoints":
        [{"asInt": 1, "timeUnixNano": "18446744073709551615"}]}}]}]}]}"#;
    let batch = decode_metrics(json, Encoding::Json, Limits::default()).unwrap();
    assert_eq!(batch.samples, []);
    assert_eq!(
        batch.rejected.message,
        "a data point's time is out of range"
    );
}

#[test]
fn spans_without_ids_are_rejected() {
    let json = br#"{"resourceSpans": [{"scopeSpans": [{"spans": [
        {"traceId": "00", "spanId": "EEE19B7EC3C1B174", "name": "a"},
        {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "", "name": "b"},
        {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "EEE19B7EC3C1B174", "name": "c", "kind": "SPAN_KIND_CLIENT",
         "status": {"code": 2, "message": "no"}, "startTimeUnixNano": 5, "endTimeUnixNano": 4, "someday": {"x": [1]}}
    ]}], "resource": null}]}"#;
    let (spans, rejected) = decode_traces(json, Encoding::Json, Limits::default()).unwrap();
    assert_eq!(rejected.count, 2);
    assert_eq!(
        rejected.message,
        "span \"a\": a trace id is 16 bytes that are not all zero; span \"b\": a span id is 8 bytes that are not all zero"
    );
    assert_eq!(spans.len(), 1);
    assert_eq!(
        (spans[0].kind, spans[0].status),
        (SpanKind::Client, SpanStatus::Error)
    );
    assert_eq!((spans[0].start_nanos, spans[0].end_nanos), (5, 5));
    assert_eq!(spans[0].service, "unknown_service");
}

#[test]
fn a_log_without_time_has_that_of_its_receipt() {
    let json = br#"{"resourceLogs": [{"resource": {"attributes": [{"key": "k8s.pod.name", "value": {"stringValue": "p"}},
        {"key": "container.name", "value": {"stringValue": "c"}}]}, "scopeLogs": [{"logRecords": [
        {"body": {"stringValue": "a"}}, {"observedTimeUnixNano": "7", "severityText": "WARN", "body": {"doubleValue": 1.5}}]}]}]}"#;
    let (streams, _) = decode_logs(json, Encoding::Json, Limits::default(), 42).unwrap();
    let expected = r#"{container_name="c", k8s_pod_name="p", service_name="c"}"#;
    assert_eq!(streams[0].0.to_string(), expected);
    let seen: Vec<_> = streams[0]
        .1
        .iter()
        .map(|e| (e.nanos, e.line.as_str(), e.metadata.to_string()))
        .collect();
    assert_eq!(
        seen,
        [
            (42, "a", "{}".to_owned()),
            (
                7,
                "1.5",
                r#"{detected_level="warn", severity_text="WARN"}"#.to_owned()
            )
        ]
    );
}

#[test]
fn little_that_becomes_much_is_refused() {
    let limits = Limits {
        read_bytes: 1 << 20,
        signal_bytes: 1 << 20,
    };
    // 50,000 empty spans in a scope, in a resource: two bytes each.
    let mut body = Vec::new();
    let spans = [0x12, 0x00].repeat(50_000);
    for _ in 0..2 {
        let inner = if body.is_empty() {
            spans.clone()
        } else {
            std::mem::take(&mut body)
        };
        prost::encoding::encode_key(2, prost::encoding::WireType::LengthDelimited, &mut body);
        prost::encoding::encode_varint(inner.len() as u64, &mut body);
        body.extend(inner);
    }
    // The outermost is field 1.
    body[0] = 0x0a;
    let error = decode_traces(&body, Encoding::Protobuf, limits).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the request would take more than 1048576 bytes of memory; send smaller batches"
    );
    let json = format!(
        r#"{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{}]}}]}}]}}"#,
        vec!["{}"; 50_000].join(",")
    );
    assert_eq!(
        decode_traces(json.as_bytes(), Encoding::Json, limits).unwrap_err(),
        error
    );
    // One long attribute of a resource, and many records that have it.
    let long = "x".repeat(10_000);
    let records = vec![r#"{"body": {}}"#; 500].join(",");
    let json = format!(
        r#"{{"resourceLogs": [{{"resource": {{"attributes": [{{"key": "a", "value": {{"stringValue": "{long}"}}}}]}},
            "scopeLogs": [{{"logRecords": [{records}]}}]}}]}}"#
    );
    assert_eq!(
        decode_logs(json.as_bytes(), Encoding::Json, limits, 0).unwrap_err(),
        error
    );
    // One long name of a map, and many short ones within it.
    let values = vec![r#"{"key": "k", "value": {"intValue": 1}}"#; 500].join(",");
    let json = format!(
        r#"{{"resourceLogs": [{{"scopeLogs": [{{"logRecords": [{{"attributes":
            [{{"key": "{long}", "value": {{"kvlistValue": {{"values": [{values}]}}}}}}]}}]}}]}}]}}"#
    );
    assert_eq!(
        decode_logs(json.as_bytes(), Encoding::Json, limits, 0).unwrap_err(),
        error
    );
    // Deeper than any reader goes.
    let deep = format!(
        "{}{}",
        r#"{"arrayValue":{"values":["#.repeat(200),
        "]}}".repeat(200)
    );
    let json = format!(
        r#"{{"resourceLogs": [{{"scopeLogs": [{{"logRecords": [{{"body": {deep}}}]}}]}}]}}"#
    );
    assert!(matches!(
        decode_logs(json.as_bytes(), Encoding::Json, limits, 0),
        Err(OtlpError::Form(_))
    ));
}

#[test]
fn what_is_no_request_is_refused() {
    for (body, encoding) in [
        ("", Encoding::Json),
        ("[]x", Encoding::Json),
        ("\u{8}", Encoding::Protobuf),
        (r#"{"resourceSpans": 5}"#, Encoding::Json),
    ] {
        let error = decode_traces(body.as_bytes(), encoding, Limits::default()).unwrap_err();
        assert!(
            error.to_string().starts_with("no OTLP request: "),
            "{error}"
        );
    }
    assert_eq!(
        decode_traces(b"", Encoding::Protobuf, Limits::default()),
        Ok(Default::default())
    );
    assert_eq!(
        Encoding::of("application/json; charset=utf-8"),
        Some(Encoding::Json)
    );
    assert_eq!(Encoding::of("text/plain"), None);
}

#[test]
fn counters_in_protobuf_are_samples() {
    let point = HistogramPoint {
        count: 3,
        bucket_counts: vec![u64::MAX, 1, 2],
        explicit_bounds: vec![1.0, f64::INFINITY],
        ..HistogramPoint::default()
    };
    let histogram = Histogram {
        data_points: vec![point],
        aggregation_temporality: 2,
    };
    let metric = |name: &str, data| Metric {
        name: name.to_owned(),
        data: Some(data),
        ..Metric::default()
    };
    let request = MetricsRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: None,
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![
                    metric("h", super::wire::Data::Histogram(histogram)),
                    metric(
                        "---",
                        super::wire::Data::Sum(Sum {
                            data_points: vec![Default::default()],
                            aggregation_temporality: 2,
                            is_monotonic: false,
                        }),
                    ),
                ],
                ..Default::default()
            }],
        }],
    };
    let batch = decode_metrics(
        &request.encode_to_vec(),
        Encoding::Protobuf,
        Limits::default(),
    )
    .unwrap();
    let names: Vec<_> = batch
        .samples
        .iter()
        .map(|s| (s.labels.to_string(), s.v))
        .collect();
    let bucket = |le: &str, v| (format!(r#"{{__name__="h_bucket", le="{le}"}}"#), v);
    #[expect(clippy::cast_precision_loss, reason = "as it is stored")]
    let all = u64::MAX as f64;
    assert_eq!(names[1..], [bucket("1", all), bucket("+Inf", 3.0)]);
    assert_eq!(batch.rejected.message, "\"---\" is no name of a metric");
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        ".{0,5}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1e20..1e20_f64).prop_map(Value::Double),
        Just(Value::Double(f64::INFINITY)),
        prop::collection::vec(any::<u8>(), 0..5).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::List),
            prop::collection::vec((".{0,4}", inner), 0..3).prop_map(Value::Map),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Vec<(String, Value)>> {
    prop::collection::vec(("[a-y.]{1,4}", value()), 0..3)
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (1..u128::MAX, 1..u64::MAX, any::<u64>());
    let times = (0..i64::MAX, 0..1_000_000_000_i64);
    let event = (0..i64::MAX, ".{0,4}", attributes());
    let event = event.prop_map(|(nanos, name, attributes)| SpanEvent {
        nanos,
        name,
        attributes,
    });
    let link = (1..u128::MAX, 1..u64::MAX, attributes());
    let link = link.prop_map(|(trace, span, attributes)| SpanLink {
        trace: TraceId(trace),
        span: SpanId(span),
        attributes,
    });
    let more = (
        prop::collection::vec(event, 0..2),
        prop::collection::vec(link, 0..2),
        attributes(),
        attributes(),
    );
    let kind = prop::sample::select(vec![
        SpanKind::Unspecified,
        SpanKind::Server,
        SpanKind::Client,
        SpanKind::Consumer,
    ]);
    let status = prop::sample::select(vec![SpanStatus::Unset, SpanStatus::Ok, SpanStatus::Error]);
    (
        ids,
        times,
        ".{0,5}",
        "[a-c]{1,2}",
        kind,
        status,
        "[ab]?",
        more,
    )
        .prop_map(
            |(
                (trace, id, parent),
                (start, length),
                name,
                service,
                kind,
                status,
                scope,
                (events, links, attributes, resource),
            )| Span {
                trace: TraceId(trace),
                id: SpanId(id),
                parent: SpanId(parent),
                message: name.clone(),
                name,
                service,
                kind,
                start_nanos: start,
                end_nanos: start.saturating_add(length),
                status,
                attributes,
                resource,
                scope,
                events,
                links,
            },
        )
}

proptest! {
    #[test]
    fn spans_that_are_written_are_read(spans in prop::collection::vec(span(), 0..5)) {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            let body = encode_spans(&spans, encoding);
            let (read, rejected) = decode_traces(&body, encoding, Limits::default()).unwrap();
            prop_assert_eq!(&read, &spans);
            prop_assert_eq!(rejected, Rejected::default());
        }
    }

    #[test]
    fn values_are_texts(value in value()) {
        let _text = value_text(&value);
        let wire = KeyValue { key: "a".to_owned(), value: Some(super::value::to_wire(&value)) };
        let json = serde_json::to_vec(&wire).unwrap();
        let again: KeyValue = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(super::value::of_wire(again.value), value);
        let empty: AnyValue = serde_json::from_slice(b"{}").unwrap();
        prop_assert_eq!(empty.kind, None);
    }
}
