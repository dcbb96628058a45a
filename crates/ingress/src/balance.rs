//! Which endpoint a request goes to: a revision by weight, then its endpoint with the fewest requests that wait for an
//! answer.
//!
//! On a sticky path a client comes back to the endpoint that its cookie names, while that one may get requests.
//!
//! An endpoint that a health check has failed gets nothing. One that failed real requests is left alone only while
//! there is another: a request to a doubtful endpoint is better than a certain error.

use std::sync::Arc;

use crate::endpoint::{EndpointState, InFlight};
use crate::metrics::LabelId;

/// The endpoints of one service's port, as one configuration has them.
#[derive(Debug)]
pub(crate) struct UpstreamTable {
    pub(crate) name: Arc<str>,
    pub(crate) service: Arc<str>,
    pub(crate) service_label: LabelId,
    pub(crate) revisions: Vec<RevisionTable>,
}

/// The endpoints of one release.
#[derive(Debug)]
pub(crate) struct RevisionTable {
    pub(crate) release: Arc<str>,
    pub(crate) release_label: LabelId,
    pub(crate) weight: u32,
    pub(crate) endpoints: Vec<Arc<EndpointState>>,
}

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Pick {
    pub(crate) in_flight: InFlight,
    pub(crate) release: Arc<str>,
    pub(crate) release_label: LabelId,
}

/// How picky a pass over the endpoints is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Neither tried by this request nor ejected.
    Good,
    /// Also ejected ones.
    Doubtful,
}

impl UpstreamTable {
    /// Picks an endpoint that is none of `tried`; none: no replica is ready.
    pub(crate) fn pick(
        &self,
        tried: &[Arc<EndpointState>],
        now: u64,
        random: &mut fastrand::Rng,
    ) -> Option<Pick> {
        for pass in [Pass::Good, Pass::Doubtful] {
            // A pick can be lost to a change of the configuration; then the next is tried, at most so many times.
            for _ in 0..3 {
                let usable = |endpoint: &Arc<EndpointState>| {
                    !endpoint.is_leaving()
                        && endpoint.is_checked()
                        && (pass == Pass::Doubtful || !endpoint.is_ejected(now))
                        && !tried.iter().any(|other| Arc::ptr_eq(other, endpoint))
                };
                let Some(revision) = self.revision(&usable, random) else {
                    break;
                };
                let Some(endpoint) = revision.least_loaded(&usable, random) else {
                    break;
                };
                if let Some(in_flight) = endpoint.enter() {
                    return Some(Pick {
                        in_flight,
                        release: Arc::clone(&revision.release),
                        release_label: revision.release_label,
                    });
                }
            }
        }
        None
    }

    /// Picks the endpoint that one of `keys` stands for, if it may get requests like any other: whatever its revision's
    /// weight is, unless that is 0.
    pub(crate) fn pick_named(
        &self,
        keys: &[u64],
        tried: &[Arc<EndpointState>],
        now: u64,
    ) -> Option<Pick> {
        if keys.is_empty() {
            return None;
        }
        let revisions = self.revisions.iter().filter(|revision| revision.weight > 0);
        let mut endpoints = revisions.flat_map(|revision| {
            let endpoints = revision.endpoints.iter();
            endpoints.map(move |endpoint| (revision, endpoint))
        });
        let (revision, endpoint) = endpoints.find(|(_, endpoint)| {
            keys.contains(&endpoint.key)
                && endpoint.is_checked()
                && !endpoint.is_leaving()
                && !endpoint.is_ejected(now)
                && !tried.iter().any(|other| Arc::ptr_eq(other, endpoint))
        })?;
        Some(Pick {
            in_flight: endpoint.enter()?,
            release: Arc::clone(&revision.release),
            release_label: revision.release_label,
        })
    }

    fn revision(
        &self,
        usable: &impl Fn(&Arc<EndpointState>) -> bool,
        random: &mut fastrand::Rng,
    ) -> Option<&RevisionTable> {
        if let [only] = self.revisions.as_slice() {
            return (only.weight > 0).then_some(only);
        }
        let candidates = || {
            self.revisions
                .iter()
                .filter(|revision| revision.weight > 0 && revision.endpoints.iter().any(usable))
        };
        let total: u64 = candidates()
            .map(|revision| u64::from(revision.weight))
            .sum();
        if total == 0 {
            return None;
        }
        let mut ticket = random.u64(0..total);
        candidates().find(|revision| {
            let weight = u64::from(revision.weight);
            let wins = ticket < weight;
            ticket = ticket.saturating_sub(weight);
            wins
        })
    }
}

