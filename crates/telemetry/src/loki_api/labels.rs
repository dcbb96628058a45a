//! Labels and series.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};
use wharf_logql::parse_selector;
use wharf_signal::{Labels, Matcher};

use super::params::{LABELS_SINCE, Params};
use super::{Api, Failure, answer};

/// The selector `query`, if there is one.
pub(super) fn selector(params: &Params) -> Result<Vec<Matcher>, Failure> {
    match params.get("query") {
        Some(query) => Ok(parse_selector(query)?),
        None => Ok(Vec::new()),
    }
}

/// The labels of all series that are asked for.
async fn all(
    api: &Api,
    params: &Params,
    selectors: Vec<Vec<Matcher>>,
) -> Result<BTreeSet<Labels>, Failure> {
    let span = params.span(LABELS_SINCE)?;
    let logs = Arc::clone(&api.logs);
    api.gate
        .run(move |interrupt| {
            let mut all = BTreeSet::new();
            for matchers in selectors {
                let end = span.end.saturating_add(1);
                let series = logs.series(&matchers, span.start, end, interrupt)?;
                all.extend(series.into_keys());
            }
            Ok(all)
        })
        .await
}

fn texts(texts: BTreeSet<&str>) -> Response {
    let texts: Vec<&str> = texts.into_iter().collect();
    if texts.is_empty() {
        // As Loki says that there is none.
        return answer::success(&Value::Array(Vec::new()));
    }
    answer::success(&json!(texts))
}

/// Names of labels.
pub(super) async fn names(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, Failure> {
    let series = all(&api, &params, vec![selector(&params)?]).await?;
    let pairs = series.iter().flat_map(Labels::iter);
    Ok(texts(pairs.map(|(name, _)| name).collect()))
}

/// Values of a label.
pub(super) async fn values(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Failure> {
    let series = all(&api, &params, vec![selector(&params)?]).await?;
    Ok(texts(series.iter().filter_map(|s| s.get(&name)).collect()))
}

/// Series.
pub(super) async fn series(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Response, Failure> {
    let selectors = params.all("match[]").chain(params.all("match"));
    let selectors: Result<Vec<_>, _> = selectors.map(parse_selector).collect();
    let mut selectors = selectors?;
    if selectors.is_empty() {
        selectors.push(Vec::new());
    }
    let series = all(&api, &params, selectors).await?;
    let series: Vec<Value> = series.iter().map(answer::object).collect();
    Ok(answer::success(&json!(series)))
}
