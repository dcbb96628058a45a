//! How a store is kept.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// How a store is kept; the defaults are Prometheus's where it has them.
#[derive(Debug, Clone)]
pub struct Options {
    /// Blocks that ended so long before the newest sample are removed.
    pub retention: Duration,
    /// The oldest blocks are removed where all together take more than this, in bytes.
    pub retention_bytes: Option<u64>,
    /// The length of the shortest blocks, and a half more is what is kept in memory. Between a second and 24 days.
    pub block_range: Duration,
    /// How long after the newest sample an older one is still taken. Zero: never.
    pub late: Duration,
    /// How far ahead of the clock a sample may be, once the clock is known from [`Db::maintain`](crate::Db::maintain).
    pub ahead: Duration,
    /// The most series at a time.
    pub max_series: usize,
    /// The most labels of a series.
    pub max_labels: usize,
    /// The longest name of a label, in bytes.
    pub max_name_bytes: usize,
    /// The longest value of a label, in bytes.
    pub max_value_bytes: usize,
    /// The length of a segment of the log.
    pub segment_bytes: u64,
    /// For the pages of block indices that were read lately.
    pub cache_bytes: usize,
    /// Samples of any age are taken, and none is removed for its age: for tests that begin at zero.
    pub accept_any_age: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            retention: HOUR * 24 * 15,
            retention_bytes: None,
            block_range: HOUR * 2,
            late: HOUR / 6,
            ahead: HOUR * 24,
            max_series: 2_000_000,
            max_labels: 64,
            max_name_bytes: 1024,
            max_value_bytes: 8192,
            segment_bytes: 128 << 20,
            cache_bytes: 8 << 20,
            accept_any_age: false,
        }
    }
}

/// Milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Options {
    /// The lengths of blocks: each three times the one before, up to a tenth of what is kept, and to 31 days.
    pub(crate) fn ranges(&self) -> Vec<i64> {
        let longest = (millis(self.retention) / 10).min(millis(HOUR * 24 * 31));
        let mut ranges = vec![self.range()];
        while let Some(next) = ranges.last().and_then(|range| range.checked_mul(3))
            && next <= longest
        {
            ranges.push(next);
        }
        ranges
    }

    /// The length of the shortest blocks. A chunk's length in time fits into 32 bits.
    pub(crate) fn range(&self) -> i64 {
        millis(self.block_range).clamp(1000, i64::from(i32::MAX))
    }
}
