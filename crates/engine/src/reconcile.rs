//! From what is to what is wanted: one pass over stores, services, jobs, roll-out and ingress.

use std::time::Duration;

use wharf_base::clock::Timestamp;
use wharf_base::ids::{Name, ReleaseId};
use wharf_control::service::{Action, Wanted, decide};
use wharf_plan::model::{Condition, Rollout, Service};

use crate::api::EventKind;
use crate::engine::Engine;
use crate::saved::SavedRole;

impl Engine {
    /// Decides all that follows from the present state. Idempotent: a second call right after adds nothing.
    pub(crate) fn reconcile(&mut self) {
        self.wake = None;
        if self.saved.stopped && self.shutdown.is_none() {
            return;
        }
        self.tend_stores();
        self.tend_pools();
        self.tend_replicas();
        self.tend_jobs();
        if self.shutdown.is_some() {
            self.reconcile_shutdown();
        } else {
            self.reconcile_services();
            self.reconcile_rollout();
        }
        self.publish_routes();
        self.tend_draining();
    }

    fn reconcile_services(&mut self) {
        let Some(target) = self.target().cloned() else {
            return;
        };
        for name in order_of(&target.plan.services) {
            let (Some(service), Some(revision)) =
                (target.plan.services.get(&name), target.revisions.get(&name))
            else {
                continue;
            };
            let settled = self.reconcile_service(&name, service, revision.release);
            let news = if settled {
                self.settled.insert(name.clone())
            } else {
                self.settled.remove(&name)
            };
            if settled && news && self.is_rolling() && service.schedule.is_none() {
                let ready = self.desired(&name, service, revision.release);
                self.tell(
                    self.saved.target,
                    EventKind::Service {
                        service: name,
                        ready,
                    },
                );
            }
        }
        if !self.is_rolling() {
            self.retire_removed(&target.plan.services.keys().cloned().collect::<Vec<_>>());
        }
    }

    fn reconcile_service(&mut self, name: &Name, service: &Service, release: ReleaseId) -> bool {
        let desired = self.desired(name, service, release);
        let view = self.view(name);
        let at_target = view
            .iter()
            .filter(|replica| replica.release == release)
            .count();
        // What a service needs gates its new replicas, not the ones that serve.
        let waits_for = self.waits_for(name, service, release, at_target < desired as usize);
        let wanted = Wanted {
            target: release,
            desired,
            singleton: service.singleton,
            keeps_old: !service.ports.is_empty() && !self.is_reverting(),
            may_start: waits_for.is_none(),
            policy: self.policy(service),
        };
        let decision = decide(&wanted, &view, self.now());
        if let Some(wake) = decision.wake {
            self.wake_at(wake);
        }
        for action in decision.actions {
            match action {
                Action::Start { count } => {
                    (0..count).for_each(|_| self.start_replica(name, release))
                }
                Action::Recall(id) => self.set_role(&id, SavedRole::Serving),
                Action::Withdraw(id) => self.withdraw_replica(&id, true),
                Action::Stop(id) => self.withdraw_replica(&id, false),
            }
        }
        let settled = decision.settled && waits_for.is_none();
        match waits_for {
            Some(reason) => drop(self.blocked.insert(name.clone(), reason)),
            None => drop(self.blocked.remove(name)),
        }
        settled
    }

    /// Its roll-out policy. Where there is nothing to protect (a first start, a revert, a changed scale), a replica
    /// counts as soon as it is ready.
    fn policy(&self, service: &Service) -> Rollout {
        let guarded = self.is_rolling()
            && !self.is_reverting()
            && self
                .saved
                .rollout
                .as_ref()
                .is_some_and(|rollout| rollout.from.is_some());
        let min_ready = if guarded {
            service.rollout.min_ready
        } else {
            Duration::ZERO
        };
        Rollout {
            min_ready,
            ..service.rollout.clone()
        }
    }

    /// How many replicas a service is to have: what was set by hand, else what its release says; none of a scheduled
    /// one, and none of a job that is done.
    pub(crate) fn desired(&self, name: &Name, service: &Service, release: ReleaseId) -> u32 {
        let done = self.saved.completed.contains(&(name.clone(), release));
        let job = self.target().is_some_and(|target| target.is_job(name));
        if service.schedule.is_some() || (job && done) {
            return 0;
        }
        let count = self
            .saved
            .scale
            .get(name)
            .copied()
            .unwrap_or(service.replicas);
        if service.singleton {
            count.min(1)
        } else {
            count
        }
    }

    /// What keeps new replicas of a service from starting, in a few words; its one-shot is started once nothing
    /// else does.
    fn waits_for(
        &mut self,
        name: &Name,
        service: &Service,
        release: ReleaseId,
        starts: bool,
    ) -> Option<String> {
        if !starts && service.schedule.is_none() {
            return None;
        }
        for (needed, condition) in &service.needs {
            if let Some(reason) = self.unmet(needed, *condition) {
                return Some(reason);
            }
        }
        if !self.one_shot_done(name, release) {
            return Some("its release command".to_owned());
        }
        self.others_release_command(name)
    }

