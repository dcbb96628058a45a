//! One request on a connection to a replica (HTTP/1.1): what is sent, what is read, and which of it happened before a
//! failure.
//!
//! Sending and receiving are polled together by whoever waits for the response, without a task of their own: a
//! replica may answer while the request's body is still on its way.

use std::collections::VecDeque;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, Method};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::endpoint::EndpointState;
use crate::http1::response::{self, Head, ResponseError};
use crate::monotonic;

/// How much is read at once: most responses with their heads fit.
const READ_BYTES: usize = 8 * 1024;

/// How much is read at once of a body that keeps the buffer full.
const READ_MAX_BYTES: usize = 64 * 1024;

/// A request's body has to bring [`SLOW_BODY_BYTES`] in each such time, until it is complete or answered. Slower than
/// the worst modem; a client that is below holds a replica on purpose.
pub(crate) const SLOW_BODY_PERIOD: Duration = Duration::from_secs(15);

/// See [`SLOW_BODY_PERIOD`].
const SLOW_BODY_BYTES: u64 = 1024;

/// A connection to a replica.
#[derive(Debug)]
pub(crate) struct UpstreamConnection {
    pub(crate) stream: TcpStream,
    /// What was read and not used yet.
    pub(crate) buffer: BytesMut,
    pub(crate) endpoint: Arc<EndpointState>,
    /// Whether it has carried a request before.
    pub(crate) reused: bool,
    /// When it last became idle.
    pub(crate) idle_since: u64,
    read_size: usize,
}

