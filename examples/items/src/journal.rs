//! A store in one append-only file that all replicas share, so that the example needs no server.
//!
//! Each line is a record in JSON: `{"put":ITEM}` or `{"remove":ID}`. Every replica holds all items in memory and reads
//! on where it stopped before it answers. Only who holds the file's lock appends, in one write; a line without an end
//! can therefore only be left by a writer that was killed: readers leave it alone and the next writer cuts it off.
//!
//! Not for much data: nothing is ever compacted, and a power cut may take the last lines (there is no fsync).

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::store::{Item, NewItem, Page, Store, StoreError};

/// The store; clones share it.
#[derive(Debug, Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Opened for appending; its lock keeps other processes out, the mutex this process's other writers.
    writer: Mutex<File>,
    view: Mutex<View>,
}

/// The items as far as the file has been read.
#[derive(Debug)]
struct View {
    file: File,
    /// Always behind the end of a line.
    offset: u64,
    last_id: u64,
    items: BTreeMap<u64, Item>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Record {
    Put(Item),
    Remove(u64),
}

impl Journal {
    /// Opens the file and reads it; makes it, and its folder, if there is none.
    ///
    /// # Errors
    /// The file cannot be opened, or holds a line that is no record.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let open = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let writer = OpenOptions::new().append(true).create(true).open(path)?;
            let view = View {
                file: File::open(path)?,
                offset: 0,
                last_id: 0,
                items: BTreeMap::new(),
            };
            io::Result::Ok((writer, view))
        };
        let (writer, mut view) = open().map_err(|error| {
            StoreError::on("open its file")(format!("{}: {error}", path.display()))
        })?;
        view.refresh().map_err(StoreError::on("read its file"))?;
        Ok(Self {
            inner: Arc::new(Inner {
                writer: Mutex::new(writer),
                view: Mutex::new(view),
            }),
        })
    }

    /// The items as they are now. The view is not locked while a writer waits for the file, so reads never wait for that.
    fn view(&self) -> Result<MutexGuard<'_, View>, StoreError> {
        let mut view = lock(&self.inner.view);
        view.refresh().map_err(StoreError::on("read its file"))?;
        Ok(view)
    }

    /// Appends the record that `decide` makes of the newest view, if any, off the runtime's thread.
    async fn write(
        &self,
        action: &'static str,
        decide: impl FnOnce(&View) -> Option<Record> + Send + 'static,
    ) -> Result<Option<Record>, StoreError> {
        let inner = Arc::clone(&self.inner);
        let append = move || {
            let mut writer = lock(&inner.writer);
            writer.lock()?;
            let result = inner.append(&mut writer, decide);
            // The lock goes with the process at the latest; an error here must not hide the result.
            drop(writer.unlock());
            result
        };
        let done = tokio::task::spawn_blocking(append)
            .await
            .map_err(StoreError::on(action))?;
        done.map_err(StoreError::on(action))
    }
}

impl Inner {
    fn append(
        &self,
        writer: &mut File,
        decide: impl FnOnce(&View) -> Option<Record>,
    ) -> io::Result<Option<Record>> {
        let mut view = lock(&self.view);
        view.refresh()?;
        if writer.metadata()?.len() > view.offset {
            writer.set_len(view.offset)?;
        }
        let Some(record) = decide(&view) else {
            return Ok(None);
        };
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        writer.write_all(&line)?;
        view.refresh()?;
        Ok(Some(record))
    }
}

impl View {
    /// Reads the whole lines that have come since the last time.
    fn refresh(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if length < self.offset {
            // Somebody emptied the file: what it says now is what there is.
            (self.offset, self.last_id) = (0, 0);
            self.items.clear();
        }
        if length == self.offset {
            return Ok(());
        }
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(self.offset))?;
        (&self.file)
            .take(length - self.offset)
            .read_to_end(&mut bytes)?;
        for line in bytes
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| line.ends_with(b"\n"))
        {
            match serde_json::from_slice(line)? {
                Record::Put(item) => {
                    self.last_id = self.last_id.max(item.id);
                    self.items.insert(item.id, item);
                }
                Record::Remove(id) => {
                    self.items.remove(&id);
                }
            }
            self.offset += line.len() as u64;
        }
        Ok(())
    }
}

