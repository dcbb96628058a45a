//! What `backend` serves. Every answer is JSON; an error is `{"error":{"code":…,"message":…}}`.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router, middleware};
use deadpool_redis::redis::AsyncTypedCommands as _;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::accounts::{self, Credentials, User};
use crate::events;
use crate::messages::{self, Edited, Messages, Posted};
use crate::observe::{self, Metrics};
use crate::server::{live, well};
use crate::sessions::{Session, Sessions};
use crate::stores::{Postgres, Redis, StoreError};

/// The largest request body: a message of 2000 characters, each of at most 12 bytes in JSON.
const BODY_MAX_BYTES: usize = 32 * 1024;
/// Messages of an answer where the client does not say, and at most.
const PAGE: i64 = 50;
const PAGE_MAX: i64 = 200;
/// Attempts to log in to one account, in a minute.
const LOGINS: u64 = 10;

/// What the handlers share.
#[derive(Clone)]
pub struct Chat {
    pub postgres: Postgres,
    pub redis: Redis,
    pub messages: Messages,
    pub sessions: Sessions,
    /// Messages that a user may post in ten seconds.
    pub posts: u64,
    /// Whether messages may be changed.
    pub editing: bool,
}

/// The whole API. `version` is what `/health` and `/live` tell.
pub fn router(chat: Chat, version: String, metrics: Arc<Metrics>) -> Router {
    let exposition = Arc::clone(&metrics);
    Router::new()
        .route("/live", live(version.clone()))
        .route("/health", get(move |chat| health(chat, version)))
        .route("/api/register", post(register))
        .route("/api/login", post(login))
        .route("/api/logout", post(logout))
        .route("/api/me", get(me))
        .route("/api/rooms", get(rooms).post(open))
        .route("/api/rooms/{room}/messages", get(history).post(say))
        .route("/api/rooms/{room}/messages/{id}", patch(edit))
        .route("/api/rooms/{room}/presence", get(presence))
        .with_state(chat.clone())
        .route("/metrics", get(move || expose(chat, exposition)))
        .fallback(async || {
            Error::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is nothing at this path",
            )
        })
        .method_not_allowed_fallback(async || {
            Error::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this path does not take this method",
            )
        })
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .layer(middleware::from_fn_with_state(metrics, observe::request))
}

/// Whether what it needs answers; unlike `/live`.
async fn health(State(chat): State<Chat>, version: String) -> Result<Response, Error> {
    chat.messages.check().await?;
    Ok(well(&version).into_response())
}

async fn expose(chat: Chat, metrics: Arc<Metrics>) -> Response {
    if let Ok(untold) = chat.messages.untold().await {
        metrics.pending.set(untold);
    }
    metrics.exposition()
}

async fn register(
    State(chat): State<Chat>,
    body: Result<Json<Credentials>, JsonRejection>,
) -> Result<(StatusCode, Response), Error> {
    let credentials = given(body)?;
    credentials
        .validate()
        .map_err(|message| Error::invalid("invalid_account", message))?;
    let user = accounts::register(&chat.postgres, credentials)
        .await?
        .ok_or_else(|| {
            Error::new(
                StatusCode::CONFLICT,
                "name_taken",
                "there is an account of this name",
            )
        })?;
    Ok((StatusCode::CREATED, logged_in(&chat, user).await?))
}

async fn login(
    State(chat): State<Chat>,
    body: Result<Json<Credentials>, JsonRejection>,
) -> Result<Response, Error> {
    let credentials = given(body)?;
    let what = format!("login:{}", credentials.name.to_lowercase());
    if credentials.name.len() > 200 || !chat.sessions.within(&what, LOGINS, 60).await {
        return Err(Error::too_many(60));
    }
    let user = accounts::verify(&chat.postgres, credentials)
        .await?
        .ok_or_else(|| {
            Error::new(
                StatusCode::UNAUTHORIZED,
                "wrong_credentials",
                "the name or the password is wrong",
            )
        })?;
    logged_in(&chat, user).await
}

async fn logged_in(chat: &Chat, user: User) -> Result<Response, Error> {
    let token = chat.sessions.begin(&user).await?;
    Ok(Json(json!({ "token": token, "user": user })).into_response())
}

