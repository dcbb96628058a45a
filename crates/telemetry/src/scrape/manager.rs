//! All targets: who is added, who stays, who goes.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wharf_signal::{Labels, Metadata, SampleSink};
use xxhash_rust::xxh3::xxh3_64;

use super::target::{Target, TargetState};
use super::task::{Seen, run};

/// Scrapes targets, each in a task of its own. Dropped, it stops at once; [`Scraper::stop`] also waits for what is being
/// written.
pub struct Scraper {
    sink: Arc<dyn SampleSink>,
    runtime: Handle,
    seed: u64,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    running: BTreeMap<String, Running>,
    /// Those that mark the end of their series.
    ending: Vec<JoinHandle<()>>,
}

struct Running {
    wanted: watch::Sender<Option<Arc<Target>>>,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

/// What makes a target the same one.
fn identity(target: &Target) -> String {
    let honor = if target.honor_labels { "!" } else { "" };
    format!("{}{honor} {} {}", target.job, target.source, target.labels)
}

impl Scraper {
    /// Scrapes into `sink`, with tasks of `runtime`.
    #[must_use]
    pub fn new(sink: Arc<dyn SampleSink>, runtime: Handle) -> Self {
        Self {
            sink,
            runtime,
            seed: RandomState::new().hash_one(0),
            all: Mutex::default(),
        }
    }

    /// From now on these are scraped. Those that stay are not disturbed, and take on what has changed at their next turn; the
    /// series of those that are gone end. Of two that are the same the last counts.
    pub fn set_targets(&self, targets: impl IntoIterator<Item = Target>) {
        let wanted: BTreeMap<String, Target> = targets
            .into_iter()
            .map(Target::completed)
            .map(|target| (identity(&target), target))
            .collect();
        let mut all = self.all();
        all.ending.retain(|task| !task.is_finished());
        let gone: Vec<String> = all
            .running
            .keys()
            .filter(|identity| !wanted.contains_key(*identity))
            .cloned()
            .collect();
        for identity in gone {
            if let Some(running) = all.running.remove(&identity) {
                running.wanted.send_replace(None);
                all.ending.push(running.task);
            }
        }
        for (identity, target) in wanted {
            match all.running.get(&identity) {
                Some(running) => {
                    running.wanted.send_if_modified(|known| {
                        let same = known.as_ref().is_some_and(|known| same(known, &target));
                        if !same {
                            *known = Some(Arc::new(target));
                        }
                        !same
                    });
                }
                None => {
                    let hash = xxh3_64(identity.as_bytes());
                    let running = self.start(target, hash);
                    all.running.insert(identity, running);
                }
            }
        }
    }

    fn start(&self, target: Target, hash: u64) -> Running {
        let seen = Arc::new(Mutex::new(Seen::new(&target)));
        let (wanted, receiver) = watch::channel(Some(Arc::new(target)));
        let sink = Arc::clone(&self.sink);
        let task = run(sink, receiver, Arc::clone(&seen), hash, self.seed);
        Running {
            wanted,
            seen,
            task: self.runtime.spawn(task),
        }
    }

    /// Every target and what became of it, by job, source and labels.
    #[must_use]
    pub fn targets(&self) -> Vec<TargetState> {
        self.seen(|seen| seen.state.clone())
    }

    /// What is known of metrics: by metric, what each of the targets that know it says, with the target's labels.
    #[must_use]
    pub fn metadata(&self) -> BTreeMap<String, Vec<(Labels, Metadata)>> {
        let mut all: BTreeMap<String, Vec<(Labels, Metadata)>> = BTreeMap::new();
        for (labels, known) in
            self.seen(|seen| (seen.state.labels.clone(), Arc::clone(&seen.metadata)))
        {
            for (family, metadata) in known.iter() {
                let told = all.entry(family.clone()).or_default();
                told.push((labels.clone(), metadata.clone()));
            }
        }
        all
    }

    /// Stops, and waits for what is being written. Series do not end by it: whoever begins anew goes on with them.
    pub async fn stop(self) {
        let all = std::mem::take(&mut *self.all());
        let mut tasks = all.ending;
        for (_, running) in all.running {
            drop(running.wanted);
            tasks.push(running.task);
        }
        for task in tasks {
            // One that has panicked has ended as well.
            drop(task.await);
        }
    }

    fn seen<T>(&self, take: impl Fn(&Seen) -> T) -> Vec<T> {
        let all = self.all();
        let running = all.running.values();
        running
            .map(|running| take(&running.seen.lock().unwrap_or_else(PoisonError::into_inner)))
            .collect()
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether two targets of one identity are also asked in the same way.
fn same(a: &Target, b: &Target) -> bool {
    use super::target::Source;

    let collector = match (&a.source, &b.source) {
        (Source::Collect { collector: a, .. }, Source::Collect { collector: b, .. }) => {
            Arc::ptr_eq(a, b)
        }
        _ => true,
    };
    collector
        && (a.interval, a.timeout, a.honor_timestamps, a.limits)
            == (b.interval, b.timeout, b.honor_timestamps, b.limits)
}