/// A panic elsewhere cannot leave a view half read in a way that the next refresh would not mend.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for Journal {
    async fn add(&self, new: NewItem) -> Result<Item, StoreError> {
        let put = |view: &View| Some(Record::Put(new.with_id(view.last_id + 1)));
        match self.write("add the item", put).await? {
            Some(Record::Put(item)) => Ok(item),
            _ => Err(StoreError::on("add the item")("another record was written")),
        }
    }

    async fn get(&self, id: u64) -> Result<Option<Item>, StoreError> {
        Ok(self.view()?.items.get(&id).cloned())
    }

    async fn page(&self, offset: u64, limit: u32) -> Result<Page, StoreError> {
        let view = self.view()?;
        let skip = usize::try_from(offset).unwrap_or(usize::MAX);
        let items = view
            .items
            .values()
            .skip(skip)
            .take(limit as usize)
            .cloned()
            .collect();
        Ok(Page {
            items,
            total: view.items.len() as u64,
            limit,
            offset,
        })
    }

    async fn remove(&self, id: u64) -> Result<bool, StoreError> {
        let remove = move |view: &View| view.items.contains_key(&id).then_some(Record::Remove(id));
        Ok(self.write("remove the item", remove).await?.is_some())
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.view().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> NewItem {
        NewItem {
            name: name.to_owned(),
            description: String::new(),
        }
    }

    #[tokio::test]
    async fn replicas_share_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/items.jsonl");
        let (one, two) = (Journal::open(&path).unwrap(), Journal::open(&path).unwrap());
        let first = one.add(named("first")).await.unwrap();
        let second = two.add(named("second")).await.unwrap();
        assert_eq!((first.id, second.id), (1, 2));
        assert_eq!(
            one.page(0, 10).await.unwrap().items,
            [first, second.clone()]
        );
        assert!(one.remove(1).await.unwrap());
        assert!(!two.remove(1).await.unwrap());
        assert_eq!(two.page(0, 10).await.unwrap().items, [second]);
        assert_eq!(two.add(named("third")).await.unwrap().id, 3);
        assert_eq!(
            Journal::open(&path)
                .unwrap()
                .page(1, 1)
                .await
                .unwrap()
                .total,
            2
        );
    }

    #[tokio::test]
    async fn ids_are_given_once_by_racing_replicas() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.jsonl");
        let replicas = [Journal::open(&path).unwrap(), Journal::open(&path).unwrap()];
        let mut adding = tokio::task::JoinSet::new();
        for count in 0..100 {
            let replica = replicas[count % 2].clone();
            adding.spawn(async move { replica.add(named("item")).await.unwrap().id });
        }
        let mut ids = adding.join_all().await;
        ids.sort_unstable();
        assert_eq!(ids, (1..=100).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_torn_line_is_cut_off_by_the_next_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.jsonl");
        let journal = Journal::open(&path).unwrap();
        journal.add(named("whole")).await.unwrap();
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"put\":{\"id\":2,\"na")
            .unwrap();
        assert_eq!(journal.page(0, 10).await.unwrap().total, 1);
        assert_eq!(journal.add(named("next")).await.unwrap().id, 2);
        assert_eq!(
            Journal::open(&path)
                .unwrap()
                .page(0, 10)
                .await
                .unwrap()
                .total,
            2
        );
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.jsonl");
        fs::write(&path, "hello\n").unwrap();
        assert_eq!(
            Journal::open(&path).unwrap_err().to_string(),
            "the store could not read its file"
        );
    }
}
