//! Answers as Loki writes them.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use wharf_logql::{LogLine, LogResult, MetricResult, Stats};
use wharf_signal::{Labels, Sample};

/// Labels as an object.
pub(super) fn object(labels: &Labels) -> Value {
    let pairs = labels.iter();
    Value::Object(
        pairs
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .collect(),
    )
}

/// `{"status": "success", "data": ...}`
pub(super) fn success(data: &Value) -> Response {
    Json(json!({"status": "success", "data": data})).into_response()
}

/// Seconds with milliseconds, and the value as text.
pub(super) fn sample(sample: Sample) -> Value {
    let seconds = if sample.t % 1000 == 0 {
        Value::from(sample.t / 1000)
    } else {
        Value::from(sample.t as f64 / 1000.0)
    };
    json!([seconds, number(sample.v)])
}

/// A number as Prometheus writes it.
pub(super) fn number(v: f64) -> String {
    if v.is_nan() {
        "NaN".to_owned()
    } else if v.is_infinite() {
        if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format!("{v}")
    }
}

/// Lines, by stream. `categorizes`: the labels of a line stand beside it, by their origin.
pub(super) fn lines(result: LogResult, categorizes: bool, took: Duration) -> Response {
    let stats = result.stats;
    let returned = result.lines.len();
    let mut streams = Vec::new();
    for stream in result.streams(categorizes) {
        let values: Vec<Value> = stream
            .lines
            .iter()
            .map(|line| entry(line, categorizes))
            .collect();
        streams.push(json!({"stream": object(&stream.labels), "values": values}));
    }
    let mut data = json!({
        "resultType": "streams",
        "result": streams,
        "stats": statistics(stats, returned, took),
    });
    if categorizes {
        data["encodingFlags"] = json!(["categorize-labels"]);
    }
    success(&data)
}

/// A line with its time.
pub(super) fn entry(line: &LogLine, categorizes: bool) -> Value {
    let nanos = line.nanos.to_string();
    if !categorizes {
        return json!([nanos, line.line]);
    }
    let mut origins = Map::new();
    for (name, labels) in [
        ("structuredMetadata", &line.metadata),
        ("parsed", &line.parsed),
    ] {
        if !labels.is_empty() {
            origins.insert(name.to_owned(), object(labels));
        }
    }
    json!([nanos, line.line, origins])
}

/// Numbers.
pub(super) fn numbers(result: &MetricResult, stats: Stats, took: Duration) -> Response {
    let (kind, result, returned) = match result {
        MetricResult::Scalar(value) => ("scalar", sample(*value), 1),
        MetricResult::Vector(vector) => {
            let of = |(labels, value): &(Labels, Sample)| json!({"metric": object(labels), "value": sample(*value)});
            ("vector", vector.iter().map(of).collect(), vector.len())
        }
        MetricResult::Matrix(matrix) => {
            let count = matrix.iter().map(|series| series.samples.len()).sum();
            let of = |series: &wharf_signal::Series| {
                let values: Vec<Value> = series.samples.iter().map(|s| sample(*s)).collect();
                json!({"metric": object(&series.labels), "values": values})
            };
            ("matrix", matrix.iter().map(of).collect(), count)
        }
    };
    success(&json!({
        "resultType": kind,
        "result": result,
        "stats": statistics(stats, returned, took),
    }))
}

/// What was looked at, in the form that clients of Loki expect.
pub(super) fn statistics(stats: Stats, returned: usize, took: Duration) -> Value {
    let seconds = took.as_secs_f64();
    let per_second = |amount: u64| match seconds > 0.0 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is neither negative nor of interest to the last digit"
        )]
        true => (amount as f64 / seconds) as u64,
        false => 0,
    };
    let store = json!({
        "totalChunksRef": 0,
        "totalChunksDownloaded": 0,
        "chunksDownloadTime": 0,
        "chunk": {
            "headChunkBytes": 0,
            "headChunkLines": 0,
            "decompressedBytes": stats.bytes,
            "decompressedLines": stats.lines,
            "compressedBytes": 0,
            "totalDuplicates": 0,
        },
    });
    json!({
        "summary": {
            "bytesProcessedPerSecond": per_second(stats.bytes),
            "linesProcessedPerSecond": per_second(stats.lines),
            "totalBytesProcessed": stats.bytes,
            "totalLinesProcessed": stats.lines,
            "execTime": seconds,
            "queueTime": 0,
            "subqueries": 0,
            "totalEntriesReturned": returned,
            "splits": 0,
            "shards": 0,
            "totalPostFilterLines": stats.passed,
            "totalStructuredMetadataBytesProcessed": 0,
        },
        "querier": {"store": store},
        "ingester": {
            "totalReached": 0,
            "totalChunksMatched": 0,
            "totalBatches": 0,
            "totalLinesSent": 0,
            "store": {},
        },
        "cache": {},
    })
}

/// Which Loki this answers like.
pub(super) async fn buildinfo() -> Response {
    Json(json!({
        "version": "3.5.0",
        "revision": concat!("wharf-", env!("CARGO_PKG_VERSION")),
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
    .into_response()
}
