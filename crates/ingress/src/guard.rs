//! Watches what a client sends on an HTTP/1 connection, and refuses what is ambiguous before hyper sees its end.
//!
//! hyper normalises some of what has to be refused (Content-Length beside Transfer-Encoding, LF without CR), so a
//! server that only asks hyper forwards requests that another server on the way may have read differently. The guard
//! sees the bytes as they came. It follows heads and bodies, so it knows at each byte which of them it is in.

use crate::http1::chunked::Chunked;
use crate::http1::head::{self, Framing, HEAD_MAX_BYTES, HeadError, LINE_MAX_BYTES};
use crate::refusal::Refusal;

/// Up to this length an incomplete head is checked with each piece, as hyper does, so that the refusal is the guard's,
/// which says why. Longer ones come from who sends byte by byte, and checking would cost more than sending.
const PARTIAL_CHECKED_BYTES: usize = 4 * 1024;

/// Where in the stream of requests the next byte is.
#[derive(Debug)]
enum State {
    /// Before or in a head. Its bytes so far, if they came in more than one piece.
    Head {
        partial: Vec<u8>,
        previous: [u8; 2],
        line_done: bool,
    },
    Length(u64),
    Chunked(Chunked),
    /// Behind the head of an upgrade that is not decided yet.
    Held,
}

/// What to do with bytes that were read.
#[derive(Debug)]
pub(crate) enum Seen {
    /// Pass them on.
    Pass,
    /// Pass on so many of them (the head of an upgrade) and keep the others until it is decided.
    Hold(usize),
    /// Pass on nothing more: answer this and close.
    Refuse(Box<Refusal>),
}

/// What the guard tells the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    HeadBegins,
    HeadEnds,
}

/// The watcher of one connection.
#[derive(Debug)]
pub(crate) struct Guard {
    state: State,
}

impl Guard {
    /// At the beginning of a connection.
    pub(crate) fn new() -> Self {
        Self {
            state: State::between(),
        }
    }

    /// Whether the next byte belongs to a new request.
    pub(crate) fn is_between_requests(&self) -> bool {
        matches!(&self.state, State::Head { partial, .. } if partial.is_empty())
    }

    /// Whether it waits behind the head of an upgrade.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.state, State::Held)
    }

    /// After an upgrade that was not agreed to: requests go on.
    pub(crate) fn release(&mut self) {
        if matches!(self.state, State::Held) {
            self.state = State::between();
        }
    }

    /// Looks at the next bytes.
    pub(crate) fn see(&mut self, bytes: &[u8], signal: &mut impl FnMut(Signal)) -> Seen {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.state {
                State::Held => return Seen::Hold(at),
                State::Length(remaining) => {
                    let here = usize::try_from(*remaining)
                        .map_or(rest.len(), |remaining| remaining.min(rest.len()));
                    *remaining -= here as u64;
                    at += here;
                    if *remaining == 0 {
                        self.state = State::between();
                    }
                }
                State::Chunked(chunked) => match chunked.next(rest) {
                    Ok(part) => {
                        at += part.skip + part.data;
                        if part.done {
                            self.state = State::between();
                        }
                    }
                    Err(error) => {
                        return Seen::Refuse(Box::new(Refusal::malformed(error.to_string())));
                    }
                },
                State::Head { .. } => match self.see_head(rest, signal) {
                    Ok(used) => at += used,
                    Err(error) => {
                        return Seen::Refuse(Box::new(Refusal::head(error.status, error.message)));
                    }
                },
            }
        }
        Seen::Pass
    }

    /// How many of `bytes` belong to the head.
    fn see_head(
        &mut self,
        bytes: &[u8],
        signal: &mut impl FnMut(Signal),
    ) -> Result<usize, HeadError> {
        let State::Head {
            partial,
            previous,
            line_done,
        } = &mut self.state
        else {
            return Ok(0);
        };
        if partial.is_empty() {
            // One empty line before a request is allowed (RFC 9112, section 2.2).
            match (*previous, bytes[0]) {
                ([0, 0], b'\r') => {
                    *previous = [0, b'\r'];
                    return Ok(1);
                }
                ([0, b'\r'], b'\n') => {
                    *previous = [b'\r', b'\n'];
                    return Ok(1);
                }
                ([0, b'\r'], _) => return Err(head::BARE_RETURN),
                _ => {}
            }
            signal(Signal::HeadBegins);
            *previous = [0, b'\n'];
        }
        let end = find_end(bytes, previous, line_done)?;
        let seen = partial.len() + end.unwrap_or(bytes.len());
        if !*line_done && seen > LINE_MAX_BYTES {
            return Err(head::LINE_TOO_LONG);
        }
        if seen > HEAD_MAX_BYTES {
            return Err(head::HEAD_TOO_LONG);
        }
        let Some(end) = end else {
            partial.extend_from_slice(bytes);
            if partial.len() <= PARTIAL_CHECKED_BYTES {
                head::check_partial(partial)?;
            }
            return Ok(bytes.len());
        };
        let head = if partial.is_empty() {
            head::check(&bytes[..end])?
        } else {
            partial.extend_from_slice(&bytes[..end]);
            head::check(partial)?
        };
        signal(Signal::HeadEnds);
        self.state = match head.framing {
            _ if head.upgrade && head.framing == Framing::Length(0) => State::Held,
            Framing::Length(0) => State::between(),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(Chunked::new()),
        };
        Ok(end)
    }
}

