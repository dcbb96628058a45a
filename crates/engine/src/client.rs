//! Asks an engine, over its unix socket.

use std::path::PathBuf;

use bytes::{Buf, Bytes, BytesMut};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{
    Accepted, ApiError, AuditEntry, DownRequest, Environment, EnvironmentRequest, Event,
    ReleaseRequest, ReleaseSummary, RestartRequest, ScaleRequest, Status, UndoRequest,
};
use crate::state_dir::StateDir;

/// Why the engine gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No engine listens.
    #[error("no engine runs for this project")]
    NotRunning(#[source] std::io::Error),
    /// It refused.
    #[error(transparent)]
    Refused(#[from] ApiError),
    /// The connection failed.
    #[error("the connection to the engine broke")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
    ClientError::Broken(error.into())
}

/// A client of one project's engine. Every call connects anew; all are cancel safe.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the engine of that state directory, whether it runs or not.
    #[must_use]
    pub fn new(state: &StateDir) -> Self {
        Self {
            socket: state.engine_socket(),
        }
    }

    /// The state of the project.
    ///
    /// # Errors
    /// See [`ClientError`]; so for all calls.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get("/v1/status").await
    }

    /// Every release, the newest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn releases(&self) -> Result<Vec<ReleaseSummary>, ClientError> {
        self.get("/v1/releases").await
    }

    /// Who did what, the oldest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn audit(&self) -> Result<Vec<AuditEntry>, ClientError> {
        self.get("/v1/audit").await
    }

    /// Begins a release.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn release(&self, request: &ReleaseRequest) -> Result<Accepted, ClientError> {
        self.post("/v1/releases", request).await
    }

    /// Takes the last release back.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn undo(&self, request: &UndoRequest) -> Result<Accepted, ClientError> {
        self.post("/v1/undo", request).await
    }

    /// Sets replicas by hand.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn scale(&self, request: &ScaleRequest) -> Result<(), ClientError> {
        self.post("/v1/scale", request).await
    }

    /// Replaces replicas.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn restart(&self, request: &RestartRequest) -> Result<Accepted, ClientError> {
        self.post("/v1/restart", request).await
    }

    /// What a replica is started with.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn environment(
        &self,
        request: &EnvironmentRequest,
    ) -> Result<Environment, ClientError> {
        self.post("/v1/environment", request).await
    }

    /// Stops everything; the engine ends when all has stopped.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn down(&self, request: DownRequest) -> Result<(), ClientError> {
        self.post("/v1/down", &request).await
    }

    /// Ends the engine alone; what it started goes on.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn exit(&self) -> Result<(), ClientError> {
        self.post("/v1/exit", &()).await
    }

    /// The events after number `after`, as they come.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn events(&self, after: u64) -> Result<Events, ClientError> {
        let path = format!("/v1/events?after={after}");
        let body = self.send(Method::GET, &path, Bytes::new()).await?;
        Ok(Events {
            body,
            buffer: BytesMut::new(),
        })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let body = self.send(Method::GET, path, Bytes::new()).await?;
        parse(body).await
    }

    async fn post<Q: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        request: &Q,
    ) -> Result<T, ClientError> {
        let bytes = serde_json::to_vec(request).map_err(broken)?;
        let body = self.send(Method::POST, path, bytes.into()).await?;
        parse(body).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Incoming, ClientError> {
        let stream = wharf_process::unix_socket::connect_async(&self.socket)
            .map_err(ClientError::NotRunning)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "engine")
            .body(Full::new(body))
            .map_err(broken)?;
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let error: ApiError = parse(response.into_body()).await?;
        Err(ClientError::Refused(error))
    }
}

async fn parse<T: DeserializeOwned>(body: Incoming) -> Result<T, ClientError> {
    let bytes = body.collect().await.map_err(broken)?.to_bytes();
    serde_json::from_slice(&bytes).map_err(broken)
}

/// A stream of events.
pub struct Events {
    body: Incoming,
    buffer: BytesMut,
}

impl Events {
    /// The next event; none when the engine has ended.
    ///
    /// # Errors
    /// An event is not what was expected. A broken connection is the end of the stream.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let event = serde_json::from_slice(&self.buffer[..end]).map_err(broken)?;
                self.buffer.advance(end + 1);
                return Ok(Some(event));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }
}