impl UpstreamConnection {
    /// A new connection.
    pub(crate) fn new(stream: TcpStream, endpoint: Arc<EndpointState>) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            endpoint,
            reused: false,
            idle_since: 0,
            read_size: READ_BYTES,
        }
    }

    /// Reads more into the buffer: how much, 0 at the end.
    ///
    /// What is short is read by way of the stack, so that the buffer is as small as what came: most responses are, and
    /// a large buffer for each would be the most expensive part of them.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.read_size > READ_BYTES {
            self.buffer.reserve(self.read_size);
            let count = ready!(poll_read_buffer(&mut self.stream, &mut self.buffer, cx))?;
            return Poll::Ready(Ok(count));
        }
        let mut scratch = [MaybeUninit::uninit(); READ_BYTES];
        let mut read = ReadBuf::uninit(&mut scratch);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        let bytes = read.filled();
        self.buffer.extend_from_slice(bytes);
        if bytes.len() == READ_BYTES {
            self.read_size = READ_MAX_BYTES;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    /// Reads until there is a response's head; `spare` is a map whose memory is used for its headers. Nothing came
    /// before a failure: `answered` is false.
    pub(crate) fn poll_head(
        &mut self,
        method: &Method,
        spare: &mut HeaderMap,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Head, ReceiveError>> {
        loop {
            if !self.buffer.is_empty()
                && let Some(head) = response::take(&mut self.buffer, method, spare)?
            {
                return Poll::Ready(Ok(head));
            }
            let answered = !self.buffer.is_empty();
            match ready!(self.poll_read(cx)) {
                Ok(0) => return Poll::Ready(Err(ReceiveError::Closed { answered })),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(ReceiveError::Io { error, answered })),
            }
        }
    }

    /// Whether the replica has neither closed it nor sent what nobody asked for. Costs no system call if nothing
    /// happened.
    pub(crate) fn is_clean(&self) -> bool {
        self.buffer.is_empty()
            && matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

fn poll_read_buffer(
    stream: &mut TcpStream,
    buffer: &mut BytesMut,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    use tokio::io::AsyncReadExt as _;
    let mut read = std::pin::pin!(stream.read_buf(buffer));
    std::future::Future::poll(read.as_mut(), cx)
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    #[error("the replica closed the connection")]
    Closed { answered: bool },
    #[error("the connection to the replica failed")]
    Io { error: io::Error, answered: bool },
    #[error(transparent)]
    Malformed(#[from] ResponseError),
}

/// Why a request was not sent.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The replica does not take it.
    Upstream(io::Error),
    /// The client did not finish it.
    Client,
    /// It is longer than the route allows.
    TooLarge,
    /// It does not come fast enough.
    TooSlow,
}

/// How a request's body is framed for the replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    None,
    Length(u64),
    Chunked,
}

/// A request that is being sent.
#[derive(Debug)]
pub(crate) struct Sender {
    head: Vec<u8>,
    head_sent: usize,
    queue: VecDeque<Bytes>,
    current: Bytes,
    body: Option<Incoming>,
    framing: BodyFraming,
    limit: u64,
    /// Bytes of the body that came from the client.
    pub(crate) received: u64,
    /// Bytes that the replica's socket took, the head included.
    pub(crate) written: u64,
    period_end: u64,
    period_bytes: u64,
    watched: bool,
}

impl Sender {
    /// A request with this head and body; at most `limit` bytes of body are sent.
    pub(crate) fn new(
        head: Vec<u8>,
        body: Option<Incoming>,
        framing: BodyFraming,
        limit: u64,
    ) -> Self {
        Self {
            head,
            head_sent: 0,
            queue: VecDeque::new(),
            current: Bytes::new(),
            body: body.filter(|_| framing != BodyFraming::None),
            framing,
            limit,
            received: 0,
            written: 0,
            period_end: monotonic::millis_after(SLOW_BODY_PERIOD),
            period_bytes: 0,
            watched: true,
        }
    }

    /// Whether all of it was sent.
    pub(crate) fn is_done(&self) -> bool {
        self.head_sent == self.head.len()
            && self.current.is_empty()
            && self.queue.is_empty()
            && self.body.is_none()
    }

    /// Whether it waits for more from the client, rather than for the replica.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.head_sent == self.head.len()
            && self.current.is_empty()
            && self.queue.is_empty()
            && self.body.is_some()
    }

    /// The same request for another attempt; with its body only if nothing of that was taken.
    pub(crate) fn again(self) -> Self {
        let framing = match &self.body {
            Some(_) if self.received == 0 => self.framing,
            _ => BodyFraming::None,
        };
        Self::new(self.head, self.body, framing, self.limit)
    }

    /// After the response's head the body may come as slowly as it likes.
    pub(crate) fn stop_watching(&mut self) {
        self.watched = false;
    }

    /// Sends on. Ready: all of it was sent.
    pub(crate) fn poll_send(
        &mut self,
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        while self.head_sent < self.head.len() {
            let rest = &self.head[self.head_sent..];
            let count =
                ready!(Pin::new(&mut *stream).poll_write(cx, rest)).map_err(SendError::Upstream)?;
            self.head_sent += count;
            self.written += count as u64;
        }
        loop {
            while !self.current.is_empty() || !self.queue.is_empty() {
                if self.current.is_empty() {
                    self.current = self.queue.pop_front().unwrap_or_default();
                    continue;
                }
                let count = ready!(Pin::new(&mut *stream).poll_write(cx, &self.current))
                    .map_err(SendError::Upstream)?;
                self.current.advance(count);
                self.written += count as u64;
            }
            let Some(body) = &mut self.body else {
                return Poll::Ready(Ok(()));
            };
            let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) else {
                return if self.is_too_slow() {
                    Poll::Ready(Err(SendError::TooSlow))
                } else {
                    Poll::Pending
                };
            };
            match frame {
                Some(Ok(frame)) => {
                    // Trailers are not passed on: few servers read them, and they could carry what heads may not.
                    if let Ok(data) = frame.into_data()
                        && !data.is_empty()
                    {
                        self.push(data)?;
                    }
                }
                Some(Err(_)) => return Poll::Ready(Err(SendError::Client)),
                None => {
                    self.body = None;
                    if self.framing == BodyFraming::Chunked {
                        self.current = Bytes::from_static(b"0\r\n\r\n");
                    }
                }
            }
        }
    }

    fn push(&mut self, data: Bytes) -> Result<(), SendError> {
        self.received += data.len() as u64;
        self.period_bytes += data.len() as u64;
        if self.received > self.limit {
            return Err(SendError::TooLarge);
        }
        if self.framing == BodyFraming::Chunked {
            self.current = Bytes::from(format!("{:x}\r\n", data.len()));
            self.queue.extend([data, Bytes::from_static(b"\r\n")]);
        } else {
            self.current = data;
        }
        Ok(())
    }

    /// Whether the body brought too little in the last period. Asked when there is nothing to read, which the sweep
    /// makes sure of (see [`crate::exchange`]).
    fn is_too_slow(&mut self) -> bool {
        let now = monotonic::millis();
        if !self.watched || now < self.period_end {
            return false;
        }
        let slow = self.period_bytes < SLOW_BODY_BYTES;
        self.period_bytes = 0;
        self.period_end = monotonic::millis_after(SLOW_BODY_PERIOD);
        slow
    }
}

/// Reads from `stream` into `scratch` without waiting for more than there is.
pub(crate) fn poll_read_some<'a>(
    stream: &mut (impl AsyncRead + Unpin),
    scratch: &'a mut [u8],
    cx: &mut Context<'_>,
) -> Poll<io::Result<&'a [u8]>> {
    let mut buffer = ReadBuf::new(scratch);
    ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
    let count = buffer.filled().len();
    Poll::Ready(Ok(&scratch[..count]))
}
