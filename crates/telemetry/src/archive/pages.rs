//! What was read of a bucket, kept on this machine in pages: an index and filters are asked for again and again, a few KiB at a time.
//!
//! Objects are written once, so a page never changes. Pages are files `NAME.NUMBER` in a folder that is emptied at each start;
//! what is in them carries the CRCs of the store. A disk that is full keeps none, and nothing else is different.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use wharf_logs::Archive;

/// Several blocks and their filters: one answer of a bucket takes longer to begin than to bring so much.
const PAGE_BYTES: usize = 256 << 10;

/// What all pages may take: four chunk files.
const MOST_BYTES: u64 = 256 << 20;

/// Pages that are asked for together, where the one before them was asked for already, or all are needed.
const AHEAD: u64 = 4;

/// An archive that is far away.
pub(super) trait Far: Send + Sync {
    /// Up to `length` bytes from `offset`: fewer only where the object ends.
    fn range(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    fn put(&self, name: &str, content: &File, length: u64) -> io::Result<()>;
    fn list(&self) -> io::Result<Vec<(String, u64)>>;
    fn delete(&self, name: &str) -> io::Result<()>;
}

/// An archive that is far away, and its pages here.
pub(super) struct Pages<F> {
    far: F,
    folder: PathBuf,
    most_bytes: u64,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Each with when it was asked for last, and its length.
    pages: BTreeMap<(String, u64), (u64, u64)>,
    bytes: u64,
    clock: u64,
}

impl<F: Far> Pages<F> {
    /// With its pages in this folder, which is emptied.
    pub(super) fn new(far: F, folder: &Path) -> io::Result<Self> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(folder)?;
        Ok(Self {
            far,
            folder: folder.to_owned(),
            most_bytes: MOST_BYTES,
            kept: Mutex::default(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, name: &str, page: u64) -> PathBuf {
        self.folder.join(format!("{name}.{page}"))
    }

    /// Part of a page that is kept, as far as the page has it; none: it is not kept.
    fn kept(&self, name: &str, page: u64, from: usize, length: usize) -> Option<Vec<u8>> {
        let has = {
            let mut kept = self.lock();
            kept.clock += 1;
            let clock = kept.clock;
            let (used, bytes) = kept.pages.get_mut(&(name.to_owned(), page))?;
            *used = clock;
            usize::try_from(*bytes).ok()?
        };
        let end = from.saturating_add(length).min(has);
        let mut found = vec![0; end.saturating_sub(from)];
        // Whoever removed it meanwhile has only made it be read again.
        let file = File::open(self.path(name, page)).ok()?;
        file.read_exact_at(&mut found, from as u64).ok()?;
        Some(found)
    }

    /// Keeps a page, and gives up those that were not asked for the longest.
    fn keep(&self, name: &str, page: u64, content: &[u8]) {
        let half = self.folder.join(format!("{name}.{page}.part"));
        let written =
            fs::write(&half, content).and_then(|()| fs::rename(&half, self.path(name, page)));
        if written.is_err() {
            fs::remove_file(&half).ok();
            return;
        }
        let mut kept = self.lock();
        kept.clock += 1;
        let bytes = content.len() as u64;
        let place = (kept.clock, bytes);
        let former = kept.pages.insert((name.to_owned(), page), place);
        kept.bytes = kept.bytes + bytes - former.map_or(0, |(_, bytes)| bytes);
        while kept.bytes > self.most_bytes {
            let oldest = kept.pages.iter().min_by_key(|(_, (used, _))| *used);
            let Some((key, (_, bytes))) = oldest.map(|(key, page)| (key.clone(), *page)) else {
                break;
            };
            kept.pages.remove(&key);
            kept.bytes -= bytes;
            fs::remove_file(self.path(&key.0, key.1)).ok();
        }
    }

    fn forget(&self, name: &str) {
        let mut kept = self.lock();
        let of = (name.to_owned(), 0)..=(name.to_owned(), u64::MAX);
        let pages: Vec<u64> = kept.pages.range(of).map(|((_, page), _)| *page).collect();
        for page in pages {
            if let Some((_, bytes)) = kept.pages.remove(&(name.to_owned(), page)) {
                kept.bytes -= bytes;
            }
            fs::remove_file(self.path(name, page)).ok();
        }
    }

    fn is_kept(&self, name: &str, page: u64) -> bool {
        self.lock().pages.contains_key(&(name.to_owned(), page))
    }
}

impl<F: Far> Archive for Pages<F> {
    fn put(&self, name: &str, content: &File, length: u64) -> io::Result<()> {
        self.forget(name);
        self.far.put(name, content, length)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let size = PAGE_BYTES as u64;
        let end = offset.checked_add(length as u64);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut found = Vec::with_capacity(length.min(2 * PAGE_BYTES));
        let mut at = offset;
        while at < end {
            let page = at / size;
            let from = usize::try_from(at % size).unwrap_or_default();
            let wanted = usize::try_from((end - at).min(size - at % size)).unwrap_or_default();
            if let Some(part) = self.kept(name, page, from, wanted) {
                if part.len() < wanted {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                found.extend_from_slice(&part);
                at += wanted as u64;
                continue;
            }
            let last = (end - 1) / size;
            let goes_on = page > 0 && self.is_kept(name, page - 1);
            let run = if goes_on {
                AHEAD
            } else {
                (last - page + 1).min(AHEAD)
            };
            let read = self.far.range(
                name,
                page * size,
                usize::try_from(run * size).unwrap_or(PAGE_BYTES),
            )?;
            for (number, content) in (page..).zip(read.chunks(PAGE_BYTES)) {
                self.keep(name, number, content);
            }
            let until = read
                .len()
                .min(from.saturating_add(usize::try_from(end - at).unwrap_or(usize::MAX)));
            let part = read.get(from..until).unwrap_or_default();
            found.extend_from_slice(part);
            at += part.len() as u64;
            let whole = usize::try_from(run * size).is_ok_and(|run| read.len() >= run);
            if at < end && !whole {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(found)
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.far.list()
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.forget(name);
        self.far.delete(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One object, whatever its name; counts how often it is asked for.
    struct One(Vec<u8>, Mutex<usize>);

    impl Far for One {
        fn range(&self, _: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
            *self.1.lock().unwrap() += 1;
            let from = usize::try_from(offset).unwrap();
            let rest = self.0.get(from..).filter(|rest| !rest.is_empty());
            let rest = rest.ok_or(io::ErrorKind::UnexpectedEof)?;
            Ok(rest[..rest.len().min(length)].to_vec())
        }

        fn put(&self, _: &str, _: &File, _: u64) -> io::Result<()> {
            Ok(())
        }

        fn list(&self) -> io::Result<Vec<(String, u64)>> {
            Ok(vec![])
        }

        fn delete(&self, _: &str) -> io::Result<()> {
            Ok(())
        }
    }

    fn object(length: usize) -> Vec<u8> {
        (0..length).map(|n| (n / 7) as u8).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_part_is_read_as_it_is(
            length in 1usize..7 * PAGE_BYTES,
            parts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..3 * PAGE_BYTES), 1..12),
            pages in 1u64..9,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let mut archive = Pages::new(One(object(length), Mutex::default()), dir.path()).unwrap();
            archive.most_bytes = pages * PAGE_BYTES as u64;
            for (from, wanted) in parts {
                let from = from.index(length);
                let got = archive.get("a", from as u64, wanted);
                match archive.far.0.get(from..from + wanted) {
                    Some(expected) => prop_assert_eq!(got.unwrap(), expected),
                    None => prop_assert_eq!(got.unwrap_err().kind(), io::ErrorKind::UnexpectedEof),
                }
                let kept: u64 = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
                prop_assert!(kept <= archive.most_bytes);
            }
        }
    }

    #[test]
    fn what_was_read_is_not_asked_for_again() {
        let dir = tempfile::tempdir().unwrap();
        let far = One(object(3 * PAGE_BYTES), Mutex::default());
        let archive = Pages::new(far, dir.path()).unwrap();
        let asked = || *archive.far.1.lock().unwrap();
        for offset in [9, 100, 7000] {
            archive.get("a", offset, 50).unwrap();
        }
        assert_eq!(asked(), 1);
        // The next page brings those behind it.
        archive.get("a", PAGE_BYTES as u64, 1).unwrap();
        archive.get("a", 2 * PAGE_BYTES as u64, 1).unwrap();
        assert_eq!(asked(), 2);
        archive.get("b", 0, 1).unwrap();
        archive.delete("a").unwrap();
        archive.get("a", 9, 50).unwrap();
        assert_eq!(asked(), 4);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
