//! One POST a connection, over TLS where the address says so.
//!
//! A message goes out every few minutes at most, so there is no pool. The roots of trust are the machine's own, which hold the
//! certificate authorities of a company too and are updated with the machine; a list compiled in would be neither.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use wharf_control::alert::{MessageId, Outcome};

use super::Secret;

/// As much of an answer as a message about it needs.
const ANSWER_MAX_BYTES: usize = 16 << 10;

/// Of an answer, what an error quotes.
const QUOTED_MAX_CHARS: usize = 120;

/// Whom to trust beside the machine's own roots.
#[derive(Debug, Clone, Default)]
pub struct Roots {
    /// Certificates in DER: of a private authority, of a test.
    pub extra: Vec<Vec<u8>>,
}

pub(super) struct Request<'a> {
    pub(super) url: &'a Secret,
    pub(super) body: serde_json::Value,
    /// What an error must not quote beside the address.
    pub(super) hidden: &'a Secret,
    /// For receivers that leave out what they have seen.
    pub(super) id: Option<MessageId>,
}

pub(super) struct Client {
    tls: Result<Arc<ClientConfig>, String>,
}

impl Client {
    pub(super) fn new(roots: &Roots) -> Self {
        Self {
            tls: configuration(roots).map(Arc::new),
        }
    }

    pub(super) async fn post(&self, request: Request<'_>) -> Outcome {
        let uri: Uri = match request.url.expose().parse() {
            Ok(uri) => uri,
            Err(_) => return Outcome::Refused("the address is no URL".to_owned()),
        };
        let Some(host) = uri
            .host()
            .map(|host| host.trim_matches(['[', ']']).to_owned())
        else {
            return Outcome::Refused("the address names no host".to_owned());
        };
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => {
                return Outcome::Refused(
                    "the address begins with neither https:// nor http://".to_owned(),
                );
            }
        };
        let failed = |problem: String| Outcome::Failed(format!("{host}: {problem}"));
        let body = Bytes::from(request.body.to_string());
        let made = prepared(&uri, body, request.id);
        let Ok(prepared) = made else {
            return Outcome::Refused(format!("{host}: the address cannot be asked"));
        };
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = match TcpStream::connect((host.as_str(), port)).await {
            Ok(stream) => stream,
            Err(error) => return failed(format!("cannot connect: {error}")),
        };
        let answer = if secure {
            let config = match &self.tls {
                Ok(config) => config.clone(),
                Err(problem) => return Outcome::Failed(problem.clone()),
            };
            let Ok(name) = ServerName::try_from(host.clone()) else {
                return Outcome::Refused(format!("{host} is no name that a certificate can have"));
            };
            match TlsConnector::from(config).connect(name, stream).await {
                Ok(stream) => exchange(stream, prepared).await,
                Err(error) => return failed(format!("no TLS: {error}")),
            }
        } else {
            exchange(stream, prepared).await
        };
        match answer {
            Ok((status, answer)) => judged(&host, status, &answer, &request),
            Err(error) => failed(error),
        }
    }
}

fn configuration(roots: &Roots) -> Result<ClientConfig, String> {
    let mut store = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(native.certs);
    for extra in &roots.extra {
        store
            .add(CertificateDer::from(extra.clone()))
            .map_err(|error| format!("a root certificate cannot be used: {error}"))?;
    }
    if store.is_empty() {
        return Err(
            "this machine has no root certificates; install its package ca-certificates".to_owned(),
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(config)
}

fn prepared(
    uri: &Uri,
    body: Bytes,
    id: Option<MessageId>,
) -> Result<http::Request<Full<Bytes>>, ()> {
    let authority = uri.authority().ok_or(())?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    // What stands before `@` in an address are name and password.
    let (account, place) = match authority.as_str().rsplit_once('@') {
        Some((account, place)) => (Some(account), place),
        None => (None, authority.as_str()),
    };
    let mut request = http::Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, place)
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::USER_AGENT,
            concat!("wharf/", env!("CARGO_PKG_VERSION")),
        );
    if let Some(account) = account {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(account);
        request = request.header(header::AUTHORIZATION, format!("Basic {encoded}"));
    }
    if let Some(id) = id {
        request = request.header("idempotency-key", format!("\"{id}\""));
    }
    request.body(Full::new(body)).map_err(drop)
}

async fn exchange<S>(
    stream: S,
    request: http::Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let cut = |error: hyper::Error| format!("the connection broke: {error}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(cut)?;
    let asked = async {
        let response = sender.send_request(request).await.map_err(cut)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MAX_BYTES)
            .collect()
            .await;
        // An answer that is too long, or cut, is judged by its status.
        let body = body.map(|body| body.to_bytes()).unwrap_or_default();
        Ok((status, body))
    };
    // The connection runs within this task: when it is dropped at the deadline, so is the connection.
    let mut connection = std::pin::pin!(connection);
    let mut asked = std::pin::pin!(asked);
    tokio::select! {
        answer = &mut asked => answer,
        ended = &mut connection => match ended {
            Ok(()) => asked.await,
            Err(error) => Err(cut(error)),
        },
    }
}

/// What an answer means: 5xx, 429 and 408 may pass; everything else but 2xx does not by itself.
fn judged(host: &str, status: StatusCode, answer: &[u8], request: &Request<'_>) -> Outcome {
    if status.is_success() {
        return Outcome::Delivered;
    }
    let mut quoted: String = String::from_utf8_lossy(answer)
        .trim()
        .chars()
        .take(QUOTED_MAX_CHARS)
        .collect();
    let path = request
        .url
        .expose()
        .split_once("://")
        .map_or("", |(_, rest)| rest);
    let path = path.split_once('/').map_or("", |(_, path)| path);
    let hidden = [request.hidden.expose(), request.url.expose(), path];
    if hidden
        .iter()
        .any(|hidden| hidden.len() > 3 && quoted.contains(hidden))
    {
        quoted.clear();
    }
    let quoted = wharf_spec::diagnostic::printable(&quoted).into_owned();
    let said = if quoted.is_empty() {
        String::new()
    } else {
        format!(": {quoted}")
    };
    let sentence = format!("{host} answered {status}{said}");
    let may_pass = status.is_server_error()
        || matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
    if may_pass {
        Outcome::Failed(sentence)
    } else if status.is_redirection() {
        Outcome::Refused(format!(
            "{sentence}; redirects are not followed, use the address it points to"
        ))
    } else {
        Outcome::Refused(sentence)
    }
}
