//! `targets`, `metadata`: what is scraped, how that went, what the metrics mean.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::State;
use serde_json::{Map, Value, json};
use wharf_signal::{Labels, Metadata};

use super::Api;
use super::answer::{Answer, Refusal};
use super::status::rfc3339;
use crate::params::Params;
use crate::scrape::TargetState;

/// `/api/v1/targets`
pub(crate) async fn targets(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Answer, Refusal> {
    let state = params.get("state").unwrap_or("any").to_lowercase();
    let pool = params.get("scrapePool");
    let active: Vec<Value> = if state == "dropped" {
        vec![]
    } else {
        let targets = api.scraper.targets();
        let wanted = targets
            .iter()
            .filter(|target| pool.is_none_or(|pool| target.job == pool));
        wanted.map(target).collect()
    };
    Answer::of(&json!({
        "activeTargets": active,
        "droppedTargets": [],
        "droppedTargetCounts": {},
    }))
}

fn target(target: &TargetState) -> Value {
    let labels = object(&target.labels);
    let last = target.last_scrape.map_or(0, |at| at.0);
    let last = rfc3339(i64::try_from(last).unwrap_or(i64::MAX));
    json!({
        "discoveredLabels": labels,
        "labels": labels,
        "scrapePool": target.job,
        "scrapeUrl": target.source,
        "globalUrl": target.source,
        "lastError": target.last_error.as_deref().unwrap_or_default(),
        "lastScrape": last,
        "lastScrapeDuration": target.last_duration.as_secs_f64(),
        "health": target.health.as_str(),
        "scrapeInterval": wharf_base::duration::format(target.interval),
        "scrapeTimeout": wharf_base::duration::format(target.timeout),
    })
}

/// `/api/v1/scrape_pools`
pub(crate) async fn pools(State(api): State<Arc<Api>>) -> Result<Answer, Refusal> {
    let jobs: BTreeSet<String> = api
        .scraper
        .targets()
        .into_iter()
        .map(|target| target.job)
        .collect();
    Answer::of(&json!({ "scrapePools": jobs }))
}

/// `/api/v1/metadata`
pub(crate) async fn metadata(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Answer, Refusal> {
    let limit = params.count("limit")?.unwrap_or(usize::MAX);
    let per_metric = params.count("limit_per_metric")?.unwrap_or(usize::MAX);
    let metric = params.get("metric");
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, told) in api.scraper.metadata() {
        if metric.is_some_and(|metric| metric != name) {
            continue;
        }
        if found.len() >= limit {
            break;
        }
        let mut different: Vec<&Metadata> = vec![];
        for (_, metadata) in &told {
            if !different.contains(&metadata) && different.len() < per_metric {
                different.push(metadata);
            }
        }
        found.insert(name, different.into_iter().map(described).collect());
    }
    Answer::of(&found)
}

/// `/api/v1/targets/metadata`
pub(crate) async fn target_metadata(
    State(api): State<Arc<Api>>,
    params: Params,
) -> Result<Answer, Refusal> {
    let limit = params.count("limit")?.unwrap_or(usize::MAX);
    let metric = params.get("metric");
    let matchers = match params.get("match_target") {
        None => vec![],
        Some(text) => wharf_promql::parse_selector(text).map_err(|error| {
            Refusal::bad(format!("invalid parameter \"match_target\": {error}"))
        })?,
    };
    let mut found = vec![];
    for (name, told) in api.scraper.metadata() {
        if metric.is_some_and(|metric| metric != name) {
            continue;
        }
        for (labels, metadata) in told {
            let wanted = matchers
                .iter()
                .all(|matcher| matcher.matches_labels(&labels));
            if wanted && found.len() < limit {
                let mut value = described(&metadata);
                value["target"] = object(&labels).into();
                if metric.is_none() {
                    value["metric"] = name.clone().into();
                }
                found.push(value);
            }
        }
    }
    Answer::of(&found)
}

fn described(metadata: &Metadata) -> Value {
    json!({ "type": metadata.kind.as_str(), "help": metadata.help, "unit": metadata.unit })
}

/// Labels as a JSON object.
pub(crate) fn object(labels: &Labels) -> Map<String, Value> {
    labels
        .iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect()
}
