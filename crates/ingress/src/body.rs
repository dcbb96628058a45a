//! The body of an answer: none, a few bytes, a file, or what a replica sends, as it comes.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::endpoint::InFlight;
use crate::exchange::{Cut, Registered};
use crate::files::FileBody;
use crate::http1::chunked::Chunked;
use crate::http1::response::Framing;
use crate::record::Record;
use crate::upstream::{Sender, UpstreamConnection};
use crate::worker::Worker;

/// Why a body ends before its end. hyper then closes the connection or resets the stream, so that the client cannot
/// take what it has for the whole.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BodyError(&'static str);

/// The body of an answer, with the record of its request.
pub(crate) struct ResponseBody {
    kind: Kind,
    record: Option<Box<Record>>,
}

enum Kind {
    Empty,
    Full(Bytes),
    Stream(Box<Stream>),
    File(Box<FileBody>),
}

/// What a replica sends.
pub(crate) struct Stream {
    pub(crate) connection: Option<UpstreamConnection>,
    pub(crate) sender: Sender,
    pub(crate) exchange: Registered,
    /// Only held.
    pub(crate) _in_flight: InFlight,
    pub(crate) worker: Rc<Worker>,
    pub(crate) framing: BodyFraming,
    pub(crate) keep_alive: bool,
    pub(crate) idle_timeout: Duration,
}

/// Where the body ends, from here.
pub(crate) enum BodyFraming {
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    Done,
}

impl From<Framing> for BodyFraming {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Length(0) => Self::Done,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunked::new()),
            Framing::UntilClose => Self::UntilClose,
        }
    }
}

impl ResponseBody {
    /// No bytes.
    pub(crate) fn empty() -> Self {
        Self {
            kind: Kind::Empty,
            record: None,
        }
    }

    /// These bytes.
    pub(crate) fn full(bytes: Bytes) -> Self {
        Self {
            kind: if bytes.is_empty() {
                Kind::Empty
            } else {
                Kind::Full(bytes)
            },
            record: None,
        }
    }

    /// What a replica sends.
    pub(crate) fn stream(stream: Stream) -> Self {
        Self {
            kind: Kind::Stream(Box::new(stream)),
            record: None,
        }
    }

    /// A file.
    pub(crate) fn file(file: FileBody) -> Self {
        Self {
            kind: Kind::File(Box::new(file)),
            record: None,
        }
    }

    /// Completes `record` when the body ends.
    pub(crate) fn with_record(mut self, record: Box<Record>) -> Self {
        self.record = Some(record);
        self
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let next = match &mut this.kind {
            Kind::Empty => None,
            Kind::Full(bytes) => Some(Ok(std::mem::take(bytes))),
            Kind::Stream(stream) => {
                let next = ready!(stream.poll_next(cx));
                if let Some(record) = &mut this.record {
                    record.bytes_in = stream.sender.received;
                }
                next
            }
            Kind::File(file) => ready!(file.poll_next(cx)).map(|next| next.map_err(BodyError)),
        };
        match next {
            Some(Ok(bytes)) => {
                if let Some(record) = &mut this.record {
                    record.bytes_out += bytes.len() as u64;
                }
                let ended = match &this.kind {
                    Kind::Stream(stream) => stream.is_done(),
                    Kind::File(file) => file.remaining() == 0,
                    Kind::Empty | Kind::Full(_) => true,
                };
                if ended {
                    this.kind = Kind::Empty;
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Some(Err(error)) => {
                if let Some(record) = &mut this.record {
                    record.error = Some(error.to_string());
                }
                this.kind = Kind::Empty;
                this.record = None;
                Poll::Ready(Some(Err(error)))
            }
            None => {
                this.kind = Kind::Empty;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.kind, Kind::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Stream(stream) => match stream.framing {
                BodyFraming::Length(length) => SizeHint::with_exact(length),
                _ => SizeHint::default(),
            },
            Kind::File(file) => SizeHint::with_exact(file.remaining()),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let (Some(record), Kind::Stream(_) | Kind::Full(_) | Kind::File(_)) =
            (&mut self.record, &self.kind)
            && record.error.is_none()
        {
            record.error = Some(
                "the client closed the connection before the response was complete".to_owned(),
            );
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl Stream {
    fn is_done(&self) -> bool {
        matches!(self.framing, BodyFraming::Done)
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        if self.is_done() {
            return Poll::Ready(None);
        }
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(None);
        };
        if !self.sender.is_done() {
            // What the replica does not take any more does not matter: its answer has begun.
            match self.sender.poll_send(&mut connection.stream, cx) {
                Poll::Ready(Ok(())) | Poll::Pending => {}
                Poll::Ready(Err(_)) => self.keep_alive = false,
            }
        }
        loop {
            let buffered = match self.take_buffered() {
                Ok(buffered) => buffered,
                Err(error) => {
                    self.connection = None;
                    return Poll::Ready(Some(Err(error)));
                }
            };
            if let Some(bytes) = buffered {
                self.exchange.expect_within(self.idle_timeout);
                return Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)));
            }
            if let Some(cut) = self.exchange.poll_cut(cx.waker()) {
                self.connection = None;
                return Poll::Ready(Some(Err(BodyError(match cut {
                    Cut::Timeout => "the stream was silent for longer than the idle timeout",
                    Cut::Replica => "the replica left before the stream had ended",
                    Cut::Ingress => "the ingress was stopped before the stream had ended",
                }))));
            }
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(None);
            };
            match ready!(connection.poll_read(cx)) {
                Ok(1..) => {}
                Ok(0) if matches!(self.framing, BodyFraming::UntilClose) => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Ok(0) => {
                    self.connection = None;
                    return Poll::Ready(Some(Err(BodyError(
                        "the replica closed the connection within the response",
                    ))));
                }
                Err(_) => {
                    self.connection = None;
                    return Poll::Ready(Some(Err(BodyError(
                        "the connection to the replica failed within the response",
                    ))));
                }
            }
        }
    }

    /// Data that is in the buffer; an empty one: the end; none: more has to be read.
    fn take_buffered(&mut self) -> Result<Option<Bytes>, BodyError> {
        let Some(connection) = &mut self.connection else {
            return Ok(None);
        };
        let buffer = &mut connection.buffer;
        if buffer.is_empty() {
            return Ok(None);
        }
        let taken = match &mut self.framing {
            BodyFraming::Done => return Ok(Some(Bytes::new())),
            BodyFraming::UntilClose => buffer.split().freeze(),
            BodyFraming::Length(remaining) => {
                let count = usize::try_from(*remaining)
                    .map_or(buffer.len(), |remaining| remaining.min(buffer.len()));
                *remaining -= count as u64;
                let data = buffer.split_to(count).freeze();
                if *remaining == 0 {
                    self.finish();
                }
                data
            }
            BodyFraming::Chunked(chunked) => {
                let part = chunked
                    .next(buffer)
                    .map_err(|_| BodyError("the replica's chunked response is malformed"))?;
                drop(buffer.split_to(part.skip));
                let data = buffer.split_to(part.data).freeze();
                if part.done {
                    self.finish();
                    return Ok(Some(data));
                }
                if data.is_empty() {
                    // Only framing, and it is used up.
                    return Ok(None);
                }
                data
            }
        };
        Ok(Some(taken))
    }

    /// The response is complete: its connection may carry another one.
    fn finish(&mut self) {
        self.framing = BodyFraming::Done;
        if let Some(connection) = self.connection.take()
            && self.keep_alive
            && self.sender.is_done()
        {
            self.worker.pool.put(connection);
        }
    }
}
