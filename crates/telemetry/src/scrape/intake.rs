//! From an answer to samples in the store.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use wharf_base::clock::Timestamp;
use wharf_exporters::Families;
use wharf_protocols::exposition::{self, Format, Item};
use wharf_signal::{AppendError, Appender, Labels, NAME, STALE, SampleSink, SeriesRef};

use super::ScrapeError;
use super::cache::Cache;
use super::merge::{merged, of_target};
use super::metadata::{Book, Published};
use super::target::Target;

/// A time of the target's own may be ahead by this much: clocks differ. As Prometheus.
const AHEAD_MAX: Duration = Duration::from_secs(600);

/// What tells of the target itself, in the order of [`Report::values`].
const REPORTS: [&str; 6] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
    "scrape_body_size_bytes",
];

/// What a target answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// An exposition.
    Text {
        /// Unpacked.
        body: Vec<u8>,
        /// As its `Content-Type` says.
        format: Format,
    },
    /// What a collector found.
    Families(Families),
}

/// What became of a scrape.
#[derive(Debug)]
pub(super) struct Report {
    /// Why nothing was taken.
    pub(super) error: Option<ScrapeError>,
    /// Samples that were not taken though the others were: how many, and why the first.
    pub(super) refused: Option<(usize, String)>,
    /// Samples that the target told.
    pub(super) samples: usize,
    /// Of asking and appending.
    pub(super) duration: Duration,
    /// What is known of its metrics, if that has changed.
    pub(super) metadata: Option<Published>,
    added: usize,
    bytes: f64,
}

impl Report {
    fn values(&self) -> [f64; REPORTS.len()] {
        let up = f64::from(u8::from(self.error.is_none()));
        let samples = self.samples as f64;
        [
            up,
            self.duration.as_secs_f64(),
            samples,
            samples,
            self.added as f64,
            self.bytes,
        ]
    }
}

/// What is kept of a target between its scrapes.
#[derive(Debug)]
pub(super) struct Intake {
    cache: Cache,
    book: Book,
    reports: [Option<(SeriesRef, Labels)>; REPORTS.len()],
    scratch: Vec<u8>,
}

impl Intake {
    /// `seed` is the cache's secret.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            cache: Cache::new(seed),
            book: Book::default(),
            reports: [const { None }; REPORTS.len()],
            scratch: vec![],
        }
    }

    /// Takes an answer, or that there was none, at the time `t`; `begin`: when it was asked.
    pub(super) fn take(
        &mut self,
        sink: &dyn SampleSink,
        target: &Target,
        t: Timestamp,
        begin: Instant,
        answer: Result<Answer, ScrapeError>,
    ) -> Report {
        let t = millis(t);
        let bytes = match &answer {
            Ok(Answer::Text { body, .. }) => body.len() as f64,
            Err(ScrapeError::BodySize(_)) => -1.0,
            _ => 0.0,
        };
        self.cache.begin();
        let mut appender = sink.appender();
        let mut pass = Pass {
            appender: &mut *appender,
            cache: &mut self.cache,
            book: &mut self.book,
            scratch: &mut self.scratch,
            target,
            t,
            samples: 0,
            added: 0,
            refused: None,
        };
        let taken = answer.and_then(|answer| match answer {
            Answer::Text { body, format } => pass.text(&body, format),
            Answer::Families(families) => pass.families(&families),
        });
        let (samples, added, refused) = (pass.samples, pass.added, pass.refused.take());
        let stale = |appender: &mut dyn Appender, reference, labels: &Labels| {
            // One that cannot be marked is older than its last sample, and ends by its age.
            drop(appender.append(Some(reference), labels, t, STALE));
        };
        if taken.is_ok() {
            self.cache
                .finish(|entry| stale(&mut *appender, entry.reference, &entry.labels));
        } else {
            drop(appender);
            appender = sink.appender();
            self.cache
                .fail(|entry| stale(&mut *appender, entry.reference, &entry.labels));
        }
        let mut report = Report {
            error: taken.err(),
            refused,
            samples,
            added,
            bytes,
            duration: begin.elapsed(),
            metadata: self.book.publish(self.cache.scrape()),
        };
        self.report(&mut *appender, target, t, report.values());
        if let Err(error) = appender.commit() {
            report
                .error
                .get_or_insert_with(|| ScrapeError::Storage(error.to_string()));
        }
        report
    }

    /// The target is asked no more: every series of it ends at `t`.
    pub(super) fn end(&mut self, sink: &dyn SampleSink, target: &Target, t: Timestamp) {
        let t = millis(t);
        let mut appender = sink.appender();
        self.cache.begin();
        self.cache.fail(|entry| {
            drop(appender.append(Some(entry.reference), &entry.labels, t, STALE));
        });
        // Before its first scrape there is nothing that could end.
        if self.reports.iter().any(Option::is_some) {
            self.report(&mut *appender, target, t, [STALE; REPORTS.len()]);
        }
        // What cannot be written now ends by its age.
        drop(appender.commit());
    }

    fn report(
        &mut self,
        appender: &mut dyn Appender,
        target: &Target,
        t: i64,
        values: [f64; REPORTS.len()],
    ) {
        for ((name, known), value) in REPORTS.iter().zip(&mut self.reports).zip(values) {
            let labels = match known {
                Some((_, labels)) => labels.clone(),
                None => of_target(name, target),
            };
            let reference = known.as_ref().map(|(reference, _)| *reference);
            if let Ok(reference) = appender.append(reference, &labels, t, value) {
                *known = Some((reference, labels));
            }
        }
    }
}

