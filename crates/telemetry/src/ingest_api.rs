//! What others send: remote write, Loki push, OTLP over HTTP and gRPC.
//!
//! An answer of success means that what was sent survives `kill -9` from then on.

mod body;
#[cfg_attr(feature = "otlp-grpc", path = "ingest_api/grpc.rs")]
#[cfg_attr(not(feature = "otlp-grpc"), path = "ingest_api/no_grpc.rs")]
mod grpc;
mod logs;
mod otlp;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;

use crate::stores::Stores;

/// The largest body, packed: what collectors send in one piece is a few MiB.
const BODY_MAX_BYTES: usize = 32 << 20;

/// The largest body, unpacked.
const UNPACKED_MAX_BYTES: usize = 128 << 20;

/// Takes what others send.
pub(crate) struct Intake {
    stores: Stores,
    written: write::Known,
}

/// Every path under which something is taken.
pub(crate) fn router(stores: &Stores) -> Router {
    let intake = Arc::new(Intake {
        stores: stores.clone(),
        written: write::Known::default(),
    });
    let http = Router::new()
        .route("/api/v1/write", post(write::remote_write))
        .route("/loki/api/v1/push", post(logs::push))
        .route("/otlp/v1/logs", post(otlp::logs))
        .route("/v1/logs", post(otlp::logs))
        .route("/v1/metrics", post(otlp::metrics))
        .route("/api/v1/otlp/v1/metrics", post(otlp::metrics))
        .route("/v1/traces", post(otlp::traces))
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES));
    http.merge(grpc::router()).with_state(intake)
}
