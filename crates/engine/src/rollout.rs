//! A roll-out from its beginning to its end: judged, completed, reverted.

use std::time::Duration;

use wharf_base::ids::{Name, ReleaseId};
use wharf_control::service::{Evidence, Failure, judge};

use crate::api::{EventKind, Outcome};
use crate::engine::Engine;
use crate::release::Release;
use crate::saved::Rollout;

/// How long a release that is complete is watched. What fails later has other causes more often than the release.
const WATCHED: Duration = Duration::from_secs(60);

/// Log lines that a failure sentence quotes.
const LOG_LINES: usize = 5;

impl Engine {
    /// Whether a roll-out is under way.
    pub(crate) fn is_rolling(&self) -> bool {
        self.saved
            .rollout
            .as_ref()
            .is_some_and(|rollout| !rollout.outcome.is_final())
    }

    /// Whether the roll-out under way has failed and the release before it comes back.
    pub(crate) fn is_reverting(&self) -> bool {
        self.saved
            .rollout
            .as_ref()
            .is_some_and(|r| !r.outcome.is_final() && self.saved.target != Some(r.release))
    }

    /// Ends, judges or completes the roll-out under way.
    pub(crate) fn reconcile_rollout(&mut self) {
        let Some(rollout) = self
            .saved
            .rollout
            .clone()
            .filter(|rollout| !rollout.outcome.is_final())
        else {
            return self.watch_complete();
        };
        let Some(target) = self.target().cloned() else {
            return;
        };
        let all_settled = target
            .plan
            .services
            .keys()
            .all(|name| self.settled.contains(name))
            && target
                .plan
                .stores
                .keys()
                .all(|name| self.store_is_ready(name));
        if self.is_reverting() {
            let deadline = rollout
                .began
                .after(longest_deadline(&target).saturating_mul(2));
            if all_settled && self.ingress.is_current() || self.due(deadline) {
                let outcome = if rollout
                    .message
                    .as_deref()
                    .is_some_and(|m| m.starts_with("undone"))
                {
                    Outcome::Undone
                } else {
                    Outcome::Reverted
                };
                self.finish_rollout(outcome, rollout.message);
            }
            return;
        }
        if all_settled {
            self.saved.serving = Some(target.id);
            self.publish_routes();
            if self.ingress.is_current() {
                self.finish_rollout(Outcome::Complete, None);
            }
            return;
        }
        for (name, service) in &target.plan.services {
            let Some(revision) = target
                .revisions
                .get(name)
                .filter(|_| !self.settled.contains(name))
            else {
                continue;
            };
            let deadline = service.rollout.progress_deadline;
            let evidence = self.evidence(name, revision.release);
            let now = self.now();
            if let Some(failure) = judge(evidence, rollout.began, deadline, now) {
                return self.fail_with_evidence(name, failure, deadline);
            }
            self.wake_at(rollout.began.after(deadline));
        }
    }

    /// A release that fails soon after it was complete is reverted too, as long as the replicas that it replaced are
    /// kept: what flaps slowly, or crashes under the whole load, shows only then.
    fn watch_complete(&mut self) {
        let Some(rollout) = self.saved.rollout.clone() else {
            return;
        };
        let (Some(from), Some(ended)) = (rollout.from, rollout.ended) else {
            return;
        };
        let Some(release) = self.releases.get(&rollout.release).cloned() else {
            return;
        };
        if rollout.outcome != Outcome::Complete || self.saved.target != Some(release.id) {
            return;
        }
        for (name, service) in &release.plan.services {
            let changed = release
                .revisions
                .get(name)
                .is_some_and(|revision| revision.release == release.id);
            if !changed || self.now().since(ended) >= service.rollout.keep_old.min(WATCHED) {
                continue;
            }
            let evidence = self.evidence(name, release.id);
            // Its deadline was met: only what the replicas do now counts.
            let Some(failure) = judge(evidence, ended, Duration::MAX, self.now()) else {
                continue;
            };
            let began = self.now();
            self.saved.rollout = Some(Rollout {
                release: release.id,
                from: Some(from),
                outcome: Outcome::Progressing,
                message: None,
                began,
                ended: None,
            });
            self.fail_with_evidence(name, failure, service.rollout.progress_deadline);
            return;
        }
    }

    fn evidence(&self, service: &Name, release: ReleaseId) -> Evidence {
        let new = self
            .saved
            .replicas
            .iter()
            .filter(|(_, r)| r.service == *service && r.release == release);
        new.filter_map(|(id, _)| self.live.get(id))
            .fold(Evidence::default(), |sum, live| Evidence {
                failures: sum.failures.max(live.backoff.failures()),
                crash_loop: sum.crash_loop || live.backoff.crash_loop(),
                flaps: sum.flaps.max(live.flaps),
            })
    }

