//! What a store of spans keeps, and how much.

use std::time::Duration;

/// The bounds of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How long spans are kept.
    pub retention: Duration,
    /// What blocks may take on disk; above it the oldest go.
    pub max_bytes: u64,
    /// What is held in memory before it is made into a block.
    pub head_bytes: usize,
    /// How old the oldest in memory gets before it is made into a block.
    pub head_age: Duration,
    /// The longest span, encoded; a longer one is refused.
    pub max_span_bytes: usize,
    /// What of one trace is read, encoded; the rest is left out, and said to be.
    pub max_trace_bytes: usize,
    /// For how long the clock has to have gone steadily before anything is deleted for its age: a clock that was wrong for a moment
    /// deletes nothing.
    pub steady_clock: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            // As long as logs are searched fast.
            retention: Duration::from_secs(14 * 86_400),
            max_bytes: 2 << 30,
            // Some 15,000 spans: blocks that shrink well, and little beside the engine's own memory.
            head_bytes: 4 << 20,
            head_age: Duration::from_secs(2 * 3_600),
            max_span_bytes: 256 << 10,
            // Some 100,000 spans; nobody looks at more in one picture.
            max_trace_bytes: 32 << 20,
            steady_clock: Duration::from_secs(3_600),
        }
    }
}
