//! Foreign bytes to signals and back: Prometheus and OpenMetrics text, remote write, Loki push, OTLP.
//!
//! Pure: no I/O, no clock. Whatever comes is hostile: nothing panics, memory is bounded by limits that the caller gives, and what
//! is refused is refused in one sentence.

pub mod exposition;
