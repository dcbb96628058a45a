//! `status/*`: what answers here, how it is set, what it holds.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Answer, Refusal};
use crate::params::Params;

/// The version of Prometheus whose language and API this follows; clients choose what they ask by it.
const PROMETHEUS: &str = "3.5.0";

/// Entries of each table of `status/tsdb`, where nothing says how many.
const TOP: usize = 10;

/// `/api/v1/status/buildinfo`
pub(crate) async fn buildinfo() -> Result<Answer, Refusal> {
    Answer::of(&json!({
        "version": PROMETHEUS,
        "revision": env!("CARGO_PKG_VERSION"),
        "branch": "wharf",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// `/api/v1/status/runtimeinfo`
pub(crate) async fn runtimeinfo(State(api): State<Arc<Api>>) -> Result<Answer, Refusal> {
    let retention = wharf_base::duration::format(api.retention);
    Answer::of(&json!({
        "startTime": rfc3339(api.started),
        "CWD": "",
        "reloadConfigSuccess": true,
        "lastConfigTime": rfc3339(api.started),
        "corruptionCount": 0,
        "goroutineCount": 0,
        "GOMAXPROCS": 0,
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": retention,
    }))
}

/// `/api/v1/status/flags`
pub(crate) async fn flags(State(api): State<Arc<Api>>) -> Result<Answer, Refusal> {
    Answer::of(&json!({
        "query.lookback-delta": wharf_base::duration::format(api.lookback),
        "query.max-samples": api.max_samples.to_string(),
        "storage.tsdb.retention.time": wharf_base::duration::format(api.retention),
    }))
}

/// `/api/v1/status/config`
pub(crate) async fn config(State(api): State<Arc<Api>>) -> Result<Answer, Refusal> {
    let jobs: BTreeSet<String> = api
        .scraper
        .targets()
        .into_iter()
        .map(|target| target.job)
        .collect();
    let mut yaml =
        "# What is collected follows from wharf.yaml. The jobs:\nscrape_configs:\n".to_owned();
    for job in jobs {
        yaml.push_str(&format!("- job_name: {job:?}\n"));
    }
    Answer::of(&json!({ "yaml": yaml }))
}

/// `/api/v1/status/tsdb`
pub(crate) async fn tsdb(State(api): State<Arc<Api>>, params: Params) -> Result<Answer, Refusal> {
    let top = params.count("limit")?.unwrap_or(TOP);
    let stats = api.db.stats();
    let cardinality = api.db.cardinality(top);
    let table = |rows: &[(String, u64)]| -> Vec<Value> {
        rows.iter()
            .map(|(name, value)| json!({ "name": name, "value": value }))
            .collect()
    };
    Answer::of(&json!({
        "headStats": {
            "numSeries": stats.series,
            "numLabelPairs": stats.label_pairs,
            "chunkCount": stats.chunks,
            "minTime": stats.min_time,
            "maxTime": stats.max_time,
        },
        "seriesCountByMetricName": table(&cardinality.series_by_metric),
        "labelValueCountByLabelName": table(&cardinality.values_by_label),
        "memoryInBytesByLabelName": table(&cardinality.bytes_by_label),
        "seriesCountByLabelValuePair": table(&cardinality.series_by_pair),
    }))
}

/// `/api/v1/status/walreplay`
pub(crate) async fn walreplay() -> Result<Answer, Refusal> {
    // Nothing is answered before the replay is done.
    Answer::of(&json!({ "min": 0, "max": 0, "current": 0, "state": "done" }))
}

/// `/api/v1/query_exemplars`: none are kept.
pub(crate) async fn exemplars() -> Result<Answer, Refusal> {
    Answer::of(&json!([]))
}

/// `/api/v1/alertmanagers`: the telemetry tells people itself.
pub(crate) async fn alertmanagers() -> Result<Answer, Refusal> {
    Answer::of(&json!({ "activeAlertmanagers": [], "droppedAlertmanagers": [] }))
}

/// `/-/healthy` and `/-/ready`
pub(crate) async fn healthy() -> &'static str {
    "Wharf's telemetry is ready.\n"
}

/// Milliseconds as RFC 3339 writes a time.
pub(crate) fn rfc3339(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}
