//! The head of a request, checked before anything else reads it.
//!
//! A head passes only if every program that may read it afterwards finds the same request and the same end of its
//! body (RFC 9112, section 11.2 on request smuggling). What is merely unusual passes; what is ambiguous does not.

use http::StatusCode;

/// The longest request line; above, 414. RFC 9112 asks for at least 8,000 bytes.
pub(crate) const LINE_MAX_BYTES: usize = 8 * 1024;

/// The longest head; above, 431. Twice what common servers take, because single sign-on has long cookies.
pub(crate) const HEAD_MAX_BYTES: usize = 32 * 1024;

/// The most header fields; above, 431.
pub(crate) const HEADERS_MAX: usize = 100;

/// How the end of a request's body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After this many bytes.
    Length(u64),
    /// By the chunked coding.
    Chunked,
}

/// What a head says to who watches the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Where the body ends.
    pub(crate) framing: Framing,
    /// Whether the client asks for another protocol on this connection.
    pub(crate) upgrade: bool,
}

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct HeadError {
    /// The answer.
    pub(crate) status: StatusCode,
    /// What is wrong, as a fragment of a sentence.
    pub(crate) message: &'static str,
}

const fn bad(message: &'static str) -> HeadError {
    HeadError {
        status: StatusCode::BAD_REQUEST,
        message,
    }
}

/// The request line does not end within [`LINE_MAX_BYTES`].
pub(crate) const LINE_TOO_LONG: HeadError = HeadError {
    status: StatusCode::URI_TOO_LONG,
    message: "the request line is longer than 8 KiB",
};

/// The head does not end within [`HEAD_MAX_BYTES`].
pub(crate) const HEAD_TOO_LONG: HeadError = HeadError {
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    message: "the request's head is longer than 32 KiB",
};

/// A line ends with LF alone.
pub(crate) const BARE_LINE_FEED: HeadError = bad("a line of the request's head ends without CR");

/// A CR stands alone.
pub(crate) const BARE_RETURN: HeadError = bad("a line of the request's head has CR without LF");

const VERSION: HeadError = HeadError {
    status: StatusCode::HTTP_VERSION_NOT_SUPPORTED,
    message: "the request's version is neither HTTP/1.1 nor HTTP/1.0",
};

const TOO_MANY: HeadError = HeadError {
    status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    message: "the request has more than 100 header fields",
};

/// Checks a whole head, from the request line to the empty line.
///
/// # Errors
/// What makes it ambiguous, malformed or too large.
pub(crate) fn check(head: &[u8]) -> Result<Head, HeadError> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = without_return(lines.next().unwrap_or_default())?;
    let minor = request_line(line)?;
    let mut seen = Seen::default();
    for line in lines {
        let line = without_return(line)?;
        if line.is_empty() {
            break;
        }
        seen.count += 1;
        if seen.count > HEADERS_MAX {
            return Err(TOO_MANY);
        }
        header(line, &mut seen)?;
    }
    match (seen.hosts, minor) {
        (0, 1) => return Err(bad("the request has no Host header")),
        (0 | 1, _) => {}
        _ => return Err(bad("the request has more than one Host header")),
    }
    let framing = match (seen.chunked, seen.length) {
        (true, Some(_)) => {
            return Err(bad(
                "the request has both Content-Length and Transfer-Encoding",
            ));
        }
        (true, None) if minor == 0 => return Err(bad("Transfer-Encoding needs HTTP/1.1")),
        (true, None) => Framing::Chunked,
        (false, length) => Framing::Length(length.unwrap_or(0)),
    };
    Ok(Head {
        framing,
        upgrade: seen.upgrade,
    })
}

/// Checks the beginning of a head that is not complete yet, more loosely than [`check`].
///
/// # Errors
/// Whatever follows, it will be no head.
pub(crate) fn check_partial(head: &[u8]) -> Result<(), HeadError> {
    let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
    match httparse::Request::new(&mut slots).parse(head) {
        Ok(_) => Ok(()),
        Err(httparse::Error::TooManyHeaders) => Err(TOO_MANY),
        // A second space in the target is taken for the border of the version: the whole line tells them apart.
        Err(httparse::Error::Version) => match head.iter().position(|byte| *byte == b'\n') {
            Some(end) => request_line(without_return(&head[..end])?).and(Err(VERSION)),
            None => Ok(()),
        },
        Err(_) => Err(bad("the request's head is malformed")),
    }
}

