//! Users and their passwords.

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::stores::{Postgres, StoreError};

/// Hashing is meant to be slow and to take memory (19 MiB each), so that only so much of it happens at once.
static HASHING: Semaphore = Semaphore::const_new(2);

/// Verified where there is no user, so that the time of an answer does not tell who has an account.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ib2R5$RfzVnAlh5BRlWzRgCMtgcUHhPo6FVRRMxh1JbHLCJxQ";

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct User {
    pub id: Uuid,
    pub name: String,
}

/// What somebody registers and logs in with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    pub name: String,
    pub password: String,
}

impl Credentials {
    /// What is wrong with a new account of this name and password, as a sentence.
    ///
    /// # Errors
    /// The name or the password is not allowed.
    pub fn validate(&self) -> Result<(), &'static str> {
        let length = self.name.chars().count();
        let allowed = |c: char| c.is_alphanumeric() || "._-".contains(c);
        if !(3..=32).contains(&length) || !self.name.chars().all(allowed) {
            return Err("a name has 3 to 32 letters, digits, dots, dashes and underscores");
        }
        if !(8..=128).contains(&self.password.chars().count()) {
            return Err("a password has 8 to 128 characters");
        }
        Ok(())
    }
}

/// Adds an account; none if the name is taken.
///
/// # Errors
/// The database does not answer.
pub async fn register(
    postgres: &Postgres,
    credentials: Credentials,
) -> Result<Option<User>, StoreError> {
    let Credentials { name, password } = credentials;
    let hash = hashing(move || {
        let salt = SaltString::generate(&mut OsRng);
        Argon2::default()
            .hash_password(password.as_bytes(), &salt)
            .map(|hash| hash.to_string())
    })
    .await
    // It fails for parameters that contradict themselves only.
    .expect("the default parameters are valid");
    let id = Uuid::now_v7();
    let client = postgres.get().await?;
    let statement = client
        .prepare_cached("INSERT INTO users (id, name, password_hash) VALUES ($1, $2, $3) ON CONFLICT (lower(name)) DO NOTHING")
        .await?;
    let added = client.execute(&statement, &[&id, &name, &hash]).await?;
    Ok((added == 1).then_some(User { id, name }))
}

/// The user of this name, if the password is theirs.
///
/// # Errors
/// The database does not answer.
pub async fn verify(
    postgres: &Postgres,
    credentials: Credentials,
) -> Result<Option<User>, StoreError> {
    let Credentials { name, password } = credentials;
    let found = {
        let client = postgres.get().await?;
        let statement = client
            .prepare_cached(
                "SELECT id, name, password_hash FROM users WHERE lower(name) = lower($1)",
            )
            .await?;
        client.query_opt(&statement, &[&name]).await?
    };
    let hash = found
        .as_ref()
        .map_or_else(|| NOBODY.to_owned(), |row| row.get(2));
    let right = hashing(move || {
        PasswordHash::new(&hash).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        })
    })
    .await;
    Ok(found.filter(|_| right).map(|row| User {
        id: row.get(0),
        name: row.get(1),
    }))
}

async fn hashing<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // It is never closed.
    let _turn = HASHING.acquire().await.expect("the semaphore is open");
    tokio::task::spawn_blocking(work)
        .await
        .expect("hashing does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_passwords_have_limits() {
        let check = |name: &str, password: &str| {
            Credentials {
                name: name.into(),
                password: password.into(),
            }
            .validate()
            .is_ok()
        };
        assert!(check("ada", "lovelace"));
        assert!(check("jürgen.müller-2", "12345678"));
        assert!(!check("ab", "lovelace"));
        assert!(!check("a b c", "lovelace"));
        assert!(!check("<b>ada</b>", "lovelace"));
        assert!(!check("ada", "short"));
        assert!(!check("ada", &"x".repeat(129)));
    }

    #[test]
    fn nobody_has_a_hash_that_is_really_verified() {
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
