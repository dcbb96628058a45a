//! What the tests do with stores.

use std::path::Path;
use std::time::Duration;

use wharf_signal::{
    AppendError, Labels, MatchOp, Matcher, SampleSink, SampleSource, Select, Series,
};
use wharf_tsdb::{Db, OpenError, Options, Recovery};

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;

pub(crate) fn options() -> Options {
    Options {
        segment_bytes: 1 << 20,
        ..Options::default()
    }
}

/// Blocks of a minute, so that a few samples make many.
pub(crate) fn short() -> Options {
    Options {
        block_range: Duration::from_secs(60),
        segment_bytes: 64 << 10,
        late: Duration::from_secs(60),
        ..Options::default()
    }
}

/// A process that another test is just starting holds the lock of a store that was open then, until it has executed its program.
#[track_caller]
pub(crate) fn open(dir: &Path, options: Options) -> (Db, Recovery) {
    let mut attempts = 0;
    loop {
        match Db::open(dir, options.clone()) {
            Err(OpenError::Locked(_)) if attempts < 500 => {
                attempts += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
            opened => return opened.unwrap(),
        }
    }
}

pub(crate) fn labels(name: &str, pairs: &[(&str, &str)]) -> Labels {
    let name = [("__name__", name)];
    Labels::from_pairs(name.iter().chain(pairs).copied())
}

/// One batch; gives what was said of each sample.
pub(crate) fn add(db: &Db, samples: &[(&Labels, i64, f64)]) -> Vec<Result<(), AppendError>> {
    let mut appender = db.appender();
    let said = samples
        .iter()
        .map(|(labels, t, v)| appender.append(None, labels, *t, *v).map(drop));
    let said = said.collect();
    appender.commit().unwrap();
    said
}

pub(crate) fn select(db: &Db, matchers: &[Matcher], start: i64, end: i64) -> Vec<Series> {
    let select = Select {
        matchers,
        start,
        end,
    };
    db.select(select, &())
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

pub(crate) fn everything(db: &Db) -> Vec<Series> {
    let any = Matcher::new("__name__", MatchOp::Regex, ".*").unwrap();
    select(db, &[any], i64::MIN, i64::MAX)
}