#[derive(Default)]
struct Seen {
    count: usize,
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

fn without_return(line: &[u8]) -> Result<&[u8], HeadError> {
    match line {
        [rest @ .., b'\r'] => Ok(rest),
        [] => Ok(line),
        _ => Err(BARE_LINE_FEED),
    }
}

/// The minor version.
fn request_line(line: &[u8]) -> Result<u8, HeadError> {
    if line.len() > LINE_MAX_BYTES {
        return Err(LINE_TOO_LONG);
    }
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(bad(
            "the request line is not a method, a target and a version with single spaces",
        ));
    };
    if method.is_empty()
        || method.len() > 32
        || !method.iter().all(|byte| TOKEN[usize::from(*byte)])
    {
        return Err(bad("the request's method is malformed"));
    }
    if method == b"CONNECT" || method == b"TRACE" {
        return Err(HeadError {
            status: StatusCode::METHOD_NOT_ALLOWED,
            message: "CONNECT and TRACE are not served here",
        });
    }
    let absolute = target
        .get(..7)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"http://"))
        || target
            .get(..8)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"https://"));
    let form =
        target.first() == Some(&b'/') || absolute || (target == b"*" && method == b"OPTIONS");
    if !form
        || !target
            .iter()
            .all(|byte| (0x21..=0x7e).contains(byte) && *byte != b'#')
    {
        return Err(bad("the request's target is malformed"));
    }
    match version {
        b"HTTP/1.1" => Ok(1),
        b"HTTP/1.0" => Ok(0),
        _ => Err(VERSION),
    }
}

fn header(line: &[u8], seen: &mut Seen) -> Result<(), HeadError> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(bad("a header is folded over two lines"));
    }
    let colon = line
        .iter()
        .position(|byte| *byte == b':')
        .ok_or(bad("a header has no colon"))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(|byte| TOKEN[usize::from(*byte)]) {
        return Err(bad("a header's name is malformed"));
    }
    if !is_value(value) {
        return Err(bad("a header's value has a control character"));
    }
    // The lengths first: nearly all headers are none of these.
    match name.len() {
        4 if name.eq_ignore_ascii_case(b"host") => {
            seen.hosts += 1;
            let host = value.trim_ascii();
            if host.iter().any(|byte| {
                matches!(
                    byte,
                    b' ' | b'\t' | b',' | b'/' | b'?' | b'#' | b'@' | b'\\'
                )
            }) {
                return Err(bad("the Host header is malformed"));
            }
        }
        7 if name.eq_ignore_ascii_case(b"upgrade") => seen.upgrade = true,
        14 if name.eq_ignore_ascii_case(b"content-length") => {
            if seen.length.is_some() {
                return Err(bad("the request has more than one Content-Length"));
            }
            seen.length =
                Some(content_length(value).ok_or(bad("the Content-Length is not a number"))?);
        }
        17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
            if seen.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(bad(
                    "the Transfer-Encoding is something else than a single `chunked`",
                ));
            }
            seen.chunked = true;
        }
        // What some servers read as the two above.
        14 if name.eq_ignore_ascii_case(b"content_length") => {
            return Err(bad("the request has a Content_Length"));
        }
        17 if name.eq_ignore_ascii_case(b"transfer_encoding") => {
            return Err(bad("the request has a Transfer_Encoding"));
        }
        _ => {}
    }
    Ok(())
}

/// Digits and nothing else: `str::parse` would take a sign.
pub(crate) fn content_length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')),
    )
}

/// The bytes of a token (RFC 9110, section 5.6.2).
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        table[byte as usize] = byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

