//! Where services and stores are found inside of a stack: by their names.

use wharf_base::ids::Name;
use wharf_plan::model::{Plan, Service, Store, StoreEngine, VolumeSource};
use wharf_plan::template::Part;

use crate::dockerfile::runtime;
use crate::names;
use crate::values::{Addresses, StoreAddress};

/// The user of a PostgreSQL, and its database.
pub(super) fn database(plan: &Plan) -> String {
    names::identifier(plan.name.as_str())
}

/// The variable with the host of a store that exists elsewhere.
pub(super) fn host_variable(store: &Name) -> String {
    names::variable(&format!("{store}-host"))
}

/// The addresses of one stack.
pub(super) struct InStack<'a> {
    pub(super) plan: &'a Plan,
    /// Whether a Redis has a password.
    pub(super) redis_password: bool,
}

impl Addresses for InStack<'_> {
    fn store(&self, store: &Name) -> StoreAddress {
        let meant = self.plan.stores.get(store);
        let engine = meant.map_or(StoreEngine::Postgres, |store| store.engine);
        if let Some(address) = meant.and_then(|meant| external(store, meant)) {
            return address;
        }
        match engine {
            StoreEngine::Postgres => StoreAddress {
                host: store.to_string(),
                port: 5432,
                user: Some(database(self.plan)),
                database: database(self.plan),
                tls: false,
                password: true,
            },
            StoreEngine::Redis => StoreAddress {
                host: store.to_string(),
                port: 6379,
                user: None,
                database: "0".to_owned(),
                tls: false,
                password: self.redis_password,
            },
        }
    }

    fn service_host(&self, service: &Name) -> String {
        service.to_string()
    }

    fn volume(&self, service: &Service, volume: &Name) -> String {
        let mounted = service
            .volumes
            .iter()
            .find(|mounted| matches!(&mounted.source, VolumeSource::Named(name) if name == volume));
        mounted.map_or_else(String::new, |mounted| runtime::in_image(&mounted.target))
    }
}

/// The address of a store that exists elsewhere: as its URL says, and by a variable where the URL is one.
fn external(name: &Name, store: &Store) -> Option<StoreAddress> {
    let url = store.external_url.as_ref()?;
    let postgres = store.engine == StoreEngine::Postgres;
    let mut address = StoreAddress {
        host: format!("${{{}}}", host_variable(name)),
        port: if postgres { 5432 } else { 6379 },
        user: postgres.then(|| "app".to_owned()),
        database: if postgres { "app" } else { "0" }.to_owned(),
        tls: true,
        password: true,
    };
    let [Part::Text(text)] = url.parts.as_slice() else {
        return Some(address);
    };
    let Some((scheme, rest)) = text.split_once("://") else {
        return Some(address);
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, authority),
    };
    address.tls = scheme.ends_with("ss") || path.contains("sslmode=");
    address.password = user.is_some_and(|user| user.contains(':'));
    address.user = user
        .map(|user| user.split(':').next().unwrap_or_default().to_owned())
        .filter(|user| !user.is_empty());
    match place.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => {
            host.clone_into(&mut address.host);
            address.port = port.parse().unwrap_or(address.port);
        }
        _ => place.clone_into(&mut address.host),
    }
    let database = path.split('?').next().unwrap_or_default();
    if !database.is_empty() {
        database.clone_into(&mut address.database);
    }
    Some(address)
}
