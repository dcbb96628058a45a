//! Runs [`crate::service`] against a simulated machine: replicas that start slowly, crash, flap and drain, a
//! controller that is killed between decision and action, releases and scales that change under way, a clock that
//! jumps. After every event the invariants of the controller are checked; a failure prints the seed and the log.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::test_runner::{RngAlgorithm, TestRng};
use wharf_base::clock::Timestamp;
use wharf_base::ids::{Name, ReleaseId, ReplicaId};
use wharf_base::units::Share;
use wharf_plan::model::Rollout;

use crate::service::{Action, Replica, Role, Wanted, decide};

struct Machine {
    rng: TestRng,
    now: Timestamp,
    wanted: Wanted,
    replicas: BTreeMap<ReplicaId, Replica>,
    started: u64,
    log: Vec<String>,
}

impl Machine {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let mut machine = Self {
            rng: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
            now: Timestamp(1_000_000),
            wanted: Wanted {
                target: ReleaseId(1),
                desired: 3,
                singleton: false,
                keeps_old: true,
                may_start: true,
                policy: Rollout {
                    surge: Share::Count(1),
                    unavailable: Share::Count(0),
                    min_ready: Duration::from_millis(500),
                    progress_deadline: Duration::from_secs(60),
                    keep_old: Duration::from_secs(20),
                },
            },
            replicas: BTreeMap::new(),
            started: 0,
            log: vec![],
        };
        machine.wanted.singleton = machine.below(4) == 0;
        if machine.wanted.singleton {
            machine.wanted.desired = 1;
            machine.wanted.policy.surge = Share::Count(0);
            machine.wanted.policy.unavailable = Share::Count(1);
        } else {
            machine.wanted.policy.surge = Share::Count(1 + machine.below(3));
            machine.wanted.policy.unavailable = Share::Count(machine.below(2));
        }
        machine
    }

    fn below(&mut self, bound: u32) -> u32 {
        use proptest::prelude::Rng as _;
        self.rng.next_u32() % bound
    }

    fn pick(&mut self) -> Option<ReplicaId> {
        let count = u32::try_from(self.replicas.len()).unwrap();
        (count > 0)
            .then(|| self.below(count))
            .and_then(|n| self.replicas.keys().nth(n as usize).cloned())
    }

    /// Something happens outside of the controller.
    fn event(&mut self) {
        let event = self.below(12);
        self.log.push(format!("event {event}"));
        match event {
            0..=2 => {
                self.now = self
                    .now
                    .after(Duration::from_millis(u64::from(self.below(1_500))))
            }
            3 | 4 => self.become_ready(),
            5 => self.finish_leaving(),
            6 | 7 => {
                if let Some(replica) = self.pick().and_then(|id| self.replicas.get_mut(&id)) {
                    replica.ready_since = None;
                }
            }
            8 => self.wanted.target = ReleaseId(1 + u64::from(self.below(4))),
            9 if !self.wanted.singleton => self.wanted.desired = self.below(6),
            // The clock is set forth or back by up to a minute.
            10 => {
                self.now =
                    Timestamp((self.now.0 + 60_000).saturating_sub(u64::from(self.below(120_000))))
            }
            _ => self.wanted.may_start = self.below(3) > 0,
        }
    }

    /// A second passes in which everything goes well.
    fn quiet_second(&mut self) {
        self.now = self.now.after(Duration::from_secs(1));
        self.finish_leaving();
        self.become_ready();
    }

    fn become_ready(&mut self) {
        let now = self.now;
        for replica in self
            .replicas
            .values_mut()
            .filter(|r| r.role == Role::Serving)
        {
            replica.ready_since.get_or_insert(now);
        }
    }

    fn finish_leaving(&mut self) {
        let now = self.now;
        self.replicas.retain(|_, r| r.role != Role::Stopping);
        for replica in self
            .replicas
            .values_mut()
            .filter(|r| r.role == Role::Draining)
        {
            replica.role = Role::Standby { since: now };
        }
    }

    /// The controller decides; a crash may come after any of its actions.
    fn step(&mut self, crashes: bool) {
        let view: Vec<Replica> = self.replicas.values().cloned().collect();
        let decision = decide(&self.wanted, &view, self.now);
        for action in decision.actions {
            if crashes && self.below(10) == 0 {
                self.log.push("controller killed".to_owned());
                return;
            }
            self.log.push(format!("{action:?}"));
            let available_before = self.available();
            match &action {
                Action::Start { count } => (0..*count).for_each(|_| self.start()),
                Action::Recall(id) => self.set_role(id, Role::Serving),
                Action::Withdraw(id) => self.set_role(id, Role::Draining),
                Action::Stop(id) => self.set_role(id, Role::Stopping),
            }
            self.check(&action, available_before);
        }
    }

    fn start(&mut self) {
        self.started += 1;
        let service: Name = "web".parse().unwrap();
        let id = ReplicaId::new(&service, self.wanted.target, self.started);
        let release = self.wanted.target;
        self.replicas.insert(
            id.clone(),
            Replica {
                id,
                release,
                role: Role::Serving,
                ready_since: None,
            },
        );
    }

    fn set_role(&mut self, id: &ReplicaId, role: Role) {
        self.replicas
            .get_mut(id)
            .expect("the controller names replicas that exist")
            .role = role;
    }

    fn serving(&self) -> impl Iterator<Item = &Replica> {
        self.replicas.values().filter(|r| r.role == Role::Serving)
    }

    fn available(&self) -> u32 {
        u32::try_from(self.serving().filter(|r| r.ready_since.is_some()).count()).unwrap()
    }

    fn check(&self, action: &Action, available_before: u32) {
        let desired = self.wanted.desired;
        let surge = self.wanted.policy.surge.of_rounded_up(desired);
        let least = desired
            - self
                .wanted
                .policy
                .unavailable
                .of_rounded_down(desired)
                .min(desired);
        if let Action::Start { .. } = action {
            let serving = u32::try_from(self.serving().count()).unwrap();
            assert!(
                serving <= desired + surge,
                "{serving} serve, at most {} may",
                desired + surge
            );
        }
        if let Action::Withdraw(_) | Action::Stop(_) = action
            && !self.wanted.singleton
        {
            let available = self.available();
            assert!(
                available >= least || available == available_before,
                "{available} are available, at least {least} have to be"
            );
        }
        if self.wanted.singleton {
            assert!(self.replicas.len() <= 1, "two replicas of a singleton run");
        }
    }

    fn settled(&self) -> bool {
        let view: Vec<Replica> = self.replicas.values().cloned().collect();
        decide(&self.wanted, &view, self.now).settled
    }
}

#[track_caller]
fn run(seed: u64) {
    let outcome = std::panic::catch_unwind(|| {
        let mut machine = Machine::new(seed);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..200 {
                machine.event();
                machine.step(true);
            }
            // Left alone, with replicas that become ready, it arrives.
            machine.wanted.may_start = true;
            for _ in 0..100 {
                machine.quiet_second();
                machine.step(false);
            }
            assert!(machine.settled(), "it never settled");
        }));
        if let Err(cause) = result {
            eprintln!(
                "seed {seed}\n{:#?}\n{}",
                machine.replicas,
                machine.log.join("\n")
            );
            std::panic::resume_unwind(cause);
        }
    });
    assert!(
        outcome.is_ok(),
        "the simulation of seed {seed} failed; its log is above"
    );
}

/// `WHARF_SIM_SEED=N` runs one seed alone.
#[test]
fn invariants_hold_in_a_thousand_runs() {
    match std::env::var("WHARF_SIM_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
    {
        Some(seed) => run(seed),
        None => (0..1_000).for_each(run),
    }
}
