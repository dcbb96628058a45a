//! Asks targets for their metrics.
