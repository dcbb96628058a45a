//! Takes the lines that replicas, stores and the ingress write, and gives them to the store of logs.
//!
//! Where the tailing stands is committed together with the lines: after a crash every line is there, and there once. The
//! spans of the ingress are made from its access log on the way.

mod access_log;
mod lines;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wharf_logs::{Batch, Cursor};
use wharf_process::log::{Position, Reader, series_in};
use wharf_signal::{Labels, LogEntry, Span};

use crate::health;
use crate::stores::{Stores, chain};

use access_log::AccessLog;
pub(crate) use lines::Labeller;

/// From one look to the next: what `wharf logs --query` may be behind, and how many lines make one write.
const PAUSE: Duration = Duration::from_millis(250);

/// From one look at folders to the next: files of new replicas are found by then.
const LOOKS_PER_LISTING: u32 = 4;

/// Lines of one write. Bounds its memory, together with the length of lines.
const BATCH_LINES: usize = 4_096;

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
    looks: u32,
    stop: Arc<AtomicBool>,
}

struct Followed {
    reader: Reader,
    service: String,
}

impl Tail {
    pub(crate) fn new(
        sources: LogSources,
        stores: Stores,
        health: health::Shared,
        stop: Arc<AtomicBool>,
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
            looks: 0,
            stop,
        }
    }

    /// Blocks until `stop`; what is written by then has been taken.
    pub(crate) fn run(mut self) {
        loop {
            // Looked at before the files: what was written before the order to stop is read.
            let stopping = self.stop.load(Ordering::Acquire);
            let more = self.look();
            if stopping && !more {
                return;
            }
            if !more {
                std::thread::park_timeout(PAUSE);
            }
        }
    }

    /// Takes one batch of what is new. Whether there may be more.
    fn look(&mut self) -> bool {
        let mut gone = vec![];
        if self.looks.is_multiple_of(LOOKS_PER_LISTING) {
            gone = self.find();
        }
        self.looks = self.looks.wrapping_add(1);
        let mut gathered = Gathered::default();
        let mut left = BATCH_LINES;
        for (source, followed) in &mut self.readers {
            let before = left;
            while left > 0
                && let Some(record) = followed.reader.next_record()
            {
                left -= 1;
                let (labels, entry) = self.labeller.record(&followed.service, &record);
                gathered.add(labels, entry);
            }
            if left < before {
                let cursor = cursor_of(followed.reader.position());
                gathered.batch.cursors.push((source.clone(), cursor));
            }
        }
        let keep = wharf_traces::Keep {
            slow: self.sources.slow,
        };
        let mut spans = vec![];
        let before = left;
        while left > 0
            && let Some(line) = self.access_log.next_line()
        {
            left -= 1;
            if let Some((labels, entry)) = self.labeller.access(&line) {
                spans.extend(wharf_traces::span_of(&entry.line, &keep));
                gathered.add(labels, entry);
            }
        }
        if left < before {
            let cursor = (access_log::SOURCE.to_owned(), self.access_log.cursor());
            gathered.batch.cursors.push(cursor);
        }
        if left == BATCH_LINES && gone.is_empty() {
            return false;
        }
        gathered.batch.gone = gone;
        self.store(&gathered.batch, &spans);
        left == 0
    }

    /// Stores a batch, however often it takes: what comes meanwhile waits in its files.
    fn store(&self, batch: &Batch, spans: &[Span]) {
        // Spans before lines: the same span twice is one span, and a line whose cursor is committed is not read again.
        let spans_taken = || {
            let pushed = self.stores.traces.push(spans, &[]);
            pushed.map(drop).map_err(|error| chain(&error))
        };
        let lines_taken = || {
            let pushed = self.stores.logs.push(batch);
            pushed.map(drop).map_err(|error| chain(&error))
        };
        self.insist("spans", &spans_taken);
        self.insist("lines", &lines_taken);
    }

    /// Tries until it works, or the telemetry ends.
    fn insist(&self, part: &'static str, attempt: &dyn Fn() -> Result<(), String>) {
        while let Err(error) = attempt() {
            self.health.trouble(part, Some(error));
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            std::thread::park_timeout(RETRY_PAUSE);
        }
        self.health.trouble(part, None);
    }

    /// Finds the files of new replicas. Lets go of those whose files are gone, and gives their names.
    fn find(&mut self) -> Vec<String> {
        let services = std::fs::read_dir(&self.sources.root)
            .into_iter()
            .flatten()
            .flatten();
        let mut there = BTreeSet::new();
        for folder in services {
            let service = folder.file_name().to_string_lossy().into_owned();
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

/// Lines by stream.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    places: HashMap<Labels, usize>,
}

impl Gathered {
    fn add(&mut self, labels: Labels, entry: LogEntry) {
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
