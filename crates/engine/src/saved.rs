//! What survives the engine: one embedded database (redb), format version 2.
//!
//! | table | key | value (JSON) |
//! | --- | --- | --- |
//! | `meta` | `format` | the format's version; a newer one is refused, an older one is made into this one |
//! | `meta` | `project` | [`Saved`]: targets, roll-out, scale, replicas, ports |
//! | `releases` | release number | [`Release`] |
//! | `audit` | count | [`AuditEntry`] |
//!
//! Every commit is durable (fsync) before the effects that it announces are carried out, so that a killed engine
//! never has a process that its successor does not know of. No secret is ever in here: releases hold references and
//! the digest of what they were filled with.

mod format_1;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use wharf_base::clock::Timestamp;
use wharf_base::ids::{Name, ReleaseId, ReplicaId};

use crate::api::{AuditEntry, Outcome};
use crate::release::Release;

/// The version of the database's content.
const FORMAT: u64 = 2;

/// Audit entries that are kept: a year of a release an hour.
const AUDIT_MAX: u64 = 10_000;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const RELEASES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("releases");
const AUDIT: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("audit");

/// The part of the engine's state that survives it, beside the releases.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Saved {
    /// The project's name.
    pub(crate) project: Option<Name>,
    /// The release that the services are to be of.
    pub(crate) target: Option<ReleaseId>,
    /// The last release that was complete and has not been undone: whose routes serve.
    pub(crate) serving: Option<ReleaseId>,
    /// The roll-out under way, or the last one.
    pub(crate) rollout: Option<Rollout>,
    /// Whether everything was stopped in order: then nothing is started before somebody asks for a release.
    pub(crate) stopped: bool,
    /// The last release's number.
    pub(crate) last_release: u64,
    /// The last replica's count.
    pub(crate) last_replica: u64,
    /// The replicas set by hand, by service.
    pub(crate) scale: BTreeMap<Name, u32>,
    /// Every replica that may have a process.
    pub(crate) replicas: BTreeMap<ReplicaId, SavedReplica>,
    /// Every server of a store that may have a process.
    pub(crate) stores: BTreeMap<Name, SavedStore>,
    /// Every job (one-shot, cron run) that may have a process, by its id.
    pub(crate) jobs: BTreeMap<String, SavedJob>,
    /// One-shots that are done: service and release.
    pub(crate) one_shots_done: Vec<(Name, ReleaseId)>,
    /// Services that others need `completed`, and that are: service and release.
    pub(crate) completed: Vec<(Name, ReleaseId)>,
    /// The addresses of the listeners, by name.
    pub(crate) listeners: BTreeMap<String, SocketAddr>,
    /// The last generation of the ingress's configuration.
    pub(crate) generation: u64,
}

/// A roll-out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rollout {
    /// What is rolled out.
    pub(crate) release: ReleaseId,
    /// What served before; what it returns to when it fails.
    pub(crate) from: Option<ReleaseId>,
    /// How it stands.
    pub(crate) outcome: Outcome,
    /// Why it failed.
    pub(crate) message: Option<String>,
    /// When it began.
    pub(crate) began: Timestamp,
    /// When it ended.
    pub(crate) ended: Option<Timestamp>,
}

/// What survives of a replica.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedReplica {
    /// Its service.
    pub(crate) service: Name,
    /// What it runs.
    pub(crate) release: ReleaseId,
    /// What it is for.
    pub(crate) role: SavedRole,
    /// Its ports by name.
    pub(crate) ports: BTreeMap<Name, u16>,
    /// Counts its processes, from 1; a part of the run directory's name.
    pub(crate) attempt: u32,
}

/// What a replica is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SavedRole {
    /// It serves, or will.
    Serving,
    /// It finishes its requests until the time, and is then kept or stopped.
    Leaving {
        /// When it is cut.
        deadline: Timestamp,
        /// Whether it is kept afterwards.
        keep: bool,
    },
    /// It is kept.
    Standby {
        /// Since when.
        since: Timestamp,
    },
    /// It is being stopped.
    Stopping,
}

/// What survives of a store.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct SavedStore {
    /// Where its server listens, once chosen.
    pub(crate) port: u16,
    /// Counts its processes.
    pub(crate) attempt: u32,
    /// Whether it has been set up: database, user, extensions.
    pub(crate) set_up: bool,
    /// Its pool of connections, if it ever had one.
    pub(crate) pool: Option<SavedPool>,
}

