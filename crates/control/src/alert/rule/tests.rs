use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn at(minutes: u64) -> Timestamp {
    Timestamp(1_700_000_000_000).after(MINUTE * u32::try_from(minutes).unwrap())
}

fn due(service: &str) -> Due {
    Due {
        labels: Labels::from_pairs([("alertname", "Down"), ("service", service)]),
        annotations: BTreeMap::new(),
        value: 1.0,
    }
}

fn policy(hold: u32, keep: u32) -> RulePolicy {
    RulePolicy {
        hold: MINUTE * hold,
        keep_firing_for: MINUTE * keep,
        limit: 0,
        settle: MINUTE * 2,
    }
}

/// Evaluates once a minute: a `1` is due, a `0` is not. Gives the phases: `.`, `p`, `F`, and `r` for what was resolved.
#[track_caller]
fn check(policy: RulePolicy, results: &str, expected: &str) {
    let mut state = RuleState::default();
    let mut phases = String::new();
    for (minute, result) in results.chars().enumerate() {
        let found = if result == '1' {
            vec![due("web")]
        } else {
            vec![]
        };
        state.evaluate(&policy, found, at(minute as u64)).unwrap();
        phases.push(match state.instances().next().map(|i| i.phase) {
            None => '.',
            Some(Phase::Pending) => 'p',
            Some(Phase::Firing) => 'F',
            Some(Phase::Inactive) => 'r',
        });
    }
    assert_eq!(phases, expected, "{results}");
}

#[test]
fn it_fires_after_it_was_due_for_long_enough() {
    check(policy(0, 0), "0101", ".FrF");
    check(policy(2, 0), "0110", ".pp.");
    check(policy(2, 0), "011110", ".ppFFr");
    check(policy(2, 0), "0101110", ".p.ppFr");
}

#[test]
fn it_fires_on_for_as_long_as_it_is_kept() {
    check(policy(0, 3), "10000", "FFFFr");
    check(policy(0, 3), "1001000", "FFFFFFF");
    check(policy(0, 3), "10010000", "FFFFFFFr");
    // What is only pending is not kept.
    check(policy(2, 3), "1100", "pp..");
}

#[test]
fn what_is_resolved_is_remembered_for_a_quarter_of_an_hour() {
    check(policy(0, 0), "100000000000000000", "Frrrrrrrrrrrrrrrr.");
    check(policy(1, 0), "1100110", "pFrrpFr");
}

#[test]
fn changes_are_told() {
    let mut state = RuleState::default();
    let both = || vec![due("web"), due("api")];
    let changes = state.evaluate(&policy(1, 0), both(), at(0)).unwrap();
    let told = |changes: &[Transition]| -> Vec<String> {
        let line =
            |c: &Transition| format!("{} {:?} {:?}", c.labels.value("service"), c.from, c.to);
        changes.iter().map(line).collect()
    };
    assert_eq!(told(&changes), ["api None Pending", "web None Pending"]);
    let changes = state
        .evaluate(&policy(1, 0), vec![due("web")], at(1))
        .unwrap();
    assert_eq!(
        told(&changes),
        ["api Some(Pending) Inactive", "web Some(Pending) Firing"]
    );
    assert_eq!(state.phase(), Phase::Firing);
    let changes = state.evaluate(&policy(1, 0), vec![], at(2)).unwrap();
    assert_eq!(told(&changes), ["web Some(Firing) Inactive"]);
    assert_eq!(state.phase(), Phase::Inactive);
}

#[test]
fn the_series_are_those_of_prometheus() {
    let mut state = RuleState::default();
    state
        .evaluate(&policy(1, 0), vec![due("web")], at(0))
        .unwrap();
    let series: Vec<String> = state.series().map(|(l, v)| format!("{l} {v}")).collect();
    assert_eq!(
        series,
        [
            r#"{__name__="ALERTS", alertname="Down", alertstate="pending", service="web"} 1"#,
            r#"{__name__="ALERTS_FOR_STATE", alertname="Down", service="web"} 1700000000"#,
        ]
    );
}

