//! Asks the project's telemetry over HTTP, as any other client of Prometheus, Loki and Tempo would.

use std::time::Duration;

use anyhow::Context as _;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::exit::{Code, failure};
use crate::launcher::engine_of;
use crate::project::Project;

/// The largest answer that is read.
const BODY_MAX_BYTES: usize = 256 << 20;

/// How long an answer may take where nobody says: longer than a query may.
const TIMEOUT: Duration = Duration::from_secs(150);

/// A client of one project's telemetry. Every call connects anew.
pub(crate) struct TelemetryClient {
    address: String,
    timeout: Duration,
}

impl TelemetryClient {
    /// The client of a project that runs.
    pub(crate) async fn of(project: &Project, timeout: Option<Duration>) -> anyhow::Result<Self> {
        let status = engine_of(&project.state).await?.status().await?;
        let url = status.telemetry_url.ok_or_else(|| {
            let why = "the engine's telemetry does not answer".to_owned();
            failure(Code::Failed, why, "`wharf doctor` tells what keeps it")
        })?;
        let address = url.strip_prefix("http://").unwrap_or(&url);
        Ok(Self {
            address: address.trim_end_matches('/').to_owned(),
            timeout: timeout.unwrap_or(TIMEOUT),
        })
    }

    /// The address, `127.0.0.1:9090`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// `GET path?parameters`, answered with JSON.
    pub(crate) async fn get(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<Value> {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        self.ask(Method::GET, &format!("{path}?{query}"), None)
            .await
    }

    /// `GET path`, answered with JSON; none if there is no such thing.
    pub(crate) async fn find(&self, path: &str) -> anyhow::Result<Option<Value>> {
        let (status, body) = self.answer(Method::GET, path, None).await?;
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        read(status, &body).map(Some)
    }

    /// `POST path` with JSON, answered with JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// `DELETE path`.
    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::DELETE, path, None).await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let (status, body) = self.answer(method, path, body).await?;
        read(status, &body)
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let answered = tokio::time::timeout(self.timeout, self.exchange(method, path, body));
        answered.await.map_err(|_| {
            let limit = wharf_base::duration::format(self.timeout);
            let message = format!("the telemetry did not answer within {limit}");
            failure(
                Code::Failed,
                message,
                "ask for less: a shorter range, a larger step",
            )
        })?
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let stream = TcpStream::connect(&self.address).await;
        let stream =
            stream.with_context(|| format!("cannot reach the telemetry at {}", self.address))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, &self.address)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(
                body.map(Value::to_string).unwrap_or_default(),
            )))?;
        let answered = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), BODY_MAX_BYTES)
                .collect()
                .await;
            let body =
                body.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?;
            Ok::<_, anyhow::Error>((status, body.to_bytes()))
        };
        tokio::select! {
            answered = answered => answered,
            Err(error) = connection => Err(error).context("the connection to the telemetry broke"),
        }
    }
}

/// An answer as JSON; a refusal as the error that it is.
fn read(status: StatusCode, body: &Bytes) -> anyhow::Result<Value> {
    let text = String::from_utf8_lossy(body);
    if status.is_success() {
        let empty = text.trim().is_empty();
        return if empty {
            Ok(Value::Null)
        } else {
            serde_json::from_str(&text).context("the telemetry's answer is no JSON")
        };
    }
    let told = serde_json::from_str::<Value>(&text).ok();
    let told = told.and_then(|value| match value {
        Value::String(text) => Some(text),
        other => other
            .get("error")
            .and_then(Value::as_str)
            .map(str::to_owned),
    });
    let code = if status.is_client_error() && status != StatusCode::NOT_FOUND {
        Code::Usage
    } else {
        Code::Failed
    };
    Err(failure(
        code,
        told.unwrap_or_else(|| text.trim().to_owned()),
        "",
    ))
}
