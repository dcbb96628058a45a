//! `rollout` and `singleton`: how a release takes over.

use std::time::Duration;

use wharf_base::units::Share;
use wharf_spec::diagnostic::{Code, Diagnostic, listed};
use wharf_spec::model as spec;

use super::Resolver;
use crate::model::Rollout;

/// As Kubernetes.
const PROGRESS_DEADLINE: Duration = Duration::from_secs(600);
/// As long as the look at the dashboards after a release takes.
const KEEP_OLD: Duration = Duration::from_secs(600);

/// Long enough to see a service that answers once and then falls over; three replicas take three seconds.
const MIN_READY: Duration = Duration::from_secs(1);

impl Resolver<'_> {
    pub(super) fn check_singleton(&mut self, typed: &spec::Service) {
        if typed.singleton.value() != Some(&true) {
            return;
        }
        if let (Some(replicas), Some(key)) = (typed.replicas.get(), typed.singleton.key_span())
            && replicas.value.0 > 1
        {
            let message = format!(
                "a singleton has at most one replica, not {}",
                replicas.value.0
            );
            self.report(
                Diagnostic::error(Code::NOT_HERE, replicas.span.clone(), message)
                    .related(key.clone(), "it is a singleton"),
            );
        }
        let surge = typed
            .rollout
            .value()
            .and_then(|rollout| rollout.surge.get());
        if let Some(surge) = surge
            && surge.value.of_rounded_up(1) > 0
        {
            let message = "a singleton is replaced by stopping the old one first: its surge is 0";
            self.report(Diagnostic::error(
                Code::NOT_HERE,
                surge.span.clone(),
                message,
            ));
        }
    }

    pub(super) fn rollout(&mut self, typed: &spec::Service, singleton: bool) -> Rollout {
        let none = spec::Rollout::default();
        let typed = typed.rollout.value().unwrap_or(&none);
        let (default_surge, default_unavailable) = if singleton { (0, 1) } else { (1, 0) };
        let surge = typed
            .surge
            .value()
            .copied()
            .unwrap_or(Share::Count(default_surge));
        let unavailable = typed
            .unavailable
            .value()
            .copied()
            .unwrap_or(Share::Count(default_unavailable));
        let stuck = |share: Share| matches!(share, Share::Count(0) | Share::Percent(0));
        let at = typed
            .surge
            .get()
            .map(|s| &s.span)
            .or_else(|| typed.unavailable.get().map(|u| &u.span));
        if let (true, true, Some(at)) = (stuck(surge), stuck(unavailable), at) {
            let message =
                "`surge` and `unavailable` are both 0, so no replica could ever be replaced";
            let diagnostic = Diagnostic::error(Code::BAD_VALUE, at.clone(), message);
            let other = typed
                .unavailable
                .get()
                .map(|u| u.span.clone())
                .filter(|other| other != at);
            let keys = listed(["surge", "unavailable"]);
            let diagnostic = diagnostic.help(format!("raise {keys} to 1"));
            self.report(match other {
                Some(other) => diagnostic.related(other, "the other one"),
                None => diagnostic,
            });
        }
        let deadline = typed.progress_deadline.get();
        if let Some(zero) = deadline.filter(|deadline| deadline.value.is_zero()) {
            let message = "expected a duration above zero";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                zero.span.clone(),
                message,
            ));
        }
        let progress_deadline = deadline.map_or(PROGRESS_DEADLINE, |deadline| deadline.value);
        let min_ready = typed.min_ready.value().copied();
        let min_ready = min_ready.unwrap_or(MIN_READY.min(progress_deadline / 2));
        if let Some(typed) = typed
            .min_ready
            .get()
            .filter(|typed| typed.value >= progress_deadline)
        {
            let deadline = wharf_base::duration::format(progress_deadline);
            let message = format!("no release could end: `progress_deadline` is {deadline}");
            self.report(
                Diagnostic::error(Code::BAD_VALUE, typed.span.clone(), message)
                    .help("keep `min_ready` below `progress_deadline`"),
            );
        }
        Rollout {
            surge,
            unavailable,
            min_ready,
            progress_deadline,
            keep_old: typed.keep_old.value().copied().unwrap_or(KEEP_OLD),
        }
    }
}
