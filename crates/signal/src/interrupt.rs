//! How a query is stopped from outside: its time is over, or nobody waits for it any more.

/// Why a query was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// It took longer than it may.
    #[error("query timed out")]
    Timeout,
    /// Nobody waits for the answer.
    #[error("query was canceled")]
    Canceled,
}

/// Asked every few thousand samples or lines by whatever may take long. The owner knows clock and client; the languages and
/// stores know neither.
pub trait Interrupt: Send + Sync {
    /// Whether the query may go on.
    ///
    /// # Errors
    /// It may not, and why.
    fn check(&self) -> Result<(), Interrupted>;
}

/// Never stops anything.
impl Interrupt for () {
    fn check(&self) -> Result<(), Interrupted> {
        Ok(())
    }
}