#[test]
fn results_that_cannot_be_told_apart_change_nothing() {
    let mut state = RuleState::default();
    state
        .evaluate(&policy(0, 0), vec![due("web")], at(0))
        .unwrap();
    let before = state.clone();
    let error = state.evaluate(&policy(0, 0), vec![due("a"), due("a")], at(1));
    assert!(matches!(error, Err(RuleError::SameLabels(_))));
    assert_eq!(state, before);
}

#[test]
fn more_than_the_limit_is_an_error() {
    let mut state = RuleState::default();
    let limited = RulePolicy {
        limit: 1,
        ..policy(0, 0)
    };
    state.evaluate(&limited, vec![due("a")], at(0)).unwrap();
    let error = state.evaluate(&limited, vec![due("a"), due("b")], at(1));
    assert_eq!(error, Err(RuleError::Limit { limit: 1, found: 2 }));
    assert_eq!(state.active().count(), 0);
}

fn restarted(state: &RuleState, policy: &RulePolicy, now: Timestamp) -> RuleState {
    let text = serde_json::to_string(state).unwrap();
    let mut state: RuleState = serde_json::from_str(&text).unwrap();
    state.restore(policy, now);
    state
}

#[test]
fn after_a_restart_timers_go_on() {
    let policy = policy(5, 0);
    let mut state = RuleState::default();
    for minute in 0..=3 {
        state
            .evaluate(&policy, vec![due("web")], at(minute))
            .unwrap();
    }
    // Three of five minutes are over; half an hour passes in which nothing is known.
    let mut state = restarted(&state, &policy, at(33));
    state.evaluate(&policy, vec![due("web")], at(34)).unwrap();
    assert_eq!(state.phase(), Phase::Pending);
    state.evaluate(&policy, vec![due("web")], at(35)).unwrap();
    assert_eq!(state.phase(), Phase::Firing);
    // After a day, what fired fires on, although the first evaluations have no data.
    let fired = state.instances().next().unwrap().fired_at;
    let mut state = restarted(&state, &policy, at(2000));
    assert!(
        state
            .evaluate(&policy, vec![], at(2001))
            .unwrap()
            .is_empty()
    );
    assert_eq!(state.phase(), Phase::Firing);
    state.evaluate(&policy, vec![due("web")], at(2002)).unwrap();
    assert_eq!(state.instances().next().unwrap().fired_at, fired);
    state.evaluate(&policy, vec![], at(2003)).unwrap();
    assert_eq!(state.phase(), Phase::Inactive);
}

#[test]
fn what_was_pending_before_a_long_outage_begins_anew() {
    let policy = policy(5, 0);
    let mut state = RuleState::default();
    state.evaluate(&policy, vec![due("web")], at(0)).unwrap();
    let mut state = restarted(&state, &policy, at(90));
    assert_eq!(state.active().count(), 0);
    state.evaluate(&policy, vec![due("web")], at(91)).unwrap();
    state.evaluate(&policy, vec![due("web")], at(95)).unwrap();
    assert_eq!(state.phase(), Phase::Pending);
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_up() {
    let policy = policy(5, 0);
    let mut state = RuleState::default();
    state.evaluate(&policy, vec![due("web")], at(1000)).unwrap();
    state.evaluate(&policy, vec![due("web")], at(1003)).unwrap();
    // A day back. Three minutes have passed, two are to come.
    let mut state = restarted(&state, &policy, at(10));
    state.evaluate(&policy, vec![due("web")], at(11)).unwrap();
    assert_eq!(state.phase(), Phase::Pending);
    state.evaluate(&policy, vec![due("web")], at(12)).unwrap();
    assert_eq!(state.phase(), Phase::Firing);
}

#[test]
fn a_value_that_json_does_not_know_is_saved() {
    let mut state = RuleState::default();
    for value in [f64::NAN, f64::INFINITY, 0.1] {
        let result = Due {
            value,
            ..due("web")
        };
        state.evaluate(&policy(0, 0), vec![result], at(0)).unwrap();
        let back = restarted(&state, &policy(0, 0), at(0));
        let found = back.instances().next().unwrap().value;
        assert_eq!(found.to_bits(), value.to_bits());
    }
}
