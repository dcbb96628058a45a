//! Runs [`super::notify`] against simulated receivers: alerts that come and go, receivers that are down, that lose an answer, or
//! both; a process that is killed between any two steps and begins with what was saved last; a clock that jumps both ways.
//! What receivers see is checked message by message, and at the end, after a quiet time, each has to know what is so. A
//! failure prints the seed and the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use wharf_base::clock::Timestamp;
use wharf_signal::{Labels, Matcher};

use super::notify::{Alert, Message, MessageId, Notifier, Outcome, Policy};
use super::route::{Route, Timing};

const GROUP_INTERVAL: u64 = 300_000;
const REPEAT_INTERVAL: u64 = 3_600_000;
const ALERTS: [&str; 6] = ["a1", "a2", "a3", "b1", "b2", "c1"];
const RECEIVERS: [&str; 2] = ["pager", "chat"];

/// What one receiver has seen of one group.
#[derive(Default)]
struct Seen {
    ids: BTreeSet<MessageId>,
    fires: BTreeSet<String>,
    /// The time of the last message, without jumps back.
    told_at: Option<u64>,
    /// Whether the sender may not know of the last message, or of what it said.
    doubtful: bool,
}

struct World {
    rng: TestRng,
    policy: Policy,
    now: Timestamp,
    /// Time that passed, jumps forth included and jumps back not: what the sender sees is never more.
    passed: u64,
    notifier: Notifier,
    saved: String,
    true_now: BTreeSet<&'static str>,
    down: BTreeSet<&'static str>,
    attempted: BTreeSet<(String, String)>,
    receivers: BTreeMap<String, Seen>,
    log: Vec<String>,
}

fn labels(name: &str) -> Labels {
    let severity = if name.ends_with('1') {
        "critical"
    } else {
        "warning"
    };
    Labels::from_pairs([
        ("alertname", &name[..1]),
        ("n", &name[1..]),
        ("severity", severity),
    ])
}

fn name_of(alert: &Alert) -> String {
    format!(
        "{}{}",
        alert.labels.value("alertname"),
        alert.labels.value("n")
    )
}

