//! Queries of this API: a few at once, each for a limited time.

use std::time::Duration;

use axum::http::StatusCode;
use wharf_signal::Interrupt;

use super::Failure;
use crate::gate::{self, GateError};

#[derive(Debug)]
pub(super) struct Gate(gate::Gate);

impl Gate {
    /// For `size` queries at once, each of which may take `timeout`, waiting included.
    pub(super) fn new(size: usize, timeout: Duration) -> Self {
        Self(gate::Gate::new(size, timeout))
    }

    /// Runs a query on a thread where it may block. It is told to end when its time is over, and when this future is dropped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&dyn Interrupt) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.0.run(None, query).await.unwrap_or_else(|error| {
            let (status, message) = match error {
                GateError::Queue(_) => (
                    StatusCode::TOO_MANY_REQUESTS,
                    "too many outstanding requests; try again later".to_owned(),
                ),
                GateError::Defect => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            };
            Err(Failure(status, message))
        })
    }
}
