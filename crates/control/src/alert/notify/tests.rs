use super::*;
use crate::alert::route::Timing;
use crate::alert::silence::Silence;
use wharf_signal::Matcher;

const SECOND: Duration = Duration::from_secs(1);

struct Case {
    policy: Policy,
    notifier: Notifier,
    now: Timestamp,
    log: Vec<String>,
}

fn alert(labels: &str) -> Alert {
    Alert {
        labels: Labels::from_pairs(labels.split(' ').filter_map(|pair| pair.split_once('='))),
        annotations: BTreeMap::new(),
        starts_at: Timestamp(0),
        ends_at: None,
        generator_url: String::new(),
    }
}

fn route(receiver: &str, matchers: Vec<Matcher>) -> Route {
    Route {
        receiver: receiver.to_owned(),
        matchers,
        group_by: vec!["alertname".to_owned()],
        timing: Timing {
            group_wait: SECOND * 10,
            group_interval: SECOND * 60,
            repeat_interval: SECOND * 600,
        },
        send_resolved: true,
    }
}

impl Case {
    fn new() -> Self {
        Self {
            policy: Policy {
                routes: vec![route("ops", vec![])],
                inhibitions: vec![],
            },
            notifier: Notifier::default(),
            now: Timestamp(1_000_000),
            log: vec![],
        }
    }

    fn observe(&mut self, firing: &[&str]) {
        let alerts = firing.iter().map(|labels| alert(labels)).collect();
        self.notifier
            .observe(&self.policy, "rules", alerts, self.now);
    }

    /// Time passes; what becomes due is sent, with `outcome`.
    fn pass(&mut self, seconds: u32, outcome: &Outcome) {
        let end = self.now.after(SECOND * seconds);
        loop {
            let decision = self.notifier.plan(&self.policy, self.now);
            for message in &decision.messages {
                let names = |alerts: &[Alert]| -> String {
                    let names = alerts.iter().map(|a| a.labels.value("a"));
                    names.collect::<Vec<_>>().join("")
                };
                let id = self.notifier.begin(message).unwrap();
                assert_eq!(self.notifier.begin(message), None, "one at a time, {id}");
                self.log.push(format!(
                    "{}s {} +{} -{}",
                    (self.now.0 - 1_000_000) / 1000,
                    message.receiver,
                    names(&message.firing),
                    names(&message.resolved)
                ));
                self.notifier
                    .finish(&self.policy, &message.group, outcome, self.now);
            }
            match decision.wake {
                _ if !decision.messages.is_empty() => {}
                Some(wake) if wake <= end => self.now = wake,
                _ => break,
            }
        }
        self.now = end;
    }

    #[track_caller]
    fn told(&mut self, expected: &[&str]) {
        assert_eq!(self.log, expected);
        self.log.clear();
    }
}

#[test]
fn a_group_waits_is_told_repeated_and_ended_once() {
    let mut case = Case::new();
    case.observe(&["alertname=Down a=1"]);
    case.pass(5, &Outcome::Delivered);
    case.observe(&["alertname=Down a=1", "alertname=Down a=2"]);
    case.pass(15, &Outcome::Delivered);
    case.told(&["10s ops +12 -"]);
    // A third one waits for the interval.
    case.observe(&[
        "alertname=Down a=1",
        "alertname=Down a=2",
        "alertname=Down a=3",
    ]);
    case.pass(100, &Outcome::Delivered);
    case.told(&["70s ops +123 -"]);
    case.pass(1000, &Outcome::Delivered);
    case.told(&["670s ops +123 -"]);
    case.observe(&["alertname=Down a=2"]);
    case.pass(60, &Outcome::Delivered);
    case.told(&["1120s ops +2 -13"]);
    case.observe(&[]);
    case.pass(5000, &Outcome::Delivered);
    case.told(&["1180s ops + -2"]);
    case.observe(&[]);
    assert_eq!(case.notifier.groups().count(), 0);
    assert!(case.notifier.alerts.is_empty());
}

#[test]
fn what_was_over_before_anybody_heard_is_not_told() {
    let mut case = Case::new();
    case.observe(&["alertname=Down a=1"]);
    case.pass(5, &Outcome::Delivered);
    case.observe(&[]);
    case.pass(5000, &Outcome::Delivered);
    case.told(&[]);
}

#[test]
fn a_receiver_that_is_down_hears_of_it_afterwards() {
    let mut case = Case::new();
    let down = Outcome::Failed("connection refused".to_owned());
    case.observe(&["alertname=Down a=1", "alertname=Slow a=2"]);
    case.pass(1200, &down);
    assert_eq!(case.log.len(), 2 * 12, "{:?}", case.log);
    assert_eq!(
        case.log[..4],
        [
            "10s ops +1 -",
            "10s ops +2 -",
            "11s ops +1 -",
            "11s ops +2 -"
        ]
    );
    let group = case.notifier.groups().next().unwrap();
    assert_eq!(group.problem.as_deref(), Some("connection refused"));
    case.log.clear();
    // One is over meanwhile: that it was there is not lost.
    case.observe(&["alertname=Down a=1"]);
    case.pass(2400, &down);
    case.log.clear();
    case.pass(400, &Outcome::Delivered);
    let mut told: Vec<&str> = case
        .log
        .iter()
        .filter_map(|l| l.split_once(' '))
        .map(|(_, l)| l)
        .collect();
    told.sort_unstable();
    assert_eq!(told, ["ops + -2", "ops +1 -"]);
}