impl RevisionTable {
    /// Of equally loaded endpoints a random one, so that workers do not all take the first.
    fn least_loaded(
        &self,
        usable: &impl Fn(&Arc<EndpointState>) -> bool,
        random: &mut fastrand::Rng,
    ) -> Option<&Arc<EndpointState>> {
        let count = self.endpoints.len();
        let start = if count > 1 { random.usize(0..count) } else { 0 };
        let rotated = self.endpoints[start..]
            .iter()
            .chain(&self.endpoints[..start]);
        rotated
            .filter(|endpoint| usable(endpoint))
            .min_by_key(|endpoint| endpoint.waiting())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monotonic::NEVER;

    fn upstream(revisions: &[(u32, u16)]) -> UpstreamTable {
        let mut port = 0;
        let revisions = revisions
            .iter()
            .enumerate()
            .map(|(index, (weight, count))| RevisionTable {
                release: format!("r{index}").into(),
                release_label: LabelId::default(),
                weight: *weight,
                endpoints: (0..*count)
                    .map(|_| {
                        port += 1;
                        Arc::new(EndpointState::new(
                            &format!("e{port}"),
                            ([127, 0, 0, 1], port).into(),
                        ))
                    })
                    .collect(),
            });
        UpstreamTable {
            name: "web".into(),
            service: "web".into(),
            service_label: LabelId::default(),
            revisions: revisions.collect(),
        }
    }

    /// The share of revision 1 in 10,000 picks, in percent.
    #[track_caller]
    fn check(upstream: &UpstreamTable, expected: std::ops::RangeInclusive<usize>) {
        let mut random = fastrand::Rng::with_seed(1);
        let hits = (0..10_000)
            .filter(|_| &*upstream.pick(&[], 0, &mut random).expect("a pick").release == "r1");
        let percent = hits.count() / 100;
        assert!(expected.contains(&percent), "{percent}%");
    }

    #[test]
    fn shares_by_weight() {
        check(&upstream(&[(95, 3), (5, 1)]), 4..=6);
        check(&upstream(&[(0, 3), (5, 1)]), 100..=100);
        check(&upstream(&[(50, 0), (1, 1)]), 100..=100);
        check(&upstream(&[(1, 1), (1, 5)]), 48..=52);
    }

    #[test]
    fn whoever_is_stuck_stays_while_the_endpoint_serves() {
        let upstream = upstream(&[(99, 3), (1, 2), (0, 1)]);
        let [stays, other] = upstream.revisions[1].endpoints.as_slice() else {
            panic!("two")
        };
        let named = |keys: &[u64], tried: &[Arc<EndpointState>]| {
            let pick = upstream.pick_named(keys, tried, 0);
            pick.map(|pick| Arc::clone(pick.in_flight.endpoint()))
        };
        let is = |found: Option<Arc<EndpointState>>| {
            found.is_some_and(|found| Arc::ptr_eq(&found, stays))
        };
        assert!(is(named(&[7, stays.key], &[])));
        assert!(named(&[7], &[]).is_none());
        assert!(named(&[stays.key], &[Arc::clone(stays)]).is_none());
        assert!(named(&[upstream.revisions[2].endpoints[0].key], &[]).is_none());
        stays.set_checked(false);
        assert!(named(&[stays.key], &[]).is_none());
        stays.set_checked(true);
        assert!(is(named(&[stays.key, other.key], &[])));
        stays.set_leaving(true, NEVER);
        assert!(named(&[stays.key], &[]).is_none());
    }

    #[test]
    fn takes_the_least_loaded_that_is_usable() {
        let mut random = fastrand::Rng::with_seed(1);
        let upstream = upstream(&[(1, 3)]);
        let picks: Vec<_> = (0..6)
            .filter_map(|_| upstream.pick(&[], 0, &mut random))
            .collect();
        assert!(
            upstream.revisions[0]
                .endpoints
                .iter()
                .all(|endpoint| endpoint.in_flight() == 2)
        );
        drop(picks);
        let [first, second, third] = upstream.revisions[0].endpoints.as_slice() else {
            panic!("three")
        };
        first.set_checked(false);
        second.set_leaving(true, NEVER);
        for _ in 0..3 {
            third.failed();
        }
        let pick = upstream
            .pick(&[], 0, &mut random)
            .expect("the last one is never ejected");
        assert!(Arc::ptr_eq(pick.in_flight.endpoint(), third));
        assert!(
            upstream
                .pick(&[Arc::clone(third)], 0, &mut random)
                .is_none()
        );
    }
}
