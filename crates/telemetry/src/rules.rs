//! Evaluates rule groups, and tells of alerts that fire.
//!
//! What the rules know (since when something is due, what fires) is saved after every evaluation that changed it: a restart
//! loses no `for` and repeats no message.

mod group;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use wharf_alerting::rules::{Environment, GroupState, RuleGroup};
use wharf_alerting::store::Store;
use wharf_base::clock::{self, Timestamp};
use wharf_control::alert::Alert;
use wharf_signal::{Interrupt, Interrupted, Labels};
use wharf_tsdb::Db;

use crate::health;
use crate::stores::chain;
pub(crate) use group::RuleHealth;
use group::Running;

/// The longest that one rule may take.
const RULE_TIMEOUT: Duration = Duration::from_secs(30);

/// Takes all that fires of one group, its whole list each time.
pub(crate) type AlertSink = dyn Fn(&str, Vec<Alert>) + Send + Sync;

/// What is saved: the state of each group, by its id.
type SavedGroups = BTreeMap<String, GroupState>;

/// The groups of a project and what they know.
pub(crate) struct Rules {
    db: Db,
    file: PathBuf,
    /// Where people find this server.
    url: String,
    health: health::Shared,
    tell: Box<AlertSink>,
    state: Mutex<State>,
    /// Other groups, or another interval: what was waited for may be due earlier.
    changed: Notify,
}

struct State {
    groups: BTreeMap<String, Running>,
    external_labels: BTreeMap<String, String>,
    interval: Duration,
    /// What a predecessor saved, until a group takes it up.
    saved: SavedGroups,
}

/// A group as the API tells of it.
pub(crate) struct GroupReport {
    pub(crate) group: RuleGroup,
    pub(crate) interval: Duration,
    pub(crate) rules: Vec<RuleReport>,
    pub(crate) evaluated: Option<Timestamp>,
    pub(crate) took: Duration,
}

/// A rule as the API tells of it.
pub(crate) struct RuleReport {
    pub(crate) health: RuleHealth,
    pub(crate) alerts: Vec<wharf_control::alert::Instance>,
}

impl Rules {
    /// Rules that go on with what is saved in `file`.
    pub(crate) fn new(
        db: Db,
        file: PathBuf,
        url: String,
        health: health::Shared,
        tell: Box<AlertSink>,
    ) -> Self {
        let saved = match Store::at(&file).load() {
            Ok(saved) => saved.unwrap_or_default(),
            Err(error) => {
                let why = chain(&error);
                // What cannot be read is kept for whoever wants to look at it.
                drop(std::fs::rename(&file, file.with_extension("corrupt")));
                health.recovered(vec![format!("alerts begin anew: {why}")]);
                SavedGroups::new()
            }
        };
        let state = State {
            groups: BTreeMap::new(),
            external_labels: BTreeMap::new(),
            interval: Duration::from_secs(15),
            saved,
        };
        Self {
            db,
            file,
            url,
            health,
            tell,
            state: Mutex::new(state),
            changed: Notify::new(),
        }
    }

    /// From now on these are evaluated. A group that stays keeps what it knows.
    pub(crate) fn set_groups(
        &self,
        groups: &[RuleGroup],
        interval: Duration,
        external_labels: &BTreeMap<String, String>,
    ) {
        let now = clock::now();
        let mut state = self.state();
        state.external_labels.clone_from(external_labels);
        state.interval = interval;
        let mut former = std::mem::take(&mut state.groups);
        let mut saved = std::mem::take(&mut state.saved);
        let environment = Environment {
            external_labels,
            external_url: &self.url,
            query: &wharf_alerting::template::no_query,
            // Two scrapes: then whatever is due has been seen again.
            settle: interval * 2,
        };
        for group in groups {
            let id = group.id();
            let running = match former.remove(&id) {
                Some(running) => running.reconfigured(group),
                None => Running::restored(group, saved.remove(&id), &environment, now),
            };
            state.groups.insert(id, running);
        }
        // Groups that are gone: what they told of is over.
        for id in former.into_keys().chain(saved.into_keys()) {
            (self.tell)(&id, vec![]);
        }
        self.changed.notify_one();
    }

