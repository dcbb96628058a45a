//! The chunked transfer coding (RFC 9112, section 7.1), decoded incrementally and strictly.
//!
//! Lines end with CRLF and nothing else, sizes are plain hexadecimal, and what surrounds the data (extensions,
//! trailers) is bounded, so that a flood of it costs the sender more than the reader.

/// The most bytes of extensions in one chunk's size line; real ones (signatures) are below 100.
const EXTENSION_MAX_BYTES: u32 = 256;

/// The most bytes of extensions in a whole body.
const EXTENSIONS_MAX_BYTES: u32 = 16 * 1024;

/// The most bytes of trailers.
const TRAILERS_MAX_BYTES: u32 = 8 * 1024;

/// Why a chunked body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkedError {
    /// Not a size, or a line that does not end with CRLF.
    #[error("a chunk's size line is malformed")]
    Size,
    /// No CRLF after the data.
    #[error("a chunk's data does not end where its size says")]
    End,
    /// Too many extensions.
    #[error("the chunk extensions are too long")]
    Extensions,
    /// Too many trailers, or a malformed one.
    #[error("the trailers are malformed or too long")]
    Trailers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the digits of a size; the count of those that were read.
    Size(u8),
    Extension(u32),
    SizeLineFeed,
    Data,
    DataReturn,
    DataLineFeed,
    /// At the first byte of a trailer line.
    TrailerStart,
    Trailer,
    TrailerLineFeed,
    LastLineFeed,
    Done,
}

/// What the next bytes are: first framing, then data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Bytes that are framing.
    pub(crate) skip: usize,
    /// Bytes after them that are data.
    pub(crate) data: usize,
    /// Whether the body ends after them.
    pub(crate) done: bool,
}

/// Where in a chunked body the reader is.
#[derive(Debug)]
pub(crate) struct Chunked {
    state: State,
    remaining: u64,
    extensions: u32,
    trailers: u32,
}

impl Chunked {
    /// The beginning of a body.
    pub(crate) fn new() -> Self {
        Self {
            state: State::Size(0),
            remaining: 0,
            extensions: 0,
            trailers: 0,
        }
    }

