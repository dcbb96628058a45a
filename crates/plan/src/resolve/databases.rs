//! `cloud.databases`: what each managed store is made of.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_base::units::Bytes;
use wharf_spec::decode::Machine;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::{Field, Span};

use super::Resolver;
use super::names::{LABEL_MAX, cloud_name};
use super::services::suggested;
use crate::model::{Database, Network, Store, StoreEngine, StoresBy};

/// The newest releases of PostgreSQL (postgresql.org, 13 November 2025) and of Redis (Amazon ElastiCache, "Supported
/// engines and versions"), by what a file says of them.
const EXACT: &[(StoreEngine, &str, &str)] = &[
    (StoreEngine::Postgres, "13", "13.23"),
    (StoreEngine::Postgres, "14", "14.20"),
    (StoreEngine::Postgres, "15", "15.15"),
    (StoreEngine::Postgres, "16", "16.11"),
    (StoreEngine::Postgres, "17", "17.7"),
    (StoreEngine::Postgres, "18", "18.1"),
    (StoreEngine::Redis, "5", "5.0.6"),
    (StoreEngine::Redis, "6", "6.2"),
    (StoreEngine::Redis, "7", "7.1"),
];
/// What a store has of which the file says nothing.
const POSTGRES: &str = "17.7";
const REDIS: &str = "7.1";
/// The smallest general-purpose disk of RDS, and the largest (Amazon RDS user guide, "DB instance storage").
const STORAGE_MIN_GIB: u32 = 20;
const STORAGE_MAX_GIB: u32 = 65_536;
/// The longest id of a replication group of ElastiCache.
const REPLICATION_GROUP_MAX: usize = 40;
const MAINTENANCE: &str = "sun:04:00-sun:05:00";
const BACKUP_WINDOW: &str = "03:00-04:00";
/// RDS keeps these names of users for itself.
const RESERVED_USERS: [&str; 3] = ["admin", "rdsadmin", "rds_superuser"];

