//! Tempo's and Jaeger's HTTP APIs.
