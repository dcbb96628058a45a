//! Collects, keeps and answers: scrapes, tails, rules, and the HTTP APIs of Prometheus, Loki, Tempo and OTLP.
//!
//! A [`Telemetry`] lives in the engine's process on threads of its own, so that a heavy query delays no release. The engine
//! tells it what there is ([`Config`], whole, whenever it changes); everybody else asks it over HTTP on loopback.
//!
//! Invariants:
//! - what was acknowledged survives `kill -9` of the process;
//! - every query has a time, a memory and a concurrency limit, and ends when its client is gone;
//! - nothing here stops a service, a release or the ingress: where the telemetry fails, they go on and `wharf doctor` tells.

mod alertmanager_api;
mod archive;
mod collectors;
mod config;
mod files;
mod gate;
mod guard;
mod health;
mod ingest_api;
mod loki_api;
mod notify;
mod params;
mod prometheus_api;
mod rules;
mod run;
pub mod scrape;
mod stores;
mod tail;
mod tempo_api;

pub use archive::{ArchivePlace, Bucket};
pub use config::{Config, Keep, Mode, Settings, TargetConfig, Watched};
pub use health::{Health, State};
pub use notify::Notifications;
pub use run::Telemetry;
pub use tail::LogSources;
