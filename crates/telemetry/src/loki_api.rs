//! Loki's HTTP API.

use axum::Router;

pub(crate) fn router(_: wharf_logs::LogStore) -> Router {
    Router::new()
}
