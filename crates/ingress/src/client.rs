//! The engine's side of the control API (see [`crate::run`]). All calls are bounded in time; a dropped future leaves
//! nothing behind but what the ingress may have done already.

use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use crate::config::{Config, Status};
use crate::{handover, socket};

/// How long one call may take; the ingress answers in milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer: metrics of thousands of series.
const ANSWER_MAX_BYTES: usize = 64 << 20;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: no ingress runs, or it has just ended.
    #[error("cannot reach the ingress at {}", path.display())]
    Connect {
        /// The control socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the ingress at {} did not answer", path.display())]
    Http {
        /// The control socket.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It took too long.
    #[error("the ingress at {} did not answer within 10 s", .0.display())]
    Timeout(PathBuf),
    /// The ingress serves a newer generation.
    #[error("the ingress refused the configuration as stale: {0}")]
    Stale(String),
    /// The ingress refused the call.
    #[error("the ingress answered {status}: {message}")]
    Refused {
        /// The status.
        status: u16,
        /// What is wrong.
        message: String,
    },
}

/// A connection to one ingress process. It stays with that process when another one takes the socket's path, so the
/// engine holds one while it replaces an ingress: to drain the old one, and to see when it has nothing under way.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
}

impl Control {
    /// Connects to the ingress that has the path now.
    ///
    /// # Errors
    /// None has it.
    pub async fn connect(socket: &Path) -> Result<Self, ClientError> {
        let failed = |source| ClientError::Connect {
            path: socket.to_owned(),
            source,
        };
        let connect = || {
            let stream = socket::connect(socket)?;
            stream.set_nonblocking(true)?;
            UnixStream::from_std(stream)
        };
        let stream = connect().map_err(failed)?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|source| broken(socket, source))?;
        // Its error is that of the call under way, which says it better.
        let connection = tokio::spawn(async move { connection.await.unwrap_or_default() });
        Ok(Self {
            path: socket.to_owned(),
            sender,
            connection,
        })
    }

    /// Serves `config` from now on. When this returns, no endpoint that it does not name, or names as draining, gets
    /// another request from this process.
    ///
    /// # Errors
    /// [`ClientError::Stale`] if a newer generation is served; else the ingress is not there or refuses it.
    pub async fn put_config(&mut self, config: &Config) -> Result<(), ClientError> {
        let body = serde_json::to_vec(config).map_err(|source| broken(&self.path, source))?;
        self.call(Method::PUT, "/config", body).await.map(drop)
    }

    /// What the ingress is doing.
    ///
    /// # Errors
    /// The ingress is not there, or answers something else.
    pub async fn status(&mut self) -> Result<Status, ClientError> {
        let body = self.call(Method::GET, "/status", Vec::new()).await?;
        serde_json::from_slice(&body).map_err(|source| broken(&self.path, source))
    }

    /// What the ingress has counted, in Prometheus's text format.
    ///
    /// # Errors
    /// The ingress is not there.
    pub async fn metrics(&mut self) -> Result<String, ClientError> {
        let body = self.call(Method::GET, "/metrics", Vec::new()).await?;
        String::from_utf8(body.into()).map_err(|source| broken(&self.path, source))
    }

    /// Makes the ingress stop accepting, finish what it has within `timeout`, and end. Returns at once.
    ///
    /// # Errors
    /// The ingress is not there.
    pub async fn drain(&mut self, timeout: Duration) -> Result<(), ClientError> {
        let path = format!("/drain?timeout={}", wharf_base::duration::format(timeout));
        self.call(Method::POST, &path, Vec::new()).await.map(drop)
    }

    async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Bytes, ClientError> {
        match tokio::time::timeout(TIMEOUT, self.call_untimed(method, path, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Timeout(self.path.clone())),
        }
    }

    async fn call_untimed(
        &mut self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Bytes, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, "ingress")
            .body(Full::new(Bytes::from(body)))
            .map_err(|source| broken(&self.path, source))?;
        self.sender
            .ready()
            .await
            .map_err(|source| broken(&self.path, source))?;
        let response = self
            .sender
            .send_request(request)
            .await
            .map_err(|source| broken(&self.path, source))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MAX_BYTES)
            .collect()
            .await;
        let body = body
            .map_err(|source| broken(&self.path, source))?
            .to_bytes();
        let message = || String::from_utf8_lossy(&body).into_owned();
        match status {
            status if status.is_success() => Ok(body),
            StatusCode::CONFLICT => Err(ClientError::Stale(message())),
            status => Err(ClientError::Refused {
                status: status.as_u16(),
                message: message(),
            }),
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// [`Control::put_config`] on a connection of its own.
///
/// # Errors
/// Those of [`Control::put_config`].
pub async fn put_config(socket: &Path, config: &Config) -> Result<(), ClientError> {
    Control::connect(socket).await?.put_config(config).await
}

/// [`Control::status`] on a connection of its own.
///
/// # Errors
/// Those of [`Control::status`].
pub async fn status(socket: &Path) -> Result<Status, ClientError> {
    Control::connect(socket).await?.status().await
}

/// [`Control::metrics`] on a connection of its own.
///
/// # Errors
/// Those of [`Control::metrics`].
pub async fn metrics(socket: &Path) -> Result<String, ClientError> {
    Control::connect(socket).await?.metrics().await
}

/// [`Control::drain`] of the ingress that has the path now. To replace an ingress, connect to the old one before
/// the new one starts.
///
/// # Errors
/// Those of [`Control::drain`].
pub async fn drain(socket: &Path, timeout: Duration) -> Result<(), ClientError> {
    Control::connect(socket).await?.drain(timeout).await
}

/// Gets the listening sockets back from an ingress that outlived its engine, with their names.
///
/// # Errors
/// The ingress is not there.
pub async fn take_listeners(socket: &Path) -> Result<Vec<(String, TcpListener)>, ClientError> {
    let path = socket::fds_path(socket);
    let receive = {
        let path = path.clone();
        move || {
            let stream = socket::connect(&path)?;
            handover::receive(&stream)
        }
    };
    let received = tokio::task::spawn_blocking(receive)
        .await
        .map_err(|source| broken(&path, source))?;
    received.map_err(|source| ClientError::Connect { path, source })
}

fn broken(
    socket: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ClientError {
    ClientError::Http {
        path: socket.to_owned(),
        source: source.into(),
    }
}
