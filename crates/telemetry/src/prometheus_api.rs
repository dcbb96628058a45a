//! Prometheus's HTTP API, version 1, so that Grafana and promtool ask it as they ask Prometheus.

mod admin;
mod answer;
mod federate;
mod labels;
mod number;
mod queries;
mod rules;
mod status;
mod targets;
mod values;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use wharf_base::clock;
use wharf_tsdb::Db;

use crate::config::Mode;
use crate::gate::Gate;
use crate::rules::Rules;
use crate::scrape::Scraper;
use crate::stores::Stores;

pub(crate) use status::rfc3339;
pub(crate) use targets::object;

/// For how long a sample counts, where the query says nothing else.
const LOOKBACK: Duration = Duration::from_secs(5 * 60);

/// Samples that a query may hold in memory: 320 MB. Prometheus allows 50 million; this runs beside what it watches.
const SAMPLES_MAX: usize = 20_000_000;

/// What the API asks.
pub(crate) struct Api {
    pub(crate) db: Db,
    pub(crate) scraper: Arc<Scraper>,
    pub(crate) rules: Arc<Rules>,
    /// Whether everything of the language is allowed, as in Prometheus's own tests of it.
    experimental: bool,
    gate: Gate,
    lookback: Duration,
    max_samples: usize,
    started: i64,
    retention: Duration,
}

impl Api {
    fn now(&self) -> i64 {
        i64::try_from(clock::now().0).unwrap_or(i64::MAX)
    }
}

/// Every path of the API.
pub(crate) fn router(
    stores: &Stores,
    scraper: &Arc<Scraper>,
    rules: &Arc<Rules>,
    gate: Gate,
    mode: Mode,
) -> Router {
    let api = Arc::new(Api {
        db: stores.db.clone(),
        scraper: Arc::clone(scraper),
        rules: Arc::clone(rules),
        experimental: mode == Mode::Test,
        gate,
        lookback: LOOKBACK,
        max_samples: SAMPLES_MAX,
        started: i64::try_from(clock::now().0).unwrap_or(i64::MAX),
        retention: stores.keep.samples,
    });
    let mut router = Router::new()
        .route("/-/healthy", get(status::healthy))
        .route("/-/ready", get(status::healthy))
        .route("/federate", get(federate::federate))
        .route("/api/v1/query", get(queries::query).post(queries::query))
        .route(
            "/api/v1/query_range",
            get(queries::query_range).post(queries::query_range),
        )
        .route(
            "/api/v1/format_query",
            get(queries::format_query).post(queries::format_query),
        )
        .route(
            "/api/v1/query_exemplars",
            get(status::exemplars).post(status::exemplars),
        )
        .route("/api/v1/series", get(labels::series).post(labels::series))
        .route("/api/v1/labels", get(labels::names).post(labels::names))
        .route("/api/v1/label/{name}/values", get(labels::values))
        .route("/api/v1/metadata", get(targets::metadata))
        .route("/api/v1/targets", get(targets::targets))
        .route("/api/v1/targets/metadata", get(targets::target_metadata))
        .route("/api/v1/scrape_pools", get(targets::pools))
        .route("/api/v1/rules", get(rules::rules))
        .route("/api/v1/alerts", get(rules::alerts))
        .route("/api/v1/alertmanagers", get(status::alertmanagers))
        .route("/api/v1/status/buildinfo", get(status::buildinfo))
        .route("/api/v1/status/runtimeinfo", get(status::runtimeinfo))
        .route("/api/v1/status/flags", get(status::flags))
        .route("/api/v1/status/config", get(status::config))
        .route("/api/v1/status/tsdb", get(status::tsdb))
        .route("/api/v1/status/walreplay", get(status::walreplay));
    if mode == Mode::Test {
        router = router
            .route(
                "/api/v1/admin/tsdb/delete_series",
                post(admin::delete).put(admin::delete),
            )
            .route(
                "/api/v1/admin/tsdb/clean_tombstones",
                post(admin::clean).put(admin::clean),
            );
    }
    router.with_state(api)
}
