//! Addresses in the values of variables -> references: `postgres://u:p@db:5432/app` is `${db.url}`.

use super::Importer;
use super::interpolation::masked;

/// Parts of a URL, as slices of the typed text; variables are parts like others.
struct Url<'t> {
    scheme: &'t str,
    host: &'t str,
    port: Option<&'t str>,
    /// With its `/`, without the query.
    path: &'t str,
    /// With its `?`.
    query: &'t str,
}

impl<'t> Url<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let mask = masked(text);
        let scheme_end = mask.find("://")?;
        let authority = scheme_end + 3;
        let authority_end = mask[authority..]
            .find(['/', '?', '#'])
            .map_or(mask.len(), |at| authority + at);
        let host = mask[authority..authority_end]
            .rfind('@')
            .map_or(authority, |at| authority + at + 1);
        let host_end = mask[host..authority_end]
            .find(':')
            .map_or(authority_end, |at| host + at);
        let query = mask[authority_end..]
            .find(['?', '#'])
            .map_or(mask.len(), |at| authority_end + at);
        if mask.contains(char::is_whitespace) || mask[authority..].contains("://") {
            return None;
        }
        Some(Self {
            scheme: &text[..scheme_end],
            host: &text[host..host_end],
            port: (host_end < authority_end).then(|| &text[host_end + 1..authority_end]),
            path: &text[authority_end..query],
            query: &text[query..],
        })
    }
}

/// What a value refers to.
pub(super) enum Address {
    /// The text of `wharf.yaml`; variables in what is left of the old one are still Compose's.
    Rewritten { before: String, after: String },
    /// A further port of a service, which has no address of its own.
    FurtherPort { service: String },
}

impl Importer<'_> {
    /// The reference that the whole of `value` is, for the variable `key`.
    pub(super) fn address(&self, key: &str, value: &str) -> Option<Address> {
        if let Some(url) = Url::parse(value) {
            return self.store_url(&url).or_else(|| self.service_url(&url));
        }
        let upper = key.to_ascii_uppercase();
        let (host, port) = match value.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (value, None),
        };
        let says_host = ["HOST", "SERVER", "ADDR", "ENDPOINT"]
            .iter()
            .any(|word| upper.contains(word));
        if let Some(name) = self.names.get(host).filter(|_| port.is_some() || says_host) {
            let own = self.stores.get(host).map(|store| store.port());
            let first = self
                .ports
                .get(host)
                .and_then(|ports| ports.numbers.first())
                .copied();
            let known =
                port.is_none_or(|port| own.or(first).is_some_and(|own| port == own.to_string()));
            if !known {
                return port.and_then(|port| port.parse::<u16>().ok()).map(|_| {
                    Address::FurtherPort {
                        service: host.to_owned(),
                    }
                });
            }
            if own.is_none() && first.is_none() {
                return None;
            }
            let port = port
                .map(|_| format!(":${{{name}.port}}"))
                .unwrap_or_default();
            return Some(rewritten(format!("${{{name}.host}}{port}"), ""));
        }
        self.credential(&upper, value)
    }

    fn store_url(&self, url: &Url<'_>) -> Option<Address> {
        let (origin, name) = (self.stores.get(url.host)?, self.names.get(url.host)?);
        let parts = format!("${{{name}.host}}:${{{name}.port}}");
        if origin.postgres {
            if matches!(url.scheme, "postgres" | "postgresql") {
                return Some(rewritten(format!("${{{name}.url}}"), url.query));
            }
            let login = format!("${{{name}.user}}:${{{name}.password}}");
            let before = format!("{}://{login}@{parts}/${{{name}.database}}", url.scheme);
            return Some(rewritten(before, url.query));
        }
        if url.scheme == "redis" && matches!(url.path, "" | "/" | "/0") {
            return Some(rewritten(format!("${{{name}.url}}"), url.query));
        }
        let before = format!("{}://:${{{name}.password}}@{parts}", url.scheme);
        Some(rewritten(before, format!("{}{}", url.path, url.query)))
    }

    fn service_url(&self, url: &Url<'_>) -> Option<Address> {
        let name = self.names.get(url.host)?;
        let ports = self.ports.get(url.host)?;
        let first = ports.numbers.first()?;
        let usual = if url.scheme == "https" { "443" } else { "80" };
        if url.port.unwrap_or(usual) != first.to_string() {
            return Some(Address::FurtherPort {
                service: url.host.to_owned(),
            });
        }
        let after = format!("{}{}", url.path, url.query);
        Some(match url.scheme {
            "http" => rewritten(format!("${{{name}.url}}"), after),
            scheme => rewritten(
                format!("{scheme}://${{{name}.host}}:${{{name}.port}}"),
                after,
            ),
        })
    }

    /// User, password, database or port of a store, told by the variable's name and the same value.
    fn credential(&self, key: &str, value: &str) -> Option<Address> {
        if value.is_empty() {
            return None;
        }
        let field = |store: &super::StoreOrigin| {
            let has = |words: &[&str]| words.iter().any(|word| key.contains(word));
            if has(&["PASS", "PWD"]) {
                (store.password.as_deref() == Some(value)).then_some("password")
            } else if has(&["PORT"]) {
                (value == store.port().to_string()).then_some("port")
            } else if !store.postgres {
                None
            } else if has(&["USER"]) {
                (store.user == value).then_some("user")
            } else if has(&["DB", "DATABASE"]) {
                (store.database == value).then_some("database")
            } else {
                None
            }
        };
        let mut found = self
            .stores
            .iter()
            .filter_map(|(host, store)| Some((self.names.get(host)?, field(store)?)));
        match (found.next(), found.next()) {
            // Of two stores with the same password either might be meant.
            (Some((name, field)), None) => Some(rewritten(format!("${{{name}.{field}}}"), "")),
            _ => None,
        }
    }
}

fn rewritten(before: String, after: impl Into<String>) -> Address {
    Address::Rewritten {
        before,
        after: after.into(),
    }
}
