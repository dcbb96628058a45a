//! `wharf alerts`: what is due, why, and silences.

use anyhow::Context as _;
use serde_json::{Value, json};
use wharf_alerting::rules::{of_plan, to_yaml};
use wharf_base::clock::now;
use wharf_plan::model::Plan;

use crate::args::{Alerts, AlertsCommand, Global};
use crate::commands::query;
use crate::exit::{Code, failure};
use crate::launcher::block_on;
use crate::output::{Output, Style, paint};
use crate::project::Project;
use crate::telemetry_client::TelemetryClient;

pub(crate) fn run(global: &Global, args: &Alerts, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    if let Some(AlertsCommand::Rules(_)) = args.command {
        return print_rules(&project.plan(global, output)?, output);
    }
    block_on(async {
        let client = TelemetryClient::of(&project, global.timeout).await?;
        match &args.command {
            None => list(&client, args.all, output).await,
            Some(AlertsCommand::Why { name, .. }) => why(&client, name, output).await,
            Some(AlertsCommand::Silence {
                matchers,
                duration,
                comment,
                ..
            }) => {
                let end = now().after(*duration);
                silence(&client, matchers, end, comment, output).await
            }
            // Printed above: they follow from the file, whether it runs or not.
            Some(AlertsCommand::Rules(_)) => Ok(Code::Done),
            Some(AlertsCommand::Silences(_)) => silences(&client, output).await,
            Some(AlertsCommand::Unsilence { id, .. }) => {
                client.delete(&format!("/api/v2/silence/{id}")).await?;
                output.progress(&format!("silence {id} has ended"));
                Ok(Code::Done)
            }
        }
    })
}

/// Every rule, as a file that Prometheus reads.
fn print_rules(plan: &Plan, output: &Output) -> anyhow::Result<Code> {
    let groups = of_plan(&wharf_plan::rules::rules(plan));
    output.line(to_yaml(&groups)?.trim_end());
    Ok(Code::Done)
}

/// Every alerting rule of the project.
async fn rules(client: &TelemetryClient) -> anyhow::Result<Vec<Value>> {
    let answer = client.get("/api/v1/rules", &[("type", "alert")]).await?;
    let groups = answer["data"]["groups"].as_array().cloned();
    let rules = groups.unwrap_or_default().into_iter().flat_map(|group| {
        let rules = group["rules"].as_array().cloned();
        rules.unwrap_or_default()
    });
    Ok(rules.collect())
}

async fn list(client: &TelemetryClient, all: bool, output: &Output) -> anyhow::Result<Code> {
    let rules = rules(client).await?;
    if output.json {
        output.compact(&rules)?;
        return Ok(Code::Done);
    }
    let mut rows = vec![];
    for rule in &rules {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let severity = text(&rule["labels"]["severity"]);
        let active = rule["alerts"].as_array().cloned().unwrap_or_default();
        for alert in &active {
            rows.push(vec![
                (text(&alert["state"]), Some(style(&alert["state"]))),
                (text(&rule["name"]), None),
                (severity.clone(), None),
                (since(&alert["activeAt"]), None),
                (text(&alert["annotations"]["summary"]), None),
            ]);
        }
        if active.is_empty() && (all || rule["health"] == "err") {
            let failed = rule["health"] == "err";
            let (state, style) = if failed {
                ("failed", Style::Bad)
            } else {
                ("-", Style::Faint)
            };
            let detail = if failed { "lastError" } else { "query" };
            rows.push(vec![
                (state.to_owned(), Some(style)),
                (text(&rule["name"]), None),
                (severity, None),
                (String::new(), None),
                (text(&rule[detail]), None),
            ]);
        }
    }
    if rows.is_empty() {
        output.line(&format!("no alert is due; {} are watched", rules.len()));
    } else {
        output.table(&["state", "alert", "severity", "since", "what"], &rows);
    }
    Ok(Code::Done)
}

fn style(state: &Value) -> Style {
    match state.as_str() {
        Some("firing") => Style::Bad,
        _ => Style::Busy,
    }
}

/// How long ago, in words.
fn since(at: &Value) -> String {
    let at = at
        .as_str()
        .and_then(|at| at.parse::<jiff::Timestamp>().ok());
    let Some(at) = at else { return String::new() };
    let millis = u64::try_from(at.as_millisecond()).unwrap_or_default();
    let passed = now().since(wharf_base::clock::Timestamp(millis));
    let rounded = std::time::Duration::from_secs(passed.as_secs());
    wharf_base::duration::format(rounded)
}

