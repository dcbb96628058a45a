//! Prometheus's admin API, for tests only: it deletes what is stored.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::Api;
use super::answer::{ErrorKind, Refusal};
use crate::params::Params;
use crate::stores::chain;

/// `/api/v1/admin/tsdb/delete_series`
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<StatusCode, Refusal> {
    let start = params.time("start")?.unwrap_or(i64::MIN);
    let end = params.time("end")?.unwrap_or(i64::MAX);
    let selectors: Vec<&str> = params.all("match[]").collect();
    if selectors.is_empty() {
        return Err(Refusal::bad("no match[] parameter provided"));
    }
    for text in selectors {
        let matchers = wharf_promql::parse_selector(text)
            .map_err(|error| Refusal::bad(format!("invalid parameter \"match[]\": {error}")))?;
        let db = api.db.clone();
        let everything = matchers.iter().all(|matcher| matcher.matches("x"))
            && start == i64::MIN
            && end == i64::MAX
            && matchers.len() == 1
            && matchers[0].value == ".+";
        run(move || {
            if everything {
                // Room for samples of any age again.
                return db.clear().map_err(|error| chain(&error));
            }
            let deleted = db.delete(&matchers, start, end);
            deleted.map(drop).map_err(|error| chain(&error))
        })
        .await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `/api/v1/admin/tsdb/clean_tombstones`
pub(crate) async fn clean(State(api): State<Arc<Api>>) -> Result<StatusCode, Refusal> {
    let (db, now) = (api.db.clone(), api.now());
    run(move || db.clean_tombstones(now).map_err(|error| chain(&error))).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn run(work: impl FnOnce() -> Result<(), String> + Send + 'static) -> Result<(), Refusal> {
    let internal = |message: String| Refusal::new(ErrorKind::Internal, message);
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(internal),
        Err(error) => Err(internal(error.to_string())),
    }
}
