//! The routes and their handlers. Every answer is JSON; an error is `{"error":{"code":…,"message":…}}`.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router, middleware};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;

use crate::observe::{self, Metrics};
use crate::store::{NewItem, Store, StoreError};
use crate::streaming;

/// The largest request body: an item of 1,100 characters, each of at most 12 bytes in JSON, with room to spare.
const BODY_MAX_BYTES: usize = 32 * 1024;
/// Items of a page where the client does not say.
const DEFAULT_LIMIT: u32 = 20;
/// Items of a page at most.
const MAX_LIMIT: u32 = 100;

/// The document at `/openapi.json`.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// The whole API. `version` is what `/health` tells; `stop` turns true when sockets are to be closed.
pub fn router<S: Store>(store: S, version: String, stop: watch::Receiver<bool>) -> Router {
    let metrics = Arc::new(Metrics::new());
    let exposition = Arc::clone(&metrics);
    Router::new()
        .route("/health", get(move |store| health::<S>(store, version)))
        .route("/items", get(list::<S>).post(create::<S>))
        .route("/items/{id}", get(read::<S>).delete(remove::<S>))
        .with_state(store)
        .merge(streaming::router(stop))
        .route("/metrics", get(async move || exposition.exposition()))
        .route(
            "/openapi.json",
            get(async || ([(header::CONTENT_TYPE, "application/json")], OPENAPI)),
        )
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

async fn health<S: Store>(State(store): State<S>, version: String) -> Result<Response, Error> {
    store.check().await?;
    Ok(
        Json(json!({ "status": "ok", "version": version, "pid": std::process::id() }))
            .into_response(),
    )
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Paging {
    limit: u32,
    offset: u64,
}

impl Default for Paging {
    fn default() -> Self {
        Self {
            limit: DEFAULT_LIMIT,
            offset: 0,
        }
    }
}

async fn list<S: Store>(
    State(store): State<S>,
    paging: Result<Query<Paging>, QueryRejection>,
) -> Result<Response, Error> {
    let Query(Paging { limit, offset }) =
        paging.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Error::bad_request(format!(
            "limit must be 1 to {MAX_LIMIT}, it is {limit}"
        )));
    }
    Ok(Json(store.page(offset, limit).await?).into_response())
}

async fn create<S: Store>(
    State(store): State<S>,
    body: Result<Json<NewItem>, JsonRejection>,
) -> Result<Response, Error> {
    let Json(new) = body.map_err(|rejection| {
        Error::new(rejection.status(), "invalid_body", rejection.body_text())
    })?;
    let new = new
        .validated()
        .map_err(|message| Error::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_item", message))?;
    let item = store.add(new).await?;
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, format!("/items/{}", item.id))],
        Json(item),
    )
        .into_response())
}

async fn read<S: Store>(
    State(store): State<S>,
    id: Result<Path<u64>, PathRejection>,
) -> Result<Response, Error> {
    let Path(id) = id.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    let item = store.get(id).await?.ok_or_else(|| Error::no_item(id))?;
    Ok(Json(item).into_response())
}

async fn remove<S: Store>(
    State(store): State<S>,
    id: Result<Path<u64>, PathRejection>,
) -> Result<Response, Error> {
    let Path(id) = id.map_err(|rejection| Error::bad_request(rejection.body_text()))?;
    if !store.remove(id).await? {
        return Err(Error::no_item(id));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// An answer that is not what was asked for.
pub(crate) struct Error {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Error {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    fn no_item(id: u64) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no item {id}"),
        )
    }
}

impl From<StoreError> for Error {
    /// The client learns that the store failed; why is for the operator, in the log.
    fn from(error: StoreError) -> Self {
        observe::error(&error);
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store_unavailable",
            error.to_string(),
        )
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({ "error": { "code": self.code, "message": self.message } });
        (self.status, Json(body)).into_response()
    }
}