#[test]
fn a_refusal_is_tried_again_at_leisure() {
    let mut case = Case::new();
    case.observe(&["alertname=Down a=1"]);
    case.pass(1000, &Outcome::Refused("404".to_owned()));
    case.told(&[
        "10s ops +1 -",
        "310s ops +1 -",
        "610s ops +1 -",
        "910s ops +1 -",
    ]);
}

#[test]
fn each_route_is_taken_and_nobody_hears_of_what_has_none() {
    let mut case = Case::new();
    case.policy.routes = vec![
        route("pager", vec![Matcher::equal("severity", "critical")]),
        route(
            "chat",
            vec![
                Matcher::new("severity", wharf_signal::MatchOp::Regex, "critical|warning").unwrap(),
            ],
        ),
    ];
    case.observe(&[
        "alertname=A a=1 severity=critical",
        "alertname=B a=2 severity=warning",
        "alertname=C a=3 severity=info",
    ]);
    case.pass(20, &Outcome::Delivered);
    case.told(&["10s chat +1 -", "10s chat +2 -", "10s pager +1 -"]);
}

#[test]
fn silences_and_inhibitions_keep_news_back_but_not_the_end() {
    let mut case = Case::new();
    case.observe(&["alertname=Down a=1"]);
    case.pass(20, &Outcome::Delivered);
    case.told(&["10s ops +1 -"]);
    let silence = Silence {
        id: "s".to_owned(),
        matchers: vec![Matcher::equal("alertname", "Down")],
        starts_at: case.now,
        ends_at: case.now.after(SECOND * 2000),
        created_by: "ada".to_owned(),
        comment: "known".to_owned(),
        updated_at: case.now,
    };
    case.notifier.silences_mut().set(silence, case.now).unwrap();
    case.observe(&["alertname=Down a=1", "alertname=Down a=2"]);
    case.pass(1000, &Outcome::Delivered);
    case.told(&[]);
    case.observe(&["alertname=Down a=2"]);
    case.pass(100, &Outcome::Delivered);
    case.told(&["1020s ops + -1"]);
    // When the silence is over, what fires is told at once.
    case.pass(1500, &Outcome::Delivered);
    case.told(&["2020s ops +2 -", "2620s ops +2 -"]);
    case.policy.inhibitions = vec![Inhibition {
        source: vec![Matcher::equal("alertname", "Gone")],
        target: vec![Matcher::equal("alertname", "Down")],
        equal: vec![],
    }];
    case.observe(&["alertname=Down a=2", "alertname=Gone a=9"]);
    case.pass(1500, &Outcome::Delivered);
    case.told(&["2630s ops +9 -", "3230s ops +9 -", "3830s ops +9 -"]);
}

#[test]
fn a_message_that_was_cut_short_keeps_its_name() {
    let mut case = Case::new();
    case.observe(&["alertname=Down a=1"]);
    case.now = case.now.after(SECOND * 10);
    let message = |case: &Case| {
        case.notifier
            .plan(&case.policy, case.now)
            .messages
            .remove(0)
    };
    let first = message(&case);
    let id = case.notifier.begin(&first).unwrap();
    // Killed here.
    let text = serde_json::to_string(&case.notifier).unwrap();
    case.notifier = serde_json::from_str(&text).unwrap();
    case.notifier.restore(&case.policy, case.now);
    let again = message(&case);
    assert_eq!(again, first);
    assert_eq!(case.notifier.begin(&again), Some(id));
    case.notifier
        .finish(&case.policy, &again.group, &Outcome::Delivered, case.now);
    // The next one has another.
    case.observe(&[]);
    case.now = case.now.after(SECOND * 60);
    let over = message(&case);
    assert!(case.notifier.begin(&over).unwrap() != id);
}

#[test]
fn what_fires_again_while_its_end_may_have_been_told_is_told_again() {
    let mut case = Case::new();
    case.observe(&["alertname=Down a=1"]);
    case.pass(20, &Outcome::Delivered);
    case.observe(&[]);
    // The receiver may have taken this one; its answer was lost.
    case.pass(50, &Outcome::Failed("timed out".to_owned()));
    case.observe(&["alertname=Down a=1"]);
    case.pass(60, &Outcome::Delivered);
    case.told(&["10s ops +1 -", "70s ops + -1", "71s ops +1 -"]);
}

#[test]
fn sources_that_are_gone_end_what_they_told_of() {
    let mut case = Case::new();
    case.observe(&["alertname=Down a=1"]);
    case.notifier.observe(
        &case.policy,
        "other",
        vec![alert("alertname=Else a=2")],
        case.now,
    );
    case.pass(20, &Outcome::Delivered);
    case.told(&["10s ops +1 -", "10s ops +2 -"]);
    case.notifier
        .reconfigure(&case.policy, &["rules".to_owned()], case.now);
    case.pass(100, &Outcome::Delivered);
    case.told(&["70s ops + -2"]);
}

#[test]
fn there_are_not_too_many_alerts() {
    let mut case = Case::new();
    let many = (0..=ALERTS_MAX).map(|n| alert(&format!("alertname=Down n={n}")));
    case.notifier
        .observe(&case.policy, "rules", many.collect(), case.now);
    assert_eq!(case.notifier.dropped(), 1);
    assert_eq!(case.notifier.firing().count(), ALERTS_MAX);
}
