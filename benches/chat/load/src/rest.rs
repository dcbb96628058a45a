//! The REST part: accounts, rooms, posts and the history. What fails is said in a sentence; who calls decides whether to try again.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::time::timeout;
use uuid::Uuid;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A page of 200 messages of 2000 characters has at most half of it.
const ANSWER_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Connections that are kept for the next request.
const IDLE: usize = 256;
/// Messages of a page of the history.
pub(crate) const PAGE: usize = 200;

/// Why a request has no answer that can be used.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("{0} gave no answer within {PATIENCE:?}")]
    Late(String),
    #[error("{0} gave no answer: {1}")]
    Lost(String, String),
    #[error("{0} was answered with {1}: {2}")]
    Status(String, StatusCode, String),
    #[error("{0} was answered with something that is not what was expected: {1}")]
    Answer(String, serde_json::Error),
}

/// Clients of one server.
#[derive(Debug)]
pub(crate) struct Rest {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

/// A message of the history.
#[derive(Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) revision: i64,
    pub(crate) key: Uuid,
    pub(crate) body: String,
}

/// A part of the history.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Message>,
    pub(crate) more: bool,
}

#[derive(Debug, Deserialize)]
struct Session {
    token: String,
}

#[derive(Debug, Deserialize)]
struct Room {
    id: Uuid,
}

impl Rest {
    /// `base` is `http://HOST:PORT`.
    pub(crate) fn new(base: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(PATIENCE));
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE)
            .build(connector);
        Self {
            client,
            base: base.to_owned(),
        }
    }

    /// Registers somebody; their token.
    pub(crate) async fn register(&self, name: &str) -> Result<String, Failure> {
        let body = json!({ "name": name, "password": "a password for a measurement" });
        Ok(self
            .ask::<Session>(Method::POST, "/api/register", "", Some(&body))
            .await?
            .token)
    }

    /// Opens a room; its id.
    pub(crate) async fn open(&self, token: &str, name: &str) -> Result<Uuid, Failure> {
        let body = json!({ "name": name });
        Ok(self
            .ask::<Room>(Method::POST, "/api/rooms", token, Some(&body))
            .await?
            .id)
    }

    /// Posts a message.
    pub(crate) async fn post(
        &self,
        token: &str,
        room: Uuid,
        key: Uuid,
        body: &str,
    ) -> Result<Message, Failure> {
        let body = json!({ "key": key, "body": body });
        self.ask(
            Method::POST,
            &format!("/api/rooms/{room}/messages"),
            token,
            Some(&body),
        )
        .await
    }

    /// What changed in a room after a revision.
    pub(crate) async fn after(
        &self,
        token: &str,
        room: Uuid,
        revision: i64,
    ) -> Result<Page, Failure> {
        let path = format!("/api/rooms/{room}/messages?after={revision}&limit={PAGE}");
        self.ask(Method::GET, &path, token, None).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<T, Failure> {
        // Without the room's id, so that what fails alike reads alike.
        let kind = path.split('/').nth_back(0).unwrap_or(path);
        let what = format!("{method} {}", kind.split('?').next().unwrap_or(kind));
        let lost = |error: &dyn std::fmt::Display| Failure::Lost(what.clone(), error.to_string());
        let address: Uri = format!("{}{path}", self.base)
            .parse()
            .map_err(|error| lost(&error))?;
        let mut request = Request::builder().method(method).uri(address);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = request
            .body(Full::from(body))
            .map_err(|error| lost(&error))?;
        let answered = timeout(PATIENCE, async {
            let answer = self
                .client
                .request(request)
                .await
                .map_err(|error| lost(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_MAX_BYTES);
            let body = body
                .collect()
                .await
                .map_err(|error| lost(&error))?
                .to_bytes();
            Ok((status, body))
        });
        let (status, body) = answered.await.map_err(|_| Failure::Late(what.clone()))??;
        if !status.is_success() {
            let begin: String = String::from_utf8_lossy(&body).chars().take(200).collect();
            return Err(Failure::Status(what, status, begin));
        }
        serde_json::from_slice(&body).map_err(|error| Failure::Answer(what, error))
    }
}