/// One scrape on its way.
struct Pass<'a, 's> {
    appender: &'a mut (dyn Appender + 's),
    cache: &'a mut Cache,
    book: &'a mut Book,
    scratch: &'a mut Vec<u8>,
    target: &'a Target,
    t: i64,
    samples: usize,
    added: usize,
    refused: Option<(usize, String)>,
}

impl Pass<'_, '_> {
    fn text(&mut self, body: &[u8], format: Format) -> Result<(), ScrapeError> {
        let scrape = self.cache.scrape();
        let mut failed = None;
        let parsed = exposition::parse(body, format, &mut |item| {
            let taken = match item {
                Item::Sample(line) => {
                    self.sample(line.series.as_bytes(), line.value, line.t, || {
                        line.labels()
                            .map_err(|error| ScrapeError::Malformed(error.to_string()))
                    })
                }
                Item::Help { family, text } => {
                    self.book.help(family, &text, scrape);
                    Ok(())
                }
                Item::Type { family, kind } => {
                    self.book.kind(family, kind, scrape);
                    Ok(())
                }
                Item::Unit { family, unit } => {
                    self.book.unit(family, unit, scrape);
                    Ok(())
                }
                Item::Eof => Ok(()),
            };
            match taken {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        match failed {
            Some(error) => Err(error),
            None => parsed.map_err(|error| ScrapeError::Malformed(error.to_string())),
        }
    }

    fn families(&mut self, families: &Families) -> Result<(), ScrapeError> {
        let scrape = self.cache.scrape();
        for family in families.iter() {
            self.book.kind(&family.name, family.kind, scrape);
            self.book.help(&family.name, &family.help, scrape);
            for (labels, value) in &family.samples {
                let mut text = std::mem::take(self.scratch);
                text.clear();
                text.extend_from_slice(family.name.as_bytes());
                text.push(0);
                text.extend_from_slice(labels.as_bytes());
                let taken = self.sample(&text, *value, None, || {
                    let mut labels = labels.edit();
                    labels.set(NAME, &*family.name);
                    Ok(labels.build())
                });
                *self.scratch = text;
                taken?;
            }
        }
        Ok(())
    }

    /// Takes one sample; `told` gives its labels, and is asked only when the text is new.
    fn sample(
        &mut self,
        text: &[u8],
        value: f64,
        own: Option<i64>,
        told: impl FnOnce() -> Result<Labels, ScrapeError>,
    ) -> Result<(), ScrapeError> {
        self.samples += 1;
        if let Some(limit) = self.target.limits.samples
            && self.samples > limit
        {
            return Err(ScrapeError::Samples(limit));
        }
        let own = own.filter(|_| self.target.honor_timestamps);
        let t = own.unwrap_or(self.t);
        if t.saturating_sub(self.t) > i64::try_from(AHEAD_MAX.as_millis()).unwrap_or(i64::MAX) {
            return self.refuse(AppendError::OutOfBounds);
        }
        let key = self.cache.key(text);
        if let Some((entry, first)) = self.cache.visit(key) {
            if !first && own.is_none() {
                return self.refuse(AppendError::Duplicate);
            }
            entry.own_time = own.is_some();
            match self
                .appender
                .append(Some(entry.reference), &entry.labels, t, value)
            {
                Ok(reference) => entry.reference = reference,
                Err(error) => return self.refuse(error),
            }
            return Ok(());
        }
        let labels = merged(&told()?, self.target)?;
        match self.appender.append(None, &labels, t, value) {
            Ok(reference) => {
                self.added += 1;
                self.cache.insert(key, labels, reference, own.is_some());
                Ok(())
            }
            Err(error) => self.refuse(error),
        }
    }

    fn refuse(&mut self, error: AppendError) -> Result<(), ScrapeError> {
        if !error.is_of_one_sample() {
            return Err(ScrapeError::Storage(error.to_string()));
        }
        match &mut self.refused {
            Some((count, _)) => *count += 1,
            None => self.refused = Some((1, error.to_string())),
        }
        Ok(())
    }
}

fn millis(t: Timestamp) -> i64 {
    i64::try_from(t.0).unwrap_or(i64::MAX)
}
