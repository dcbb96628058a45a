//! The three stores, opened together and tended together.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use wharf_base::clock::now;
use wharf_logs::LogStore;
use wharf_traces::TraceStore;
use wharf_tsdb::Db;

use crate::archive::Place;
use crate::config::{Keep, Mode};
use crate::health::{self, Health};

/// From one look at what has to be compacted, moved or deleted to the next.
const MAINTENANCE: Duration = Duration::from_secs(60);

/// Metrics, logs and traces on disk. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) db: Db,
    pub(crate) logs: LogStore,
    pub(crate) traces: TraceStore,
    pub(crate) keep: Keep,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}

impl Stores {
    /// Opens what is in `dir`, or begins anew there. Blocks for as long as replaying takes. What was found broken is told
    /// with the stores.
    pub(crate) fn open(
        dir: &Path,
        mode: Mode,
        keep: &Keep,
        archive: &Place,
    ) -> Result<(Self, Vec<String>), String> {
        let mut found = vec![];
        let options = wharf_tsdb::Options {
            retention: keep.samples,
            retention_bytes: Some(keep.samples_bytes),
            accept_any_age: mode == Mode::Test,
            ..wharf_tsdb::Options::default()
        };
        let (db, recovery) = Db::open(&dir.join("metrics"), options)
            .map_err(|error| format!("the metrics cannot be opened: {}", chain(&error)))?;
        found.extend(
            recovery
                .damage
                .iter()
                .map(|damage| format!("metrics: {damage}")),
        );
        let options = wharf_logs::Options {
            hot: keep.logs_hot,
            archive: keep.logs_archive,
            archive_to: Some(Arc::new(archive.clone())),
            ..wharf_logs::Options::default()
        };
        let (logs, recovery) = LogStore::open(dir.join("logs"), options)
            .map_err(|error| format!("the logs cannot be opened: {}", chain(&error)))?;
        found.extend(
            recovery
                .damaged
                .iter()
                .map(|damage| format!("logs: {damage}")),
        );
        let options = wharf_traces::Options {
            retention: keep.logs_hot,
            ..wharf_traces::Options::default()
        };
        let (traces, recovery) = TraceStore::open(&dir.join("traces"), options)
            .map_err(|error| format!("the traces cannot be opened: {}", chain(&error)))?;
        found.extend(
            recovery
                .damage
                .iter()
                .map(|damage| format!("traces: {damage}")),
        );
        let keep = keep.clone();
        let stores = Self {
            db,
            logs,
            traces,
            keep,
        };
        Ok((stores, found))
    }

    /// Compacts, moves and deletes what is due, again and again, for ever; tells what cannot be written.
    pub(crate) async fn tend(self, health: health::Shared) {
        let mut ticks = tokio::time::interval(MAINTENANCE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let stores = self.clone();
            let health = health.clone();
            let done = tokio::task::spawn_blocking(move || stores.maintain(&health));
            // A defect in it ends this pass, not the telemetry: the next one tries again.
            drop(done.await);
        }
    }

    fn maintain(&self, health: &health::Shared) {
        let millis = i64::try_from(now().0).unwrap_or(i64::MAX);
        let nanos = millis.saturating_mul(1_000_000);
        let told = |part, done: Result<(), String>| health.trouble(part, done.err());
        told(
            "metrics",
            self.db
                .maintain(millis)
                .map(drop)
                .map_err(|error| chain(&error)),
        );
        told(
            "logs",
            self.logs
                .maintain(nanos)
                .map(drop)
                .map_err(|error| chain(&error)),
        );
        told(
            "traces",
            self.traces
                .maintain(now())
                .map(drop)
                .map_err(|error| chain(&error)),
        );
    }
}

impl Stores {
    /// Adds how each store is now: what it cannot write, and what it found damaged since it was opened.
    pub(crate) fn add_to(&self, health: &mut Health) {
        let (metrics, logs, traces) = (self.db.health(), self.logs.health(), self.traces.health());
        let failing = [
            ("metrics", metrics.storage),
            ("logs", logs.trouble),
            ("traces", traces.failing),
        ];
        for (part, trouble) in failing {
            if let Some(trouble) = trouble {
                health.troubles.insert(part, trouble);
            }
        }
        let damage = metrics
            .damage
            .iter()
            .map(|damage| format!("metrics: {damage}"));
        health.recovered.extend(damage);
        let damage = logs
            .damage
            .named
            .iter()
            .map(|damage| format!("logs: {damage}"));
        health.recovered.extend(damage);
        health
            .recovered
            .extend(traces.last_damage.map(|damage| format!("traces: {damage}")));
    }

    /// Puts what was taken on the disk, so that the next start has nothing to replay that need not be.
    pub(crate) fn close(&self) {
        // What cannot be written now is in the logs of the stores.
        drop(self.db.sync());
        drop(self.logs.flush());
    }
}

/// An error and its causes as one text.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
