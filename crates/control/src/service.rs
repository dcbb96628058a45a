//! Keeps one service at its release and its number of replicas, and takes it from one release to the next.
//!
//! The same decisions serve the first start, a roll-out, a revert, an undo and a change of scale: in each of them
//! the service has a target release, and replicas of others give way to replicas of the target.
//!
//! Invariants, checked by the simulation after every step:
//! - while the target's replicas become ready, no more than `desired + surge` replicas are started or serve;
//! - no serving replica that is ready is withdrawn unless `desired - unavailable` remain available without it;
//! - two replicas of a singleton never run at the same time.

use std::time::Duration;

use wharf_base::clock::Timestamp;
use wharf_base::ids::{ReleaseId, ReplicaId};
use wharf_plan::model::Rollout;

/// Ready-to-unready changes of one new replica during a roll-out that make it flapping.
pub const FLAPPING_CHANGES: u32 = 3;

/// What is wanted of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The release that its replicas are to be of.
    pub target: ReleaseId,
    /// How many replicas are to serve.
    pub desired: u32,
    /// At most one replica runs at any time, over all releases.
    pub singleton: bool,
    /// Whether replaced replicas are kept without traffic (only those that get traffic through the ingress can be).
    pub keeps_old: bool,
    /// Whether a new replica may be started now: the build, the one-shot and what the service needs are done.
    pub may_start: bool,
    /// Surge, unavailability, minimum time ready, how long old ones are kept.
    pub policy: Rollout,
}

/// One replica, as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// Which one.
    pub id: ReplicaId,
    /// The release that it runs.
    pub release: ReleaseId,
    /// What it is for now.
    pub role: Role,
    /// Since when it passes its readiness probe without a break; none: it does not.
    pub ready_since: Option<Timestamp>,
}

/// What a replica is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It serves, or will as soon as it is ready.
    Serving,
    /// It finishes its requests, to be kept afterwards.
    Draining,
    /// It runs without traffic, so that an undo is instant.
    Standby {
        /// Since when.
        since: Timestamp,
    },
    /// It is being stopped.
    Stopping,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start so many replicas of the target release.
    Start {
        /// How many.
        count: u32,
    },
    /// Give traffic back to a replica that was kept.
    Recall(ReplicaId),
    /// Take a replica out of traffic; it finishes its requests and is then kept.
    Withdraw(ReplicaId),
    /// Take a replica out of traffic; it finishes its requests and is then stopped.
    Stop(ReplicaId),
}

/// What is to be done now, and when to look again if nothing happens before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decision {
    /// In this order.
    pub actions: Vec<Action>,
    /// The time at which something becomes due by itself.
    pub wake: Option<Timestamp>,
    /// Whether `desired` replicas of the target are available and no other release serves.
    pub settled: bool,
}

/// Decides what brings `replicas` nearer to `wanted`. Replicas that ended are expected to be restarted in place by
/// whoever runs them; they are simply not ready meanwhile.
#[must_use]
pub fn decide(wanted: &Wanted, replicas: &[Replica], now: Timestamp) -> Decision {
    Service {
        wanted,
        replicas,
        now,
        decision: Decision::default(),
    }
    .decide()
}

struct Service<'a> {
    wanted: &'a Wanted,
    replicas: &'a [Replica],
    now: Timestamp,
    decision: Decision,
}

impl<'a> Service<'a> {
    fn decide(mut self) -> Decision {
        let recalled = self.recall();
        self.expire_standby(&recalled);
        let new: Vec<&'a Replica> = self
            .serving()
            .filter(|r| r.release == self.wanted.target)
            .collect();
        let old: Vec<&'a Replica> = self
            .serving()
            .filter(|r| r.release != self.wanted.target)
            .collect();
        let wanted = self.wanted.desired as usize;
        let new_available = new.iter().filter(|r| self.available(r)).count() + recalled.len();
        let surplus = (new.len() + recalled.len()).saturating_sub(wanted);
        self.shrink(&new, surplus);
        if self.wanted.singleton {
            self.replace_singleton(&new, &old, &recalled);
        } else {
            self.grow(new.len() + recalled.len(), old.len());
            self.withdraw(&old, new_available.min(wanted));
        }
        self.decision.settled =
            old.is_empty() && surplus == 0 && new_available == wanted && recalled.is_empty();
        self.decision
    }

    fn serving(&self) -> impl Iterator<Item = &'a Replica> + use<'a> {
        let replicas = self.replicas;
        replicas.iter().filter(|r| r.role == Role::Serving)
    }

    /// Ready for at least `min_ready`. A time in the future means that the clock was set back since: such a replica
    /// must not wait for the clock to catch up.
    fn available(&self, replica: &Replica) -> bool {
        replica.ready_since.is_some_and(|since| {
            since > self.now || self.now.since(since) >= self.wanted.policy.min_ready
        })
    }

