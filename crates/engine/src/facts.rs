//! What the engine tells of itself and of what it runs, as metrics.

use wharf_exporters::Families;

use crate::api::{Outcome, ReplicaState, Status};
use crate::engine::Engine;

/// Every outcome that a roll-out may have had.
const OUTCOMES: [Outcome; 7] = [
    Outcome::Building,
    Outcome::Progressing,
    Outcome::Complete,
    Outcome::Reverted,
    Outcome::Failed,
    Outcome::Superseded,
    Outcome::Undone,
];

impl Engine {
    /// The engine's metrics, as of now.
    pub(crate) fn facts(&self) -> Families {
        let mut facts = Families::new();
        let status = self.status();
        self.services_told(&mut facts, &status);
        stores(&mut facts, &status);
        self.releases_told(&mut facts, &status);
        facts
            .gauge("wharf_build_info", "The version of the engine; always 1.")
            .add(&[("version", status.version.as_str())], 1.0);
        facts
    }

    fn services_told(&self, facts: &mut Families, status: &Status) {
        for service in &status.services {
            let of = [("service", service.name.as_str())];
            facts
                .gauge(
                    "wharf_service_replicas_wanted",
                    "Replicas that are to serve.",
                )
                .add(&of, f64::from(service.desired));
            facts
                .gauge(
                    "wharf_service_replicas_available",
                    "Replicas that are ready for requests.",
                )
                .add(&of, f64::from(service.ready));
            let release = service.release.and_then(|id| self.releases.get(&id));
            if let Some(release) = release {
                let (at, release) = (release.created.0 as f64 / 1000.0, release.id.to_string());
                let of = [("service", service.name.as_str()), ("release", &release)];
                facts
                    .gauge(
                        "wharf_service_released_seconds",
                        "When the release began to which the service's replicas belong.",
                    )
                    .add(&of, at);
            }
            for replica in service.replicas.iter().chain(&service.leaving) {
                let (id, release) = (replica.id.to_string(), replica.release.to_string());
                let of = [
                    ("service", service.name.as_str()),
                    ("replica", id.as_str()),
                    ("release", release.as_str()),
                ];
                facts
                    .counter(
                        "wharf_service_restarts_total",
                        "How often a replica was started again after it had ended.",
                    )
                    .add(&of, f64::from(replica.restarts));
                let ready = replica.state == ReplicaState::Ready;
                facts
                    .gauge(
                        "wharf_replica_ready",
                        "Whether a replica passes its readiness probe.",
                    )
                    .add(&of, f64::from(u8::from(ready)));
            }
        }
    }

    fn releases_told(&self, facts: &mut Families, status: &Status) {
        let outcomes = facts.gauge(
            "wharf_releases",
            "Releases that the engine remembers, by how they ended.",
        );
        let history = self.history();
        for outcome in OUTCOMES {
            let count = history.iter().filter(|release| release.outcome == outcome);
            outcomes.add(&[("outcome", outcome.as_str())], count.count() as f64);
        }
        facts
            .counter(
                "wharf_releases_total",
                "Releases that were ever made in this project.",
            )
            .add(&[], self.saved.last_release as f64);
        if let Some(release) = status.release {
            facts
                .gauge("wharf_release_info", "The release that serves; always 1.")
                .add(&[("release", &release.to_string())], 1.0);
        }
        let rolling = facts.gauge(
            "wharf_rollout_in_progress",
            "Whether a release is being built or rolled out.",
        );
        let busy = status
            .rollout
            .as_ref()
            .is_some_and(|rollout| !rollout.outcome.is_final());
        rolling.add(&[], f64::from(u8::from(busy)));
        if let Some(rollout) = &status.rollout {
            facts
                .gauge(
                    "wharf_rollout_started_timestamp_seconds",
                    "When the last roll-out began.",
                )
                .add(&[], rollout.began.0 as f64 / 1000.0);
            facts
                .gauge(
                    "wharf_rollout_failed",
                    "Whether the last roll-out failed or was taken back.",
                )
                .add(&[], f64::from(u8::from(failed(rollout.outcome))));
        }
    }
}

fn failed(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::Reverted)
}

fn stores(facts: &mut Families, status: &Status) {
    for store in &status.stores {
        let ready = matches!(store.state.as_str(), "ready" | "external");
        facts
            .gauge("wharf_store_ready", "Whether a store's server answers.")
            .add(
                &[("store", store.name.as_str()), ("engine", &store.engine)],
                f64::from(u8::from(ready)),
            );
    }
}
