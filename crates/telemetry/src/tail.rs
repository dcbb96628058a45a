//! Takes the lines that replicas, stores and the ingress write, and gives them to the store of logs.
//!
//! Where the tailing stands is committed together with the lines: after a crash every line is there, and there once. The
//! spans of the ingress are made from its access log on the way.

mod access_log;
mod lines;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use wharf_logs::{Batch, Cursor};
use wharf_process::log::{Change, Changes, Position, Reader, Watch, series_in};
use wharf_signal::{Labels, LogEntry, Span};

use crate::health;
use crate::stores::{Stores, chain};

use access_log::AccessLog;
pub(crate) use lines::Labeller;

/// From one look to the next, at least: what `wharf logs --query` may be behind, and how many lines make one write.
const PAUSE: Duration = Duration::from_millis(250);

/// The longest from one look at everything to the next, for file systems that tell of no changes; and while something cannot be
/// watched because it is not there yet.
const WATCHED_PERIOD: Duration = Duration::from_secs(5);
const UNWATCHED_PERIOD: Duration = Duration::from_secs(1);

/// Lines of one source in one write, and of the access log; what is more is taken by the next.
const SOURCE_LINES: usize = 1_024;
const ACCESS_LINES: usize = 4_096;

/// Bytes of one write, about: its memory, and far below what the store takes at once.
const BATCH_BYTES: usize = 4 << 20;

/// After a store of logs that takes nothing (a full disk), until the next attempt.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// What is tailed, and how it is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogSources {
    /// The folder that has a folder of logs for each service and store.
    pub root: PathBuf,
    /// The ingress's access log.
    pub access_log: PathBuf,
    /// The label `namespace`.
    pub namespace: String,
    /// A request of the ingress that took longer is kept as a span though it is not sampled.
    pub slow: Duration,
}

/// Follows the logs of one project until it is told to stop. Owned by one thread.
pub(crate) struct Tail {
    sources: LogSources,
    labeller: Labeller,
    stores: Stores,
    health: health::Shared,
    readers: BTreeMap<String, Followed>,
    access_log: AccessLog,
    cursors: BTreeMap<String, Cursor>,
    watch: Watch,
    /// Everything that is looked at is watched.
    watched: bool,
}

struct Followed {
    reader: Reader,
    service: String,
    /// There may be more than was taken.
    more: bool,
}

impl Tail {
    /// It ends once the waker of `watch` is dropped.
    pub(crate) fn new(
        sources: LogSources,
        stores: Stores,
        health: health::Shared,
        watch: Watch,
    ) -> Self {
        let cursors: BTreeMap<String, Cursor> = stores.logs.cursors().into_iter().collect();
        let access_log =
            AccessLog::new(sources.access_log.clone(), cursors.get(access_log::SOURCE));
        Self {
            labeller: Labeller::new(&sources.namespace),
            sources,
            stores,
            health,
            readers: BTreeMap::new(),
            access_log,
            cursors,
            watch,
            watched: false,
        }
    }

    /// Blocks until it is told to end; what is written by then has been taken, if it can be stored.
    pub(crate) fn run(mut self) {
        let mut changes = Changes::Unknown;
        loop {
            // Looked at before the files: what was written before the order to stop is read.
            let stopping = self.watch.is_woken();
            if stopping {
                changes = Changes::Unknown;
            }
            let began = Instant::now();
            match self.look(&changes) {
                Looked::More => changes = Changes::In(BTreeMap::new()),
                Looked::All if stopping => return,
                Looked::All => changes = self.wait(began),
                Looked::NotStored => return,
            }
        }
    }

    /// Waits for changes; some time after the last look, so that what is written meanwhile is taken at once.
    fn wait(&mut self, looked: Instant) -> Changes {
        let period = match self.watched {
            true => WATCHED_PERIOD,
            false => UNWATCHED_PERIOD,
        };
        self.watch.rest(PAUSE.saturating_sub(looked.elapsed()));
        self.watch.wait(period)
    }

    /// Takes one batch of what is new where something has changed.
    fn look(&mut self, changes: &Changes) -> Looked {
        let change_in = |folder: &Path| match changes {
            Changes::Unknown => Some(Change::Listed),
            Changes::In(folders) => folders.get(folder).copied(),
        };
        let listed = match changes {
            Changes::Unknown => true,
            // What happens beside the access log is of no interest.
            Changes::In(folders) => folders.iter().any(|(folder, change)| {
                *change == Change::Listed && folder.starts_with(&self.sources.root)
            }),
        };
        let gone = if listed { self.find() } else { vec![] };
        let mut gathered = Gathered::default();
        let mut more = false;
        for (source, followed) in &mut self.readers {
            if !followed.more && change_in(&followed.reader.series().dir).is_none() {
                continue;
            }
            // One that writes without end leaves room for the others.
            let mut lines = 0;
            while lines < SOURCE_LINES
                && gathered.bytes < BATCH_BYTES
                && let Some(record) = followed.reader.next_record()
            {
                lines += 1;
                let (labels, entry) = self.labeller.record(&followed.service, &record);
                gathered.add(labels, entry);
            }
            if lines > 0 {
                let cursor = cursor_of(followed.reader.position());
                gathered.batch.cursors.push((source.clone(), cursor));
            }
            followed.more = lines == SOURCE_LINES || gathered.bytes >= BATCH_BYTES;
            more |= followed.more;
        }
        let keep = wharf_traces::Keep {
            slow: self.sources.slow,
        };
        let mut spans = vec![];
        let mut lines = 0;
        while lines < ACCESS_LINES
            && gathered.bytes < BATCH_BYTES
            && let Some(line) = self.access_log.next_line()
        {
            lines += 1;
            if let Some((labels, entry)) = self.labeller.access(&line) {
                spans.extend(wharf_traces::span_of(&entry.line, &keep));
                gathered.add(labels, entry);
            }
        }
        if lines > 0 {
            let cursor = (access_log::SOURCE.to_owned(), self.access_log.cursor());
            gathered.batch.cursors.push(cursor);
        }
        more |= lines == ACCESS_LINES || gathered.bytes >= BATCH_BYTES;
        gathered.batch.gone = gone;
        let nothing = gathered.batch.cursors.is_empty() && gathered.batch.gone.is_empty();
        if !nothing && !self.store(&gathered.batch, &spans) {
            return Looked::NotStored;
        }
        if more { Looked::More } else { Looked::All }
    }