    /// Whether the whole body was read.
    #[cfg(test)]
    fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Reads as far as one run of data in `input` reaches. To be called again with what follows it.
    pub(crate) fn next(&mut self, input: &[u8]) -> Result<Part, ChunkedError> {
        let mut skip = 0;
        while skip < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let available = input.len() - skip;
                let data = usize::try_from(self.remaining)
                    .map_or(available, |remaining| remaining.min(available));
                self.remaining -= data as u64;
                if self.remaining == 0 {
                    self.state = State::DataReturn;
                }
                return Ok(Part {
                    skip,
                    data,
                    done: false,
                });
            }
            self.step(input[skip])?;
            skip += 1;
        }
        Ok(Part {
            skip,
            data: 0,
            done: self.state == State::Done,
        })
    }

    fn step(&mut self, byte: u8) -> Result<(), ChunkedError> {
        self.state = match (self.state, byte) {
            (State::Size(digits), _) if byte.is_ascii_hexdigit() => {
                // 15 digits keep the sum below 2^60: it cannot overflow.
                if digits == 15 {
                    return Err(ChunkedError::Size);
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.remaining = self.remaining * 16 + u64::from(digit);
                State::Size(digits + 1)
            }
            (State::Size(1..), b'\r') => State::SizeLineFeed,
            (State::Size(1..), b';') => State::Extension(0),
            (State::Extension(_), b'\r') => State::SizeLineFeed,
            (State::Extension(length), 0x20..=0x7e | b'\t') => {
                self.extensions += 1;
                if length >= EXTENSION_MAX_BYTES || self.extensions > EXTENSIONS_MAX_BYTES {
                    return Err(ChunkedError::Extensions);
                }
                State::Extension(length + 1)
            }
            (State::SizeLineFeed, b'\n') if self.remaining == 0 => State::TrailerStart,
            (State::SizeLineFeed, b'\n') => State::Data,
            (State::Size(_) | State::Extension(_) | State::SizeLineFeed, _) => {
                return Err(ChunkedError::Size);
            }
            (State::DataReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::Size(0),
            (State::DataReturn | State::DataLineFeed, _) => return Err(ChunkedError::End),
            (State::TrailerStart, b'\r') => State::LastLineFeed,
            (State::TrailerStart, b' ' | b'\t' | b':') => return Err(ChunkedError::Trailers),
            (State::Trailer, b'\r') => State::TrailerLineFeed,
            (State::TrailerStart | State::Trailer, 0x20..=0x7e | b'\t' | 0x80..) => {
                self.trailers += 1;
                if self.trailers > TRAILERS_MAX_BYTES {
                    return Err(ChunkedError::Trailers);
                }
                State::Trailer
            }
            (State::TrailerLineFeed, b'\n') => State::TrailerStart,
            (State::LastLineFeed, b'\n') => State::Done,
            (
                State::TrailerStart | State::Trailer | State::TrailerLineFeed | State::LastLineFeed,
                _,
            ) => {
                return Err(ChunkedError::Trailers);
            }
            (State::Data | State::Done, _) => self.state,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `input` in pieces of `size` bytes: the data, and what is left behind the end.
    fn decode(input: &[u8], size: usize) -> Result<(Vec<u8>, usize, bool), ChunkedError> {
        let mut chunked = Chunked::new();
        let (mut data, mut used) = (Vec::new(), 0);
        for piece in input.chunks(size) {
            let mut rest = piece;
            while !rest.is_empty() && !chunked.is_done() {
                let part = chunked.next(rest)?;
                data.extend_from_slice(&rest[part.skip..part.skip + part.data]);
                used += part.skip + part.data;
                rest = &rest[part.skip + part.data..];
            }
        }
        Ok((data, input.len() - used, chunked.is_done()))
    }

    #[track_caller]
    fn check(input: &[u8], expected: Result<(&[u8], usize, bool), ChunkedError>) {
        for size in [1, 2, 3, input.len()] {
            let found = decode(input, size);
            let expected = expected.map(|(data, rest, done)| (data.to_vec(), rest, done));
            assert_eq!(
                found,
                expected,
                "{:?} in pieces of {size}",
                String::from_utf8_lossy(input)
            );
        }
    }

    #[test]
    fn decodes() {
        check(b"3\r\nabc\r\n0\r\n\r\n", Ok((b"abc", 0, true)));
        check(
            b"3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\nnext",
            Ok((b"abc0123456789", 4, true)),
        );
        check(b"5\r\nab", Ok((b"ab", 0, false)));
    }

    #[test]
    fn refuses_what_is_ambiguous() {
        for bad in [
            "\r\n",
            "g\r\n",
            "+3\r\nabc",
            "0x3\r\nabc",
            "3 \r\nabc",
            "3\nabc\r\n",
            "-1\r\n",
            "3;\nabc",
            "1111111111111111\r\n",
        ] {
            check(bad.as_bytes(), Err(ChunkedError::Size));
        }
        check(b"3\r\nabcd\r\n", Err(ChunkedError::End));
        check(b"3\r\nabc\n0\r\n\r\n", Err(ChunkedError::End));
        check(b"0\r\n x: y\r\n\r\n", Err(ChunkedError::Trailers));
        check(b"0\r\nx: y\n\r\n", Err(ChunkedError::Trailers));
        check(
            format!("3;{}\r\nabc", "x".repeat(300)).as_bytes(),
            Err(ChunkedError::Extensions),
        );
        check(
            format!("0\r\nt: {}\r\n", "x".repeat(9000)).as_bytes(),
            Err(ChunkedError::Trailers),
        );
    }
}
