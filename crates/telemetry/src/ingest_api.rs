//! What others send: remote write, Loki push, OTLP.
