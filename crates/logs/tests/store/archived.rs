//! An archive that is far away: it fails, answers wrongly, and the process ends while it is written.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use wharf_logs::{Archive, LogStore, Options};

use crate::{batch, entry, lines};

const DAY: i64 = 24 * 3_600_000_000_000;

type Files = BTreeMap<String, Vec<u8>>;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// It cannot be reached.
    Dead,
    /// What is put there is there, and nobody is told.
    Silent,
    /// What is put there is cut off.
    Short,
}

/// An archive in memory. At each call it tells `at` what there is.
struct Far {
    files: Mutex<Files>,
    wrong: Mutex<Wrong>,
    at: Box<dyn Fn(&Files) + Send + Sync>,
}

impl Far {
    fn new(files: Files, at: impl Fn(&Files) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            files: Mutex::new(files),
            wrong: Mutex::new(Wrong::Nothing),
            at: Box::new(at),
        })
    }

    fn is(&self, wrong: Wrong) {
        *self.wrong.lock().unwrap() = wrong;
    }

    fn called(&self) -> io::Result<Wrong> {
        (self.at)(&self.files.lock().unwrap());
        match *self.wrong.lock().unwrap() {
            Wrong::Dead => Err(io::ErrorKind::TimedOut.into()),
            other => Ok(other),
        }
    }
}

impl Archive for Far {
    fn put(&self, name: &str, content: &File, length: u64) -> io::Result<()> {
        let wrong = self.called()?;
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        content.read_exact_at(&mut bytes, 0)?;
        if wrong == Wrong::Short {
            bytes.truncate(bytes.len() - 40);
        }
        self.files.lock().unwrap().insert(name.to_owned(), bytes);
        (self.at)(&self.files.lock().unwrap());
        match wrong {
            Wrong::Silent => Err(io::ErrorKind::ConnectionReset.into()),
            _ => Ok(()),
        }
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.called()?;
        let files = self.files.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let file = files.get(name).ok_or(io::ErrorKind::NotFound)?;
        let range = file.get(offset..offset + length);
        Ok(range.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.called()?;
        let files = self.files.lock().unwrap();
        Ok(files
            .iter()
            .map(|(n, c)| (n.clone(), c.len() as u64))
            .collect())
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.called()?;
        self.files.lock().unwrap().remove(name);
        Ok(())
    }
}

fn open(dir: &Path, archive: Arc<Far>) -> LogStore {
    let options = Options {
        hot: Duration::from_secs(2 * 86_400),
        archive: Duration::from_secs(5 * 86_400),
        archive_to: Some(archive),
        clock_step: Duration::from_secs(100 * 86_400),
        ..Options::default()
    };
    crate::open(dir, options)
}

const ALL: [&str; 4] = ["day 0", "day 1", "day 2", "day 3"];

fn fill(store: &LogStore) {
    for (day, line) in (0..).zip(ALL) {
        store
            .push(&batch("a", vec![entry(day * DAY + 1, line)]))
            .unwrap();
        store.flush().unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for found in fs::read_dir(from).unwrap() {
        let found = found.unwrap();
        let to = to.join(found.file_name());
        if found.file_type().unwrap().is_dir() {
            copy(&found.path(), &to);
        } else {
            fs::copy(found.path(), to).unwrap();
        }
    }
}

#[test]
fn wherever_the_process_ends_no_line_is_lost_or_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let store_dir = dir.path().join("store");
    let states = Arc::new(Mutex::new(Vec::new()));
    let (from, to, seen) = (store_dir.clone(), dir.path().to_owned(), states.clone());
    let far = Far::new(Files::new(), move |files| {
        let mut states = seen.lock().unwrap();
        let at = to.join(states.len().to_string());
        copy(&from, &at);
        states.push((at, files.clone()));
    });
    let store = open(&store_dir, far.clone());
    fill(&store);
    let hot = dir.path().join("hot");
    copy(&store_dir.join("hot"), &hot);
    assert_eq!(store.maintain(4 * DAY).unwrap().archived, 2);
    // The last moment: the store knows, and the hot files are still there.
    let last = dir.path().join("last");
    copy(&store_dir, &last);
    copy(&hot, &last.join("hot"));
    let mut states = std::mem::take(&mut *states.lock().unwrap());
    states.push((last, far.files.lock().unwrap().clone()));
    // Two files: before and behind `put`, and the three reads of what was put.
    assert!(states.len() > 10, "{}", states.len());
    for (at, files) in states {
        let again = Far::new(files, |_| {});
        let store = open(&at, again.clone());
        assert_eq!(lines(&store), ALL, "{}", at.display());
        store.maintain(4 * DAY).unwrap();
        assert_eq!(lines(&store), ALL, "{}", at.display());
        let health = store.health();
        assert_eq!((health.hot.files, health.archive.files), (2, 2));
        assert_eq!(again.files.lock().unwrap().len(), 2);
        drop(store);
        assert_eq!(lines(&open(&at, again)), ALL, "{}", at.display());
    }
}

#[test]
fn what_cannot_be_archived_stays() {
    let dir = tempfile::tempdir().unwrap();
    let far = Far::new(Files::new(), |_| {});
    far.is(Wrong::Dead);
    // A store that is new asks nobody what there is of it.
    let store = open(dir.path(), far.clone());
    fill(&store);
    for wrong in [Wrong::Dead, Wrong::Silent, Wrong::Short] {
        far.is(wrong);
        let error = store.maintain(4 * DAY).unwrap_err();
        assert!(error.to_string().contains("archive"), "{error}");
        assert_eq!(store.health().archive.files, 0, "{wrong:?}");
        assert_eq!(lines(&store), ALL, "{wrong:?}");
    }
    far.is(Wrong::Nothing);
    assert_eq!(store.maintain(4 * DAY).unwrap().archived, 2);
    assert_eq!(lines(&store), ALL);
}

#[test]
fn what_is_old_goes_from_there_too_and_later_if_it_must() {
    let dir = tempfile::tempdir().unwrap();
    let far = Far::new(Files::new(), |_| {});
    let store = open(dir.path(), far.clone());
    fill(&store);
    store.maintain(4 * DAY).unwrap();
    far.is(Wrong::Dead);
    let error = store.maintain(6 * DAY + 2).unwrap_err();
    assert!(error.to_string().contains("archive"), "{error}");
    assert_eq!(far.files.lock().unwrap().len(), 2);
    far.is(Wrong::Nothing);
    // It looks again as soon as it can, and then once a day.
    store.maintain(6 * DAY + 3).unwrap();
    assert_eq!(lines(&store), ["day 2", "day 3"]);
    let names = |far: &Far| far.files.lock().unwrap().len();
    assert_eq!(names(&far), 2, "those of day 2 and 3");
    let foreign = ("0000000000000000.chunk".to_owned(), vec![]);
    far.files.lock().unwrap().extend([foreign]);
    store.maintain(6 * DAY + 4).unwrap();
    assert_eq!(names(&far), 3);
    store.maintain(7 * DAY + 4).unwrap();
    assert!(
        !far.files
            .lock()
            .unwrap()
            .contains_key("0000000000000000.chunk")
    );
}
