//! Prometheus's HTTP API, version 1.