async fn logout(State(chat): State<Chat>, session: Session) -> Result<StatusCode, Error> {
    chat.sessions.end(&session).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn me(session: Session) -> Json<User> {
    Json(session.user)
}

async fn rooms(State(chat): State<Chat>, _: Session) -> Result<Response, Error> {
    Ok(Json(json!({ "rooms": chat.messages.rooms().await? })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewRoom {
    name: String,
}

async fn open(
    State(chat): State<Chat>,
    session: Session,
    body: Result<Json<NewRoom>, JsonRejection>,
) -> Result<Response, Error> {
    let name = given(body)?.name.trim().to_owned();
    if !(1..=50).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        return Err(Error::invalid(
            "invalid_room",
            "a room's name has 1 to 50 characters",
        ));
    }
    if !chat
        .sessions
        .within(&format!("room:{}", session.user.id), 10, 60)
        .await
    {
        return Err(Error::too_many(60));
    }
    let room = chat.messages.open(&name).await?.ok_or_else(|| {
        Error::new(
            StatusCode::CONFLICT,
            "name_taken",
            "there is a room of this name",
        )
    })?;
    Ok((StatusCode::CREATED, Json(room)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Paging {
    before: Option<i64>,
    after: Option<i64>,
    limit: Option<i64>,
}

/// The last messages of a room (before a place), or what changed after a revision.
async fn history(
    State(chat): State<Chat>,
    _: Session,
    room: Result<Path<Uuid>, PathRejection>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Response, Error> {
    let Path(room) = room.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let Query(paging) = paging.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let limit = paging.limit.unwrap_or(PAGE);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Error::bad_request(format!(
            "limit must be 1 to {PAGE_MAX}, it is {limit}"
        )));
    }
    // One more than asked for, to know whether there are more.
    let (mut messages, after) = match (paging.before, paging.after) {
        (Some(_), Some(_)) => {
            return Err(Error::bad_request("before and after exclude each other"));
        }
        (_, Some(after)) => (chat.messages.after(room, after, limit + 1).await?, true),
        (before, None) => (
            chat.messages
                .before(room, before.unwrap_or(i64::MAX), limit + 1)
                .await?,
            false,
        ),
    };
    let more = i64::try_from(messages.len()).is_ok_and(|found| found > limit);
    if more && after {
        messages.pop();
    } else if more {
        messages.remove(0);
    }
    Ok(Json(json!({ "messages": messages, "more": more })).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMessage {
    key: Uuid,
    body: String,
}

/// 201 when it was stored now, 200 when it had been: a client may send it again until it gets one of them.
async fn say(
    State(chat): State<Chat>,
    session: Session,
    room: Result<Path<Uuid>, PathRejection>,
    body: Result<Json<NewMessage>, JsonRejection>,
) -> Result<Response, Error> {
    let Path(room) = room.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let NewMessage { key, body } = given(body)?;
    messages::validate(&body).map_err(|message| Error::invalid("invalid_message", message))?;
    if !chat
        .sessions
        .within(&format!("post:{}", session.user.id), chat.posts, 10)
        .await
    {
        return Err(Error::too_many(10));
    }
    match chat.messages.post(room, &session.user, key, &body).await? {
        Posted::New(message) => Ok((StatusCode::CREATED, Json(message)).into_response()),
        Posted::Before(message) => Ok(Json(message).into_response()),
        Posted::NoRoom => Err(Error::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is no such room",
        )),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    body: String,
}

async fn edit(
    State(chat): State<Chat>,
    session: Session,
    place: Result<Path<(Uuid, i64)>, PathRejection>,
    body: Result<Json<Change>, JsonRejection>,
) -> Result<Response, Error> {
    let Path((room, id)) = place.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let Change { body } = given(body)?;
    if !chat.editing {
        return Err(Error::new(
            StatusCode::FORBIDDEN,
            "editing_disabled",
            "messages cannot be changed here",
        ));
    }
    messages::validate(&body).map_err(|message| Error::invalid("invalid_message", message))?;
    if !chat
        .sessions
        .within(&format!("post:{}", session.user.id), chat.posts, 10)
        .await
    {
        return Err(Error::too_many(10));
    }
    match chat.messages.edit(room, id, &session.user, &body).await? {
        Edited::Done(message) => Ok(Json(message).into_response()),
        Edited::NoMessage => Err(Error::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "there is no such message",
        )),
        Edited::NotTheirs => Err(Error::new(
            StatusCode::FORBIDDEN,
            "not_yours",
            "only its author can change a message",
        )),
    }
}

async fn presence(
    State(chat): State<Chat>,
    _: Session,
    room: Result<Path<Uuid>, PathRejection>,
) -> Result<Response, Error> {
    let Path(room) = room.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let now = jiff::Timestamp::now().as_second();
    let mut redis = chat.redis.get().await.map_err(StoreError::from)?;
    let kept: Vec<String> = redis
        .zrangebyscore(events::presence(room), now, "+inf")
        .await
        .map_err(StoreError::from)?;
    let users: Vec<User> = kept
        .iter()
        .filter_map(|user| serde_json::from_str(user).ok())
        .collect();
    Ok(Json(json!({ "users": users })).into_response())
}

impl FromRequestParts<Chat> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, chat: &Chat) -> Result<Self, Error> {
        let token = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        let found = match token {
            Some(token) => chat.sessions.find(token).await?,
            None => None,
        };
        found.ok_or_else(|| Error::new(StatusCode::UNAUTHORIZED, "not_logged_in", "log in first"))
    }
}

fn given<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Error> {
    match body {
        Ok(Json(value)) => Ok(value),
        Err(rejection) => Err(Error::new(
            rejection.status(),
            "invalid_body",
            rejection.body_text(),
        )),
    }
}

/// An answer that is not what was asked for.
#[derive(Debug)]
pub struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// In how many seconds to try again.
    retry: Option<u16>,
}

impl Error {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry: None,
        }
    }

    fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    fn too_many(retry: u16) -> Self {
        let message = "that was too often: wait a moment";
        Self {
            retry: Some(retry),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", message)
        }
    }
}

impl From<StoreError> for Error {
    /// The client learns that a store failed; why is for the operator, in the log.
    fn from(error: StoreError) -> Self {
        observe::error(&error);
        let message = error.to_string();
        Self {
            retry: Some(1),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                message,
            )
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        let mut response = (self.status, Json(body)).into_response();
        if let Some(seconds) = self.retry {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