    /// The sentence that says which check failed, what was seen, and the last log lines.
    fn fail_with_evidence(&mut self, service: &Name, failure: Failure, deadline: Duration) {
        let release = self
            .target()
            .and_then(|target| Some(target.revisions.get(service)?.release));
        let worst = self
            .saved
            .replicas
            .iter()
            .filter(|(_, replica)| replica.service == *service && Some(replica.release) == release)
            .filter_map(|(id, _)| Some((id.clone(), self.live.get(id)?)))
            .filter(|(_, live)| live.reason.is_some() || live.flaps > 0)
            .max_by_key(|(_, live)| (live.backoff.failures(), live.flaps));
        let reason = worst.as_ref().and_then(|(_, live)| live.reason.clone());
        let limit = wharf_base::duration::format(deadline);
        let blocked = self.blocked.get(service).cloned();
        let seen = match (failure, reason, blocked) {
            (Failure::CrashLoop, Some(reason), _) => {
                format!("it {reason}, again and again (crash loop)")
            }
            (Failure::CrashLoop, None, _) => "it ended again and again (crash loop)".to_owned(),
            (Failure::Flapping, reason, _) => {
                let why = reason
                    .map(|reason| format!("; last seen: {reason}"))
                    .unwrap_or_default();
                format!("it was ready and unready by turns (flapping){why}")
            }
            (Failure::Deadline, _, Some(blocked)) => format!("it waited {limit} for {blocked}"),
            (Failure::Deadline, Some(reason), None) => {
                format!("it was not ready within {limit}: {reason}")
            }
            (Failure::Deadline, None, None) => format!("it was not ready within {limit}"),
        };
        let id = worst.map(|(id, _)| id.to_string());
        let log = id.map(|id| self.log_tail(service, &id)).unwrap_or_default();
        self.fail_rollout_of(service, format!("{seen}{log}"));
    }

    /// As [`Engine::fail_rollout_of`], with the last log lines of the process `id`.
    pub(crate) fn fail_rollout_with_log(&mut self, service: &Name, message: String, id: &str) {
        let log = self.log_tail(service, id);
        self.fail_rollout_of(service, format!("{message}{log}"));
    }

    fn log_tail(&self, service: &Name, id: &str) -> String {
        let lines = crate::logs::tail_of(&self.state, service, id, LOG_LINES);
        if lines.is_empty() {
            String::new()
        } else {
            format!("; its last log lines: {}", lines.join(" | "))
        }
    }

    /// The roll-out under way has failed because of `service`: the release before it comes back.
    pub(crate) fn fail_rollout_of(&mut self, service: &Name, message: String) {
        let Some(rollout) = self
            .saved
            .rollout
            .clone()
            .filter(|rollout| !rollout.outcome.is_final())
        else {
            return;
        };
        if self.is_reverting() {
            return;
        }
        let message = format!("`{service}` failed: {message}");
        match rollout.from {
            Some(from) if from != rollout.release => self.revert_to(from, message),
            _ => self.finish_rollout(Outcome::Failed, Some(message)),
        }
    }

    /// The target is the release before again; the new one's replicas go, the kept ones come back.
    pub(crate) fn revert_to(&mut self, from: ReleaseId, message: String) {
        if let Some(rollout) = &mut self.saved.rollout {
            rollout.message = Some(message);
        }
        // Its routes may have been swapped in already, in the last moment before the failure.
        self.saved.serving = Some(from);
        self.saved.target = Some(from);
        self.settled.clear();
    }

    fn finish_rollout(&mut self, outcome: Outcome, message: Option<String>) {
        let now = self.now();
        let Some(rollout) = &mut self.saved.rollout else {
            return;
        };
        (rollout.outcome, rollout.ended) = (outcome, Some(now));
        let unchanged = self.unchanged.take();
        let message = match (outcome, rollout.from, message) {
            (Outcome::Reverted | Outcome::Undone, Some(from), Some(message)) => {
                Some(format!("{message}; {from} serves"))
            }
            (_, _, message) => message,
        };
        rollout.message.clone_from(&message);
        let id = rollout.release;
        self.end_release(id, outcome, message.clone());
        if let Some(asked) = unchanged {
            let same =
                (outcome == Outcome::Complete).then(|| format!("nothing has changed since {id}"));
            self.tell(
                Some(asked),
                EventKind::Rollout {
                    outcome,
                    message: same.or(message),
                },
            );
        }
    }

    /// Notes how a release fared.
    pub(crate) fn end_release(&mut self, id: ReleaseId, outcome: Outcome, message: Option<String>) {
        if let Some(release) = self.releases.get_mut(&id) {
            release.outcome = outcome;
            release.message.clone_from(&message);
            self.changed_releases.insert(id);
        }
        self.tell(Some(id), EventKind::Rollout { outcome, message });
    }
}

fn longest_deadline(release: &Release) -> Duration {
    release
        .plan
        .services
        .values()
        .map(|service| service.rollout.progress_deadline)
        .max()
        .unwrap_or_default()
}