async fn why(client: &TelemetryClient, name: &str, output: &Output) -> anyhow::Result<Code> {
    let rules = rules(client).await?;
    let Some(rule) = rules.iter().find(|rule| rule["name"] == name) else {
        let hint = "`wharf alerts --all` lists them";
        return Err(failure(
            Code::Usage,
            format!("there is no alert `{name}`"),
            hint,
        ));
    };
    let expr = rule["query"].as_str().context("the rule has no query")?;
    // What is compared is told too: the sides of the comparison at the top of the query.
    let parts = comparison(expr);
    let mut answers = vec![];
    for part in parts.iter().map(String::as_str) {
        answers.push(client.get("/api/v1/query", &[("query", part)]).await?);
    }
    if output.json {
        let now: Vec<Value> = parts
            .iter()
            .zip(&answers)
            .map(|(query, answer)| json!({ "query": query, "result": answer["data"] }))
            .collect();
        output.compact(&json!({ "rule": rule, "now": now }))?;
        return Ok(Code::Done);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let strong = |text: &str| paint(text, Style::Strong, output.color_out);
    let hold = rule["duration"].as_f64().unwrap_or_default();
    output.line(&format!(
        "{} ({}) is {}",
        strong(name),
        text(&rule["labels"]["severity"]),
        text(&rule["state"])
    ));
    output.line(&format!("  asks    {expr}"));
    if hold > 0.0 {
        let hold = wharf_base::duration::format(std::time::Duration::from_secs_f64(hold));
        output.line(&format!("  holds   fires once this has been so for {hold}"));
    }
    if let Some(error) = rule["lastError"].as_str() {
        output.line(&format!("  failed  {error}"));
    }
    for (query, answer) in parts.iter().zip(&answers) {
        output.line(&format!("  now     {query}"));
        let result = answer["data"]["result"].as_array().cloned();
        let result = result.unwrap_or_default();
        if result.is_empty() {
            output.line("            no series: it is not due");
        }
        for one in &result {
            let value = one["value"][1].as_str().unwrap_or_default();
            output.line(&format!(
                "            {value}  {}",
                query::name(&one["metric"])
            ));
        }
    }
    for alert in rule["alerts"].as_array().into_iter().flatten() {
        output.line(&format!(
            "  {}  for {}: {}",
            text(&alert["state"]),
            since(&alert["activeAt"]),
            text(&alert["annotations"]["summary"]),
        ));
    }
    let description = text(&rule["annotations"]["description"]);
    if !description.is_empty() {
        output.line(&format!("  means   {description}"));
    }
    Ok(Code::Done)
}

/// The query, and before it the left side of its outermost comparison: the number that is compared.
fn comparison(expr: &str) -> Vec<String> {
    let left = wharf_promql::parse(expr)
        .ok()
        .and_then(|parsed| parsed.compared().map(ToString::to_string));
    left.into_iter().chain([expr.to_owned()]).collect()
}

async fn silence(
    client: &TelemetryClient,
    matchers: &[String],
    end: wharf_base::clock::Timestamp,
    comment: &str,
    output: &Output,
) -> anyhow::Result<Code> {
    let matchers: Vec<Value> = matchers
        .iter()
        .map(|matcher| {
            let (name, value) = matcher
                .split_once('=')
                .unwrap_or(("alertname", matcher.as_str()));
            json!({ "name": name, "value": value, "isRegex": false, "isEqual": true })
        })
        .collect();
    let author = std::env::var("USER").unwrap_or_else(|_| "wharf".to_owned());
    let body = json!({
        "matchers": matchers,
        "startsAt": crate::terminal::moment_millis(now()),
        "endsAt": crate::terminal::moment_millis(end),
        "createdBy": author,
        "comment": comment,
    });
    let made = client.post("/api/v2/silences", &body).await?;
    let id = made["silenceID"].as_str().unwrap_or_default();
    if output.json {
        output.compact(&made)?;
    } else {
        let until = crate::terminal::moment(end);
        output.line(&format!(
            "silenced until {until}; `wharf alerts unsilence {id}` ends it before"
        ));
    }
    Ok(Code::Done)
}

async fn silences(client: &TelemetryClient, output: &Output) -> anyhow::Result<Code> {
    let all = client.get("/api/v2/silences", &[]).await?;
    if output.json {
        output.compact(&all)?;
        return Ok(Code::Done);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows: Vec<_> = all
        .as_array()
        .into_iter()
        .flatten()
        .filter(|silence| silence["status"]["state"] != "expired")
        .map(|silence| {
            let matchers: Vec<String> = silence["matchers"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|m| format!("{}={}", text(&m["name"]), text(&m["value"])))
                .collect();
            vec![
                (text(&silence["id"]), None),
                (matchers.join(" "), Some(Style::Strong)),
                (text(&silence["endsAt"]), None),
                (text(&silence["createdBy"]), None),
                (text(&silence["comment"]), None),
            ]
        })
        .collect();
    if rows.is_empty() {
        output.line("no alert is silenced");
    } else {
        output.table(&["id", "what", "until", "by", "why"], &rows);
    }
    Ok(Code::Done)
}
