//! Files that are read by `pread` through a cache of pages, which all blocks of a store share.
//!
//! Instead of mapping files: what is read is bounded and counted, and a page that the disk cannot give is an error and no signal.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A page: an index is read in entries of a hundred bytes, most of them neighbours.
const PAGE: u64 = 16 << 10;

/// What is longer is read past the cache, so that one long list does not drive out everything else.
const PAST: usize = 4 * PAGE as usize;

/// Pages that were read lately. Those not used since the hand came by last are the first to go.
#[derive(Debug)]
pub(crate) struct PageCache {
    next_file: AtomicU64,
    pages: Mutex<Pages>,
}

#[derive(Debug)]
struct Pages {
    limit: usize,
    index: HashMap<(u64, u64), usize>,
    ring: Vec<Page>,
    hand: usize,
}

#[derive(Debug)]
struct Page {
    key: (u64, u64),
    bytes: Arc<[u8]>,
    used: bool,
}

impl PageCache {
    /// A cache of this size.
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            next_file: AtomicU64::new(0),
            pages: Mutex::new(Pages {
                limit: (bytes / PAGE as usize).max(8),
                index: HashMap::new(),
                ring: Vec::new(),
                hand: 0,
            }),
        })
    }
}

impl Pages {
    fn get(&mut self, key: (u64, u64)) -> Option<Arc<[u8]>> {
        let page = &mut self.ring[*self.index.get(&key)?];
        page.used = true;
        Some(page.bytes.clone())
    }

    fn put(&mut self, key: (u64, u64), bytes: Arc<[u8]>) {
        let page = Page {
            key,
            bytes,
            used: false,
        };
        if self.index.contains_key(&key) {
            return;
        }
        if self.ring.len() < self.limit {
            self.index.insert(key, self.ring.len());
            self.ring.push(page);
            return;
        }
        while std::mem::take(&mut self.ring[self.hand].used) {
            self.hand = (self.hand + 1) % self.limit;
        }
        self.index.remove(&self.ring[self.hand].key);
        self.index.insert(key, self.hand);
        self.ring[self.hand] = page;
        self.hand = (self.hand + 1) % self.limit;
    }
}

/// A file that does not change any more.
#[derive(Debug)]
pub(crate) struct CachedFile {
    file: File,
    length: u64,
    id: u64,
    cache: Arc<PageCache>,
}

impl CachedFile {
    pub(crate) fn open(path: &Path, cache: &Arc<PageCache>) -> io::Result<Self> {
        let file = File::open(path)?;
        Ok(Self {
            length: file.metadata()?.len(),
            file,
            id: cache.next_file.fetch_add(1, Ordering::Relaxed),
            cache: cache.clone(),
        })
    }

    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// Reads `length` bytes at `offset` into `out`, which is cleared first; fewer where the file ends.
    pub(crate) fn read(&self, offset: u64, length: usize, out: &mut Vec<u8>) -> io::Result<()> {
        out.clear();
        let left = self.length.saturating_sub(offset);
        let length = length.min(usize::try_from(left).unwrap_or(usize::MAX));
        if length > PAST {
            out.resize(length, 0);
            return self.file.read_exact_at(out, offset);
        }
        let mut at = offset;
        let end = offset + length as u64;
        while at < end {
            let number = at / PAGE;
            let bytes = self.page(number)?;
            let from = (at - number * PAGE) as usize;
            let to = (end - number * PAGE).min(bytes.len() as u64) as usize;
            let part = bytes.get(from..to).filter(|part| !part.is_empty());
            let part = part.ok_or(io::ErrorKind::UnexpectedEof)?;
            out.extend_from_slice(part);
            at += part.len() as u64;
        }
        Ok(())
    }

    fn page(&self, number: u64) -> io::Result<Arc<[u8]>> {
        let key = (self.id, number);
        let lock = || {
            let pages = self.cache.pages.lock();
            pages.unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(bytes) = lock().get(key) {
            return Ok(bytes);
        }
        let offset = number * PAGE;
        let mut bytes = vec![0; (self.length - offset).min(PAGE) as usize];
        self.file.read_exact_at(&mut bytes, offset)?;
        let bytes: Arc<[u8]> = bytes.into();
        lock().put(key, bytes.clone());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_stands_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let bytes: Vec<u8> = (0..300_000_u32).map(|i| (i / 7) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let cache = PageCache::new(1);
        let file = CachedFile::open(&path, &cache).unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        let mut out = Vec::new();
        for _ in 0..1000 {
            let at = random.usize(..bytes.len());
            let length = random.usize(..100_000);
            file.read(at as u64, length, &mut out).unwrap();
            assert!(out == bytes[at..(at + length).min(bytes.len())]);
        }
        assert!(cache.pages.lock().unwrap().ring.len() <= 8);
    }
}
