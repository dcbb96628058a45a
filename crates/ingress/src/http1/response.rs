//! The head of a replica's response: read into headers without copying their values.

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::head::content_length;

/// The longest head of a response; above, 502.
const HEAD_MAX_BYTES: usize = 64 * 1024;

/// The most header fields of a response; above, 502.
const HEADERS_MAX: usize = 128;

/// How the end of a response's body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After this many bytes.
    Length(u64),
    /// By the chunked coding.
    Chunked,
    /// Where the connection ends.
    UntilClose,
}

/// A response without its body.
#[derive(Debug)]
pub(crate) struct Head {
    /// The status.
    pub(crate) status: StatusCode,
    /// The header fields, hop-by-hop ones included.
    pub(crate) headers: HeaderMap,
    /// Where the body ends.
    pub(crate) framing: Framing,
    /// Whether the connection may carry another request afterwards.
    pub(crate) keep_alive: bool,
}

/// Why a response is not passed on.
#[derive(Debug, thiserror::Error)]
#[error("the response is malformed: {0}")]
pub(crate) struct ResponseError(pub(crate) &'static str);

/// Takes one head from the front of `buffer`; none: it is not complete yet. Interim responses are cut and skipped,
/// except 101. `spare` is a map whose memory is used for the headers.
pub(crate) fn take(
    buffer: &mut BytesMut,
    method: &Method,
    spare: &mut HeaderMap,
) -> Result<Option<Head>, ResponseError> {
    loop {
        let Some(head) = take_one(buffer, method, spare)? else {
            return Ok(None);
        };
        if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Some(head));
        }
    }
}

fn take_one(
    buffer: &mut BytesMut,
    method: &Method,
    spare: &mut HeaderMap,
) -> Result<Option<Head>, ResponseError> {
    let Some(length) = find_end(buffer) else {
        return if buffer.len() > HEAD_MAX_BYTES {
            Err(ResponseError("its head is longer than 64 KiB"))
        } else {
            Ok(None)
        };
    };
    let bytes = buffer.split_to(length).freeze();
    // Not initialised: for a short head that would be most of the work.
    let mut slots = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let result = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut parsed,
        &bytes,
        &mut slots,
    );
    match result {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => {
            return Err(ResponseError("it has more than 128 header fields"));
        }
        Ok(httparse::Status::Partial) | Err(_) => {
            return Err(ResponseError("its head is not HTTP/1.1"));
        }
    }
    let minor = parsed.version.unwrap_or_default();
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(ResponseError("its status is not 100 to 999"))?;
    let mut headers = std::mem::take(spare);
    headers.clear();
    // Room for what the ingress adds, so that the map grows once at most.
    headers.reserve(parsed.headers.len() + 6);
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let name = name.map_err(|_| ResponseError("a header's name is malformed"))?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(header.value));
        headers.append(
            name,
            value.map_err(|_| ResponseError("a header's value is malformed"))?,
        );
    }
    let (framing, consistent) = framing(&headers, status, method)?;
    let keep_alive =
        minor == 1 && consistent && framing != Framing::UntilClose && !closes(&headers);
    Ok(Some(Head {
        status,
        headers,
        framing,
        keep_alive,
    }))
}

/// The length of the head, if its end is there. Looks at every fourth byte where there is no line's end.
fn find_end(buffer: &[u8]) -> Option<usize> {
    let mut at = 3;
    while let Some(byte) = buffer.get(at) {
        at += match byte {
            b'\n' if buffer[at - 3..=at] == *b"\r\n\r\n" => return Some(at + 1),
            b'\n' => 2,
            b'\r' => 1,
            _ => 4,
        };
    }
    None
}

/// The framing, and whether the head says it in one way only.
fn framing(
    headers: &HeaderMap,
    status: StatusCode,
    method: &Method,
) -> Result<(Framing, bool), ResponseError> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        let value = content_length(value.as_bytes())
            .ok_or(ResponseError("its Content-Length is not a number"))?;
        if length.is_some_and(|earlier| earlier != value) {
            return Err(ResponseError("it has two different Content-Lengths"));
        }
        length = Some(value);
    }
    let encoding = headers.get(TRANSFER_ENCODING);
    let bodyless = *method == Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
        || status.is_informational();
    if bodyless {
        return Ok((Framing::Length(0), true));
    }
    match (encoding, length) {
        (Some(value), length) => {
            if !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                return Err(ResponseError("its Transfer-Encoding is not `chunked`"));
            }
            Ok((Framing::Chunked, length.is_none()))
        }
        (None, Some(length)) => Ok((Framing::Length(length), true)),
        (None, None) => Ok((Framing::UntilClose, true)),
    }
}

fn closes(headers: &HeaderMap) -> bool {
    headers.get_all(CONNECTION).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, method: Method, expected: Option<(u16, Framing, bool)>) {
        let mut buffer = BytesMut::from(text.as_bytes());
        let found = take(&mut buffer, &method, &mut HeaderMap::new())
            .ok()
            .flatten();
        assert_eq!(
            found.map(|head| (head.status.as_u16(), head.framing, head.keep_alive)),
            expected,
            "{text:?}"
        );
    }

    #[test]
    fn finds_the_framing() {
        let length = |n| Framing::Length(n);
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
            Method::GET,
            Some((200, length(3), true)),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
            Method::HEAD,
            Some((200, length(0), true)),
        );
        check(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            Method::GET,
            Some((200, Framing::Chunked, true)),
        );
        check(
            "HTTP/1.1 200 OK\r\n\r\n",
            Method::GET,
            Some((200, Framing::UntilClose, false)),
        );
        check(
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            Method::GET,
            Some((200, length(0), false)),
        );
        check(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n",
            Method::GET,
            Some((200, length(0), false)),
        );
        check(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nE:\r\n\r\n",
            Method::GET,
            Some((204, length(0), true)),
        );
        check(
            "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n",
            Method::GET,
            Some((101, length(0), true)),
        );
        let both = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        check(both, Method::GET, Some((200, Framing::Chunked, false)));
    }

    #[test]
    fn refuses_what_is_ambiguous() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
        ] {
            assert!(
                take(
                    &mut BytesMut::from(text.as_bytes()),
                    &Method::GET,
                    &mut HeaderMap::new()
                )
                .is_err(),
                "{text:?}"
            );
        }
    }
}
