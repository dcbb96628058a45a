//! Who is logged in: a signed token (JWT, HS256) names a session, and the session is in Redis, so that it can be ended.

use deadpool_redis::redis::{self, AsyncTypedCommands as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::accounts::User;
use crate::stores::{Redis, StoreError};

/// How long a session lasts, in seconds: two weeks.
const LASTS_SECONDS: i64 = 14 * 24 * 3600;
/// What signs has to have as many bytes as the signature.
const SECRET_MIN_BYTES: usize = 32;

/// Makes and reads the tokens of one secret.
#[derive(Clone)]
pub struct Sessions {
    redis: Redis,
    sign: EncodingKey,
    verify: DecodingKey,
}

/// A session and whose it is.
#[derive(Debug, Clone)]
pub struct Session {
    pub id: Uuid,
    pub user: User,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: Uuid,
    jti: Uuid,
    iat: i64,
    exp: i64,
}

impl Sessions {
    /// Sessions signed with `secret`.
    ///
    /// # Errors
    /// The secret is too short to protect anything.
    pub fn new(redis: Redis, secret: &str) -> Result<Self, &'static str> {
        if secret.len() < SECRET_MIN_BYTES {
            return Err("JWT_SECRET has fewer than 32 bytes");
        }
        Ok(Self {
            redis,
            sign: EncodingKey::from_secret(secret.as_bytes()),
            verify: DecodingKey::from_secret(secret.as_bytes()),
        })
    }

    /// Begins a session, and gives its token.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn begin(&self, user: &User) -> Result<String, StoreError> {
        let now = jiff::Timestamp::now().as_second();
        let claims = Claims {
            sub: user.id,
            jti: Uuid::new_v4(),
            iat: now,
            exp: now + LASTS_SECONDS,
        };
        let kept = serde_json::to_string(user).expect("a user is JSON");
        let mut redis = self.redis.get().await?;
        redis
            .set_ex(key(claims.jti), kept, LASTS_SECONDS.unsigned_abs())
            .await?;
        Ok(
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign)
                .expect("the claims are JSON"),
        )
    }

    /// The session of a token; none if it was not made here, is over, or was ended.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn find(&self, token: &str) -> Result<Option<Session>, StoreError> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 5;
        let Ok(token) = jsonwebtoken::decode::<Claims>(token, &self.verify, &validation) else {
            return Ok(None);
        };
        let id = token.claims.jti;
        let mut redis = self.redis.get().await?;
        let kept: Option<String> = redis.get(key(id)).await?;
        let user = kept.and_then(|kept| serde_json::from_str(&kept).ok());
        Ok(user.map(|user| Session { id, user }))
    }

    /// Ends a session everywhere.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn end(&self, session: &Session) -> Result<(), StoreError> {
        let mut redis = self.redis.get().await?;
        redis.del(key(session.id)).await?;
        Ok(())
    }

    /// Counts one more of `what` in the present stretch of `seconds`; false when it is more than `limit`. While Redis is
    /// away nothing is limited: better a moment without limits than without a chat.
    pub async fn within(&self, what: &str, limit: u64, seconds: i64) -> bool {
        let stretch = jiff::Timestamp::now().as_second() / seconds;
        let key = format!("chat:rate:{what}:{stretch}");
        let counted = async {
            let mut redis = self.redis.get().await?;
            let (count,): (u64,) = redis::pipe()
                .atomic()
                .incr(&key, 1)
                .expire(&key, 2 * seconds)
                .ignore()
                .query_async(&mut redis)
                .await?;
            Ok::<u64, StoreError>(count)
        };
        match counted.await {
            Ok(count) => count <= limit,
            Err(error) => {
                crate::observe::error(&error);
                true
            }
        }
    }
}

fn key(session: Uuid) -> String {
    format!("chat:session:{session}")
}
