//! One GET over a connection that is kept: HTTP/1.1 over TCP or a unix socket, gzip, bounded.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use wharf_protocols::exposition::{self, Format};

use super::ScrapeError;
use super::address::Address;
use super::intake::Answer;
use super::target::Target;

/// The first buffer of a body whose length nobody knows.
const BODY_BYTES: usize = 16 << 10;

/// The connection to one target, if there is one.
#[derive(Debug, Default)]
pub(super) struct Link {
    open: Option<Open>,
    /// How long the last body was: the next one is about as long.
    expected: usize,
}

#[derive(Debug)]
struct Open {
    sender: SendRequest<Empty<Bytes>>,
    task: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// Asks. Dropped in the middle, it has no connection any more, and nothing else is lost.
    pub(super) async fn ask(
        &mut self,
        address: &Address,
        target: &Target,
    ) -> Result<Answer, ScrapeError> {
        let asked = async {
            let kept = self.open.take().filter(|open| !open.sender.is_closed());
            if let Some(mut open) = kept {
                // The other side may have closed what has been idle.
                if let Ok(response) = open.send(address, target).await {
                    return self.read(open, response, target).await;
                }
            }
            let mut open = connect(address).await?;
            let response = open.send(address, target).await;
            let response = response.map_err(|error| broken(address, &error))?;
            self.read(open, response, target).await
        };
        let limit = target.timeout;
        tokio::time::timeout(limit, asked)
            .await
            .unwrap_or(Err(ScrapeError::Timeout(limit)))
    }

    async fn read(
        &mut self,
        open: Open,
        response: http::Response<Incoming>,
        target: &Target,
    ) -> Result<Answer, ScrapeError> {
        if !response.status().is_success() {
            return Err(ScrapeError::Status(response.status()));
        }
        let format = format_of(response.headers());
        let limit = target.limits.body_bytes;
        let mut unpacked = Unpack::new(response.headers(), self.expected.min(limit), limit)?;
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(&target.source, &error))?;
            if let Ok(data) = frame.into_data() {
                unpacked.take(&data)?;
            }
        }
        let body = unpacked.end()?;
        self.expected = body.len();
        self.open = Some(open);
        Ok(Answer::Text { body, format })
    }
}

/// A target that says nothing of its format speaks the oldest one.
fn format_of(headers: &HeaderMap) -> Format {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.and_then(Format::of).unwrap_or(Format::Text)
}

impl Open {
    async fn send(
        &mut self,
        address: &Address,
        target: &Target,
    ) -> hyper::Result<http::Response<Incoming>> {
        let mut request = Request::new(Empty::new());
        // Checked when the address was read.
        if let Ok(path) = address.path().parse() {
            *request.uri_mut() = path;
        }
        let headers = request.headers_mut();
        let seconds = target.timeout.as_secs_f64().to_string();
        for (name, value) in [
            (HOST, address.host()),
            (ACCEPT, exposition::ACCEPT),
            (ACCEPT_ENCODING, "gzip"),
            (USER_AGENT, concat!("wharf/", env!("CARGO_PKG_VERSION"))),
        ] {
            if let Ok(value) = value.parse() {
                headers.insert(name, value);
            }
        }
        if let Ok(value) = seconds.parse() {
            headers.insert("x-prometheus-scrape-timeout-seconds", value);
        }
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }
}

async fn connect(address: &Address) -> Result<Open, ScrapeError> {
    let failed = |error: io::Error| ScrapeError::Connect {
        address: address.to_string(),
        reason: error.to_string(),
    };
    match address {
        Address::Http {
            tls, host, port, ..
        } => {
            let stream = TcpStream::connect((host.as_str(), *port))
                .await
                .map_err(failed)?;
            stream.set_nodelay(true).map_err(failed)?;
            if !tls {
                return shake(stream, address).await;
            }
            let stream = super::tls::connect(stream, host).await.map_err(failed)?;
            shake(stream, address).await
        }
        Address::Unix { socket, .. } => {
            let stream = connect_unix(socket).await.map_err(failed)?;
            shake(stream, address).await
        }
    }
}

/// A socket's address has room for 108 bytes and a state folder may be deeper, so its folder is opened and named by number.
async fn connect_unix(socket: &Path) -> io::Result<UnixStream> {
    use std::os::fd::AsRawFd as _;

    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the socket has no name",
        ));
    };
    let folder = std::fs::File::open(folder)?;
    let folder_number = folder.as_raw_fd().to_string();
    let short = Path::new("/proc/self/fd").join(folder_number).join(name);
    UnixStream::connect(short).await
}

async fn shake<S>(stream: S, address: &Address) -> Result<Open, ScrapeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaken = handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|error| broken(address, &error))?;
    // Its error is that of the request under way, which says it better.
    let task = tokio::spawn(async move { connection.await.unwrap_or_default() });
    Ok(Open { sender, task })
}

/// hyper puts what happened into the source.
fn broken(address: &impl std::fmt::Display, error: &hyper::Error) -> ScrapeError {
    let source = std::error::Error::source(error);
    ScrapeError::Http {
        address: address.to_string(),
        reason: source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}")),
    }
}

/// A body on its way.
enum Unpack {
    Plain(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
}

impl Unpack {
    fn new(headers: &HeaderMap, expected: usize, limit: usize) -> Result<Self, ScrapeError> {
        let into = Bounded {
            bytes: Vec::with_capacity(expected.max(BODY_BYTES).min(limit)),
            limit,
            beyond: false,
        };
        let encoding = headers.get(CONTENT_ENCODING).map(|name| name.as_bytes());
        match encoding {
            None | Some(b"" | b"identity") => Ok(Self::Plain(into)),
            Some(b"gzip" | b"x-gzip") => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(into)))),
            Some(other) => Err(ScrapeError::Gzip(format!(
                "it is packed with {}",
                String::from_utf8_lossy(other)
            ))),
        }
    }

    fn take(&mut self, data: &[u8]) -> Result<(), ScrapeError> {
        let (written, beyond, limit) = match self {
            Self::Plain(into) => (into.write_all(data), into.beyond, into.limit),
            Self::Gzip(gzip) => {
                let written = gzip.write_all(data);
                let into = gzip.get_ref();
                (written, into.beyond, into.limit)
            }
        };
        written.map_err(|error| {
            if beyond {
                ScrapeError::BodySize(limit)
            } else {
                ScrapeError::Gzip(error.to_string())
            }
        })
    }

    fn end(self) -> Result<Vec<u8>, ScrapeError> {
        match self {
            Self::Plain(into) => Ok(into.bytes),
            Self::Gzip(mut gzip) => {
                let done = gzip.try_finish();
                let into = gzip.get_mut();
                if into.beyond {
                    return Err(ScrapeError::BodySize(into.limit));
                }
                done.map_err(|error| ScrapeError::Gzip(error.to_string()))?;
                Ok(std::mem::take(&mut into.bytes))
            }
        }
    }
}

/// Bytes up to a limit.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    beyond: bool,
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.len() > self.limit - self.bytes.len() {
            self.beyond = true;
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a collector is given, and what it may take.
pub(super) async fn within<T>(
    limit: Duration,
    collected: impl Future<Output = Result<T, String>>,
) -> Result<T, ScrapeError> {
    match tokio::time::timeout(limit, collected).await {
        Ok(found) => found.map_err(ScrapeError::Collect),
        Err(_) => Err(ScrapeError::Timeout(limit)),
    }
}
