//! `wharf logs` with a question: LogQL over everything that is kept, or filters that are written as such.

use std::collections::BTreeMap;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use wharf_base::clock::{Timestamp, now};

use super::Printer;
use crate::args::{Global, Logs, LogsOutput};
use crate::commands::query;
use crate::exit::{Code, failure};
use crate::launcher::block_on;
use crate::output::{Output, Style};
use crate::project::Project;
use crate::telemetry_client::TelemetryClient;
use crate::trace_id;

/// Lines of one answer; Loki's own limit.
const PAGE_LINES: usize = 5_000;

/// Where nothing says since when.
const SINCE_DEFAULT_MILLIS: u64 = 3_600_000;

/// Without a time, a trace is looked for this far back.
const TRACE_SINCE_MILLIS: u64 = 7 * 86_400_000;

/// The question that the arguments ask, if it is one that files alone do not answer.
pub(super) fn question(args: &Logs) -> anyhow::Result<Option<String>> {
    let filtered = args.level.is_some() || args.trace.is_some() || args.until.is_some();
    if let Some(query) = &args.query {
        if filtered || !args.services.is_empty() {
            let message =
                "`--query` stands alone: services, `--level` and `--trace` are written in it";
            let hint = "{service=\"web\", level=\"error\"} | trace_id=\"…\"";
            return Err(failure(Code::Usage, message.to_owned(), hint));
        }
        return Ok(Some(query.clone()));
    }
    if !filtered {
        return Ok(None);
    }
    let services = match args.services.as_slice() {
        [] => "service=~\".+\"".to_owned(),
        services => format!("service=~{:?}", services.join("|")),
    };
    let level = args
        .level
        .as_ref()
        .map(|level| format!(", level={:?}", level.to_lowercase()));
    let mut query = format!("{{{services}{}}}", level.unwrap_or_default());
    if let Some(trace) = &args.trace {
        let id = trace_id::parse(trace)?;
        query.push_str(&format!(" | trace_id=\"{id}\""));
    }
    Ok(Some(query))
}

pub(super) fn run(
    global: &Global,
    args: &Logs,
    query: &str,
    output: &Output,
) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    let lines = Lines {
        args,
        output,
        printer: Printer {
            output,
            raw: args.raw,
            json: output.json,
            colors: BTreeMap::new(),
        },
    };
    block_on(async {
        let client = TelemetryClient::of(&project, global.timeout).await?;
        if args.follow {
            return lines.follow(&client, query).await;
        }
        lines.range(&client, query).await
    })
}

struct Lines<'a> {
    args: &'a Logs,
    output: &'a Output,
    printer: Printer<'a>,
}

/// A line as Loki gives it.
struct Line {
    nanos: u64,
    text: String,
    labels: BTreeMap<String, String>,
}