impl World {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let route = |receiver: &str, matchers| Route {
            receiver: receiver.to_owned(),
            matchers,
            group_by: vec!["alertname".to_owned()],
            timing: Timing {
                group_wait: Duration::from_secs(30),
                group_interval: Duration::from_millis(GROUP_INTERVAL),
                repeat_interval: Duration::from_millis(REPEAT_INTERVAL),
            },
            send_resolved: true,
        };
        let mut world = Self {
            rng: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
            policy: Policy {
                routes: vec![
                    route("pager", vec![Matcher::equal("severity", "critical")]),
                    route("chat", vec![]),
                ],
                inhibitions: vec![],
            },
            now: Timestamp(1_700_000_000_000),
            passed: 0,
            notifier: Notifier::default(),
            saved: String::new(),
            true_now: BTreeSet::new(),
            down: BTreeSet::new(),
            attempted: BTreeSet::new(),
            receivers: BTreeMap::new(),
            log: vec![],
        };
        world.save();
        world
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.rng.next_u32() % bound
    }

    fn save(&mut self) {
        self.saved = serde_json::to_string(&self.notifier).unwrap();
    }

    fn killed(&mut self) {
        self.log.push("killed".to_owned());
        self.notifier = serde_json::from_str(&self.saved).unwrap();
        self.notifier.restore(&self.policy, self.now);
        self.save();
    }

    fn wait(&mut self, millis: u64) {
        self.now = Timestamp(self.now.0 + millis);
        self.passed += millis;
    }

    fn event(&mut self) {
        match self.below(20) {
            0..=7 => {
                let millis = u64::from(self.below(60_000));
                self.wait(millis);
            }
            8 => {
                let millis = u64::from(self.below(3_600_000));
                self.wait(millis);
            }
            9..=13 => {
                let name = ALERTS[self.below(6) as usize];
                if !self.true_now.remove(name) {
                    self.true_now.insert(name);
                }
                self.log.push(format!("true {:?}", self.true_now));
            }
            14 | 15 => {
                let name = RECEIVERS[self.below(2) as usize];
                if !self.down.remove(name) {
                    self.down.insert(name);
                }
                self.log.push(format!("down {:?}", self.down));
            }
            16 => {
                // Forth, as after a sleep of the machine.
                let millis = u64::from(self.below(7_200_000));
                self.log.push(format!("forth {millis}"));
                self.wait(millis);
            }
            17 => {
                let millis = u64::from(self.below(86_400_000));
                self.log.push(format!("back {millis}"));
                self.now = Timestamp(self.now.0 - millis);
            }
            _ => self.killed(),
        }
    }

    fn observe(&mut self) {
        let alert = |name: &&str| Alert {
            labels: labels(name),
            annotations: BTreeMap::new(),
            starts_at: Timestamp(0),
            ends_at: None,
            generator_url: String::new(),
        };
        let firing = self.true_now.iter().map(alert).collect();
        self.notifier
            .observe(&self.policy, "rules", firing, self.now);
    }

    /// The sender does what is due, and may be killed before each of its steps.
    fn step(&mut self, kill_one_in: u32) {
        let dies = |world: &mut Self| {
            let dies = kill_one_in > 0 && world.below(kill_one_in) == 0;
            if dies {
                world.killed();
            }
            dies
        };
        self.observe();
        if dies(self) {
            return;
        }
        self.save();
        for message in self.notifier.plan(&self.policy, self.now).messages {
            let Some(id) = self.notifier.begin(&message) else {
                panic!("a message of a group that is busy or gone: {message:?}");
            };
            if dies(self) {
                return;
            }
            self.save();
            for alert in &message.firing {
                self.attempted
                    .insert((message.group.clone(), name_of(alert)));
            }
            if dies(self) {
                self.doubt(&message);
                return;
            }
            let outcome = self.send(&message, id);
            if dies(self) {
                self.doubt(&message);
                return;
            }
            self.notifier
                .finish(&self.policy, &message.group, &outcome, self.now);
            if dies(self) {
                self.doubt(&message);
                return;
            }
            self.save();
        }
    }

    fn doubt(&mut self, message: &Message) {
        self.receivers
            .entry(message.group.clone())
            .or_default()
            .doubtful = true;
    }

    fn send(&mut self, message: &Message, id: MessageId) -> Outcome {
        let down = self.down.contains(message.receiver.as_str());
        let answer_lost = self.below(20) == 0;
        if !down || answer_lost {
            self.receive(message, id);
        }
        if !down && !answer_lost {
            return Outcome::Delivered;
        }
        self.doubt(message);
        if self.below(5) == 0 {
            Outcome::Refused("410".to_owned())
        } else {
            Outcome::Failed("503".to_owned())
        }
    }

    /// What a receiver takes, and whether it may be told so.
    fn receive(&mut self, message: &Message, id: MessageId) {
        let names = |alerts: &[Alert]| -> BTreeSet<String> { alerts.iter().map(name_of).collect() };
        let (firing, resolved) = (names(&message.firing), names(&message.resolved));
        self.log.push(format!(
            "{} {} {id} +{firing:?} -{resolved:?}",
            self.passed, message.group
        ));
        let seen = self.receivers.entry(message.group.clone()).or_default();
        if !seen.ids.insert(id) {
            return;
        }
        assert!(
            !firing.is_empty() || !resolved.is_empty(),
            "an empty message"
        );
        assert!(firing.is_disjoint(&resolved), "at once firing and over");
        if !seen.doubtful {
            if let Some(told_at) = seen.told_at {
                let since = self.passed - told_at;
                assert!(since >= GROUP_INTERVAL, "two messages in {since} ms");
                let news = !firing.is_subset(&seen.fires) || !resolved.is_empty();
                assert!(
                    news || since >= REPEAT_INTERVAL,
                    "told again after {since} ms"
                );
            }
            assert!(
                resolved.is_subset(&seen.fires),
                "over, and was not known to fire"
            );
        }
        for name in &resolved {
            let tried = self
                .attempted
                .contains(&(message.group.clone(), name.clone()));
            assert!(tried, "over, and nobody tried to tell");
        }
        seen.fires.extend(firing);
        seen.fires.retain(|name| !resolved.contains(name));
        seen.told_at = Some(self.passed);
        seen.doubtful = false;
    }

    /// Nothing happens for two hours but that time passes and messages arrive.
    fn quiet(&mut self) {
        self.down.clear();
        self.log.push("quiet".to_owned());
        for _ in 0..480 {
            self.wait(15_000);
            self.step(0);
        }
        for receiver in RECEIVERS {
            let wanted: BTreeSet<String> = self
                .true_now
                .iter()
                .filter(|name| receiver == "chat" || name.ends_with('1'))
                .map(|name| (*name).to_owned())
                .collect();
            let of = |(group, _): &(&String, &Seen)| group.starts_with(&format!("{receiver} "));
            let known: BTreeSet<String> = self
                .receivers
                .iter()
                .filter(of)
                .flat_map(|(_, seen)| seen.fires.iter().cloned())
                .collect();
            assert_eq!(known, wanted, "what {receiver} knows");
        }
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..150 {
            world.event();
            world.step(25);
        }
        world.quiet();
    }));
    if let Err(panic) = result {
        let from = world.log.len().saturating_sub(60);
        eprintln!("seed {seed}\n{}", world.log[from..].join("\n"));
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn everybody_hears_of_everything_once() {
    for seed in 0..40 {
        run(seed);
    }
}
