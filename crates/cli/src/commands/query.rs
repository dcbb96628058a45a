//! `wharf query`: asks the project's metrics in PromQL.

use serde_json::Value;
use wharf_base::clock::{Timestamp, now};

use crate::args::{Global, Query};
use crate::chart::{Line, Size, draw};
use crate::exit::Code;
use crate::launcher::block_on;
use crate::output::{Output, Style};
use crate::project::Project;
use crate::telemetry_client::TelemetryClient;
use crate::terminal::{clock_time, terminal_columns};

/// Rows of a chart, and its columns without a terminal to measure.
const CHART_HEIGHT: usize = 12;
const CHART_WIDTH: usize = 100;

/// What a chart leaves to its scale and its edge.
const CHART_MARGIN: usize = 12;

/// Points of a range, where no step is given: one for each column of dots of a wide terminal.
const POINTS: u64 = 240;

pub(crate) fn run(global: &Global, args: &Query, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    let answer = block_on(async {
        let client = TelemetryClient::of(&project, global.timeout).await?;
        let end = args.at.clone().unwrap_or_else(|| now().to_string());
        match args.since {
            None => {
                let parameters = [("query", args.query.as_str()), ("time", &end)];
                client.get("/api/v1/query", &parameters).await
            }
            Some(since) => {
                let end_seconds: f64 = end.parse().unwrap_or_else(|_| now().0 as f64 / 1000.0);
                let start = (end_seconds - since.as_secs_f64()).to_string();
                let step = args.step.unwrap_or_else(|| {
                    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX) / POINTS;
                    std::time::Duration::from_millis(millis.max(1_000))
                });
                let parameters = [
                    ("query", args.query.as_str()),
                    ("start", &start),
                    ("end", &end_seconds.to_string()),
                    ("step", &step.as_secs_f64().to_string()),
                ];
                client.get("/api/v1/query_range", &parameters).await
            }
        }
    })?;
    if output.json {
        output.compact(&answer)?;
        return Ok(Code::Done);
    }
    for kind in ["warnings", "infos"] {
        for text in answer[kind].as_array().into_iter().flatten() {
            output.note(&format!("note: {}", text.as_str().unwrap_or_default()));
        }
    }
    print(&answer["data"], args, output);
    Ok(Code::Done)
}

fn print(data: &Value, args: &Query, output: &Output) {
    let result = &data["result"];
    match data["resultType"].as_str() {
        Some("scalar" | "string") => output.line(result[1].as_str().unwrap_or_default()),
        Some("vector") => table(result, output),
        Some("matrix") if args.since.is_some() => chart_of(result, output),
        Some("matrix") => samples(result, output),
        _ => {}
    }
}

fn table(result: &Value, output: &Output) {
    let series: Vec<&Value> = result.as_array().into_iter().flatten().collect();
    if series.is_empty() {
        output.note("no series");
        return;
    }
    let rows: Vec<Vec<(String, Option<Style>)>> = series
        .iter()
        .map(|one| {
            let value = one["value"][1].as_str().unwrap_or_default().to_owned();
            vec![(value, Some(Style::Strong)), (name(&one["metric"]), None)]
        })
        .collect();
    output.table(&["value", "series"], &rows);
}

fn samples(result: &Value, output: &Output) {
    for one in result.as_array().into_iter().flatten() {
        output.line(&name(&one["metric"]));
        for (t, v) in points(one) {
            let at = Timestamp(u64::try_from(t).unwrap_or_default());
            output.line(&format!("  {}  {v}", clock_time(at)));
        }
    }
}

fn chart_of(result: &Value, output: &Output) {
    let series: Vec<&Value> = result.as_array().into_iter().flatten().collect();
    if series.is_empty() {
        output.note("no series");
        return;
    }
    let lines: Vec<Line> = series
        .iter()
        .map(|one| Line {
            name: name(&one["metric"]),
            points: points(one),
        })
        .collect();
    let times = || {
        lines
            .iter()
            .flat_map(|line| line.points.iter().map(|(t, _)| *t))
    };
    let range = (
        times().min().unwrap_or_default(),
        times().max().unwrap_or_default(),
    );
    let size = Size {
        width: terminal_columns()
            .unwrap_or(CHART_WIDTH)
            .saturating_sub(CHART_MARGIN)
            .clamp(20, 240),
        height: CHART_HEIGHT,
    };
    let moment = |t: i64| clock_time(Timestamp(u64::try_from(t).unwrap_or_default()));
    for row in draw(&lines, range, size, output.color_out, moment) {
        output.line(&row);
    }
}

fn points(series: &Value) -> Vec<(i64, f64)> {
    let values = series["values"].as_array().into_iter().flatten();
    values
        .filter_map(|pair| {
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a time")]
            let t = (pair[0].as_f64()? * 1000.0).round() as i64;
            let text = pair[1].as_str()?;
            let value = match text {
                "+Inf" => f64::INFINITY,
                "-Inf" => f64::NEG_INFINITY,
                text => text.parse().ok()?,
            };
            Some((t, value))
        })
        .collect()
}

/// A series as PromQL writes it: `up{job="web"}`.
pub(crate) fn name(metric: &Value) -> String {
    let Some(labels) = metric.as_object() else {
        return String::new();
    };
    let of_metric = labels.get("__name__").and_then(Value::as_str);
    let labels: Vec<String> = labels
        .iter()
        .filter(|(name, _)| *name != "__name__")
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    match (of_metric, labels.is_empty()) {
        (Some(metric), true) => metric.to_owned(),
        (metric, _) => format!("{}{{{}}}", metric.unwrap_or_default(), labels.join(", ")),
    }
}
