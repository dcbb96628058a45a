//! `wharf trace`: the spans of a request and what was logged meanwhile.

use anyhow::Context as _;
use serde_json::{Value as JsonValue, json};
use wharf_base::clock::{Timestamp, now};
use wharf_protocols::otlp::{Encoding, Limits, decode_traces};
use wharf_signal::{Span, SpanId, SpanStatus, TraceId};

use crate::args::{Global, Trace};
use crate::exit::{Code, failure};
use crate::launcher::block_on;
use crate::output::{Output, Style, paint};
use crate::project::Project;
use crate::telemetry_client::TelemetryClient;
use crate::terminal::{moment_millis, terminal_columns};
use crate::trace_id;
use crate::waterfall::{LogLine, length, place, waterfall};

/// Lines that are shown, at most.
const LINES_MAX: usize = 1_000;
/// What is written before the first span and after the last belongs to the request, too; clocks are read at other moments.
const MARGIN_NANOS: i64 = 60_000_000_000;
/// Where there are no spans: the lines of the last two weeks, as long as they are searched fast.
const LOOKBACK_MILLIS: u64 = 14 * 86_400_000;
/// Where a line is printed to a file.
const WIDTH_DEFAULT: usize = 120;

pub(crate) fn run(global: &Global, args: &Trace, output: &Output) -> anyhow::Result<Code> {
    let id = trace_id::parse(&args.id)?;
    let project = Project::locate(global)?;
    let (spans, partial, lines) = block_on(async {
        let client = TelemetryClient::of(&project, global.timeout).await?;
        let (spans, partial) = spans_of(&client, id).await?;
        let lines = lines_of(&client, id, &spans).await?;
        Ok((spans, partial, lines))
    })?;
    if spans.is_empty() && lines.is_empty() {
        return Err(failure(
            Code::Failed,
            format!("there is neither a span nor a log line of trace {id}"),
            "spans are kept of sampled requests, failed ones and slow ones (`telemetry.traces` in wharf.yaml), for two weeks",
        ));
    }
    if output.json {
        output.value(&as_json(id, &spans, partial, &lines))?;
        return Ok(Code::Done);
    }
    output.line(&paint(
        &headline(id, &spans),
        Style::Strong,
        output.color_out,
    ));
    let width = terminal_columns().unwrap_or(WIDTH_DEFAULT);
    for line in waterfall(&spans, &lines, width, output.color_out) {
        output.line(line.trim_end());
    }
    if partial {
        output.note("the trace is larger than what is read of one: spans are missing");
    }
    Ok(Code::Done)
}

/// The spans, and whether some are missing.
async fn spans_of(client: &TelemetryClient, id: TraceId) -> anyhow::Result<(Vec<Span>, bool)> {
    let Some(told) = client.find(&format!("/api/v2/traces/{id}")).await? else {
        return Ok((vec![], false));
    };
    let trace = told["trace"].to_string();
    let (spans, _) = decode_traces(trace.as_bytes(), Encoding::Json, Limits::default())
        .context("the telemetry's answer is no trace")?;
    Ok((spans, told["status"] == "PARTIAL"))
}

/// The lines that carry the trace's id, in either of its spellings.
async fn lines_of(
    client: &TelemetryClient,
    id: TraceId,
    spans: &[Span],
) -> anyhow::Result<Vec<LogLine>> {
    let first = spans.iter().map(|span| span.start_nanos).min();
    let last = spans.iter().map(|span| span.end_nanos).max();
    let nanos = |at: Timestamp| {
        i64::try_from(at.0)
            .unwrap_or(i64::MAX)
            .saturating_mul(1_000_000)
    };
    let ago = Timestamp(now().0.saturating_sub(LOOKBACK_MILLIS));
    let start = first.map_or(nanos(ago), |at| at.saturating_sub(MARGIN_NANOS));
    let end = last.map_or(nanos(now()), |at| at.saturating_add(MARGIN_NANOS));
    let mut lines = vec![];
    for spelled in [uuid(id), id.to_string()] {
        let query = format!("{{service=~\".+\"}} | trace_id=\"{spelled}\"");
        let parameters = [
            ("query", query.as_str()),
            ("start", &start.to_string()),
            ("end", &end.to_string()),
            ("limit", &LINES_MAX.to_string()),
            ("direction", "forward"),
        ];
        let told = client.get("/loki/api/v1/query_range", &parameters).await?;
        lines.extend(lines_in(&told));
    }
    lines.sort_by(|a, b| (a.nanos, &a.replica).cmp(&(b.nanos, &b.replica)));
    lines.dedup();
    Ok(lines)
}

