//! A WebSocket through the ingress (RFC 6455): bytes in both directions, and the borders of the frames among them.
//!
//! The frames are not read, only followed, so that a close frame can be put between two of them when the replica or
//! the ingress leaves: the client sees a clean end (1001, going away) and comes back, to another replica.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::client_io::ClientIo;
use crate::endpoint::InFlight;
use crate::exchange::{Cut, Registered};
use crate::record::Record;
use crate::upstream::{UpstreamConnection, poll_read_some};

/// What one read takes at most; nothing is kept for a connection that is silent.
const READ_BYTES: usize = 16 * 1024;

/// How long after one side's end the other may go on.
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the end may take after the close frames were due: the frame under way, and the peers' answers.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a client's close frame says: 1001, going away.
const CLOSE_TO_CLIENT: [u8; 4] = [0x88, 2, 0x03, 0xe9];

/// A WebSocket that was agreed on.
pub(crate) struct Tunnel {
    pub(crate) replica: UpstreamConnection,
    pub(crate) upgrade: OnUpgrade,
    pub(crate) exchange: Registered,
    pub(crate) in_flight: InFlight,
    pub(crate) idle_timeout: Duration,
}

/// Passes bytes until both sides have ended, or until it is cut.
pub(crate) async fn run(tunnel: Tunnel, record: &mut Record) {
    let Tunnel {
        replica,
        upgrade,
        exchange,
        in_flight,
        idle_timeout,
    } = tunnel;
    let Ok(upgraded) = upgrade.await else {
        record.error =
            Some("the client closed the connection before the WebSocket began".to_owned());
        return;
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<ClientIo>>() else {
        return;
    };
    let (mut client, withheld) = parts.io.into_inner().into_tunnel();
    let UpstreamConnection {
        stream: mut replica,
        buffer,
        ..
    } = replica;
    let mut first = BytesMut::from(&parts.read_buf[..]);
    first.extend_from_slice(&withheld);
    let mut inwards = Pipe::new(first);
    let mut outwards = Pipe::new(buffer);
    exchange.expect_within(idle_timeout);
    let cut = poll_fn(|cx| {
        if let Some(cut) = exchange.poll_cut(cx.waker()) {
            return Poll::Ready(Some(cut));
        }
        let before = inwards.moved + outwards.moved;
        let ended = (
            inwards.poll(&mut client, &mut replica, cx),
            outwards.poll(&mut replica, &mut client, cx),
        );
        match ended {
            (Poll::Ready(()), Poll::Ready(())) => return Poll::Ready(None),
            (Poll::Pending, Poll::Pending) if inwards.moved + outwards.moved != before => {
                exchange.expect_within(idle_timeout);
            }
            (Poll::Pending, Poll::Pending) => {}
            _ if !inwards.told_end => {
                inwards.told_end = true;
                exchange.expect_within(HALF_CLOSED_TIMEOUT.min(idle_timeout));
            }
            _ => {}
        }
        Poll::Pending
    })
    .await;
    if let Some(cut) = cut {
        let half_closed = inwards.ended || outwards.ended;
        record.error = match cut {
            Cut::Timeout if half_closed => None,
            Cut::Timeout => {
                Some("the WebSocket was silent for longer than the idle timeout".to_owned())
            }
            Cut::Replica => Some("the replica left: the WebSocket was closed with 1001".to_owned()),
            Cut::Ingress => {
                Some("the ingress was stopped: the WebSocket was closed with 1001".to_owned())
            }
        };
        inwards.close_with(masked_close(fastrand::u32(..)));
        outwards.close_with(CLOSE_TO_CLIENT.to_vec());
        let closing = poll_fn(|cx| {
            let ended = (
                inwards.poll(&mut client, &mut replica, cx),
                outwards.poll(&mut replica, &mut client, cx),
            );
            if ended == (Poll::Ready(()), Poll::Ready(())) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        });
        // Who has not ended by then is cut off.
        tokio::time::timeout(CLOSE_TIMEOUT, closing)
            .await
            .unwrap_or_default();
    }
    record.bytes_in = inwards.moved;
    record.bytes_out = outwards.moved;
    drop(in_flight);
}

/// A client's frames are masked (RFC 6455, section 5.3), so the close frame to the replica is too.
fn masked_close(mask: u32) -> Vec<u8> {
    let mask = mask.to_be_bytes();
    vec![
        0x88,
        0x82,
        mask[0],
        mask[1],
        mask[2],
        mask[3],
        0x03 ^ mask[0],
        0xe9 ^ mask[1],
    ]
}

/// One direction.
struct Pipe {
    /// Read and not written yet.
    pending: BytesMut,
    frames: Frames,
    moved: u64,
    /// The source has nothing more, or is not asked any more.
    ended: bool,
    shut: bool,
    told_end: bool,
    /// What to say at the next border of a frame.
    close: Option<Vec<u8>>,
    /// After the close frame what the source says is read and forgotten, until it ends.
    closed: bool,
}

impl Pipe {
    fn new(first: BytesMut) -> Self {
        let mut frames = Frames::default();
        frames.skip(&first);
        let moved = first.len() as u64;
        Self {
            pending: first,
            frames,
            moved,
            ended: false,
            shut: false,
            told_end: false,
            close: None,
            closed: false,
        }
    }

    fn close_with(&mut self, frame: Vec<u8>) {
        self.close = Some(frame);
        self.close_at_border();
    }

    fn close_at_border(&mut self) {
        if self.frames.is_at_border()
            && let Some(frame) = self.close.take()
        {
            self.pending.extend_from_slice(&frame);
            self.closed = true;
        }
    }

    /// Passes on what there is. Ready: everything was passed on, and so was the end.
    fn poll(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        match self.try_poll(from, to, cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(_)) => {
                // One side is gone: nothing more can be said to it.
                (self.ended, self.shut) = (true, true);
                self.pending.clear();
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn try_poll(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut scratch = [0; READ_BYTES];
        loop {
            while !self.pending.is_empty() {
                let count = ready!(Pin::new(&mut *to).poll_write(cx, &self.pending))?;
                self.pending.advance(count);
            }
            if self.pending.capacity() > 0 {
                self.pending = BytesMut::new();
                ready!(Pin::new(&mut *to).poll_flush(cx))?;
            }
            if self.ended {
                if !self.shut {
                    ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.shut = true;
                }
                return Poll::Ready(Ok(()));
            }
            let bytes = ready!(poll_read_some(from, &mut scratch, cx))?;
            if bytes.is_empty() {
                self.ended = true;
                continue;
            }
            self.moved += bytes.len() as u64;
            if self.closed {
                continue;
            }
            let used = if self.close.is_some() {
                self.frames.next(bytes)
            } else {
                self.frames.skip(bytes)
            };
            // Most of the time the other side takes all of it at once, and nothing has to be kept.
            let count = match Pin::new(&mut *to).poll_write(cx, &bytes[..used])? {
                Poll::Ready(count) => count,
                Poll::Pending => 0,
            };
            self.pending.extend_from_slice(&bytes[count..used]);
            self.close_at_border();
            if self.pending.is_empty() {
                ready!(Pin::new(&mut *to).poll_flush(cx))?;
            }
        }
    }
}

/// Where in a stream of frames the next byte is.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; 14],
    /// How much of the header is there; 0 with no payload left is a border.
    have: usize,
    payload: u64,
}

impl Frames {
    fn is_at_border(&self) -> bool {
        self.have == 0 && self.payload == 0
    }

    /// Follows all of `bytes`: how many they are.
    fn skip(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            at += self.next(&bytes[at..]);
        }
        at
    }

    /// Follows `bytes` up to the end of the frame under way: how many they are.
    fn next(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while self.payload == 0 && at < bytes.len() {
            self.header[self.have] = bytes[at];
            self.have += 1;
            at += 1;
            if self.have == self.header_length() {
                self.payload = self.payload_length();
                self.have = 0;
                if self.payload == 0 {
                    return at;
                }
            }
        }
        let rest = bytes.len() - at;
        let here = usize::try_from(self.payload).map_or(rest, |payload| payload.min(rest));
        self.payload -= here as u64;
        at + here
    }

    fn header_length(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let extended = match self.header[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.header[1] & 0x80 == 0 { 0 } else { 4 };
        2 + extended + mask
    }

    fn payload_length(&self) -> u64 {
        let number = |range: std::ops::Range<usize>| {
            self.header[range]
                .iter()
                .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        match self.header[1] & 0x7f {
            126 => number(2..4),
            127 => number(2..10),
            short => u64::from(short),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The borders in `stream`, found in pieces of every size.
    #[track_caller]
    fn check(stream: &[u8], expected: &[usize]) {
        for size in 1..=stream.len() {
            let mut frames = Frames::default();
            let mut borders = Vec::new();
            let mut at = 0;
            for piece in stream.chunks(size) {
                let mut rest = piece;
                while !rest.is_empty() {
                    let used = frames.next(rest);
                    at += used;
                    rest = &rest[used..];
                    if frames.is_at_border() {
                        borders.push(at);
                    }
                }
            }
            assert_eq!(borders, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn finds_borders() {
        check(b"\x81\x03abc\x89\x00\x81\x01x", &[5, 7, 10]);
        check(b"\x81\x83MASKabc\x88\x80MASK", &[9, 15]);
        let long = [&[0x82, 126, 1, 0][..], &[7; 256], &[0x8a, 0]].concat();
        check(&long, &[260, 262]);
        let longest = [&[0x82, 255, 0, 0, 0, 0, 0, 0, 0, 3][..], b"MASK", b"abc"].concat();
        check(&longest, &[17]);
        check(b"\x81\x05abc", &[]);
    }

    #[test]
    fn a_masked_close_says_1001() {
        let frame = masked_close(0x0102_0304);
        assert_eq!([frame[6] ^ frame[2], frame[7] ^ frame[3]], [0x03, 0xe9]);
    }
}