    /// A release command of another service that new replicas of `name` wait for: what it prepares (the tables of a
    /// database that both use) may be what the new program needs. One that itself needs `name` is not waited for.
    fn others_release_command(&mut self, name: &Name) -> Option<String> {
        let target = self.target()?;
        let services = &target.plan.services;
        let others: Vec<_> = services
            .iter()
            .filter(|(other, service)| service.release.is_some() && !needs(services, other, name))
            .filter_map(|(other, service)| {
                let release = target.revisions.get(other)?.release;
                Some((other.clone(), release, service.needs.clone()))
            })
            .collect();
        others.into_iter().find_map(|(other, release, needs)| {
            let ready = needs
                .iter()
                .all(|(needed, condition)| self.unmet(needed, *condition).is_none());
            (!ready || !self.one_shot_done(&other, release))
                .then(|| format!("the release command of `{other}`"))
        })
    }

    fn unmet(&self, needed: &Name, condition: Condition) -> Option<String> {
        let target = self.target()?;
        if target.plan.stores.contains_key(needed) {
            if self.store_is_ready(needed) {
                return None;
            }
            let server = self.live_stores.get(needed).filter(|live| !live.is_ready());
            let pool = self.live_pools.get(needed);
            let (what, process) = match (server, pool) {
                (None, Some(pool)) => ("the pool of the store", Some(&pool.process)),
                (server, _) => ("the store", server.map(|live| &live.process)),
            };
            let message = process.and_then(|process| process.message.as_deref());
            return Some(match message {
                Some(message) => format!("{what} `{needed}`: {message}"),
                None => format!("{what} `{needed}` to be ready"),
            });
        }
        let release = target.revisions.get(needed)?.release;
        let met = match condition {
            Condition::Started => self.view(needed).iter().any(|replica| {
                replica.release == release
                    && self
                        .live
                        .get(&replica.id)
                        .is_some_and(|live| live.pid.is_some())
            }),
            Condition::Healthy => self.settled.contains(needed),
            Condition::Completed => self.saved.completed.contains(&(needed.clone(), release)),
        };
        let word = match condition {
            Condition::Started => "started",
            Condition::Healthy => "healthy",
            Condition::Completed => "completed",
        };
        (!met).then(|| format!("`{needed}` to be {word}"))
    }

    /// Services that the serving release does not have any more.
    fn retire_removed(&mut self, present: &[Name]) {
        let mut removed: Vec<Name> = self
            .saved
            .replicas
            .values()
            .map(|replica| replica.service.clone())
            .collect();
        removed.retain(|name| !present.contains(name));
        removed.sort();
        removed.dedup();
        let Some(target) = self.saved.target else {
            return;
        };
        for name in removed {
            let now = self.now();
            let decision = decide(
                &Wanted {
                    keeps_old: true,
                    ..gone(target)
                },
                &self.view(&name),
                now,
            );
            if let Some(wake) = decision.wake {
                self.wake_at(wake);
            }
            for action in decision.actions {
                match action {
                    Action::Withdraw(id) => self.withdraw_replica(&id, true),
                    Action::Stop(id) => self.withdraw_replica(&id, false),
                    Action::Start { .. } | Action::Recall(_) => {}
                }
            }
        }
    }

    /// Runs `act` at `at`, if nothing wakes the engine before.
    pub(crate) fn due(&mut self, at: Timestamp) -> bool {
        if at <= self.now() {
            return true;
        }
        self.wake_at(at);
        false
    }
}

/// A service that is not to have any replica.
fn gone(target: ReleaseId) -> Wanted {
    Wanted {
        target,
        desired: 0,
        singleton: false,
        keeps_old: false,
        may_start: true,
        policy: Rollout {
            surge: wharf_base::units::Share::Count(1),
            unavailable: wharf_base::units::Share::Count(0),
            min_ready: std::time::Duration::ZERO,
            progress_deadline: std::time::Duration::ZERO,
            // As long as an undo of the release that removed it may want it back.
            keep_old: std::time::Duration::from_secs(600),
        },
    }
}

/// Whether `service` is `needed` or, by way of others, needs it.
fn needs(
    services: &std::collections::BTreeMap<Name, Service>,
    service: &Name,
    needed: &Name,
) -> bool {
    let mut found = vec![service];
    let mut at = 0;
    while let Some(name) = found.get(at) {
        let further = services.get(*name).into_iter();
        for next in further.flat_map(|service| service.needs.keys()) {
            if !found.contains(&next) {
                found.push(next);
            }
        }
        at += 1;
    }
    found.contains(&needed)
}

/// The services, each after the services that it needs.
pub(crate) fn order_of(services: &std::collections::BTreeMap<Name, Service>) -> Vec<Name> {
    fn visit(
        name: &Name,
        services: &std::collections::BTreeMap<Name, Service>,
        order: &mut Vec<Name>,
        depth: usize,
    ) {
        // The plan has no circles; the depth guards a state file that was tampered with.
        if order.contains(name) || depth > services.len() {
            return;
        }
        let Some(service) = services.get(name) else {
            return;
        };
        for needed in service.needs.keys() {
            visit(needed, services, order, depth + 1);
        }
        order.push(name.clone());
    }
    let mut order = vec![];
    for name in services.keys() {
        visit(name, services, &mut order, 0);
    }
    order
}