impl Lines<'_> {
    async fn range(mut self, client: &TelemetryClient, query: &str) -> anyhow::Result<Code> {
        let now = now().0;
        let back = match (self.args.since, &self.args.trace) {
            (Some(since), _) => u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            (None, Some(_)) => TRACE_SINCE_MILLIS,
            (None, None) => SINCE_DEFAULT_MILLIS,
        };
        let until = self.args.until.map_or(0, |until| {
            u64::try_from(until.as_millis()).unwrap_or(u64::MAX)
        });
        let end = now.saturating_sub(until).saturating_add(1);
        let start = nanos_text(now.saturating_sub(back));
        let limit = self.args.tail.unwrap_or(PAGE_LINES).min(PAGE_LINES);
        let answer = client
            .get(
                "/loki/api/v1/query_range",
                &[
                    ("query", query),
                    ("start", &start),
                    ("end", &nanos_text(end)),
                    ("limit", &limit.to_string()),
                    ("direction", "backward"),
                ],
            )
            .await?;
        let data = &answer["data"];
        if data["resultType"] != "streams" {
            return self.metric(data);
        }
        let mut lines = lines_of(&data["result"]);
        lines.sort_by_key(|line| line.nanos);
        if lines.is_empty() {
            self.output.note("no line matches");
        } else if lines.len() >= limit && self.args.tail.is_none() {
            self.output.note(&format!(
                "the last {limit} lines; `--since`, `--until` or a narrower question show others"
            ));
        }
        for line in &lines {
            self.print(line)?;
        }
        Ok(Code::Done)
    }

    /// The answer of a metric query: its last values.
    fn metric(&self, data: &Value) -> anyhow::Result<Code> {
        if self.output.json {
            self.output.compact(data)?;
            return Ok(Code::Done);
        }
        let rows: Vec<Vec<(String, Option<Style>)>> = data["result"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|series| {
                let last = series["values"].as_array()?.last()?;
                let value = last[1].as_str()?.to_owned();
                Some(vec![
                    (value, Some(Style::Strong)),
                    (query::name(&series["metric"]), None),
                ])
            })
            .collect();
        self.output.table(&["value", "series"], &rows);
        Ok(Code::Done)
    }

    async fn follow(mut self, client: &TelemetryClient, query: &str) -> anyhow::Result<Code> {
        let mut parameters = form_urlencoded::Serializer::new(String::new());
        parameters.append_pair("query", query);
        parameters.append_pair("limit", &self.args.tail.unwrap_or(10).to_string());
        if let Some(since) = self.args.since {
            let back = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
            parameters.append_pair("start", &nanos_text(now().0.saturating_sub(back)));
        }
        let address = client.address();
        let url = format!("ws://{address}/loki/api/v1/tail?{}", parameters.finish());
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot reach the telemetry at {address}"))?;
        let (mut socket, _) = tokio_tungstenite::client_async(url, stream)
            .await
            .map_err(|error| failure(Code::Usage, refusal(error), ""))?;
        while let Some(message) = socket.next().await {
            let Message::Text(text) = message.context("the connection to the telemetry broke")?
            else {
                continue;
            };
            let batch: Value = serde_json::from_str(&text)?;
            let mut lines = lines_of(&batch["streams"]);
            lines.sort_by_key(|line| line.nanos);
            for line in &lines {
                self.print(line)?;
            }
        }
        let message =
            "the telemetry ended the stream; the engine may have been replaced".to_owned();
        Err(failure(Code::Failed, message, "follow again"))
    }

    fn print(&mut self, line: &Line) -> anyhow::Result<()> {
        if self.output.json || self.args.output == Some(LogsOutput::Json) {
            let at = Timestamp(line.nanos / 1_000_000);
            let value = json!({
                "time": crate::terminal::moment_millis(at),
                "labels": line.labels,
                "text": line.text,
            });
            return self.output.compact(&value);
        }
        if self.args.raw || self.args.output == Some(LogsOutput::Raw) {
            self.output.line(&line.text);
            return Ok(());
        }
        let label = |name: &str| line.labels.get(name).map(String::as_str);
        let of = label("replica").or(label("service")).unwrap_or("-");
        self.printer
            .line(Timestamp(line.nanos / 1_000_000), of, &line.text);
        Ok(())
    }
}

fn nanos_text(millis: u64) -> String {
    millis.saturating_mul(1_000_000).to_string()
}

fn lines_of(streams: &Value) -> Vec<Line> {
    let mut lines = vec![];
    for stream in streams.as_array().into_iter().flatten() {
        let labels: BTreeMap<String, String> = stream["stream"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect();
        for value in stream["values"].as_array().into_iter().flatten() {
            let nanos = value[0].as_str().and_then(|nanos| nanos.parse().ok());
            lines.push(Line {
                nanos: nanos.unwrap_or_default(),
                text: value[1].as_str().unwrap_or_default().to_owned(),
                labels: labels.clone(),
            });
        }
    }
    lines
}

/// What a server says that does not open a stream.
fn refusal(error: tokio_tungstenite::tungstenite::Error) -> String {
    match error {
        tokio_tungstenite::tungstenite::Error::Http(response) => {
            let body = response.body().clone().unwrap_or_default();
            String::from_utf8_lossy(&body).trim().to_owned()
        }
        other => other.to_string(),
    }
}