/// What survives of a pool.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct SavedPool {
    /// Where it listens, once chosen.
    pub(crate) port: u16,
    /// Counts its processes.
    pub(crate) attempt: u32,
    /// Whether it may have a process.
    pub(crate) runs: bool,
}

/// What survives of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedJob {
    /// Its service.
    pub(crate) service: Name,
    /// What it runs.
    pub(crate) release: ReleaseId,
    /// Whether it is the one-shot of a release; else a scheduled run.
    pub(crate) one_shot: bool,
    /// When it began.
    pub(crate) began: Timestamp,
}

/// Why the state cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database cannot be opened.
    #[error("cannot open the state database {path}")]
    Open {
        /// Where it is.
        path: String,
        /// Why not.
        source: redb::DatabaseError,
    },
    /// A newer Wharf wrote it.
    #[error(
        "the state database has format {found}, this wharf reads up to {FORMAT}: use the newer wharf that wrote it"
    )]
    Newer {
        /// Its version.
        found: u64,
    },
    /// Something in it is not what this version writes.
    #[error("the state database is damaged at {place}")]
    Damaged {
        /// Where.
        place: String,
        /// Why.
        source: serde_json::Error,
    },
    /// Reading or writing failed: a full disk, mostly.
    #[error("cannot use the state database (is the disk full?)")]
    Storage(#[source] Box<redb::Error>),
}

fn storage(error: impl Into<redb::Error>) -> StateError {
    StateError::Storage(Box::new(error.into()))
}

/// The database of one project. One process at a time has it open.
pub(crate) struct Store {
    path: PathBuf,
    /// None after a write that failed: redb wants to be opened anew then.
    database: Option<Database>,
    last: Vec<u8>,
}

impl Store {
    /// Opens or creates it.
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        let database = open(path)?;
        check_format(&database)?;
        Ok(Self {
            path: path.to_owned(),
            database: Some(database),
            last: vec![],
        })
    }

    fn database(&self) -> Result<&Database, StateError> {
        self.database
            .as_ref()
            .ok_or_else(|| storage(redb::Error::PreviousIo))
    }

    /// The saved state; the default one in a new database.
    pub(crate) fn load(&mut self) -> Result<Saved, StateError> {
        let read = self.database()?.begin_read().map_err(storage)?;
        let meta = read.open_table(META).map_err(storage)?;
        match meta.get("project").map_err(storage)? {
            Some(value) => {
                self.last = value.value().to_vec();
                from_json("project", &self.last)
            }
            None => Ok(Saved::default()),
        }
    }

    /// Saves what has changed since the last call, in one durable commit; nothing if nothing has.
    pub(crate) fn save(
        &mut self,
        saved: &Saved,
        releases: &[&Release],
        audit: &[AuditEntry],
    ) -> Result<(), StateError> {
        let bytes = to_json(saved);
        if bytes == self.last && releases.is_empty() && audit.is_empty() {
            return Ok(());
        }
        if self.database.is_none() {
            self.database = Some(open(&self.path)?);
        }
        let written = self.write(&bytes, releases, audit);
        match written {
            Ok(()) => self.last = bytes,
            Err(_) => self.database = None,
        }
        written
    }

    fn write(
        &self,
        bytes: &[u8],
        releases: &[&Release],
        audit: &[AuditEntry],
    ) -> Result<(), StateError> {
        let write = self.database()?.begin_write().map_err(storage)?;
        {
            let mut meta = write.open_table(META).map_err(storage)?;
            meta.insert("project", bytes).map_err(storage)?;
            let mut table = write.open_table(RELEASES).map_err(storage)?;
            for release in releases {
                table
                    .insert(release.id.0, to_json(release).as_slice())
                    .map_err(storage)?;
            }
            let mut table = write.open_table(AUDIT).map_err(storage)?;
            for entry in audit {
                let last = table
                    .last()
                    .map_err(storage)?
                    .map_or(0, |(key, _)| key.value());
                table
                    .insert(last + 1, to_json(entry).as_slice())
                    .map_err(storage)?;
                if last + 1 > AUDIT_MAX {
                    table.remove(last + 1 - AUDIT_MAX).map_err(storage)?;
                }
            }
        }
        write.commit().map_err(storage)
    }

    /// Every release, by number.
    pub(crate) fn releases(&self) -> Result<BTreeMap<ReleaseId, Release>, StateError> {
        let read = self.database()?.begin_read().map_err(storage)?;
        let table = read.open_table(RELEASES).map_err(storage)?;
        let mut releases = BTreeMap::new();
        for row in table.iter().map_err(storage)? {
            let (key, value) = row.map_err(storage)?;
            let place = format!("release r{}", key.value());
            releases.insert(ReleaseId(key.value()), from_json(&place, value.value())?);
        }
        Ok(releases)
    }

    /// Forgets releases.
    pub(crate) fn forget(&self, releases: &[ReleaseId]) -> Result<(), StateError> {
        let write = self.database()?.begin_write().map_err(storage)?;
        {
            let mut table = write.open_table(RELEASES).map_err(storage)?;
            for release in releases {
                table.remove(release.0).map_err(storage)?;
            }
        }
        write.commit().map_err(storage)
    }

    /// The audit trail, oldest first.
    pub(crate) fn audit(&self) -> Result<Vec<AuditEntry>, StateError> {
        let read = self.database()?.begin_read().map_err(storage)?;
        let table = read.open_table(AUDIT).map_err(storage)?;
        let rows = table.iter().map_err(storage)?;
        rows.map(|row| from_json("audit", row.map_err(storage)?.1.value()))
            .collect()
    }
}