/// The lines of Loki's answer.
fn lines_in(told: &JsonValue) -> Vec<LogLine> {
    let streams = told["data"]["result"].as_array().into_iter().flatten();
    let mut lines = vec![];
    for stream in streams {
        let label = |name: &str| {
            stream["stream"][name]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        for value in stream["values"].as_array().into_iter().flatten() {
            let nanos = value[0].as_str().and_then(|text| text.parse().ok());
            if let (Some(nanos), Some(text)) = (nanos, value[1].as_str()) {
                lines.push(LogLine {
                    nanos,
                    service: label("service"),
                    replica: label("replica"),
                    text: text.to_owned(),
                });
            }
        }
    }
    lines
}

fn uuid(id: TraceId) -> String {
    let hex = id.to_string();
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

fn headline(id: TraceId, spans: &[Span]) -> String {
    let (Some(start), Some(end)) = (
        spans.iter().map(|span| span.start_nanos).min(),
        spans.iter().map(|span| span.end_nanos).max(),
    ) else {
        return format!("trace {id}: no spans, but log lines");
    };
    let mut services: Vec<&str> = spans.iter().map(|span| span.service.as_str()).collect();
    services.sort_unstable();
    services.dedup();
    let failed = spans
        .iter()
        .filter(|span| span.status == SpanStatus::Error)
        .count();
    let errors = if failed == 0 {
        String::new()
    } else {
        format!(", {failed} failed")
    };
    let began = Timestamp(u64::try_from(start / 1_000_000).unwrap_or_default());
    format!(
        "trace {id}: {}, {} spans of {}{errors}, {}",
        moment_millis(began),
        spans.len(),
        services.join(", "),
        length(end.abs_diff(start))
    )
}

fn as_json(id: TraceId, spans: &[Span], partial: bool, lines: &[LogLine]) -> JsonValue {
    let time = |nanos: i64| {
        moment_millis(Timestamp(
            u64::try_from(nanos / 1_000_000).unwrap_or_default(),
        ))
    };
    let line = |line: &LogLine| {
        json!({
            "time": time(line.nanos),
            "service": line.service,
            "replica": line.replica,
            "text": line.text,
        })
    };
    let placed = place(spans, lines);
    let told: Vec<JsonValue> = placed
        .iter()
        .map(|row| {
            let span = row.span;
            let parent = (span.parent != SpanId::default()).then(|| span.parent.to_string());
            let attributes: serde_json::Map<String, JsonValue> = span
                .attributes
                .iter()
                .map(|(name, value)| {
                    (
                        name.clone(),
                        wharf_protocols::otlp::value_text(value).into(),
                    )
                })
                .collect();
            json!({
                "span_id": span.id.to_string(),
                "parent_span_id": parent,
                "depth": row.depth,
                "service": span.service,
                "name": span.name,
                "start": time(span.start_nanos),
                "duration_seconds": span.end_nanos.abs_diff(span.start_nanos) as f64 / 1e9,
                "error": span.status == SpanStatus::Error,
                "message": span.message,
                "attributes": attributes,
                "logs": row.lines.iter().map(|l| line(l)).collect::<Vec<_>>(),
            })
        })
        .collect();
    // Without spans there is nothing that lines could stand under.
    let alone: Vec<JsonValue> = if spans.is_empty() {
        lines.iter().map(line).collect()
    } else {
        vec![]
    };
    json!({ "trace_id": id.to_string(), "partial": partial, "spans": told, "logs": alone })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_as_a_uuid() {
        let id = TraceId::parse("0af7651916cd43dd8448eb211c80319c").expect("an id");
        assert_eq!(uuid(id), "0af76519-16cd-43dd-8448-eb211c80319c");
    }

    #[test]
    fn lines_are_read_from_lokis_answer() {
        let told = json!({ "status": "success", "data": { "resultType": "streams", "result": [
            { "stream": { "service": "web", "replica": "web-1" }, "values": [["12", "a"], ["13", "b", {}]] },
            { "stream": {}, "values": [["x", "skipped"]] },
        ] } });
        let lines = lines_in(&told);
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (lines[1].nanos, &*lines[1].replica, &*lines[1].text),
            (13, "web-1", "b")
        );
    }
}