impl Resolver<'_> {
    pub(super) fn databases(
        &mut self,
        typed: &spec::Cloud,
        by: StoresBy,
        stores: &BTreeMap<Name, Store>,
        network: &Network,
        prefix: &str,
    ) -> BTreeMap<Name, Database> {
        let entries = typed
            .databases
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        if let (Some(key), StoresBy::Cluster, false) =
            (typed.databases.key_span(), by, entries.is_empty())
        {
            let message = "`databases` are managed ones, and the cluster runs the stores";
            self.report(
                Diagnostic::error(Code::NOT_HERE, key.clone(), message)
                    .help("take them out, or say `stores: managed`"),
            );
            return BTreeMap::new();
        }
        for entry in entries {
            self.check_store(&entry.key.value, &entry.key.span);
            if stores
                .get(&entry.key.value)
                .is_some_and(|store| store.external_url.is_some())
            {
                let message = format!(
                    "`{}` is an existing server, named by its `url`",
                    entry.key.value
                );
                self.report(Diagnostic::error(
                    Code::NOT_HERE,
                    entry.key.span.clone(),
                    message,
                ));
            }
        }
        if by == StoresBy::Cluster {
            return BTreeMap::new();
        }
        let absent = spec::Database::default();
        let mut databases = BTreeMap::new();
        for (name, store) in stores
            .iter()
            .filter(|(_, store)| store.external_url.is_none())
        {
            let entry = typed
                .databases
                .value()
                .and_then(|table| table.get(name.as_str()));
            let typed = entry
                .and_then(|entry| entry.value.as_ref())
                .map_or(&absent, |typed| &typed.value);
            let database = self.database(name, store, typed, network, prefix);
            databases.insert(name.clone(), database);
        }
        self.check_identifiers(typed, &databases);
        databases
    }

    fn database(
        &mut self,
        name: &Name,
        store: &Store,
        typed: &spec::Database,
        network: &Network,
        prefix: &str,
    ) -> Database {
        let redis = store.engine == StoreEngine::Redis;
        self.check_engine(typed, store.engine);
        self.check_zone(&typed.zone, network);
        self.check_zone(&typed.replica_zone, network);
        self.check_database_version(name, typed, store);
        self.check_machine(&typed.instance, if redis { "cache" } else { "db" });
        let (storage_gib, storage_max_gib) = self.storage(typed, store);
        let nodes = typed.nodes.value().map_or(1, |nodes| nodes.0);
        if let Some(user) = typed.user.get()
            && RESERVED_USERS.contains(&user.value.0.as_str())
        {
            let message = format!("`{}` is RDS' own user", user.value.0);
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                user.span.clone(),
                message,
            ));
        }
        let max = if redis {
            REPLICATION_GROUP_MAX
        } else {
            LABEL_MAX
        };
        if let Some(identifier) = typed.identifier.get() {
            self.check_identifier(&identifier.value, &identifier.span, max);
        }
        let text =
            |field: Option<String>, default: &str| field.unwrap_or_else(|| default.to_owned());
        Database {
            identifier: typed.identifier.value().map_or_else(
                || cloud_name(&[prefix, name.as_str()], max),
                ToString::to_string,
            ),
            version: typed
                .version
                .value()
                .map_or_else(|| exact(store), |version| version.0.clone()),
            instance: text(
                typed.instance.value().map(|instance| instance.0.clone()),
                if redis {
                    "cache.t3.micro"
                } else {
                    "db.t3.micro"
                },
            ),
            storage_gib,
            storage_max_gib,
            storage_type: match typed.storage_type.value() {
                Some(spec::StorageType::Gp2) => "gp2",
                Some(spec::StorageType::Io1) => "io1",
                Some(spec::StorageType::Io2) => "io2",
                Some(spec::StorageType::Gp3) | None => "gp3",
            }
            .to_owned(),
            multi_az: typed
                .multi_az
                .value()
                .copied()
                .unwrap_or(redis && nodes > 1),
            zone: typed.zone.value().map(|zone| zone.0.clone()),
            replica_zone: typed.replica_zone.value().map(|zone| zone.0.clone()),
            nodes,
            maintenance: text(
                typed.maintenance.value().map(|window| window.0.clone()),
                MAINTENANCE,
            ),
            backup_window: text(
                typed.backup_window.value().map(|window| window.0.clone()),
                BACKUP_WINDOW,
            ),
            user: text(typed.user.value().map(|user| user.0.clone()), "wharf"),
            database: typed
                .database
                .value()
                .map_or_else(|| identifier(self.project()), |database| database.0.clone()),
            protected: typed.protected.value().copied().unwrap_or(true),
        }
    }

    /// What RDS has and ElastiCache has not, and the other way round.
    fn check_engine(&mut self, typed: &spec::Database, engine: StoreEngine) {
        let (keys, what): (Vec<_>, _) = match engine {
            StoreEngine::Redis => (
                vec![
                    ("storage", typed.storage.key_span()),
                    ("storage_type", typed.storage_type.key_span()),
                    ("replica_zone", typed.replica_zone.key_span()),
                    ("user", typed.user.key_span()),
                    ("database", typed.database.key_span()),
                ],
                "a managed Redis",
            ),
            StoreEngine::Postgres => (
                vec![("nodes", typed.nodes.key_span())],
                "a managed PostgreSQL",
            ),
        };
        for (key, span) in keys {
            let Some(span) = span else { continue };
            let message = format!("{what} has no `{key}`");
            self.report(Diagnostic::error(Code::NOT_HERE, span.clone(), message));
        }
        if let (Some(multi), Some(true), 0..=1, StoreEngine::Redis) = (
            typed.multi_az.key_span(),
            typed.multi_az.value(),
            typed.nodes.value().map_or(1, |nodes| nodes.0),
            engine,
        ) {
            let message = "a standby in another zone needs a second node";
            self.report(
                Diagnostic::error(Code::NOT_HERE, multi.clone(), message).help("add `nodes: 2`"),
            );
        }
    }

    /// The store's `version` is what the application asks for; the cloud's has to be one of those.
    fn check_database_version(&mut self, name: &Name, typed: &spec::Database, store: &Store) {
        let (Some(version), Some(asked)) = (typed.version.get(), &store.version) else {
            return;
        };
        let fits = version
            .value
            .0
            .split('.')
            .zip(asked.split('.'))
            .all(|(one, other)| one == other);
        if !fits {
            let message = format!(
                "the version {} is not the {asked} that the store `{name}` asks for",
                version.value.0
            );
            let spec = self.spec;
            let store = spec
                .stores
                .value()
                .and_then(|table| table.get(name.as_str()))
                .and_then(|entry| entry.value.as_ref()?.value.version.get());
            let diagnostic = Diagnostic::error(Code::BAD_VALUE, version.span.clone(), message);
            self.report(match store {
                Some(store) => diagnostic.related(store.span.clone(), "the store"),
                None => diagnostic,
            });
        }
    }

    /// Reports a machine of another kind than belongs here; `kind` is empty for plain instances.
    pub(super) fn check_machine(&mut self, typed: &Field<Machine>, kind: &str) {
        let Some(machine) = typed.get() else { return };
        let name = &machine.value.0;
        let plain = name
            .strip_prefix("db.")
            .or_else(|| name.strip_prefix("cache."))
            .unwrap_or(name);
        let meant = if kind.is_empty() {
            plain.to_owned()
        } else {
            format!("{kind}.{plain}")
        };
        if *name != meant {
            let message = format!("`{name}` is no machine for this");
            self.report(
                Diagnostic::error(Code::BAD_VALUE, machine.span.clone(), message)
                    .help(format!("did you mean `{meant}`?")),
            );
        }
    }

    fn storage(&mut self, typed: &spec::Database, store: &Store) -> (u32, Option<u32>) {
        let Some(storage) = typed.storage.get() else {
            let first = store.storage.map_or(STORAGE_MIN_GIB, gib);
            return (first.clamp(STORAGE_MIN_GIB, STORAGE_MAX_GIB), None);
        };
        let (first, most) = (gib(storage.value.request), gib(storage.value.limit));
        let problem = if first < STORAGE_MIN_GIB || most > STORAGE_MAX_GIB {
            Some("expected a disk from 20Gi to 64Ti".to_owned())
        } else if most > first && most < first + first.div_ceil(10) {
            Some("a disk that grows by itself needs room for a tenth of its size".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                storage.span.clone(),
                problem,
            ));
        }
        (first, (most > first).then_some(most))
    }

    fn check_identifier(&mut self, name: &Name, span: &Span, max: usize) {
        let name = name.as_str();
        if name.len() > max || name.contains("--") || name.starts_with(|c: char| c.is_ascii_digit())
        {
            let message = format!(
                "expected an identifier of at most {max} characters, a letter first and no two `-` in a row"
            );
            self.report(Diagnostic::error(Code::BAD_VALUE, span.clone(), message));
        }
    }

    fn check_identifiers(&mut self, typed: &spec::Cloud, databases: &BTreeMap<Name, Database>) {
        let mut seen: BTreeMap<&str, &Name> = BTreeMap::new();
        for (name, database) in databases {
            let Some(first) = seen.insert(&database.identifier, name) else {
                continue;
            };
            let entry = typed
                .databases
                .value()
                .and_then(|table| table.get(name.as_str()));
            let Some(entry) = entry else { continue };
            let message = format!("`{first}` is called `{}` as well", database.identifier);
            self.report(Diagnostic::error(
                Code::DUPLICATE_NAME,
                entry.key.span.clone(),
                message,
            ));
        }
    }

    /// The stores that a parameter may name: managed ones.
    pub(super) fn check_managed(
        &mut self,
        name: &Name,
        span: &Span,
        databases: &BTreeMap<Name, Database>,
    ) {
        if !databases.contains_key(name) && !self.findings.is_full() {
            let message = format!("the cloud runs no store `{name}`");
            let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, span.clone(), message);
            let names = databases.keys().map(Name::as_str);
            self.report(suggested(diagnostic, name.as_str(), names));
        }
    }
}

/// Whole GiB, rounded up.
fn gib(bytes: Bytes) -> u32 {
    u32::try_from(bytes.0.div_ceil(1 << 30)).unwrap_or(u32::MAX)
}

/// The version that a cloud is asked for: the store's, made exact where it is a major one.
fn exact(store: &Store) -> String {
    let newest = match store.engine {
        StoreEngine::Postgres => POSTGRES,
        StoreEngine::Redis => REDIS,
    };
    let Some(version) = &store.version else {
        return newest.to_owned();
    };
    EXACT
        .iter()
        .find(|(engine, major, _)| *engine == store.engine && major == version)
        .map_or_else(|| version.clone(), |(_, _, exact)| (*exact).to_owned())
}

/// A name as PostgreSQL has it without quotes.
fn identifier(name: &str) -> String {
    let plain = name.replace('-', "_");
    if plain.starts_with(|c: char| c.is_ascii_digit()) {
        format!("db_{plain}")
    } else {
        plain
    }
}