/// Opens or creates the file, readable by its owner alone.
fn open(path: &Path) -> Result<Database, StateError> {
    let shown = path.display().to_string();
    let database = Database::create(path).map_err(|source| StateError::Open {
        path: shown,
        source,
    })?;
    // The state holds no secrets, but names what runs where.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).ok();
    Ok(database)
}

fn check_format(database: &Database) -> Result<(), StateError> {
    let write = database.begin_write().map_err(storage)?;
    {
        let mut meta = write.open_table(META).map_err(storage)?;
        let mut releases = write.open_table(RELEASES).map_err(storage)?;
        write.open_table(AUDIT).map_err(storage)?;
        let found = meta
            .get("format")
            .map_err(storage)?
            .map(|value| from_json("format", value.value()));
        match found.transpose()? {
            Some(found) if found > FORMAT => return Err(StateError::Newer { found }),
            Some(1) => upgrade_releases(&mut releases)?,
            Some(_) | None => {}
        }
        meta.insert("format", to_json(&FORMAT).as_slice())
            .map_err(storage)?;
    }
    write.commit().map_err(storage)
}

/// Every release of format 1, made into one of format 2.
fn upgrade_releases(releases: &mut redb::Table<'_, u64, &[u8]>) -> Result<(), StateError> {
    let mut upgraded = vec![];
    for row in releases.iter().map_err(storage)? {
        let (key, value) = row.map_err(storage)?;
        let place = format!("release r{}", key.value());
        let release = format_1::release(from_json(&place, value.value())?);
        upgraded.push((key.value(), to_json(&release)));
    }
    for (number, release) in upgraded {
        releases
            .insert(number, release.as_slice())
            .map_err(storage)?;
    }
    Ok(())
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("the state's types have only string keys and finite numbers")
}

fn from_json<T: for<'de> Deserialize<'de>>(place: &str, bytes: &[u8]) -> Result<T, StateError> {
    serde_json::from_slice(bytes).map_err(|source| StateError::Damaged {
        place: place.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded_and_a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.redb");
        let mut store = Store::open(&path).unwrap();
        let saved = Saved {
            last_release: 7,
            ..Saved::default()
        };
        let entry = AuditEntry {
            at: Timestamp(1),
            actor: "me".into(),
            action: "release r7".into(),
        };
        store
            .save(&saved, &[], std::slice::from_ref(&entry))
            .unwrap();
        drop(store);
        let mut store = Store::open(&path).unwrap();
        assert_eq!(store.load().unwrap(), saved);
        assert_eq!(store.audit().unwrap(), [entry]);
        let write = store.database().unwrap().begin_write().unwrap();
        write
            .open_table(META)
            .unwrap()
            .insert("format", b"3".as_slice())
            .unwrap();
        write.commit().unwrap();
        drop(store);
        assert!(matches!(
            Store::open(&path).err(),
            Some(StateError::Newer { found: 3 })
        ));
    }
}
