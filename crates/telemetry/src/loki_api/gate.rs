//! How many queries run at once, for how long, and how one ends when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use wharf_signal::{Interrupt, Interrupted};

use super::Failure;

#[derive(Debug)]
pub(super) struct Gate {
    permits: Arc<Semaphore>,
    timeout: Duration,
}

impl Gate {
    /// For `size` queries at once, each of which may take `timeout`, waiting included.
    pub(super) fn new(size: usize, timeout: Duration) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(size)),
            timeout,
        }
    }

    /// Runs a query on a thread where it may block. It is told to end when its time is over, and when this future is dropped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&dyn Interrupt) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let deadline = Instant::now() + self.timeout;
        let permit = Arc::clone(&self.permits).acquire_owned();
        let Ok(Ok(permit)) = tokio::time::timeout_at(deadline, permit).await else {
            let message = "too many outstanding requests; try again later";
            return Err(Failure(StatusCode::TOO_MANY_REQUESTS, message.to_owned()));
        };
        let dropped = Arc::new(AtomicBool::new(false));
        let guard = Dropped(Arc::clone(&dropped));
        let running = tokio::task::spawn_blocking(move || {
            let result = query(&Limit { deadline, dropped });
            // Held until the work is done, not only until the client is gone.
            drop(permit);
            result
        });
        let result = running.await;
        drop(guard);
        result.unwrap_or_else(|_| {
            let message = "the query ended by a defect; the engine's log has its trace";
            Err(Failure(
                StatusCode::INTERNAL_SERVER_ERROR,
                message.to_owned(),
            ))
        })
    }
}

struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Limit {
    deadline: Instant,
    dropped: Arc<AtomicBool>,
}

impl Interrupt for Limit {
    fn check(&self) -> Result<(), Interrupted> {
        if self.dropped.load(Ordering::Relaxed) {
            return Err(Interrupted::Canceled);
        }
        if Instant::now() >= self.deadline {
            return Err(Interrupted::Timeout);
        }
        Ok(())
    }
}
