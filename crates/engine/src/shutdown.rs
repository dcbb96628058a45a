//! Stopping everything in order: the ingress finishes its requests, then services stop, each before what it needs,
//! then pools and at last stores; then nothing of the project runs.

use wharf_base::ids::{Name, ReplicaId};

use crate::api::EventKind;
use crate::engine::Engine;
use crate::reconcile::order_of;
use crate::replica::Order;
use crate::saved::SavedRole;

/// How far the stopping has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shutdown {
    /// Kill instead of stopping in order.
    now: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Ingress,
    Services,
    Pools,
    Stores,
    Done,
}

impl Shutdown {
    fn order(self) -> Order {
        if self.now { Order::Kill } else { Order::Stop }
    }
}

impl Engine {
    /// Stops everything. A second call with `now` kills what the first one waits for.
    pub(crate) fn begin_shutdown(&mut self, now: bool) {
        let stage = self
            .shutdown
            .map_or(Stage::Ingress, |shutdown| shutdown.stage);
        if self.shutdown.is_none() {
            self.tell(
                None,
                EventKind::Stopping {
                    what: "the ingress".to_owned(),
                },
            );
            self.ingress.stop();
        }
        if let Some((_, build)) = self.building.take() {
            build.abort();
        }
        self.shutdown = Some(Shutdown { now, stage });
        self.stop_jobs(Shutdown { now, stage }.order());
        // What it served is no more: the next one is not to begin with it.
        drop(std::fs::remove_file(self.state.ingress_config()));
        if now {
            self.ingress.stop();
            for id in self.saved.replicas.keys().cloned().collect::<Vec<_>>() {
                self.kill_replica(&id);
            }
            for name in self.live_pools.keys().cloned().collect::<Vec<_>>() {
                self.stop_pool(&name, Order::Kill);
            }
            for name in self.live_stores.keys().cloned().collect::<Vec<_>>() {
                self.stop_store(&name, Order::Kill);
            }
        }
    }

    /// Goes as far as it can: what has to end before the next stage reports its end, which brings the next turn.
    pub(crate) fn reconcile_shutdown(&mut self) {
        let Some(shutdown) = self.shutdown else {
            return;
        };
        match shutdown.stage {
            // Requests under way need the services; `now` means not to wait for them.
            Stage::Ingress if shutdown.now || self.ingress.pid.is_none() => {
                self.enter(Stage::Services);
                self.reconcile_shutdown();
            }
            Stage::Ingress => {}
            Stage::Services if self.saved.replicas.is_empty() && self.saved.jobs.is_empty() => {
                self.enter(Stage::Pools);
                for name in self.live_pools.keys().cloned().collect::<Vec<_>>() {
                    self.stop_pool(&name, shutdown.order());
                }
                self.reconcile_shutdown();
            }
            Stage::Pools if self.live_pools.is_empty() => {
                self.enter(Stage::Stores);
                for name in self.live_stores.keys().cloned().collect::<Vec<_>>() {
                    self.tell(
                        None,
                        EventKind::Stopping {
                            what: format!("the store {name}"),
                        },
                    );
                    self.stop_store(&name, shutdown.order());
                }
                self.reconcile_shutdown();
            }
            Stage::Services => self.stop_free_services(),
            Stage::Stores if self.live_stores.is_empty() && self.ingress.pid.is_none() => {
                self.enter(Stage::Done);
                self.saved.stopped = true;
                self.settled.clear();
                self.exit = true;
            }
            Stage::Pools | Stage::Stores | Stage::Done => {}
        }
    }

    fn enter(&mut self, stage: Stage) {
        if let Some(shutdown) = &mut self.shutdown {
            shutdown.stage = stage;
        }
    }

    /// Stops the services that no running service needs any more.
    fn stop_free_services(&mut self) {
        let needed_by = |engine: &Self, name: &Name| {
            let services = engine
                .target()
                .map(|target| target.plan.services.clone())
                .unwrap_or_default();
            services
                .iter()
                .any(|(other, service)| service.needs.contains_key(name) && engine.runs(other))
        };
        let mut order = self
            .target()
            .map(|target| order_of(&target.plan.services))
            .unwrap_or_default();
        let running = self
            .saved
            .replicas
            .values()
            .map(|replica| replica.service.clone());
        for name in running.collect::<Vec<_>>() {
            if !order.contains(&name) {
                order.push(name);
            }
        }
        for name in order.into_iter().rev() {
            if needed_by(self, &name) {
                continue;
            }
            let here = self
                .saved
                .replicas
                .iter()
                .filter(|(_, replica)| replica.service == name);
            let stopping: Vec<ReplicaId> = here
                .filter(|(_, replica)| replica.role != SavedRole::Stopping)
                .map(|(id, _)| id.clone())
                .collect();
            if !stopping.is_empty() {
                self.tell(
                    None,
                    EventKind::Stopping {
                        what: name.to_string(),
                    },
                );
            }
            for id in stopping {
                self.stop_replica(&id);
            }
        }
    }

    fn runs(&self, service: &Name) -> bool {
        self.saved
            .replicas
            .values()
            .any(|replica| replica.service == *service)
    }
}
