//! Collects, keeps and answers: scrapes, tails, rules, and the HTTP APIs of Prometheus, Loki, Tempo and OTLP.

mod ingest_api;
pub mod loki_api;
mod prometheus_api;
mod rules;
pub mod scrape;
mod tail;
mod tempo_api;
