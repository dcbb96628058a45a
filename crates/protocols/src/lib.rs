//! Foreign bytes to signals and back: Prometheus and OpenMetrics text, remote write, Loki push, OTLP.
//!
//! Pure: no I/O, no clock.
