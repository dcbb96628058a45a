//! Results of queries as Prometheus's JSON, written straight to text: a matrix may hold a million samples.

use serde_json::json;
use wharf_promql::Value;
use wharf_signal::Labels;

use super::number::{write_seconds, write_value};

/// `{"resultType":…,"result":…}`
pub(crate) fn data(value: &Value) -> String {
    let mut out = String::new();
    let kind = match value {
        Value::Scalar(_) => "scalar",
        Value::String { .. } => "string",
        Value::Vector(_) => "vector",
        Value::Matrix(_) => "matrix",
    };
    out.push_str("{\"resultType\":\"");
    out.push_str(kind);
    out.push_str("\",\"result\":");
    match value {
        Value::Scalar(sample) => write_sample(&mut out, sample.t, sample.v),
        Value::String { t, v: text } => {
            out.push('[');
            write_seconds(&mut out, *t);
            out.push(',');
            out.push_str(&json!(text).to_string());
            out.push(']');
        }
        Value::Vector(samples) => list(&mut out, samples, |out, sample| {
            out.push_str("{\"metric\":");
            write_labels(out, &sample.labels);
            out.push_str(",\"value\":");
            write_sample(out, sample.sample.t, sample.sample.v);
            out.push('}');
        }),
        Value::Matrix(series) => list(&mut out, series, |out, series| {
            out.push_str("{\"metric\":");
            write_labels(out, &series.labels);
            out.push_str(",\"values\":");
            list(out, &series.samples, |out, sample| {
                write_sample(out, sample.t, sample.v);
            });
            out.push('}');
        }),
    }
    out.push('}');
    out
}

/// A label set as an object.
pub(crate) fn write_labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(out, name);
        out.push(':');
        write_text(out, value);
    }
    out.push('}');
}

fn write_text(out: &mut String, text: &str) {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&json!(text).to_string());
    }
}

fn write_sample(out: &mut String, t: i64, v: f64) {
    out.push('[');
    write_seconds(out, t);
    out.push_str(",\"");
    write_value(out, v);
    out.push_str("\"]");
}

fn list<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}
