use super::*;
use wharf_base::ids::Name;
use wharf_base::units::Share;

fn policy() -> Rollout {
    Rollout {
        surge: Share::Count(1),
        unavailable: Share::Count(0),
        min_ready: Duration::from_secs(1),
        progress_deadline: Duration::from_secs(600),
        keep_old: Duration::from_secs(600),
    }
}

fn wanted(target: u64) -> Wanted {
    Wanted {
        target: ReleaseId(target),
        desired: 2,
        singleton: false,
        keeps_old: true,
        may_start: true,
        policy: policy(),
    }
}

/// `1r` is a serving ready replica of r1, `2u` one of r2 that is not ready, `2y` one that is not ready for long
/// enough, `1k` one that is kept, `1d` one that drains, `1s` one that stops.
fn replicas(text: &str) -> Vec<Replica> {
    let service: Name = "web".parse().unwrap();
    let parse = |(count, word): (usize, &str)| {
        let (release, state) = word.split_at(1);
        let release = ReleaseId(release.parse().unwrap());
        let (role, ready_since) = match state {
            "r" => (Role::Serving, Some(Timestamp(0))),
            "u" => (Role::Serving, None),
            "y" => (Role::Serving, Some(Timestamp(9_500))),
            "k" => (
                Role::Standby {
                    since: Timestamp(5_000),
                },
                Some(Timestamp(0)),
            ),
            "d" => (Role::Draining, Some(Timestamp(0))),
            "s" => (Role::Stopping, None),
            other => panic!("no such state: {other}"),
        };
        Replica {
            id: ReplicaId::new(&service, release, count as u64),
            release,
            role,
            ready_since,
        }
    };
    text.split_whitespace().enumerate().map(parse).collect()
}

fn show(decision: &Decision) -> String {
    let mut words: Vec<String> = decision
        .actions
        .iter()
        .map(|action| match action {
            Action::Start { count } => format!("start {count}"),
            Action::Recall(id) => format!("recall {id}"),
            Action::Withdraw(id) => format!("withdraw {id}"),
            Action::Stop(id) => format!("stop {id}"),
        })
        .collect();
    if decision.settled {
        words.push("settled".to_owned());
    }
    words.join(", ").replace("web-", "")
}

#[track_caller]
fn check(wanted: &Wanted, before: &str, expected: &str) {
    let decision = decide(wanted, &replicas(before), Timestamp(10_000));
    assert_eq!(show(&decision), expected, "{before}");
}

#[test]
fn first_start_and_scale() {
    check(&wanted(1), "", "start 2");
    check(&wanted(1), "1u 1u", "");
    check(&wanted(1), "1r 1r", "settled");
    check(&wanted(1), "1r 1r 1u", "stop r1-2");
    let blocked = Wanted {
        may_start: false,
        ..wanted(1)
    };
    check(&blocked, "", "");
}

#[test]
fn replaces_one_by_one() {
    check(&wanted(2), "1r 1r", "start 1");
    check(&wanted(2), "1r 1r 2u", "");
    check(&wanted(2), "1r 1r 2y", "");
    check(&wanted(2), "1r 1r 2r", "withdraw r1-0");
    check(&wanted(2), "1d 1r 2r", "start 1");
    check(&wanted(2), "1k 1r 2r 2r", "withdraw r1-1");
    check(&wanted(2), "1k 1k 2r 2r", "settled");
}

#[test]
fn a_broken_old_release_does_not_hold_up_its_fix() {
    check(&wanted(2), "1u 1u", "start 1, stop r1-0, stop r1-1");
}

#[test]
fn undo_is_immediate() {
    check(
        &wanted(1),
        "1k 1k 2r 2r",
        "recall r1-0, recall r1-1, withdraw r2-2, withdraw r2-3",
    );
    check(&wanted(1), "1d 1r 2r", "recall r1-0, withdraw r2-2");
}

#[test]
fn a_failed_release_is_not_kept() {
    let reverting = Wanted {
        keeps_old: false,
        ..wanted(1)
    };
    check(
        &reverting,
        "1r 1k 2r 2u",
        "recall r1-1, stop r2-3, stop r2-2",
    );
}

#[test]
fn a_singleton_never_runs_twice() {
    let singleton = Wanted {
        singleton: true,
        desired: 1,
        ..wanted(2)
    };
    check(&singleton, "1r", "stop r1-0");
    check(&singleton, "1s", "");
    check(&singleton, "", "start 1");
    check(&singleton, "2r", "settled");
}

#[test]
fn kept_replicas_expire() {
    let soon = Wanted {
        policy: Rollout {
            keep_old: Duration::from_secs(4),
            ..policy()
        },
        ..wanted(2)
    };
    check(&soon, "1k 2r 2r", "stop r1-0, settled");
    let later = decide(&wanted(2), &replicas("1k 2r 2r"), Timestamp(10_000));
    assert_eq!(later.wake, Some(Timestamp(605_000)));
}

#[test]
fn judges_in_order_of_certainty() {
    let judge = |evidence, now| {
        judge(
            evidence,
            Timestamp(0),
            Duration::from_secs(10),
            Timestamp(now),
        )
    };
    assert_eq!(judge(Evidence::default(), 9_999), None);
    assert_eq!(judge(Evidence::default(), 10_000), Some(Failure::Deadline));
    assert_eq!(
        judge(
            Evidence {
                flaps: 3,
                ..Evidence::default()
            },
            0
        ),
        Some(Failure::Flapping)
    );
    let looping = Evidence {
        failures: 3,
        crash_loop: true,
        flaps: 3,
    };
    assert_eq!(judge(looping, 0), Some(Failure::CrashLoop));
}
