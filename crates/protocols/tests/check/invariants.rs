//! What holds for any bytes at all. The fuzz targets of the protocols use this file too.

use std::ops::ControlFlow;

use wharf_protocols::exposition::{self, Family, FamilySample, Format, Item};
use wharf_protocols::{grpc, loki_push, otlp, remote_write};

/// What is read as text is written and read again as the same.
pub(crate) fn exposition_text(bytes: &[u8]) {
    let Some(samples) = samples(bytes, Format::Text) else {
        return;
    };
    let family = Family {
        name: "a".to_owned(),
        samples,
        ..Family::default()
    };
    let text = exposition::write_text([&family]);
    let again = read_again(&text, Format::Text);
    assert_eq!(again, format!("{:?}", family.samples), "{text}");
}

/// As [`exposition_text`]; and what is valid can be scraped.
pub(crate) fn openmetrics(bytes: &[u8]) {
    let valid = exposition::validate(bytes).is_ok();
    let Some(samples) = samples(bytes, Format::OpenMetrics) else {
        assert!(!valid, "valid, but not read");
        return;
    };
    let family = Family {
        name: "a".to_owned(),
        samples,
        ..Family::default()
    };
    let text = exposition::write_openmetrics([&family]);
    let again = read_again(&text, Format::OpenMetrics);
    assert_eq!(again, format!("{:?}", family.samples), "{text}");
}

fn read_again(text: &str, format: Format) -> String {
    format!("{:?}", samples(text.as_bytes(), format).expect(text))
}

fn samples(bytes: &[u8], format: Format) -> Option<Vec<FamilySample>> {
    let mut samples = Vec::new();
    let mut wrong = false;
    let read = exposition::parse(bytes, format, &mut |item| {
        if let Item::Sample(line) = item {
            match line.labels() {
                Ok(labels) => samples.push(FamilySample {
                    labels,
                    value: line.value,
                    t: line.t,
                    exemplar: line.exemplar,
                }),
                Err(error) => {
                    assert!(error.line <= bytes.len() + 1);
                    wrong = true;
                }
            }
        }
        ControlFlow::Continue(())
    });
    (read.is_ok() && !wrong).then_some(samples)
}

/// As a body, and as what is packed in one.
pub(crate) fn remote_write(bytes: &[u8]) {
    let limits = remote_write::Limits {
        unpacked_bytes: 1 << 20,
        ..remote_write::Limits::default()
    };
    let _either = remote_write::decode(bytes, limits);
    let Ok(body) = snap::raw::Encoder::new().compress_vec(bytes) else {
        return;
    };
    let walked = remote_write::visit(bytes, &mut |item| {
        if let remote_write::WriteItem::Series(series) = item {
            let samples = series.samples().count() + series.exemplars(limits).count();
            assert!(samples <= bytes.len());
        }
        ControlFlow::Continue(())
    });
    if let Ok(request) = remote_write::decode(&body, limits) {
        assert!(walked.is_ok());
        let again = remote_write::decode(&remote_write::encode(&request), limits);
        assert_eq!(
            format!("{:?}", again.expect("its own")),
            format!("{request:?}")
        );
    }
}

/// As JSON, as a packed body, and as what is packed in one.
pub(crate) fn loki_push(bytes: &[u8]) {
    let limit = 1 << 20;
    let packed = snap::raw::Encoder::new().compress_vec(bytes);
    for streams in [
        loki_push::decode_json(bytes),
        loki_push::decode_protobuf(bytes, limit),
        loki_push::decode_protobuf(&packed.expect("short"), limit),
    ]
    .into_iter()
    .flatten()
    {
        let json = loki_push::encode_json(&streams);
        assert_eq!(loki_push::decode_json(&json).as_ref(), Ok(&streams));
        let protobuf = loki_push::encode_protobuf(&streams);
        let again = loki_push::decode_protobuf(&protobuf, 64 * limit);
        assert_eq!(again.as_ref(), Ok(&streams));
        for (labels, _) in &streams {
            let named = loki_push::with_service_name(labels);
            assert!(!named.value(loki_push::SERVICE_NAME).is_empty());
        }
    }
}

/// Every signal, as Protocol Buffers and as JSON.
pub(crate) fn otlp(bytes: &[u8]) {
    let limits = otlp::Limits {
        read_bytes: 4 << 20,
        signal_bytes: 4 << 20,
    };
    for encoding in [otlp::Encoding::Protobuf, otlp::Encoding::Json] {
        if let Ok((spans, _)) = otlp::decode_traces(bytes, encoding, limits) {
            for again in [otlp::Encoding::Protobuf, otlp::Encoding::Json] {
                let body = otlp::encode_spans(&spans, again);
                // What is written says more than what was read has to.
                let limits = otlp::Limits {
                    read_bytes: 1 << 30,
                    signal_bytes: 1 << 30,
                };
                let (read, rejected) = otlp::decode_traces(&body, again, limits).expect("its own");
                assert_eq!(rejected.count, 0);
                assert_eq!(format!("{read:?}"), format!("{spans:?}"));
            }
        }
        if let Ok((streams, _)) = otlp::decode_logs(bytes, encoding, limits, 1) {
            for (labels, entries) in &streams {
                assert!(!labels.value("service_name").is_empty() && !entries.is_empty());
            }
        }
        if let Ok(batch) = otlp::decode_metrics(bytes, encoding, limits) {
            for sample in &batch.samples {
                assert!(!sample.labels.name().is_empty());
            }
            let _answer = otlp::response(otlp::Signal::Metrics, &batch.rejected, encoding);
        }
    }
    let _either = grpc::next_frame(bytes, 100);
}
