//! Stores that Wharf does not run: where they are is what each release says, with the values that it was made with. A replica
//! goes to the address of its own release, also while another release with another address rolls out.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_control::restart::Backoff;
use wharf_plan::model::{Plan, Service, StoreEngine};
use wharf_plan::template::{Reference, Template};
use wharf_store::Credentials;

use crate::engine::Engine;
use crate::environment::StoreAddress;
use crate::release::stores_of;
use crate::replica::Order;
use crate::secrets::Secrets;
use crate::store_process::{READY_PAUSE, StorePhase, StoreProcess};
use crate::stores::LiveStore;

/// The external stores that a service's variables refer to.
///
/// # Errors
/// What is wrong with one of their URLs, as a sentence that does not show it.
pub(crate) fn addresses(
    plan: &Plan,
    service: &Service,
    secrets: &Secrets,
) -> Result<BTreeMap<Name, StoreAddress>, String> {
    let mut addresses = BTreeMap::new();
    for (name, store) in stores_of(plan, service) {
        if let Some(url) = &store.external_url {
            let found = address(url, store.engine, secrets);
            let found = found.map_err(|message| format!("the store `{name}`: {message}"))?;
            addresses.insert(name.clone(), found);
        }
    }
    Ok(addresses)
}

/// The URLs of the external stores that a service's variables refer to, as far as they are known, for a digest.
pub(crate) fn urls(
    plan: &Plan,
    service: &Service,
    secrets: &Secrets,
) -> Vec<(String, Option<String>)> {
    stores_of(plan, service)
        .into_iter()
        .filter_map(|(name, store)| {
            let template = store.external_url.as_ref()?;
            Some((name.to_string(), url(template, secrets).ok()))
        })
        .collect()
}

fn address(
    template: &Template,
    engine: StoreEngine,
    secrets: &Secrets,
) -> Result<StoreAddress, String> {
    let url = url(template, secrets)?;
    Ok(StoreAddress {
        engine,
        credentials: credentials(&url, engine)?,
        url: Some(url),
        pool_port: None,
    })
}

fn url(template: &Template, secrets: &Secrets) -> Result<String, String> {
    template.render(|reference| match reference {
        Reference::Env { name, default } => secrets
            .env
            .get(name)
            .filter(|value| !value.is_empty())
            .or(default.as_ref())
            .cloned()
            .ok_or_else(|| {
                format!("its url needs the environment variable {name}, which was not set")
            }),
        other => Err(format!(
            "its url may refer to `${{env.NAME}}` only, not to `{other}`"
        )),
    })
}

/// What an external store's URL says. The host is taken apart only so far as `${db.host}` and its like need it.
fn credentials(url: &str, engine: StoreEngine) -> Result<Credentials, String> {
    let bad = || {
        format!(
            "its url is not of the form {}://user:password@host:port/database",
            engine.as_str()
        )
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
    let known = match engine {
        StoreEngine::Postgres => matches!(scheme, "postgres" | "postgresql"),
        StoreEngine::Redis => matches!(scheme, "redis" | "rediss"),
    };
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let address: http::uri::Authority = address.parse().map_err(|_| bad())?;
    let default_port = match engine {
        StoreEngine::Postgres => 5432,
        StoreEngine::Redis => 6379,
    };
    known
        .then(|| Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
            database: database.split('?').next().unwrap_or_default().to_owned(),
            host: address.host().to_owned(),
            port: address.port_u16().unwrap_or(default_port),
        })
        .ok_or_else(bad)
}

impl Engine {
    /// Has what is shown of an external store be what the target says of it, else what serves. A server of its own that was
    /// there before is stopped first.
    pub(crate) fn tend_external(&mut self, name: &Name) {
        let releases = [self.target(), self.serving()];
        let found = releases.into_iter().flatten().find_map(|release| {
            let store = release.plan.stores.get(name)?;
            Some((release.id, store.engine, store.external_url.clone()?))
        });
        let Some((release, engine, template)) = found else {
            return;
        };
        match self.live_stores.get(name) {
            // A pool ends before its server.
            Some(live) if !live.is_external() && self.live_pools.contains_key(name) => return,
            Some(live) if !live.is_external() => self.stop_store(name, Order::Stop),
            _ => {}
        }
        let now = self.now();
        let secrets = self.secrets_of(release);
        let found = secrets.and_then(|secrets| address(&template, engine, &secrets));
        let (address, message) = match found {
            Ok(address) => (Some(address), None),
            Err(message) => (None, Some(message)),
        };
        if self.live_stores.get(name).is_some_and(|live| {
            !live.is_external() || live.address == address && live.process.message == message
        }) {
            return;
        }
        let phase = match address {
            Some(_) => StorePhase::External,
            None => StorePhase::Waiting {
                until: now.after(READY_PAUSE),
            },
        };
        let mut process = StoreProcess::at("server", now, Backoff::default(), phase);
        process.message = message;
        self.live_stores.insert(
            name.clone(),
            LiveStore {
                engine,
                process,
                address,
                queues: BTreeMap::new(),
                lists: None,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, engine: StoreEngine, expected: Result<(&str, &str, &str, u16, &str), ()>) {
        let found = credentials(url, engine);
        let found = found.as_ref().map(|found| {
            let Credentials {
                user,
                password,
                database,
                host,
                port,
            } = found;
            (&**user, &**password, &**host, *port, &**database)
        });
        assert_eq!(found.map_err(|_| ()), expected, "{url}");
    }

    #[test]
    fn a_url_is_taken_apart() {
        check(
            "postgres://me:pass@db.example.com:6000/app?sslmode=require",
            StoreEngine::Postgres,
            Ok(("me", "pass", "db.example.com", 6000, "app")),
        );
        check(
            "postgresql://db/app",
            StoreEngine::Postgres,
            Ok(("", "", "db", 5432, "app")),
        );
        check(
            "rediss://:pass@cache",
            StoreEngine::Redis,
            Ok(("", "pass", "cache", 6379, "")),
        );
        check("redis://cache", StoreEngine::Postgres, Err(()));
        check("cache:6379", StoreEngine::Redis, Err(()));
    }
}
