//! What a client needs to log in to a store.

use std::fmt;

use wharf_plan::model::StoreEngine;

/// How many random bytes make a password: 192 bits, beyond any guessing.
pub const RANDOM_BYTES: usize = 24;

/// Where a store is and how to log in. `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user; `default` for Redis.
    pub user: String,
    /// The password.
    pub password: String,
    /// The database; its number for Redis.
    pub database: String,
    /// The host, an address or a name.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Credentials {
    /// Credentials for a new store on loopback. `random` must come from the system's generator and be used once.
    ///
    /// The password consists of hexadecimal digits, so that it needs no quoting anywhere.
    #[must_use]
    pub fn generate(
        engine: StoreEngine,
        name: &str,
        port: u16,
        random: [u8; RANDOM_BYTES],
    ) -> Self {
        let password = hex(&random);
        let (user, database) = match engine {
            StoreEngine::Postgres => (name.to_owned(), name.to_owned()),
            StoreEngine::Redis => ("default".to_owned(), "0".to_owned()),
        };
        Self {
            user,
            password,
            database,
            host: "127.0.0.1".to_owned(),
            port,
        }
    }

    /// The URL with everything in it: `postgres://user:pass@127.0.0.1:5432/db`, `redis://:pass@127.0.0.1:6379`.
    #[must_use]
    pub fn url(&self, engine: StoreEngine) -> String {
        let (user, password) = (percent_encoded(&self.user), percent_encoded(&self.password));
        let (address, database) = (self.address(), percent_encoded(&self.database));
        match engine {
            StoreEngine::Postgres => format!("postgres://{user}:{password}@{address}/{database}"),
            // Its database is 0; a file that wants another writes `${cache.url}/1`, wherever it runs.
            StoreEngine::Redis => format!("redis://:{password}@{address}"),
        }
    }

    /// `host:port`, an IPv6 address in brackets.
    #[must_use]
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("password", &"…")
            .field("database", &self.database)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish()
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 3986: everything but the unreserved characters is encoded.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(engine: StoreEngine, expected: &str) {
        let credentials = Credentials::generate(engine, "my-db", 5433, [0xab; RANDOM_BYTES]);
        assert_eq!(
            credentials.url(engine),
            expected.replace("PASS", &"ab".repeat(RANDOM_BYTES))
        );
        assert!(
            !format!("{credentials:?}").contains("abab"),
            "the password is shown"
        );
    }

    #[test]
    fn urls() {
        check(
            StoreEngine::Postgres,
            "postgres://my-db:PASS@127.0.0.1:5433/my-db",
        );
        check(StoreEngine::Redis, "redis://:PASS@127.0.0.1:5433");
    }

    #[test]
    fn what_a_url_reserves_is_encoded() {
        let credentials = Credentials {
            user: "a@b".to_owned(),
            password: "p/é:".to_owned(),
            database: "x y".to_owned(),
            host: "::1".to_owned(),
            port: 1,
        };
        assert_eq!(
            credentials.url(StoreEngine::Postgres),
            "postgres://a%40b:p%2F%C3%A9%3A@[::1]:1/x%20y"
        );
    }
}
