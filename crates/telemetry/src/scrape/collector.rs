//! Targets within this process.

use std::future::Future;
use std::pin::Pin;

use wharf_base::clock::Timestamp;
use wharf_exporters::Families;

/// What a collector will have found; or why it has found nothing, as one sentence.
pub type Collecting<'a> = Pin<Box<dyn Future<Output = Result<Families, String>> + Send + 'a>>;

/// Something that is asked within this process. It has the target's timeout; whoever blocks does so on a blocking thread.
pub trait Collector: Send + Sync {
    /// What it tells now.
    fn collect(&self, now: Timestamp) -> Collecting<'_>;
}
