//! OpenTelemetry's protocol over gRPC, where it is not built in: its paths are not there.

use std::sync::Arc;

use axum::Router;

use super::Intake;

pub(super) fn router() -> Router<Arc<Intake>> {
    Router::new()
}
