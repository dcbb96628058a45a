//! Users and their passwords.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{
    self, Decimal, Ident, Output, ParamsString, PasswordHash, PasswordHasher, PasswordVerifier,
    Salt, SaltString,
};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::stores::{Postgres, StoreError};

/// Hashing is meant to be slow and to take memory (19 MiB each), so that only so much of it happens at once.
static HASHING: Semaphore = Semaphore::const_new(2);

/// The memory of hashes that are done, for the next: left to the allocator, each thread that ever hashed would keep some.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

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
        Argon2id
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
        PasswordHash::new(&hash)
            .is_ok_and(|hash| Argon2id.verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await;
    Ok(found.filter(|_| right).map(|row| User {
        id: row.get(0),
        name: row.get(1),
    }))
}

/// Argon2 in memory that is used again.
struct Argon2id;

impl PasswordHasher for Argon2id {
    type Params = Params;

    fn hash_password_customized<'a>(
        &self,
        password: &[u8],
        algorithm: Option<Ident<'a>>,
        version: Option<Decimal>,
        params: Params,
        salt: impl Into<Salt<'a>>,
    ) -> password_hash::Result<PasswordHash<'a>> {
        let algorithm = algorithm.map_or(Ok(Algorithm::Argon2id), Algorithm::try_from)?;
        let version = version.map_or(Ok(Version::V0x13), Version::try_from)?;
        let salt = salt.into();
        let mut salt_bytes = [0; Salt::MAX_LENGTH];
        let salt_bytes = salt.decode_b64(&mut salt_bytes)?;
        let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let kept = || MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
        let mut memory = kept().pop().unwrap_or_default();
        memory.resize(params.block_count(), Block::default());
        let argon2 = Argon2::new(algorithm, version, params.clone());
        let output = Output::init_with(length, |output| {
            argon2.hash_password_into_with_memory(password, salt_bytes, output, &mut memory)?;
            Ok(())
        });
        kept().push(memory);
        Ok(PasswordHash {
            algorithm: algorithm.ident(),
            version: Some(version.into()),
            params: ParamsString::try_from(&params)?,
            salt: Some(salt),
            hash: Some(output?),
        })
    }
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
    fn hashes_are_those_of_argon2_also_in_memory_that_was_used() {
        for password in ["lovelace", "another one", "lovelace"] {
            let salt = SaltString::generate(&mut OsRng);
            let hash = Argon2id
                .hash_password(password.as_bytes(), &salt)
                .expect("it hashes");
            let expected = Argon2::default().hash_password(password.as_bytes(), &salt);
            assert_eq!(hash, expected.expect("it hashes"));
            assert!(Argon2id.verify_password(password.as_bytes(), &hash).is_ok());
            assert!(Argon2id.verify_password(b"lovelaced", &hash).is_err());
        }
    }

    #[test]
    fn nobody_has_a_hash_that_is_really_verified() {
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
