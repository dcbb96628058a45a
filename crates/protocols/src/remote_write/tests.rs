use proptest::prelude::*;
use prost::Message;

use super::message::{FamilyMetadata, Label, Request, Sample as WireSample, Series, message};
use super::*;

fn text_labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    let label = |(name, value): &(&str, &str)| Label {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    };
    pairs.iter().map(label).collect()
}

fn packed(series: Series) -> Vec<u8> {
    let request = Request {
        series: vec![series],
        metadata: Vec::new(),
    };
    snappy::pack(&request.encode_to_vec())
}

#[track_caller]
fn refused(body: &[u8], expected: &str) {
    let error = decode(body, Limits::default()).expect_err("an error");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn labels_are_put_in_order_and_checked() {
    let series = |pairs: &[(&str, &str)]| {
        packed(Series {
            labels: text_labels(pairs),
            ..Series::default()
        })
    };
    let request = decode(
        &series(&[("b", "1"), ("__name__", "x"), ("c", "")]),
        Limits::default(),
    );
    assert_eq!(
        request.unwrap().series[0].labels.to_string(),
        r#"{__name__="x", b="1"}"#
    );
    refused(
        &series(&[("b", "1")]),
        r#"a series without `__name__`: {b="1"}"#,
    );
    refused(
        &series(&[("b", "1"), ("b", "1"), ("__name__", "x")]),
        r#"the label "b" is there twice"#,
    );
    refused(
        &series(&[("", "1"), ("__name__", "x")]),
        "a label without a name",
    );
    refused(
        &series(&[("__name__", &"x".repeat(20_000))]),
        "the label \"__name__\" is longer than 16384 bytes; shorten or drop it at the sender",
    );
}

#[test]
fn native_histograms_are_recognised() {
    let body = packed(Series {
        labels: text_labels(&[("__name__", "x")]),
        histograms: vec![vec![0x08, 0x01]],
        ..Series::default()
    });
    refused(
        &body,
        r#"native histograms are not stored (series {__name__="x"}); let the sender write classic histograms"#,
    );
}

#[test]
fn what_is_too_large_is_not_unpacked() {
    let body = snappy::pack(&vec![0; 1000]);
    let limits = Limits {
        unpacked_bytes: 999,
        ..Limits::default()
    };
    let error = decode(&body, limits).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the body unpacks to 1000 bytes, more than the 999 that are taken; send smaller batches"
    );
    // Says that 30 MB follow, and has none.
    refused(
        &[0x80, 0x87, 0xa7, 0x0e, 0x00],
        "the body is not packed in Snappy's block format: 5 bytes cannot hold 30000000",
    );
}

#[test]
fn labels_behind_samples_are_read_too() {
    // A sample, then the label.
    let sample = WireSample {
        value: 1.0,
        timestamp: 5,
    }
    .encode_to_vec();
    let label = Label {
        name: "__name__".to_owned(),
        value: "x".to_owned(),
    }
    .encode_to_vec();
    let mut series = vec![0x12, u8::try_from(sample.len()).unwrap()];
    series.extend(sample);
    series.extend([0x0a, u8::try_from(label.len()).unwrap()]);
    series.extend(label);
    let mut request = vec![0x0a, u8::try_from(series.len()).unwrap()];
    request.extend(series);
    let mut keys = Vec::new();
    visit(&request, &mut |item| {
        if let WriteItem::Series(series) = item {
            keys.push((series.key().is_some(), series.samples().count()));
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(keys, [(false, 1)]);
    let decoded = decode(&snappy::pack(&request), Limits::default()).unwrap();
    assert_eq!(decoded.series[0].labels.name(), "x");
    assert_eq!(decoded.series[0].samples, [Sample { t: 5, v: 1.0 }]);
}

#[test]
fn metadata_are_read() {
    let request = Request {
        series: Vec::new(),
        metadata: vec![FamilyMetadata {
            kind: 3,
            family: "a_seconds".to_owned(),
            help: "how long".to_owned(),
            unit: "seconds".to_owned(),
        }],
    };
    let decoded = decode(&snappy::pack(&request.encode_to_vec()), Limits::default()).unwrap();
    let metadata = Metadata {
        kind: MetricKind::Histogram,
        unit: "seconds".to_owned(),
        help: "how long".to_owned(),
    };
    assert_eq!(decoded.metadata, [("a_seconds".to_owned(), metadata)]);
}

fn labels() -> impl Strategy<Value = Labels> {
    prop::collection::vec((".{1,5}", ".{0,300}"), 0..5).prop_map(|mut pairs| {
        pairs.push(("__name__".to_owned(), "a".to_owned()));
        Labels::from_pairs(pairs)
    })
}

fn request() -> impl Strategy<Value = WriteRequest> {
    let sample = (any::<i64>(), any::<u64>()).prop_map(|(t, bits)| Sample {
        t,
        v: f64::from_bits(bits),
    });
    let exemplar =
        (labels(), -1e9..1e9_f64, any::<i64>()).prop_map(|(labels, value, t)| Exemplar {
            labels,
            value,
            t: Some(t).filter(|t| *t != 0),
        });
    let series = (
        labels(),
        prop::collection::vec(sample, 0..5),
        prop::collection::vec(exemplar, 0..3),
    );
    let series = series.prop_map(|(labels, samples, exemplars)| TimeSeries {
        labels,
        samples,
        exemplars,
    });
    prop::collection::vec(series, 0..4).prop_map(|series| WriteRequest {
        series,
        metadata: Vec::new(),
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(request in request()) {
        let read = decode(&encode(&request), Limits::default()).unwrap();
        prop_assert_eq!(&read, &request);
        let mut keys = 0;
        visit(&message(&request).encode_to_vec(), &mut |item| {
            if let WriteItem::Series(series) = item {
                keys += usize::from(series.key().is_some());
            }
            ControlFlow::Continue(())
        }).unwrap();
        prop_assert_eq!(keys, request.series.len());
    }

    /// What prost reads is what the walk reads.
    #[test]
    fn the_walk_agrees_with_prost(request in request(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        let mut bytes = message(&request).encode_to_vec();
        for (at, byte) in damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let Ok(expected) = Request::decode(bytes.as_slice()) else {
            return Ok(());
        };
        let mut samples = Vec::new();
        let walked = visit(&bytes, &mut |item| {
            if let WriteItem::Series(series) = item {
                samples.extend(series.samples().flatten());
            }
            ControlFlow::Continue(())
        });
        // prost also knows groups, which nobody sends.
        if walked.is_ok() {
            let expected: Vec<_> = expected.series.iter().flat_map(|series| &series.samples).map(|s| Sample { t: s.timestamp, v: s.value }).collect();
            prop_assert_eq!(samples, expected);
        }
    }
}
