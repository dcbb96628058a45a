//! A client's connection as hyper reads and writes it: plain or TLS, with the guard between.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::connection::{Connection, Refused, Verdict};
use crate::guard::{Guard, Seen, Signal};
use crate::ids;
use crate::refusal::Refusal;

/// The most bytes that are read from a client that was refused, before it is cut off.
const LINGER_MAX_BYTES: usize = 1 << 20;

/// What the bytes travel on.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct ClientIo {
    transport: Transport,
    /// Bytes that were read and not passed on yet.
    withheld: BytesMut,
    /// None on HTTP/2, whose framing leaves no doubt.
    guard: Option<Guard>,
    connection: Arc<Connection>,
    lingering: bool,
    discarded: usize,
}

impl ClientIo {
    /// A connection of which `withheld` was read already.
    pub(crate) fn new(
        transport: Transport,
        withheld: BytesMut,
        guarded: bool,
        connection: Arc<Connection>,
    ) -> Self {
        Self {
            transport,
            withheld,
            guard: guarded.then(Guard::new),
            connection,
            lingering: false,
            discarded: 0,
        }
    }

    /// The connection for what was agreed on instead of HTTP, and what was read of it already.
    pub(crate) fn into_tunnel(self) -> (Transport, BytesMut) {
        (self.transport, self.withheld)
    }

    /// Answers `refusal` and begins to close.
    fn refuse(&mut self, refusal: Refusal, cx: &mut Context<'_>) {
        self.lingering = true;
        // An answer to an earlier request may be half written: then nothing can be said.
        let silent = self.connection.is_answering();
        self.connection.linger();
        let request_id = ids::new_request_id(&mut fastrand::Rng::new());
        if !silent {
            // It fits the empty socket buffer of a client that waits for its answer. Whether it does not, or the
            // client is gone: there is nobody to tell.
            let answer = refusal.raw(&request_id);
            let transport = Pin::new(&mut self.transport);
            if matches!(transport.poll_write(cx, &answer), Poll::Ready(Ok(_)))
                && matches!(
                    Pin::new(&mut self.transport).poll_flush(cx),
                    Poll::Ready(Ok(()))
                )
            {
                self.discarded = match Pin::new(&mut self.transport).poll_shutdown(cx) {
                    Poll::Ready(Err(_)) => LINGER_MAX_BYTES,
                    Poll::Ready(Ok(())) | Poll::Pending => 0,
                };
            }
        }
        self.connection.refuse(Refused {
            refusal,
            request_id,
        });
    }

    /// Reads and forgets what a refused client still sends, so that the answer is not lost to a reset.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 4096];
        while self.discarded < LINGER_MAX_BYTES {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.transport).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.discarded += buffer.filled().len(),
                _ => self.discarded = LINGER_MAX_BYTES,
            }
        }
        Poll::Ready(())
    }

    /// Whether the request that is read now must not go on.
    fn check_verdict(&mut self, cx: &mut Context<'_>) -> bool {
        if self.connection.verdict() != Verdict::HeadTimeout {
            return false;
        }
        let in_head = self
            .guard
            .as_ref()
            .is_some_and(|guard| !guard.is_between_requests());
        if in_head {
            let status = http::StatusCode::REQUEST_TIMEOUT;
            self.refuse(
                Refusal::new(
                    status,
                    "slow_head",
                    "the request's head took longer than 10 s",
                ),
                cx,
            );
        }
        in_head
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering {
            return this.poll_linger(cx).map(Ok);
        }
        let Some(guard) = &mut this.guard else {
            if !this.withheld.is_empty() {
                take_withheld(&mut this.withheld, buf);
                return Poll::Ready(Ok(()));
            }
            return Pin::new(&mut this.transport).poll_read(cx, buf);
        };
        if this.connection.is_held() {
            return Poll::Pending;
        }
        guard.release();
        if this.check_verdict(cx) {
            return this.poll_linger(cx).map(Ok);
        }
        let before = buf.filled().len();
        if this.withheld.is_empty() {
            ready!(Pin::new(&mut this.transport).poll_read(cx, buf))?;
        } else {
            take_withheld(&mut this.withheld, buf);
        }
        let connection = &this.connection;
        let mut signal = |signal| match signal {
            Signal::HeadBegins => connection.head_begins(),
            Signal::HeadEnds => connection.head_ends(),
        };
        let Some(guard) = &mut this.guard else {
            return Poll::Ready(Ok(()));
        };
        match guard.see(&buf.filled()[before..], &mut signal) {
            Seen::Pass => {
                if guard.is_held() {
                    this.connection.hold(true);
                }
                Poll::Ready(Ok(()))
            }
            Seen::Hold(count) => {
                let rest = BytesMut::from(&buf.filled()[before + count..]);
                let later = std::mem::replace(&mut this.withheld, rest);
                this.withheld.extend_from_slice(&later);
                buf.set_filled(before + count);
                this.connection.hold(true);
                Poll::Ready(Ok(()))
            }
            Seen::Refuse(refusal) => {
                buf.set_filled(before);
                this.refuse(*refusal, cx);
                this.poll_linger(cx).map(Ok)
            }
        }
    }
}

fn take_withheld(withheld: &mut BytesMut, buf: &mut ReadBuf<'_>) {
    let count = withheld.len().min(buf.remaining());
    buf.put_slice(&withheld[..count]);
    withheld.advance(count);
    if withheld.is_empty() {
        // Its memory is not needed any more, and the connection may live long.
        *withheld = BytesMut::new();
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.lingering {
            ready!(Pin::new(&mut self.transport).poll_shutdown(cx))?;
            if self.guard.as_ref().is_none_or(Guard::is_between_requests) {
                return Poll::Ready(Ok(()));
            }
            self.lingering = true;
            self.connection.linger();
        }
        self.poll_linger(cx).map(Ok)
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
