//! A few connections to one HTTP server: requests in, whole answers out, all of it in bounded time and memory.

use std::error::Error as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Frame, SizeHint};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::scrape::tls;

/// Connections at once; who comes later waits.
const CONNECTIONS: usize = 8;

/// Until a connection is there, names and certificates included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What is read of a file at once while it is sent.
const PIECE: usize = 128 << 10;

/// What is sent: nothing, or a file.
pub(super) struct Content {
    file: Option<File>,
    at: u64,
    length: u64,
}

impl Content {
    pub(super) fn none() -> Self {
        Self {
            file: None,
            at: 0,
            length: 0,
        }
    }

    pub(super) fn of(file: File, length: u64) -> Self {
        Self {
            file: Some(file),
            at: 0,
            length,
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let left = usize::try_from(self.length - self.at).map_or(PIECE, |left| left.min(PIECE));
        let Some(file) = self.file.as_ref().filter(|_| left > 0) else {
            return Poll::Ready(None);
        };
        let mut piece = vec![0; left];
        // A local file, a piece at a time: no longer than what else the thread does.
        if let Err(error) = file.read_exact_at(&mut piece, self.at) {
            return Poll::Ready(Some(Err(error)));
        }
        self.at += left as u64;
        Poll::Ready(Some(Ok(Frame::data(piece.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.length
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length - self.at)
    }
}

/// A server.
pub(super) struct Remote {
    tls: bool,
    host: String,
    port: u16,
    idle: Mutex<Vec<SendRequest<Content>>>,
    places: Semaphore,
}

/// An answer, read as a whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Remote {
    pub(super) fn new(tls: bool, host: &str, port: u16) -> Self {
        Self {
            tls,
            host: host.to_owned(),
            port,
            idle: Mutex::default(),
            places: Semaphore::new(CONNECTIONS),
        }
    }

    /// Sends a request, which `make` makes; the whole within `timeout`, an answer of at most `most` bytes.
    pub(super) async fn ask(
        &self,
        make: impl Fn() -> io::Result<Request<Content>>,
        most: usize,
        timeout: Duration,
    ) -> io::Result<Answer> {
        let asked = async {
            let place = self.places.acquire().await;
            let _place = place.map_err(|_| io::ErrorKind::BrokenPipe)?;
            let kept = self.lock().pop().filter(|open| !open.is_closed());
            if let Some(mut open) = kept {
                // The other side may have closed what has been idle; then nothing was done.
                if let Ok(answer) = self.on(&mut open, make()?, most).await {
                    self.keep(open);
                    return Ok(answer);
                }
            }
            let opened = tokio::time::timeout(CONNECT_TIMEOUT, self.connect()).await;
            let mut open = opened.map_err(|_| timed_out("connecting", CONNECT_TIMEOUT))??;
            let answer = self.on(&mut open, make()?, most).await?;
            self.keep(open);
            Ok(answer)
        };
        let whole = tokio::time::timeout(timeout, asked).await;
        whole.map_err(|_| timed_out("the answer", timeout))?
    }

    async fn on(
        &self,
        open: &mut SendRequest<Content>,
        request: Request<Content>,
        most: usize,
    ) -> io::Result<Answer> {
        open.ready().await.map_err(|error| broken(&error))?;
        let sent = open.send_request(request).await;
        let (head, body) = sent.map_err(|error| broken(&error))?.into_parts();
        let body = Limited::new(body, most).collect().await;
        let body = body.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Content>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, open: SendRequest<Content>) {
        let mut idle = self.lock();
        if !open.is_closed() && idle.len() < CONNECTIONS {
            idle.push(open);
        }
    }

    async fn connect(&self) -> io::Result<SendRequest<Content>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        if self.tls {
            shake(tls::connect(stream, &self.host).await?).await
        } else {
            shake(stream).await
        }
    }
}

async fn shake<S>(stream: S) -> io::Result<SendRequest<Content>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaken = handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|error| broken(&error))?;
    // It ends with the sender. Its error is that of the request under way, which says it better.
    tokio::spawn(async move { connection.await.unwrap_or_default() });
    Ok(sender)
}

fn timed_out(what: &str, limit: Duration) -> io::Error {
    let message = format!("{what} took more than {} s", limit.as_secs());
    io::Error::new(io::ErrorKind::TimedOut, message)
}

/// hyper puts what happened into the source.
fn broken(error: &hyper::Error) -> io::Error {
    io::Error::other(match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}