    /// Evaluates whatever is due, again and again, for ever.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut last_tick = None;
        loop {
            let interval = self.shortest_interval();
            tokio::select! {
                () = tokio::time::sleep(until_next(interval)) => {}
                () = self.changed.notified() => continue,
            }
            let tick = aligned(clock::now(), interval);
            if last_tick == Some(tick) {
                // The clock was set back, or the sleep ended early.
                continue;
            }
            last_tick = Some(tick);
            let rules = Arc::clone(&self);
            let done = tokio::task::spawn_blocking(move || rules.evaluate(tick)).await;
            let trouble = done
                .err()
                .map(|error| format!("an evaluation of rules ended by a defect: {error}"));
            self.health.trouble("rules", trouble);
        }
    }

    fn shortest_interval(&self) -> Duration {
        let state = self.state();
        let own = state
            .groups
            .values()
            .filter_map(|running| running.interval());
        own.min()
            .unwrap_or(state.interval)
            .min(state.interval)
            .max(Duration::from_secs(1))
    }

    /// Evaluates the groups that are due at `now`.
    pub(crate) fn evaluate(&self, now: Timestamp) {
        let mut changed = false;
        let ids: Vec<String> = self.state().groups.keys().cloned().collect();
        for id in ids {
            // Taken out for as long as its queries take: whoever asks meanwhile is told of the others and of its copy.
            let (mut running, interval, external_labels) = {
                let state = self.state();
                let Some(running) = state.groups.get(&id) else {
                    continue;
                };
                let interval = running.interval().unwrap_or(state.interval);
                if !running.is_due(now, interval) {
                    continue;
                }
                (running.clone(), interval, state.external_labels.clone())
            };
            let deadline = Deadline::after(RULE_TIMEOUT);
            let query = |text: &str| group::ask(&self.db, text, now, &deadline);
            let environment = Environment {
                external_labels: &external_labels,
                external_url: &self.url,
                query: &query,
                settle: interval * 2,
            };
            let before = running.firing(&environment);
            changed |= running.evaluate(&self.db, &environment, now);
            let firing = running.firing(&environment);
            if let Some(place) = self.state().groups.get_mut(&id) {
                // What was reconfigured meanwhile is evaluated at its next turn.
                if place.is_same(&running) {
                    *place = running;
                }
            }
            // Written down before anybody hears of it: after a crash it would be over, and fire a second time.
            let labels = |alerts: &[Alert]| -> Vec<Labels> {
                alerts.iter().map(|alert| alert.labels.clone()).collect()
            };
            if labels(&before) != labels(&firing) {
                self.save();
            }
            // Not of a group that went meanwhile: its last word was that all is over, and nobody would take this back.
            let state = self.state();
            if state.groups.contains_key(&id) {
                (self.tell)(&id, firing);
            }
        }
        if changed {
            self.save();
        }
    }

    fn save(&self) {
        let state = self.state();
        let groups = state.groups.iter();
        let saved: SavedGroups = groups
            .map(|(id, running)| (id.clone(), running.state().clone()))
            .collect();
        drop(state);
        let done = Store::at(&self.file).save(&saved);
        let trouble = done.err().map(|error| chain(&error));
        self.health.trouble("alerts", trouble);
    }

    /// Every group, as it stands.
    pub(crate) fn report(&self) -> Vec<GroupReport> {
        let state = self.state();
        let interval = state.interval;
        let groups = state.groups.values();
        groups.map(|running| running.report(interval)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last multiple of `interval` before `now`.
fn aligned(now: Timestamp, interval: Duration) -> Timestamp {
    let millis = u64::try_from(interval.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    Timestamp(now.0 - now.0 % millis)
}

/// The time to the next multiple of `interval`.
fn until_next(interval: Duration) -> Duration {
    let now = clock::now();
    interval.saturating_sub(now.since(aligned(now, interval)))
}

/// Stops a query after a time.
struct Deadline(std::time::Instant);

impl Deadline {
    fn after(time: Duration) -> Self {
        Self(std::time::Instant::now() + time)
    }
}

impl Interrupt for Deadline {
    fn check(&self) -> Result<(), Interrupted> {
        if std::time::Instant::now() >= self.0 {
            return Err(Interrupted::Timeout);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
