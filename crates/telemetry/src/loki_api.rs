//! Loki's HTTP API.
