//! How many queries run at once, for how long, and how one ends when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use wharf_signal::{Interrupt, Interrupted};

/// Why a query did not run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GateError {
    /// It waited for others as long as it might have run.
    #[error("query timed out in query queue: {0} queries run already")]
    Queue(usize),
    /// It failed for a reason of its own: a defect.
    #[error("the query ended by a defect; the engine's log has its trace")]
    Defect,
}

/// Lets so many queries run at once; others wait.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    permits: Arc<Semaphore>,
    size: usize,
    timeout: Duration,
}

impl Gate {
    /// A gate for `size` queries, each of which may take `timeout`, waiting included.
    pub(crate) fn new(size: usize, timeout: Duration) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(size)),
            size,
            timeout,
        }
    }

    /// Runs `query` on a thread where it may block. It is told to end when its time (`timeout`, or less if the client says so) is
    /// over, and when this future is dropped because the client is gone.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        timeout: Option<Duration>,
        query: impl FnOnce(&dyn Interrupt) -> T + Send + 'static,
    ) -> Result<T, GateError> {
        let timeout = timeout.map_or(self.timeout, |timeout| timeout.min(self.timeout));
        let deadline = Instant::now() + timeout;
        let permit = tokio::time::timeout_at(deadline, Arc::clone(&self.permits).acquire_owned());
        let permit = permit
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(GateError::Queue(self.size))?;
        let dropped = Arc::new(AtomicBool::new(false));
        let guard = Dropped(Arc::clone(&dropped));
        let limit = Limit { deadline, dropped };
        let running = tokio::task::spawn_blocking(move || {
            let result = query(&limit);
            // Held until the work is done, not only until the client is gone.
            drop(permit);
            result
        });
        let result = running.await.map_err(|_| GateError::Defect);
        drop(guard);
        result
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

#[cfg(test)]
mod tests {
    use super::*;

    fn until_stopped(interrupt: &dyn Interrupt) -> Interrupted {
        loop {
            if let Err(why) = interrupt.check() {
                return why;
            }
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn a_query_ends_when_its_time_is_over() {
        let gate = Gate::new(1, Duration::from_secs(60));
        let ended = gate
            .run(Some(Duration::from_millis(5)), until_stopped)
            .await;
        assert_eq!(ended, Ok(Interrupted::Timeout));
    }

    #[tokio::test]
    async fn a_query_ends_when_nobody_waits_for_it() {
        let gate = Gate::new(1, Duration::from_secs(60));
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let waiting = gate.run(None, move |interrupt: &dyn Interrupt| {
            sender.send(until_stopped(interrupt)).ok();
        });
        tokio::time::timeout(Duration::from_millis(20), waiting)
            .await
            .expect_err("it runs until it is stopped");
        assert_eq!(receiver.await, Ok(Interrupted::Canceled));
    }

    #[tokio::test]
    async fn those_that_find_no_place_in_time_are_refused() {
        let gate = Gate::new(1, Duration::from_secs(60));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn({
            let gate = gate.clone();
            async move {
                gate.run(None, move |_: &dyn Interrupt| held.recv().is_ok())
                    .await
            }
        });
        while gate.permits.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let second = gate
            .run(Some(Duration::from_millis(5)), |_: &dyn Interrupt| ())
            .await;
        assert_eq!(second, Err(GateError::Queue(1)));
        release.send(()).expect("the first waits for it");
        assert_eq!(first.await.expect("it ends"), Ok(true));
    }
}
