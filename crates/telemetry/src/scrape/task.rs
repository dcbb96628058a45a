//! The task of one target: wait, ask, append; until it is removed or everything ends.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use wharf_base::clock;
use wharf_signal::SampleSink;

use super::fetch::{Link, within};
use super::intake::{Answer, Intake, Report};
use super::metadata::Published;
use super::schedule::Schedule;
use super::target::{Health, Source, Target, TargetState};

/// The target as it is wanted; none: it is wanted no more. A closed channel: everything ends, and the series go on when it
/// begins again.
pub(super) type Wanted = watch::Receiver<Option<Arc<Target>>>;

/// What others may see of a task.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) state: TargetState,
    pub(super) metadata: Published,
}

impl Seen {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            state: TargetState {
                job: target.job.clone(),
                source: target.source.to_string(),
                labels: target.labels.clone(),
                interval: target.interval,
                timeout: target.timeout,
                health: Health::Unknown,
                last_error: None,
                refused: None,
                last_scrape: None,
                last_duration: std::time::Duration::ZERO,
                samples: 0,
            },
            metadata: Published::default(),
        }
    }

    fn note(&mut self, target: &Target, at: clock::Timestamp, report: Report) {
        let state = &mut self.state;
        state.interval = target.interval;
        state.timeout = target.timeout;
        state.health = match report.error {
            None => Health::Up,
            Some(_) => Health::Down,
        };
        state.last_error = report.error.map(|error| error.to_string());
        state.refused = report.refused;
        state.last_scrape = Some(at);
        state.last_duration = report.duration;
        state.samples = report.samples;
        if let Some(metadata) = report.metadata {
            self.metadata = metadata;
        }
    }
}

/// Scrapes one target. `hash` decides about its place in the interval; `seed` is a secret of this process.
pub(super) async fn run(
    sink: Arc<dyn SampleSink>,
    mut wanted: Wanted,
    seen: Arc<Mutex<Seen>>,
    hash: u64,
    seed: u64,
) {
    let mut link = Link::default();
    let mut intake = Intake::new(seed);
    let mut planned = None;
    let mut last: Option<Arc<Target>> = None;
    loop {
        let target = wanted.borrow_and_update().clone();
        let Some(target) = target else {
            if let Some(target) = last {
                let end = move || intake.end(&*sink, &target, clock::now());
                // It fails only when the runtime ends, and then nothing can be written any more.
                drop(tokio::task::spawn_blocking(end).await);
            }
            return;
        };
        let schedule = Schedule::new(target.interval, hash);
        let now = clock::now();
        let at = schedule.next(now, planned);
        tokio::select! {
            () = tokio::time::sleep(schedule.wait(now, at)) => {}
            changed = wanted.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        }
        planned = Some(at);
        let t = schedule.time(clock::now(), at);
        let begin = Instant::now();
        let mut removed = wanted.clone();
        let asked = async {
            match &target.source {
                Source::Url(address) => link.ask(address, &target).await,
                Source::Collect { collector, .. } => {
                    let collected = within(target.timeout, collector.collect(t)).await;
                    collected.map(Answer::Families)
                }
            }
        };
        let answer = tokio::select! {
            answer = asked => answer,
            _ = removed.wait_for(Option::is_none) => continue,
        };
        let (into, told) = (Arc::clone(&sink), Arc::clone(&target));
        let taken = tokio::task::spawn_blocking(move || {
            let report = intake.take(&*into, &told, t, begin, answer);
            (intake, report)
        });
        let Ok((kept, report)) = taken.await else {
            return;
        };
        intake = kept;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.note(&target, t, report);
        drop(seen);
        last = Some(target);
    }
}