    /// Stores a batch, however often it takes: what comes meanwhile waits in its files. False: it could not be stored before
    /// the end; the next telemetry reads it again.
    fn store(&self, batch: &Batch, spans: &[Span]) -> bool {
        // Spans before lines: the same span twice is one span, and a line whose cursor is committed is not read again.
        self.insist("spans", || match self.stores.traces.push(spans, &[]) {
            Err(error @ wharf_traces::PushError::Storage(_)) => Attempt::Again(chain(&error)),
            Err(error) => Attempt::Lost(chain(&error)),
            Ok(_) => Attempt::Done,
        }) && self.insist("lines", || match self.stores.logs.push(batch) {
            Err(
                error @ (wharf_logs::PushError::Storage { .. } | wharf_logs::PushError::Full(_)),
            ) => Attempt::Again(chain(&error)),
            Err(error) => Attempt::Lost(chain(&error)),
            Ok(_) => Attempt::Done,
        })
    }

    /// Tries until it is done or cannot be, or the telemetry ends (then false).
    fn insist(&self, part: &'static str, attempt: impl Fn() -> Attempt) -> bool {
        loop {
            match attempt() {
                Attempt::Done => {
                    self.health.trouble(part, None);
                    return true;
                }
                Attempt::Lost(why) => {
                    self.health.trouble(part, Some(why));
                    return true;
                }
                Attempt::Again(why) => self.health.trouble(part, Some(why)),
            }
            if self.watch.is_woken() {
                return false;
            }
            self.watch.rest(RETRY_PAUSE);
        }
    }

    /// Finds the files of new replicas. Lets go of those whose files are gone, and gives their names.
    fn find(&mut self) -> Vec<String> {
        // Watched before they are read, so that nothing falls between.
        let beside = self.sources.access_log.parent();
        self.watched = beside.is_some_and(|folder| self.watch.add(folder));
        self.watched &= self.watch.add(&self.sources.root);
        let services = std::fs::read_dir(&self.sources.root)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut there = BTreeSet::new();
        for folder in services {
            let service = folder.file_name().to_string_lossy().into_owned();
            self.watched &= self.watch.add(&folder.path());
            for series in series_in(&folder.path()).unwrap_or_default() {
                let source = format!("{service}/{}", series.name);
                there.insert(source.clone());
                let cursors = &self.cursors;
                self.readers.entry(source).or_insert_with_key(|source| {
                    let reader = match cursors.get(source) {
                        Some(cursor) => Reader::resume(series, position_of(*cursor)),
                        None => Reader::new(series),
                    };
                    Followed {
                        reader,
                        service: service.clone(),
                        more: true,
                    }
                });
            }
        }
        let known = self.readers.keys().chain(self.cursors.keys());
        let gone: BTreeSet<String> = known
            .filter(|source| !there.contains(*source) && *source != access_log::SOURCE)
            .cloned()
            .collect();
        self.readers.retain(|source, _| there.contains(source));
        self.cursors.retain(|source, _| !gone.contains(source));
        gone.into_iter().collect()
    }
}

/// What one look found.
enum Looked {
    /// There is more.
    More,
    /// That was all.
    All,
    /// It cannot be stored, and the telemetry ends.
    NotStored,
}

/// What came of one attempt to store something.
enum Attempt {
    Done,
    /// It may work later.
    Again(String),
    /// It never will.
    Lost(String),
}

/// Lines by stream.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    bytes: usize,
    places: HashMap<Labels, usize>,
}

impl Gathered {
    fn add(&mut self, labels: Labels, entry: LogEntry) {
        self.bytes += entry.line.len();
        let streams = &mut self.batch.streams;
        let place = *self.places.entry(labels).or_insert_with_key(|labels| {
            streams.push((labels.clone(), vec![]));
            streams.len() - 1
        });
        streams[place].1.push(entry);
    }
}

fn cursor_of(position: Position) -> Cursor {
    Cursor {
        file: position.number,
        offset: position.offset,
    }
}

fn position_of(cursor: Cursor) -> Position {
    Position {
        number: cursor.file,
        offset: cursor.offset,
    }
}