/// Whether these are the bytes of a field's value (RFC 9110, section 5.5): visible, space, tab and what is above ASCII.
/// Without an early end, so that the compiler compares many at once.
fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().fold(true, |sane, byte| {
        sane & ((*byte >= 0x20) & (*byte != 0x7f) | (*byte == b'\t'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<Framing, u16>) {
        let found = super::check(text.as_bytes())
            .map(|head| head.framing)
            .map_err(|error| error.status.as_u16());
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn accepts_what_is_clear() {
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Ok(Framing::Length(0)));
        check("GET / HTTP/1.0\r\n\r\n", Ok(Framing::Length(0)));
        check(
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            Ok(Framing::Length(0)),
        );
        check(
            "GET http://a/b?c HTTP/1.1\r\nHost: a\r\n\r\n",
            Ok(Framing::Length(0)),
        );
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n",
            Ok(Framing::Length(12)),
        );
        check(
            "POST / HTTP/1.1\r\nhost:a\r\ntransfer-encoding: Chunked\r\n\r\n",
            Ok(Framing::Chunked),
        );
        check(
            "GET / HTTP/1.1\r\nHost: [::1]:80\r\nX: \u{e9}\r\nEmpty:\r\n\r\n",
            Ok(Framing::Length(0)),
        );
    }

    #[test]
    fn refuses_what_is_not() {
        let host = "Host: a\r\n";
        for (headers, status) in [
            ("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400),
            ("Content-Length: 1\r\nContent-Length: 1\r\n", 400),
            ("Content-Length: 1, 1\r\n", 400),
            ("Content-Length: +1\r\n", 400),
            ("Content-Length:\r\n", 400),
            ("Content-Length: 99999999999999999999\r\n", 400),
            ("Transfer-Encoding: xchunked\r\n", 400),
            (
                "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                400,
            ),
            ("Transfer-Encoding: gzip, chunked\r\n", 400),
            ("Transfer-Encoding: identity\r\n", 400),
            ("Transfer-Encoding : chunked\r\n", 400),
            ("Transfer_Encoding: chunked\r\n", 400),
            ("Host: b\r\n", 400),
            ("X: a\r\n b\r\n", 400),
            ("X: a\0b\r\n", 400),
            ("X: a\rb\r\n", 400),
            ("X: a\nY: b\r\n", 400),
            ("X\r\n", 400),
            (": a\r\n", 400),
            (&"X: a\r\n".repeat(101), 431),
        ] {
            check(
                &format!("POST / HTTP/1.1\r\n{host}{headers}\r\n"),
                Err(status),
            );
        }
        for (line, status) in [
            ("GET  / HTTP/1.1", 400),
            ("GET /a b HTTP/1.1", 400),
            ("GET / HTTP/1.1 ", 400),
            ("GET /#a HTTP/1.1", 400),
            ("GET a HTTP/1.1", 400),
            ("GET /\u{e9} HTTP/1.1", 400),
            ("G(T / HTTP/1.1", 400),
            ("CONNECT a:443 HTTP/1.1", 405),
            ("GET / HTTP/2.0", 505),
            ("GET / HTTP/1.2", 505),
            (&format!("GET /{} HTTP/1.1", "a".repeat(9000)), 414),
        ] {
            check(&format!("{line}\r\n{host}\r\n"), Err(status));
        }
        check("GET / HTTP/1.1\r\n\r\n", Err(400));
        check("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", Err(400));
        check(
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            Err(400),
        );
        check("GET / HTTP/1.1\nHost: a\n\n", Err(400));
    }

    /// In how many pieces a head comes makes no difference to what its client is told.
    #[test]
    fn a_part_is_refused_as_the_whole() {
        for (line, status) in [
            ("GET /a b HTTP/1.1", 400),
            ("GET / HTTP/1.2", 505),
            ("GET / http/1.1", 505),
        ] {
            let head = format!("{line}\r\nHost: a\r\n\r\n");
            let refused = super::check(head.as_bytes()).expect_err(line);
            assert_eq!(refused.status.as_u16(), status, "{line}");
            for end in 0..head.len() {
                if let Err(error) = check_partial(&head.as_bytes()[..end]) {
                    assert_eq!(error.status.as_u16(), status, "{line} up to {end}");
                }
            }
        }
    }
}