impl State {
    fn between() -> Self {
        Self::Head {
            partial: Vec::new(),
            previous: [0, 0],
            line_done: false,
        }
    }
}

/// The index behind the empty line, if it is in `bytes`. Refuses a LF without CR at once, so that nothing that hyper
/// would take for the end of a head is passed on unseen.
fn find_end(
    bytes: &[u8],
    previous: &mut [u8; 2],
    line_done: &mut bool,
) -> Result<Option<usize>, HeadError> {
    let mut from = 0;
    while let Some(offset) = bytes[from..].iter().position(|byte| *byte == b'\n') {
        let at = from + offset;
        let before = |back: usize| {
            if at >= back {
                bytes[at - back]
            } else {
                previous[1 - (back - 1 - at)]
            }
        };
        if before(1) != b'\r' {
            return Err(head::BARE_LINE_FEED);
        }
        if before(2) == b'\n' {
            return Ok(Some(at + 1));
        }
        *line_done = true;
        from = at + 1;
    }
    match bytes {
        [.., one, two] => *previous = [*one, *two],
        [one] => *previous = [previous[1], *one],
        [] => {}
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens to `input` in pieces of every size: the status of a refusal, or how many heads it has.
    #[track_caller]
    fn check(input: &str, expected: Result<usize, u16>) {
        for size in (1..16).chain([input.len()]) {
            let mut guard = Guard::new();
            let mut heads = 0;
            let mut found = Ok(0);
            for piece in input.as_bytes().chunks(size) {
                let seen = guard.see(piece, &mut |signal| {
                    heads += usize::from(signal == Signal::HeadEnds)
                });
                found = match seen {
                    Seen::Refuse(refusal) => Err(refusal.status.as_u16()),
                    Seen::Pass | Seen::Hold(_) => Ok(heads),
                };
                if found.is_err() {
                    break;
                }
            }
            assert_eq!(found, expected, "{input:?} in pieces of {size}");
        }
    }

    #[test]
    fn follows_requests() {
        check(
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            Ok(2),
        );
        check("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Ok(1));
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nG\n\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            Ok(2),
        );
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n\n\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            Ok(2),
        );
        check(
            "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n\x01\x02\n\n",
            Ok(1),
        );
    }

    #[test]
    fn refuses_wherever_it_is() {
        check("GET / HTTP/1.1\nHost: a\n\n", Err(400));
        check("GET / HTTP/1.1\r\nHost: a\r\n\n", Err(400));
        check(
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            Err(400),
        );
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            Err(400),
        );
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\nab",
            Err(400),
        );
        check(&format!("GET /{}", "a".repeat(9000)), Err(414));
        check(
            &format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(40_000)),
            Err(431),
        );
    }
}
