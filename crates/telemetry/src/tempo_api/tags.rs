//! Names and values for Grafana's forms.

use std::collections::BTreeMap;

use axum::extract::{Path, Query as Parsed, State};
use axum::response::Json;
use serde_json::{Value as JsonValue, json};
use wharf_traces::TagValue;
use wharf_traces::traceql::{Field, Query};

use super::{Parameters, Refusal, TraceApi, given, range};

const SECOND: i64 = 1_000_000_000;

/// What can be asked of every span, by the names that Tempo lists.
const INTRINSICS: [&str; 13] = [
    "duration",
    "event:name",
    "instrumentation:name",
    "kind",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:kind",
    "span:name",
    "span:status",
    "status",
    "statusMessage",
];

async fn names(api: &TraceApi, parameters: &Parameters) -> Result<Names, Refusal> {
    let range = range(parameters, SECOND)?;
    let tags = api.ask(move |store, _| Ok(store.tag_names(range))).await?;
    let scope = given(parameters, "scope").unwrap_or("none");
    if ![
        "none",
        "all",
        "resource",
        "span",
        "intrinsic",
        "event",
        "link",
        "instrumentation",
    ]
    .contains(&scope)
    {
        return Err(Refusal::bad(format!(
            "`scope` is {scope:?}; expected resource, span or intrinsic"
        )));
    }
    let mut names = Names::new();
    for (of, name) in tags {
        names.entry(of.as_str()).or_default().push(name);
    }
    names.insert("intrinsic", INTRINSICS.map(str::to_owned).to_vec());
    if scope != "none" && scope != "all" {
        names.retain(|name, _| *name == scope);
    }
    Ok(names)
}

/// By scope.
type Names = BTreeMap<&'static str, Vec<String>>;

/// `/api/search/tags`
pub(super) async fn names_v1(
    State(api): State<TraceApi>,
    Parsed(parameters): Parsed<Parameters>,
) -> Result<Json<JsonValue>, Refusal> {
    let mut names = names(&api, &parameters).await?;
    if given(&parameters, "scope") != Some("intrinsic") {
        names.remove("intrinsic");
    }
    let mut all: Vec<String> = names.into_values().flatten().collect();
    all.sort();
    all.dedup();
    Ok(Json(json!({ "tagNames": all, "metrics": {} })))
}

/// `/api/v2/search/tags`
pub(super) async fn names_v2(
    State(api): State<TraceApi>,
    Parsed(parameters): Parsed<Parameters>,
) -> Result<Json<JsonValue>, Refusal> {
    let scopes: Vec<JsonValue> = names(&api, &parameters)
        .await?
        .into_iter()
        .map(|(scope, tags)| json!({ "name": scope, "tags": tags }))
        .collect();
    Ok(Json(json!({ "scopes": scopes, "metrics": {} })))
}

/// `/api/search/tag/<name>/values`
pub(super) async fn values_v1(
    State(api): State<TraceApi>,
    Path(name): Path<String>,
    Parsed(parameters): Parsed<Parameters>,
) -> Result<Json<JsonValue>, Refusal> {
    // Here an attribute has no dot before it.
    let field = match name.as_str() {
        "name" | "status" | "kind" => Field::parse(&name),
        "root.name" => Field::parse("rootName"),
        "root.service.name" => Field::parse("rootServiceName"),
        _ => Ok(Field::anywhere(&name)),
    };
    let values = values(&api, field, &parameters).await?;
    let texts: Vec<String> = values.into_iter().map(|value| value.text).collect();
    Ok(Json(json!({ "tagValues": texts, "metrics": {} })))
}

/// `/api/v2/search/tag/<name>/values`
pub(super) async fn values_v2(
    State(api): State<TraceApi>,
    Path(name): Path<String>,
    Parsed(parameters): Parsed<Parameters>,
) -> Result<Json<JsonValue>, Refusal> {
    let values: Vec<JsonValue> = values(&api, Field::parse(&name), &parameters)
        .await?
        .into_iter()
        .map(|value| json!({ "type": value.kind, "value": value.text }))
        .collect();
    Ok(Json(json!({ "tagValues": values, "metrics": {} })))
}

async fn values(
    api: &TraceApi,
    field: Result<Field, wharf_traces::traceql::ParseError>,
    parameters: &Parameters,
) -> Result<Vec<TagValue>, Refusal> {
    let field = field.map_err(|error| Refusal::bad(error.message))?;
    let range = range(parameters, SECOND)?;
    // A query that is still being typed narrows nothing down, as in Tempo.
    let query = given(parameters, "q").and_then(|text| Query::parse(text).ok());
    let values = api
        .ask(move |store, interrupt| {
            // There are as many durations as spans.
            if field.is_duration() {
                return Ok(vec![]);
            }
            let values = store.tag_values(&field, query.as_ref(), range, interrupt)?;
            Ok(values.into_iter().collect())
        })
        .await?;
    Ok(values)
}
