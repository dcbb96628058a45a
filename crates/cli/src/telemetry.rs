//! Asks the engine's telemetry over HTTP.

use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wharf_engine::api::Status;

use crate::exit::{Code, failure};

/// The largest answer: twice what of one trace is read.
const ANSWER_MAX_BYTES: usize = 64 << 20;
/// For one question; the engine gives up a query after half of it.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The base address of the Prometheus, Loki, Tempo and OTLP endpoints.
pub(crate) fn telemetry_url(status: &Status) -> anyhow::Result<&str> {
    status.telemetry_url.as_deref().ok_or_else(|| {
        failure(
            Code::Failed,
            "the engine collects no telemetry",
            "`wharf up` starts it; `wharf doctor` tells what keeps it from running",
        )
    })
}

/// The answer to a GET, whatever its status.
pub(crate) async fn get(base: &str, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let asked = tokio::time::timeout(TIMEOUT, ask(base, path)).await;
    asked
        .map_err(|_| anyhow::anyhow!("no answer within {} s", TIMEOUT.as_secs()))
        .flatten()
        .with_context(|| format!("the telemetry at {base} gives no answer"))
}

async fn ask(base: &str, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
    let Some(rest) = base.strip_prefix("http://") else {
        bail!("its address does not begin with http://");
    };
    let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let slash = if prefix.is_empty() { "" } else { "/" };
    let uri = format!("{slash}{}{path}", prefix.trim_end_matches('/'));
    let request = hyper::Request::get(uri)
        .header(hyper::header::HOST, authority)
        .header(hyper::header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_MAX_BYTES);
    let body = body
        .collect()
        .await
        .map_err(|error| anyhow::anyhow!(error))?
        .to_bytes();
    connection.abort();
    Ok((status, body))
}

/// A text as a value in a URL's query.
pub(crate) fn escaped(text: &str) -> String {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 0xf));
            out.extend(['%', HEX[high], HEX[low]]);
        }
        out
    })
}
