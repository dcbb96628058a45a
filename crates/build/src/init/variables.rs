//! Which variables a program asks for, and what they obviously mean. What is only its operator's to know stays open.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Project, Service};
use crate::detect::{Detected, StoreNeed};

/// Letters of a secret that is made: of 64 kinds, more than any signature's key has bits.
pub(super) const SECRET_LETTERS: u32 = 50;

/// Keys that a program signs or encrypts with by itself, so that any will do. A key to somebody else's service is never one.
const OWN_SECRETS: [&str; 14] = [
    "SECRET_KEY",
    "DJANGO_SECRET_KEY",
    "FLASK_SECRET_KEY",
    "SECRET_KEY_BASE",
    "APP_SECRET",
    "APP_SECRET_KEY",
    "AUTH_SECRET",
    "COOKIE_SECRET",
    "JWT_SECRET",
    "JWT_SECRET_KEY",
    "NEXTAUTH_SECRET",
    "SESSION_SECRET",
    "SESSION_SECRET_KEY",
    "TOKEN_SECRET",
];

/// Names under which programs ask for the parts of a store, with the field they mean.
const POSTGRES_VARIABLES: [(&str, &str); 20] = [
    ("DATABASE_URL", "url"),
    ("POSTGRES_URL", "url"),
    ("DB_URL", "url"),
    ("DB_HOST", "host"),
    ("DATABASE_HOST", "host"),
    ("POSTGRES_HOST", "host"),
    ("PGHOST", "host"),
    ("DB_PORT", "port"),
    ("DATABASE_PORT", "port"),
    ("POSTGRES_PORT", "port"),
    ("PGPORT", "port"),
    ("DB_USER", "user"),
    ("POSTGRES_USER", "user"),
    ("PGUSER", "user"),
    ("DB_PASSWORD", "password"),
    ("POSTGRES_PASSWORD", "password"),
    ("PGPASSWORD", "password"),
    ("DB_NAME", "database"),
    ("POSTGRES_DB", "database"),
    ("PGDATABASE", "database"),
];

/// As [`POSTGRES_VARIABLES`].
const REDIS_VARIABLES: [(&str, &str); 8] = [
    ("REDIS_URL", "url"),
    ("CACHE_URL", "url"),
    ("BROKER_URL", "url"),
    ("CELERY_BROKER_URL", "url"),
    ("CELERY_RESULT_BACKEND", "url"),
    ("REDIS_HOST", "host"),
    ("REDIS_PORT", "port"),
    ("REDIS_PASSWORD", "password"),
];

/// Variables that need no word: the system, the tools or Wharf sets them.
const GIVEN: [&str; 16] = [
    "PORT",
    "HOST",
    "HOME",
    "PATH",
    "USER",
    "PWD",
    "TMPDIR",
    "NODE_ENV",
    "RUST_LOG",
    "DJANGO_SETTINGS_MODULE",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "CARGO_PKG_VERSION",
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_NAME",
    "OUT_DIR",
];

/// The variables of one service.
#[derive(Default)]
pub(super) struct Variables {
    /// What they are set to.
    pub(super) set: BTreeMap<&'static str, String>,
    /// Those of them that the source does not ask for.
    pub(super) unseen: Vec<&'static str>,
    /// The secrets that they are set to, by name.
    pub(super) secrets: BTreeSet<String>,
    /// What is asked for and not known.
    pub(super) open: Vec<String>,
}

impl Variables {
    pub(super) fn of(project: &Project, service: &Service) -> Self {
        let asked = &service.detected.variables;
        let mut found = Self::default();
        for (store, name) in [(StoreNeed::Postgres, "db"), (StoreNeed::Redis, "cache")] {
            if service.detected.stores.contains(&store) && project.stores.contains(&store) {
                found.fill(known(store), name, asked);
            }
        }
        found.part_databases();
        let in_file = |name: &str| {
            let file = service.env_file.as_ref();
            file.is_some_and(|file| file.names.contains(name))
        };
        for name in OWN_SECRETS {
            if asked.contains(name) && !in_file(name) {
                let secret = name.to_ascii_lowercase().replace('_', "-");
                found.set.insert(name, format!("${{secret.{secret}}}"));
                found.secrets.insert(secret);
            }
        }
        let open = asked
            .iter()
            .filter(|name| !found.set.contains_key(name.as_str()))
            .filter(|name| !GIVEN.contains(&name.as_str()))
            .take(12);
        found.open = open.cloned().collect();
        found
    }

    fn fill(&mut self, known: &[(&'static str, &str)], store: &str, asked: &BTreeSet<String>) {
        let before = self.set.len();
        for (name, field) in known.iter().filter(|(name, _)| asked.contains(*name)) {
            self.set.insert(name, format!("${{{store}.{field}}}"));
        }
        if self.set.len() == before {
            self.set.insert(known[0].0, format!("${{{store}.url}}"));
            self.unseen.push(known[0].0);
        }
    }

    /// A cache and a broker on one Redis get a database each, so that emptying the one leaves the other alone.
    fn part_databases(&mut self) {
        let url = "${cache.url}";
        if self.set.values().filter(|value| *value == url).count() < 2 {
            return;
        }
        for (name, value) in self.set.iter_mut().filter(|(_, value)| *value == url) {
            let database = match *name {
                "BROKER_URL" | "CELERY_BROKER_URL" => 1,
                "CELERY_RESULT_BACKEND" => 2,
                _ => 0,
            };
            *value = format!("{url}/{database}");
        }
    }
}

/// Leaves a program the stores whose variables it asks for, where some program beside it asks for them.
pub(super) fn without_unused_stores(one: &mut Detected, all: &[(String, Detected)]) {
    let asks = |detected: &Detected, store: StoreNeed| {
        known(store)
            .iter()
            .any(|(name, _)| detected.variables.contains(*name))
    };
    let kept =
        |store: &StoreNeed| asks(one, *store) || !all.iter().any(|(_, other)| asks(other, *store));
    one.stores = one.stores.iter().copied().filter(kept).collect();
}

fn known(store: StoreNeed) -> &'static [(&'static str, &'static str)] {
    match store {
        StoreNeed::Postgres => &POSTGRES_VARIABLES,
        StoreNeed::Redis => &REDIS_VARIABLES,
    }
}
