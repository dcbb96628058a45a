//! What lines look like: their labels, fields and patterns, found out by looking at some of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use wharf_logql::{
    FieldKind, LogLine, LogParams, fields_of, log_query, parse, parse_selector, pattern_of,
};
use wharf_signal::Direction;

use super::params::{LABELS_SINCE, LINES_SINCE, Params, now};
use super::{Api, Failure, MAX_LINES, answer};

/// Values that are told apart; more are just many.
const MAX_VALUES: usize = 1_000;
/// Patterns that are told apart.
const MAX_PATTERNS: usize = 1_000;

/// Labels with how many values they have.
pub(super) async fn labels(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, Failure> {
    let matchers = super::labels::selector(&params)?;
    let span = params.span(LABELS_SINCE)?;
    let logs = Arc::clone(&api.logs);
    let series = api
        .gate
        .run(move |interrupt| Ok(logs.series(&matchers, span.start, span.end, interrupt)?))
        .await?;
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in series.keys().flat_map(wharf_signal::Labels::iter) {
        found.entry(name).or_default().insert(value);
    }
    let found: Vec<Value> = found
        .iter()
        .map(|(name, values)| json!({"label": name, "cardinality": values.len()}))
        .collect();
    Ok(Json(json!({"detectedLabels": found})).into_response())
}

/// The newest lines of a query.
async fn lines(api: &Api, params: &Params, limit: usize) -> Result<Vec<LogLine>, Failure> {
    let query = params.query()?;
    let expr = match parse_selector(query) {
        // Whatever it selects: it is only looked at.
        Ok(matchers) => wharf_logql::Expr::Log(wharf_logql::ast::LogExpr {
            matchers,
            stages: Vec::new(),
        }),
        Err(_) => parse(query)?,
    };
    let span = params.span(LINES_SINCE)?;
    let wanted = LogParams {
        start: span.start,
        end: span.end,
        limit: limit.min(MAX_LINES),
        direction: Direction::Backward,
        interval: 0,
        now: now(),
    };
    let logs = Arc::clone(&api.logs);
    let found = api
        .gate
        .run(move |interrupt| Ok(log_query(&*logs, &expr, &wanted, interrupt)?))
        .await?;
    Ok(found.lines)
}

#[derive(Default)]
struct Field {
    values: BTreeSet<String>,
    kinds: BTreeMap<FieldKind, usize>,
    parsers: BTreeSet<&'static str>,
}

/// The fields of lines: their metadata, and what a parser would find.
fn collect(lines: &[LogLine]) -> BTreeMap<String, Field> {
    let mut fields: BTreeMap<String, Field> = BTreeMap::new();
    for line in lines {
        let parsed = fields_of(&line.stream, &line.line);
        let parser = parsed.as_ref().map(|(parser, _)| *parser);
        let known = line.metadata.iter().map(|pair| (pair, None));
        let found = parsed.iter().flat_map(|(_, labels)| labels.iter());
        let added = line.parsed.iter().map(|pair| (pair, parser));
        let all = known.chain(added).chain(found.map(|pair| (pair, parser)));
        for ((name, value), parser) in all {
            if name.starts_with("__") {
                continue;
            }
            let field = fields.entry(name.to_owned()).or_default();
            if field.values.len() < MAX_VALUES {
                field.values.insert(value.to_owned());
            }
            *field.kinds.entry(FieldKind::of(value)).or_default() += 1;
            field.parsers.extend(parser);
        }
    }
    fields
}

/// Fields with their kinds.
pub(super) async fn fields(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, Failure> {
    let limit = params.count("limit", 1_000)?;
    let line_limit = params.count("line_limit", 100)?;
    let lines = lines(&api, &params, line_limit).await?;
    let fields: Vec<Value> = collect(&lines)
        .iter()
        .take(limit)
        .map(|(name, field)| {
            let kind = field.kinds.iter().max_by_key(|(_, count)| **count);
            json!({
                "label": name,
                "type": kind.map_or("string", |(kind, _)| kind.as_str()),
                "cardinality": field.values.len(),
                "parsers": field.parsers,
            })
        })
        .collect();
    Ok(Json(json!({"fields": fields, "limit": limit})).into_response())
}

/// Values of a field.
pub(super) async fn values(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Failure> {
    let limit = params.count("limit", 1_000)?;
    let line_limit = params.count("line_limit", 100)?;
    let lines = lines(&api, &params, line_limit).await?;
    let fields = collect(&lines);
    let values = fields.get(&name).into_iter().flat_map(|f| f.values.iter());
    let values: Vec<&String> = values.take(limit).collect();
    Ok(Json(json!({"values": values, "limit": limit})).into_response())
}

/// How often lines of each kind came.
pub(super) async fn patterns(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, Failure> {
    let span = params.span(LINES_SINCE)?;
    let step = params.step(span)?.max(super::params::SECOND);
    let lines = lines(&api, &params, MAX_LINES).await?;
    let mut patterns: BTreeMap<String, BTreeMap<i64, u64>> = BTreeMap::new();
    for line in &lines {
        let pattern = pattern_of(&line.line);
        if patterns.len() >= MAX_PATTERNS && !patterns.contains_key(&pattern) {
            continue;
        }
        let seconds = line.nanos.div_euclid(step) * (step / super::params::SECOND);
        *patterns
            .entry(pattern)
            .or_default()
            .entry(seconds)
            .or_default() += 1;
    }
    let mut patterns: Vec<_> = patterns.into_iter().collect();
    patterns.sort_by_key(|(_, samples)| std::cmp::Reverse(samples.values().sum::<u64>()));
    let patterns: Vec<Value> = patterns
        .iter()
        .map(|(pattern, samples)| {
            let samples: Vec<_> = samples.iter().collect();
            json!({"pattern": pattern, "samples": samples})
        })
        .collect();
    Ok(answer::success(&json!(patterns)))
}