    fn wake_at(&mut self, at: Timestamp) {
        self.decision.wake = Some(self.decision.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Kept replicas of the target that are ready come back at once, whatever the surge allows: they run already.
    fn recall(&mut self) -> Vec<ReplicaId> {
        let serving = self
            .serving()
            .filter(|r| r.release == self.wanted.target)
            .count();
        let missing = (self.wanted.desired as usize).saturating_sub(serving);
        let recalled: Vec<ReplicaId> = self
            .replicas
            .iter()
            .filter(|r| matches!(r.role, Role::Standby { .. } | Role::Draining))
            .filter(|r| r.release == self.wanted.target && r.ready_since.is_some())
            .take(missing)
            .map(|r| r.id.clone())
            .collect();
        self.decision
            .actions
            .extend(recalled.iter().cloned().map(Action::Recall));
        recalled
    }

    fn expire_standby(&mut self, recalled: &[ReplicaId]) {
        let keep = self.wanted.policy.keep_old;
        for replica in self.replicas {
            let Role::Standby { since } = replica.role else {
                continue;
            };
            if recalled.contains(&replica.id) {
                continue;
            }
            if self.now.since(since) >= keep {
                self.decision.actions.push(Action::Stop(replica.id.clone()));
            } else {
                self.wake_at(since.after(keep));
            }
        }
    }

    /// Too many of the target: the ones that are not ready go first, then the youngest.
    fn shrink(&mut self, new: &[&Replica], surplus: usize) {
        let mut order: Vec<&&Replica> = new.iter().collect();
        order.sort_by_key(|r| (r.ready_since.is_some(), std::cmp::Reverse(r.ready_since)));
        let stops = order
            .into_iter()
            .take(surplus)
            .map(|r| Action::Stop(r.id.clone()));
        self.decision.actions.extend(stops);
    }

    fn grow(&mut self, new: usize, old: usize) {
        let wanted = self.wanted.desired as usize;
        let surge = self.wanted.policy.surge.of_rounded_up(self.wanted.desired) as usize;
        let room = (wanted + surge).saturating_sub(new + old);
        let count = wanted.saturating_sub(new).min(room);
        self.start(count);
    }

    fn start(&mut self, count: usize) {
        if count > 0 && self.wanted.may_start {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.decision.actions.push(Action::Start { count });
        }
    }

    /// Old replicas that are not ready serve nobody and may go; ready ones as far as enough remain available.
    /// None goes before the target may start: until then the release has not begun for this service.
    fn withdraw(&mut self, old: &[&Replica], new_available: usize) {
        if !self.wanted.may_start && new_available < self.wanted.desired as usize {
            return;
        }
        let waiting: Vec<Timestamp> = self
            .serving()
            .filter(|r| r.release == self.wanted.target && !self.available(r))
            .filter_map(|r| r.ready_since)
            .collect();
        for since in waiting {
            self.wake_at(since.after(self.wanted.policy.min_ready));
        }
        let unavailable = self
            .wanted
            .policy
            .unavailable
            .of_rounded_down(self.wanted.desired) as usize;
        let least = (self.wanted.desired as usize).saturating_sub(unavailable);
        let old_ready = old.iter().filter(|r| r.ready_since.is_some()).count();
        let mut spare = (new_available + old_ready).saturating_sub(least);
        // Those that are not ready first; they cost no availability.
        let mut order: Vec<&&Replica> = old.iter().collect();
        order.sort_by_key(|r| r.ready_since.is_some());
        for replica in order {
            if replica.ready_since.is_some() {
                if spare == 0 {
                    break;
                }
                spare -= 1;
            }
            self.retire(replica);
        }
    }

    fn retire(&mut self, replica: &Replica) {
        let keep = self.wanted.keeps_old
            && !self.wanted.policy.keep_old.is_zero()
            && replica.ready_since.is_some();
        let action = if keep { Action::Withdraw } else { Action::Stop };
        self.decision.actions.push(action(replica.id.clone()));
    }

    /// The old one is stopped and gone before the new one starts.
    fn replace_singleton(&mut self, new: &[&Replica], old: &[&Replica], recalled: &[ReplicaId]) {
        if self.wanted.may_start {
            self.decision
                .actions
                .extend(old.iter().map(|r| Action::Stop(r.id.clone())));
        }
        let nobody_runs = self.replicas.iter().all(|r| recalled.contains(&r.id));
        if new.is_empty() && recalled.is_empty() && nobody_runs {
            self.start(self.wanted.desired as usize);
        }
        if let Some(since) = new
            .iter()
            .filter(|r| !self.available(r))
            .find_map(|r| r.ready_since)
        {
            self.wake_at(since.after(self.wanted.policy.min_ready));
        }
    }
}

/// What a roll-out's new replicas have shown so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evidence {
    /// The most ends in a row of one new replica.
    pub failures: u32,
    /// Whether those make a crash loop.
    pub crash_loop: bool,
    /// The most ready-to-unready changes of one new replica.
    pub flaps: u32,
}

/// Why a roll-out has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A new replica ends again and again.
    CrashLoop,
    /// A new replica is ready and unready by turns.
    Flapping,
    /// It did not finish in time.
    Deadline,
}

/// Judges a service's part of a roll-out that began at `began`: none while it may still succeed.
#[must_use]
pub fn judge(
    evidence: Evidence,
    began: Timestamp,
    deadline: Duration,
    now: Timestamp,
) -> Option<Failure> {
    if evidence.crash_loop {
        Some(Failure::CrashLoop)
    } else if evidence.flaps >= FLAPPING_CHANGES {
        Some(Failure::Flapping)
    } else if now.since(began) >= deadline {
        Some(Failure::Deadline)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
