//! gRPC's frames and states, for a server that takes OTLP over HTTP/2 by itself.
//!
//! A request's or answer's body is a row of messages, each behind five bytes: whether it is packed, and its length, big-endian.
//! The state comes in the trailers `grpc-status` and `grpc-message`.

use std::fmt::Write;

/// The `Content-Type` of requests and answers.
pub const CONTENT_TYPE: &str = "application/grpc";

/// A message's frame, without the message.
const HEADER_BYTES: usize = 5;

/// gRPC's states, as far as a receiver of telemetry has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// All is well.
    Ok = 0,
    /// The request is wrong; it will not be better the next time.
    InvalidArgument = 3,
    /// Too much at once, or the disk is full; later, perhaps.
    ResourceExhausted = 8,
    /// There is no such method, or no such packing.
    Unimplemented = 12,
    /// Our fault.
    Internal = 13,
    /// Not now; try again.
    Unavailable = 14,
    /// Who are you?
    Unauthenticated = 16,
}

impl Code {
    /// As `grpc-status` has it.
    #[must_use]
    pub fn number(self) -> i32 {
        self as i32
    }

    /// The code for what OTLP over HTTP answers with this status.
    #[must_use]
    pub fn of_http(status: u16) -> Self {
        match status {
            200..=299 => Self::Ok,
            401 | 403 => Self::Unauthenticated,
            404 | 405 | 415 => Self::Unimplemented,
            413 | 429 | 507 => Self::ResourceExhausted,
            400..=499 => Self::InvalidArgument,
            502..=504 => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}

/// Why a frame is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than what is taken.
    #[error(
        "a gRPC message of {bytes} bytes is longer than the {limit} that are taken; send smaller batches"
    )]
    TooLong {
        /// What it says.
        bytes: usize,
        /// What may come.
        limit: usize,
    },
    /// The first byte is neither 0 nor 1.
    #[error("no gRPC frame begins with {0:#04x}")]
    Flag(u8),
    /// The body ended within it.
    #[error("the body ends within a gRPC message")]
    Short,
}

impl FrameError {
    /// The state to answer with.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::TooLong { .. } => Code::ResourceExhausted,
            Self::Flag(_) | Self::Short => Code::InvalidArgument,
        }
    }
}

/// A message as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Whether it is packed as `grpc-encoding` says.
    pub packed: bool,
    /// The message.
    pub message: &'a [u8],
}

/// The first message of `body`, and what follows it; none if more bytes have to come.
///
/// # Errors
/// It is no frame, or its message is longer than `limit`.
pub fn next_frame(body: &[u8], limit: usize) -> Result<Option<(Frame<'_>, &[u8])>, FrameError> {
    let Some((header, rest)) = body.split_first_chunk::<HEADER_BYTES>() else {
        return Ok(None);
    };
    let [flag, length @ ..] = *header;
    let packed = match flag {
        0 => false,
        1 => true,
        other => return Err(FrameError::Flag(other)),
    };
    let bytes = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if bytes > limit {
        return Err(FrameError::TooLong { bytes, limit });
    }
    let split = rest.split_at_checked(bytes);
    Ok(split.map(|(message, rest)| (Frame { packed, message }, rest)))
}

/// The only message of a body that has come as a whole, as OTLP's methods have it.
///
/// # Errors
/// There is none, or it is no frame, or its message is longer than `limit`.
pub fn only_frame(body: &[u8], limit: usize) -> Result<Frame<'_>, FrameError> {
    match next_frame(body, limit)? {
        Some((frame, [])) => Ok(frame),
        _ => Err(FrameError::Short),
    }
}

/// A message in its frame.
///
/// # Panics
/// The message is longer than 4 GiB.
#[must_use]
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a message is shorter than 4 GiB");
    let mut framed = Vec::with_capacity(HEADER_BYTES + message.len());
    framed.push(0);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    framed
}

/// A text as `grpc-message` has it: what is not printable ASCII, and `%`, in hexadecimal digits.
#[must_use]
pub fn message_header(text: &str) -> String {
    let mut header = String::with_capacity(text.len());
    for byte in text.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            header.push(char::from(byte));
        } else {
            write!(header, "%{byte:02X}").expect("a string takes every text");
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_apart() {
        let mut body = frame(b"abc");
        body.extend(frame(b""));
        let (first, rest) = next_frame(&body, 3).unwrap().unwrap();
        assert_eq!((first.message, first.packed), (b"abc".as_slice(), false));
        assert_eq!(only_frame(rest, 3).unwrap().message, b"");
        assert_eq!(only_frame(&body, 3), Err(FrameError::Short));
        for cut in 0..8 {
            assert_eq!(next_frame(&body[..cut], 3), Ok(None));
        }
        assert_eq!(
            next_frame(&body, 2),
            Err(FrameError::TooLong { bytes: 3, limit: 2 })
        );
        assert!(next_frame(&[1, 0, 0, 0, 0], 0).unwrap().unwrap().0.packed);
        assert_eq!(next_frame(&[2, 0, 0, 0, 0], 0), Err(FrameError::Flag(2)));
        let huge = next_frame(&[0, 255, 255, 255, 255], 9).unwrap_err();
        assert_eq!(huge.code(), Code::ResourceExhausted);
    }

    #[test]
    fn states_are_told() {
        assert_eq!(Code::of_http(200).number(), 0);
        assert_eq!(Code::of_http(400), Code::InvalidArgument);
        assert_eq!(Code::of_http(503), Code::Unavailable);
        assert_eq!(message_header("100% \u{e9}\n"), "100%25 %C3%A9%0A");
    }
}
