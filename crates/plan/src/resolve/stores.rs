//! `stores`.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::Spanned;

use super::Resolver;
use super::services::resources;
use crate::model::{Backups, Pool, PoolMode, Store, StoreEngine};
use crate::template::{Part, Reference, Template};

/// A week, as the managed databases have it.
const BACKUPS_KEEP: Duration = Duration::from_secs(7 * 86_400);
/// At night in most of the places that share UTC's half of the world.
const BACKUPS_SCHEDULE: &str = "0 3 * * *";
/// As PgBouncer's `default_pool_size`, and clients of ten replicas with twenty connections each.
const POOL_SIZE: u32 = 20;
const POOL_CLIENTS: u32 = 200;

impl Resolver<'_> {
    pub(super) fn stores(&mut self) -> BTreeMap<Name, Store> {
        let spec = self.spec;
        let entries = spec
            .stores
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut stores = BTreeMap::new();
        for entry in entries {
            let store = entry
                .value
                .as_ref()
                .and_then(|typed| self.store(&typed.value));
            stores.extend(store.map(|store| (entry.key.value.clone(), store)));
        }
        stores
    }

    fn store(&mut self, typed: &spec::Store) -> Option<Store> {
        let engine = match typed.engine.value() {
            Some(spec::Engine::Postgres) => Some(StoreEngine::Postgres),
            Some(spec::Engine::Redis) => Some(StoreEngine::Redis),
            None => None,
        };
        if let Some(version) = typed.version.get() {
            self.check_version(version);
        }
        if let (Some(key), Some(StoreEngine::Redis)) = (typed.extensions.key_span(), engine) {
            let message = "`extensions` are PostgreSQL's";
            self.report(Diagnostic::error(Code::NOT_HERE, key.clone(), message));
        }
        if let (Some(key), Some(StoreEngine::Redis)) = (typed.pool.key_span(), engine) {
            let message = "a `pool` stands before a PostgreSQL";
            self.report(
                Diagnostic::error(Code::NOT_HERE, key.clone(), message)
                    .help("Redis takes thousands of connections by itself"),
            );
        }
        let external_url = typed.url.get().and_then(|url| self.external_url(url));
        if !typed.url.is_absent() {
            // Wharf neither makes nor sizes nor saves a server that is not its own.
            let keys = [
                ("storage", typed.storage.key_span()),
                ("backups", typed.backups.key_span()),
                ("extensions", typed.extensions.key_span()),
                ("resources", typed.resources.key_span()),
                ("class", typed.class.key_span()),
            ];
            for (key, span) in keys {
                let Some(span) = span else { continue };
                let message =
                    format!("`{key}` has no meaning for a server that Wharf does not run");
                let diagnostic = Diagnostic::error(Code::NOT_HERE, span.clone(), message);
                self.report(match typed.url.key_span() {
                    Some(url) => diagnostic.related(url.clone(), "the server is named here"),
                    None => diagnostic,
                });
            }
        }
        let extensions = typed
            .extensions
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        for extension in extensions {
            let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            if extension.value.is_empty() || !extension.value.bytes().all(letters) {
                let message = "expected the name of an extension, such as pgcrypto";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    extension.span.clone(),
                    message,
                ));
            }
        }
        Some(Store {
            engine: engine?,
            version: typed.version.value().cloned(),
            storage: typed.storage.value().copied(),
            backups: typed.backups.value().map(|backups| Backups {
                keep: backups.keep.value().copied().unwrap_or(BACKUPS_KEEP),
                schedule: backups
                    .schedule
                    .value()
                    .map_or_else(|| BACKUPS_SCHEDULE.to_owned(), ToString::to_string),
            }),
            extensions: extensions
                .iter()
                .map(|extension| extension.value.clone())
                .collect(),
            external_url,
            resources: resources(typed.resources.value()),
            storage_class: typed.class.value().map(|class| class.0.clone()),
            backup_volume: typed
                .backups
                .value()
                .and_then(|backups| backups.volume.value().copied()),
            pool: typed.pool.value().map(|pool| Pool {
                size: pool.size.value().map_or(POOL_SIZE, |size| size.0),
                clients: pool
                    .clients
                    .value()
                    .map_or(POOL_CLIENTS, |clients| clients.0),
                mode: match pool.mode.value() {
                    Some(spec::PoolMode::Session) => PoolMode::Session,
                    Some(spec::PoolMode::Transaction) | None => PoolMode::Transaction,
                },
            }),
        })
    }

    fn check_version(&mut self, version: &Spanned<String>) {
        let numbers = version.value.split('.').all(|part| {
            !part.is_empty() && part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit())
        });
        if !numbers {
            let message = format!(
                "expected a version such as 15 or 7.2, found `{}`",
                wharf_spec::diagnostic::excerpt(&version.value)
            );
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                version.span.clone(),
                message,
            ));
        }
    }

    fn external_url(&mut self, url: &Spanned<String>) -> Option<Template> {
        let template = self.template(url);
        let foreign = template
            .references()
            .any(|reference| !matches!(reference, Reference::Env { .. }));
        if foreign || template.parts.is_empty() {
            let message =
                "the URL of a store is a text, or refers to variables of the environment alone";
            self.report(
                Diagnostic::error(Code::BAD_REFERENCE, url.span.clone(), message)
                    .help("for example `url: ${env.DATABASE_URL}`"),
            );
            return None;
        }
        let plain: String = template
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Reference(_) => "${}",
            })
            .collect();
        let password = plain
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('@'))
            .and_then(|(user, _)| user.split_once(':'))
            .is_some_and(|(_, password)| !password.is_empty() && !password.contains("${}"));
        if password {
            let message = "a password stands in the file";
            self.report(
                Diagnostic::warning(Code::PASSWORD, url.span.clone(), message)
                    .help("take it from the environment: `url: ${env.DATABASE_URL}`"),
            );
        }
        Some(template)
    }
}
