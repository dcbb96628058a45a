//! Waits for changes below folders, on a thread that may wait. Nothing is read while nothing happens.
//!
//! What it says is a hint: whoever waits looks for himself, and looks at everything from time to time, for file systems without events
//! and for whatever fell between.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, PipeReader, PipeWriter};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// Room for a few dozen events with their names.
const EVENTS_BYTES: usize = 4096;

/// Folders that are watched, and a [`Waker`] that ends each wait.
#[derive(Debug)]
pub struct Watch {
    /// None where the system has no more to give: then every wait is a pause.
    events: Option<OwnedFd>,
    folders: HashMap<i32, PathBuf>,
    woken: PipeReader,
}

/// Dropped, it ends the wait of its [`Watch`], and every later one.
#[derive(Debug)]
pub struct Waker {
    _end: PipeWriter,
}

/// What happened while it was waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// Who knows: the time is over, or there were too many events.
    Unknown,
    /// In these folders alone. None: the waker ended it.
    In(BTreeMap<PathBuf, Change>),
}

/// What happened in a folder; the greater one contains the lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Something was written to files that are known.
    Written,
    /// Files came or went.
    Listed,
}

impl Watch {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// The process has no descriptors left.
    pub fn new() -> io::Result<(Self, Waker)> {
        let (woken, waker) = io::pipe()?;
        let watch = Self {
            events: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok(),
            folders: HashMap::new(),
            woken,
        };
        Ok((watch, Waker { _end: waker }))
    }

    /// Watches a folder from now on; once is enough. False: it cannot be, because it is not there or there are too many.
    pub fn add(&mut self, folder: &Path) -> bool {
        let Some(events) = &self.events else {
            return false;
        };
        let flags = WatchFlags::MODIFY
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR;
        let Ok(number) = inotify::add_watch(events, folder, flags) else {
            return false;
        };
        self.folders.insert(number, folder.to_owned());
        true
    }

    /// Blocks until something happens in a folder, the waker is dropped, or the time is over.
    pub fn wait(&mut self, timeout: Duration) -> Changes {
        let events = self.events.as_ref().map(AsFd::as_fd);
        wait_for([Some(self.woken.as_fd()), events], timeout);
        let changes = self.read();
        match &changes {
            Changes::In(folders) if folders.is_empty() && !self.is_woken() => Changes::Unknown,
            _ => changes,
        }
    }

    /// Blocks until the waker is dropped or the time is over.
    pub fn rest(&self, time: Duration) {
        wait_for([Some(self.woken.as_fd()), None], time);
    }

    /// Whether the waker was dropped.
    #[must_use]
    pub fn is_woken(&self) -> bool {
        wait_for([Some(self.woken.as_fd()), None], Duration::ZERO)
    }

    /// What has happened by now.
    fn read(&mut self) -> Changes {
        let mut changes = BTreeMap::new();
        let Some(events) = &self.events else {
            return Changes::In(changes);
        };
        let mut buffer = [MaybeUninit::uninit(); EVENTS_BYTES];
        let mut reader = inotify::Reader::new(events, &mut buffer);
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(_) => return Changes::In(changes),
            };
            let what = event.events();
            if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                // The rest is read as well, so that the next wait does not end for it.
                while matches!(reader.next(), Ok(_) | Err(Errno::INTR)) {}
                return Changes::Unknown;
            }
            if what.contains(ReadFlags::IGNORED) {
                // The folder is gone, which the one above it tells.
                self.folders.remove(&event.wd());
                continue;
            }
            let Some(folder) = self.folders.get(&event.wd()) else {
                continue;
            };
            let change = match what.contains(ReadFlags::MODIFY) {
                true => Change::Written,
                false => Change::Listed,
            };
            match changes.get_mut(folder) {
                Some(known) => *known = change.max(*known),
                None => {
                    changes.insert(folder.clone(), change);
                }
            }
        }
    }
}

/// Blocks until one can be read, its other end is closed, or the time is over (then false).
fn wait_for(descriptors: [Option<BorrowedFd<'_>>; 2], time: Duration) -> bool {
    let end = Instant::now() + time;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let polled = descriptors.iter().flatten();
        let mut polled: Vec<PollFd<'_>> = polled
            .map(|descriptor| PollFd::from_borrowed_fd(*descriptor, PollFlags::IN))
            .collect();
        let limit = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut polled, Some(&limit)) {
            Ok(ready) => return ready > 0,
            Err(Errno::INTR) => {}
            // Not known of any system; whoever waits must not spin.
            Err(_) => {
                std::thread::sleep(left);
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn changes(watch: &mut Watch) -> BTreeMap<PathBuf, Change> {
        match watch.wait(LONG) {
            Changes::In(folders) => folders,
            Changes::Unknown => panic!("no event within a minute"),
        }
    }

    #[test]
    fn tells_where_something_happened_and_what() {
        let dir = tempfile::tempdir().unwrap();
        let (mut watch, waker) = Watch::new().unwrap();
        let folders = ["a", "b"].map(|name| dir.path().join(name));
        for folder in &folders {
            assert!(!watch.add(folder), "it is not there yet");
            std::fs::create_dir(folder).unwrap();
            assert!(watch.add(folder) && watch.add(folder));
        }
        assert_eq!(watch.wait(Duration::ZERO), Changes::Unknown);

        std::fs::write(folders[0].join("file"), "").unwrap();
        let told = changes(&mut watch);
        assert_eq!(told, [(folders[0].clone(), Change::Listed)].into());
        std::fs::write(folders[0].join("file"), "more").unwrap();
        std::fs::write(folders[1].join("file"), "more").unwrap();
        let told = changes(&mut watch);
        assert_eq!(told[&folders[0]], Change::Written);
        assert_eq!(told[&folders[1]], Change::Listed);

        std::fs::remove_dir_all(&folders[1]).unwrap();
        assert_eq!(changes(&mut watch)[&folders[1]], Change::Listed);
        assert!(!watch.add(&folders[1]));
        drop(waker);
        assert!(watch.is_woken());
        watch.rest(LONG);
        assert!(changes(&mut watch).is_empty());
    }

    #[test]
    fn a_waker_ends_a_wait_that_is_under_way() {
        let (mut watch, waker) = Watch::new().unwrap();
        let waiting = std::thread::spawn(move || watch.wait(LONG));
        drop(waker);
        assert_eq!(waiting.join().unwrap(), Changes::In(BTreeMap::new()));
    }
}
