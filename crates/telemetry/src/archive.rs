//! Where lines go that are no longer searched often: the store's own folder, another one, or a bucket.
//!
//! A place belongs to many stores, perhaps: of each project, of each machine that runs one. So each store has a folder of its own
//! there, `PROJECT-ID`, the id made once at random and kept in the file `logs-archive-id` (16 hexadecimal digits): no store ever sees,
//! or deletes, what another one has put there.
//!
//! The place may change while the telemetry runs. What lies in the store's own folder from before is found there still; what
//! lies elsewhere has to be moved by whoever changes the place.

mod pages;
mod remote;
mod s3;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::runtime::Handle;
use wharf_alerting::dispatch::Secret;
use wharf_logs::{Archive, Folder};

use self::pages::Pages;
use self::s3::S3;

/// The file with the id of a store.
const ID_FILE: &str = "logs-archive-id";

/// Where archived lines are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ArchivePlace {
    /// In the store's own folder.
    #[default]
    Own,
    /// In another folder of this machine, or one that is mounted here.
    Folder(PathBuf),
    /// In a bucket.
    Bucket(Bucket),
    /// Nowhere yet: one sentence says what is missing. Lines stay where they are.
    Unusable(String),
}

/// A bucket of S3, or of what speaks as S3 does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What all keys begin with; empty: nothing.
    pub prefix: String,
    /// `http://…` or `https://…`; none: Amazon's of the region.
    pub endpoint: Option<String>,
    /// The region.
    pub region: String,
    /// Who asks.
    pub access_key: Secret,
    /// What proves it.
    pub secret_key: Secret,
}

/// The archive of the store of lines, wherever it is at present. Clones are the same.
#[derive(Clone)]
pub(crate) struct Place(Arc<Shared>);

struct Shared {
    /// The telemetry's folder.
    dir: PathBuf,
    runtime: Handle,
    present: RwLock<Present>,
}

struct Present {
    place: Option<(String, ArchivePlace)>,
    archive: Result<Arc<dyn Archive>, String>,
}

impl Place {
    /// Of the telemetry in this folder; nowhere until it is told.
    pub(crate) fn new(dir: &Path, runtime: Handle) -> Self {
        Self(Arc::new(Shared {
            dir: dir.to_owned(),
            runtime,
            present: RwLock::new(Present {
                place: None,
                archive: Err("it is not known yet where it is".to_owned()),
            }),
        }))
    }

    /// Moves on to this place, if it is another one. Blocks for a moment. What is wrong with it, in one sentence.
    pub(crate) fn set(&self, project: &str, place: &ArchivePlace) -> Option<String> {
        let wanted = (project.to_owned(), place.clone());
        {
            let present = self.0.present.read();
            let present = present.unwrap_or_else(PoisonError::into_inner);
            if present.place.as_ref() == Some(&wanted) {
                return present.archive.as_ref().err().cloned();
            }
        }
        let archive = self.0.make(project, place);
        let trouble = archive.as_ref().err().cloned();
        let mut present = self
            .0
            .present
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // What could not be made is tried again the next time.
        present.place = trouble.is_none().then_some(wanted);
        present.archive = archive;
        trouble
    }

    fn present(&self) -> io::Result<Arc<dyn Archive>> {
        let present = self.0.present.read();
        let present = present.unwrap_or_else(PoisonError::into_inner);
        present.archive.clone().map_err(io::Error::other)
    }
}

impl Shared {
    fn make(&self, project: &str, place: &ArchivePlace) -> Result<Arc<dyn Archive>, String> {
        let own = self.dir.join("logs").join("archive");
        let cannot = |path: &Path, error: &io::Error| {
            format!(
                "{} cannot be used as the archive of logs: {error}; check `telemetry.logs.archive_to` and its permissions",
                path.display()
            )
        };
        let folder = || {
            let id = id(&self.dir).map_err(|error| cannot(&self.dir.join(ID_FILE), &error))?;
            Ok::<_, String>(format!("{project}-{id}"))
        };
        let archive: Arc<dyn Archive> = match place {
            ArchivePlace::Own => {
                let folder = Folder::open(&own).map_err(|error| cannot(&own, &error))?;
                return Ok(Arc::new(folder));
            }
            ArchivePlace::Folder(path) => {
                // A disk that is not mounted is not made up for.
                if !path.is_dir() {
                    let error = io::Error::from(io::ErrorKind::NotFound);
                    return Err(cannot(path, &error));
                }
                let path = path.join(folder()?);
                Arc::new(Folder::open(&path).map_err(|error| cannot(&path, &error))?)
            }
            ArchivePlace::Bucket(bucket) => {
                let s3 = S3::new(bucket, &folder()?, self.runtime.clone())?;
                let cache = self.dir.join("logs-archive-pages");
                Arc::new(Pages::new(s3, &cache).map_err(|error| cannot(&cache, &error))?)
            }
            ArchivePlace::Unusable(why) => return Err(why.clone()),
        };
        let former = fs::read_dir(&own).is_ok_and(|mut found| found.next().is_some());
        if !former {
            return Ok(archive);
        }
        let own_folder = Folder::open(&own).map_err(|error| cannot(&own, &error))?;
        Ok(Arc::new(Moved {
            archive,
            own: own_folder,
            path: own,
        }))
    }
}

/// The id of the store in this folder, made where there is none.
fn id(dir: &Path) -> io::Result<String> {
    let path = dir.join(ID_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let id = text.trim();
            if id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Ok(id.to_owned());
            }
            return Err(io::Error::other("it has no 16 hexadecimal digits"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut random = [0; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
    let id = format!("{:016x}", u64::from_le_bytes(random));
    let half = path.with_extension("part");
    let mut file = File::create(&half)?;
    file.write_all(id.as_bytes())?;
    file.sync_all()?;
    fs::rename(&half, &path)?;
    File::open(dir)?.sync_all()?;
    Ok(id)
}

impl Archive for Place {
    fn put(&self, name: &str, content: &File, length: u64) -> io::Result<()> {
        self.present()?.put(name, content, length)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        self.present()?.get(name, offset, length)
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        self.present()?.list()
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        self.present()?.delete(name)
    }
}

/// An archive, and what is in the store's own folder from before.
struct Moved {
    archive: Arc<dyn Archive>,
    own: Folder,
    path: PathBuf,
}

impl Moved {
    fn is_own(&self, name: &str) -> bool {
        self.path.join(name).exists()
    }
}

impl Archive for Moved {
    fn put(&self, name: &str, content: &File, length: u64) -> io::Result<()> {
        self.archive.put(name, content, length)
    }

    fn get(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        if self.is_own(name) {
            return self.own.get(name, offset, length);
        }
        self.archive.get(name, offset, length)
    }

    fn list(&self) -> io::Result<Vec<(String, u64)>> {
        let mut all = self.own.list()?;
        all.extend(self.archive.list()?);
        all.sort();
        all.dedup_by(|a, b| a.0 == b.0);
        Ok(all)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        if self.is_own(name) {
            self.own.delete(name)?;
        }
        self.archive.delete(name)
    }
}
