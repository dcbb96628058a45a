//! Follows the logs in some folders as they grow, also those of processes that start meanwhile.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::io::unix::AsyncFd;

use super::format::Record;
use super::merge::{Merge, Start};
use super::series::series_in;

/// How long no event is believed to mean nothing new: for folders that did not exist yet, and for file systems without events.
const UNWATCHED_PERIOD: Duration = Duration::from_millis(200);
const WATCHED_PERIOD: Duration = Duration::from_secs(2);
/// After so many records of a busy series, the quiet ones are looked at again.
const REFRESH_RECORDS: usize = 1_000;

/// Follows all series of some folders. [`Tail::next`] is cancel safe.
#[derive(Debug)]
pub struct Tail {
    merge: Merge,
    dirs: Vec<PathBuf>,
    unwatched: VecDeque<PathBuf>,
    events: Option<AsyncFd<OwnedFd>>,
    since_refresh: usize,
}

impl Tail {
    /// Begins at `start` in what is there; series that appear later are read from their beginning. Folders may not exist yet.
    ///
    /// # Errors
    /// A folder that exists cannot be read.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O and time.
    pub fn new(dirs: Vec<PathBuf>, start: Start) -> io::Result<Self> {
        // Watched before it is read, so that nothing falls between.
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map_err(io::Error::from)
            .and_then(crate::syscalls::watch)
            .ok();
        let mut tail = Self {
            merge: Merge::new(Vec::new(), start),
            unwatched: dirs.iter().cloned().collect(),
            dirs,
            events,
            since_refresh: 0,
        };
        tail.watch();
        let mut series = Vec::new();
        for dir in &tail.dirs {
            series.extend(series_in(dir)?);
        }
        tail.merge = Merge::new(series, start);
        Ok(tail)
    }

    /// The next record; waits until there is one.
    pub async fn next(&mut self) -> Record {
        loop {
            if self.since_refresh < REFRESH_RECORDS
                && let Some(record) = self.merge.next()
            {
                self.since_refresh += 1;
                return record;
            }
            self.look();
            match self.merge.next() {
                Some(record) => return record,
                None => self.wait().await,
            }
        }
    }

    /// The next record that is there already.
    pub fn try_next(&mut self) -> Option<Record> {
        self.merge.next().or_else(|| {
            self.look();
            self.merge.next()
        })
    }

    /// Finds new folders, series and records.
    fn look(&mut self) {
        self.since_refresh = 0;
        self.watch();
        for dir in &self.dirs {
            for series in series_in(dir).unwrap_or_default() {
                self.merge.add(series);
            }
        }
        self.merge.refresh();
    }

    fn watch(&mut self) {
        let Some(events) = &self.events else { return };
        let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO;
        let watched = |dir: &Path| inotify::add_watch(events.get_ref(), dir, flags).is_ok();
        self.unwatched.retain(|dir| !watched(dir));
    }

    /// Returns when there may be something new.
    async fn wait(&self) {
        let Some(events) = &self.events else {
            tokio::time::sleep(UNWATCHED_PERIOD).await;
            return;
        };
        let period = if self.unwatched.is_empty() {
            WATCHED_PERIOD
        } else {
            UNWATCHED_PERIOD
        };
        if let Ok(Ok(mut ready)) = tokio::time::timeout(period, events.readable()).await {
            // What the events say is not needed: everything is looked at again.
            let mut buffer = [0_u8; 4096];
            while rustix::io::read(events.get_ref(), &mut buffer).is_ok_and(|read| read > 0) {}
            ready.clear_ready();
        }
    }
}
