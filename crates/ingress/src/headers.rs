//! The head that a replica gets: the client's, without what belongs to one connection or what only the ingress may
//! say, and with the ids and the forwarding headers of the ingress.

use std::net::IpAddr;

use http::header::{CONNECTION, COOKIE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};
use ipnet::IpNet;

use crate::ids::Trace;
use crate::upstream::BodyFraming;

/// The id of a request.
pub(crate) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The id of a trace, as a UUID.
pub(crate) static X_TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
/// The trace as W3C Trace Context has it.
pub(crate) static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What the head of a request to a replica is made of.
pub(crate) struct Outgoing<'a> {
    pub(crate) method: &'a Method,
    /// The path and query, any prefix cut.
    pub(crate) target: &'a str,
    /// As the client wrote it, with its port.
    pub(crate) authority: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) version: Version,
    pub(crate) framing: BodyFraming,
    pub(crate) websocket: bool,
    /// The address of the peer.
    pub(crate) peer: &'a str,
    pub(crate) tls: bool,
    /// Whether the peer is a proxy whose word counts.
    pub(crate) trusted: bool,
    pub(crate) request_id: &'a HeaderValue,
    pub(crate) trace: &'a Trace,
    pub(crate) added: &'a [(HeaderName, HeaderValue)],
}

/// Whether a header belongs to one connection (RFC 9110, section 7.6.1).
pub(crate) fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

/// What the ingress writes itself in each request, whatever the client sent.
fn is_replaced(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "content-length"
            | "expect"
            | "x-request-id"
            | "x-trace-id"
            | "traceparent"
            | "forwarded"
            | "x-forwarded-for"
            | "x-forwarded-proto"
            | "x-forwarded-host"
            | "proxy-authorization"
    )
}

/// What names the client or its way and only a trusted proxy may say.
fn is_claim(name: &str) -> bool {
    name.starts_with("x-forwarded-")
        || matches!(name, "x-real-ip" | "x-client-ip" | "true-client-ip")
}

/// The names that `Connection` adds to those of one connection; none in nearly all requests.
pub(crate) fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    let Some(first) = headers.get(CONNECTION) else {
        return Vec::new();
    };
    if matches!(
        first.as_bytes(),
        b"keep-alive" | b"close" | b"Keep-Alive" | b"Upgrade" | b"upgrade"
    ) {
        return Vec::new();
    }
    let tokens = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tokens
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .collect()
}

impl Outgoing<'_> {
    /// Writes the head.
    pub(crate) fn write(&self) -> Vec<u8> {
        // Below the size from which the allocator takes its slow path.
        let mut out = Vec::with_capacity(1000);
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.target.as_bytes());
        out.extend_from_slice(b" HTTP/1.1\r\n");
        line(&mut out, "host", self.authority.as_bytes());
        let nominated = nominated(self.headers);
        for (name, value) in self.headers {
            let text = name.as_str();
            let dropped = is_hop_by_hop(text)
                || is_replaced(text)
                || (is_claim(text) && !self.trusted)
                || (text == "tracestate" && !self.trace.continued)
                || (*name == COOKIE && self.version == Version::HTTP_2)
                // WSGI and CGI servers read `X_Forwarded_For` as `X-Forwarded-For`.
                || text.as_bytes().contains(&b'_')
                || nominated.contains(name)
                || self.added.iter().any(|(added, _)| added == name);
            if !dropped {
                line(&mut out, text, value.as_bytes());
            }
        }
        if self.version == Version::HTTP_2 {
            self.write_cookies(&mut out);
        }
        for (name, value) in self.added {
            // An empty value only removes.
            if !value.is_empty() {
                line(&mut out, name.as_str(), value.as_bytes());
            }
        }
        self.write_forwarded(&mut out);
        line(&mut out, "x-request-id", self.request_id.as_bytes());
        line(&mut out, "x-trace-id", &self.trace.uuid());
        line(&mut out, "traceparent", &self.trace.traceparent());
        match self.framing {
            BodyFraming::None => {}
            BodyFraming::Length(length) => {
                line(&mut out, "content-length", length.to_string().as_bytes())
            }
            BodyFraming::Chunked => line(&mut out, "transfer-encoding", b"chunked"),
        }
        if self.websocket {
            line(&mut out, "connection", b"Upgrade");
            line(&mut out, "upgrade", b"websocket");
        }
        out.extend_from_slice(b"\r\n");
        out
    }

    /// HTTP/2 may split cookies over several fields, HTTP/1.1 may not (RFC 9113, section 8.2.3).
    fn write_cookies(&self, out: &mut Vec<u8>) {
        for (index, value) in self.headers.get_all(COOKIE).iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"cookie: " } else { b"; " });
            out.extend_from_slice(value.as_bytes());
        }
        if self.headers.contains_key(COOKIE) {
            out.extend_from_slice(b"\r\n");
        }
    }

    fn write_forwarded(&self, out: &mut Vec<u8>) {
        let scheme = if self.tls { "https" } else { "http" };
        let given = |name: &str| self.headers.get_all(name).iter().filter(|_| self.trusted);
        list(out, "x-forwarded-for", given("x-forwarded-for"), self.peer);
        let one = |out: &mut Vec<u8>, name: &str, own: &str| {
            let value = given(name)
                .next()
                .map_or(own.as_bytes(), HeaderValue::as_bytes);
            line(out, name, value);
        };
        one(out, "x-forwarded-proto", scheme);
        one(out, "x-forwarded-host", self.authority);
        let mut element = String::with_capacity(96);
        let (open, close) = if self.peer.contains(':') {
            ("\"[", "]\"")
        } else {
            ("", "")
        };
        for part in [
            "for=",
            open,
            self.peer,
            close,
            ";host=\"",
            self.authority,
            "\";proto=",
            scheme,
        ] {
            element.push_str(part);
        }
        list(out, "forwarded", given("forwarded"), &element);
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A header that each proxy on the way adds to.
fn list<'a>(
    out: &mut Vec<u8>,
    name: &str,
    given: impl Iterator<Item = &'a HeaderValue>,
    own: &str,
) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    for value in given {
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b", ");
    }
    out.extend_from_slice(own.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The client that a request comes from: the peer, or, if that is a trusted proxy, the last address that no trusted
/// proxy stands behind.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    if trusted.is_empty() || !is_trusted(peer) {
        return peer;
    }
    let values: Vec<&HeaderValue> = headers.get_all("x-forwarded-for").iter().collect();
    let mut client = peer;
    for value in values.iter().rev() {
        for part in value.as_bytes().rsplit(|byte| *byte == b',') {
            let text = std::str::from_utf8(part.trim_ascii()).unwrap_or_default();
            let Ok(address) = text.parse::<IpAddr>() else {
                return client;
            };
            client = address.to_canonical();
            if !is_trusted(client) {
                return client;
            }
        }
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        fields.iter().map(field).collect()
    }

    /// The lines of the head for a request with these headers, without those of the ids.
    #[track_caller]
    fn check(fields: &[(&'static str, &'static str)], trusted: bool, expected: &[&str]) {
        let head = Outgoing {
            method: &Method::GET,
            target: "/a?b",
            authority: "h:80",
            headers: &headers(fields),
            version: Version::HTTP_11,
            framing: BodyFraming::None,
            websocket: false,
            peer: "192.0.2.1",
            tls: false,
            trusted,
            request_id: &HeaderValue::from_static("i"),
            trace: &Trace::new(
                None,
                crate::ids::Sampling::of(wharf_base::units::Percent::whole(100)),
                &mut fastrand::Rng::with_seed(1),
            ),
            added: &[],
        };
        let head = head.write();
        let text = std::str::from_utf8(&head).expect("ASCII");
        let ids = ["x-request-id", "x-trace-id", "traceparent"];
        let found: Vec<_> = text
            .trim_end()
            .split("\r\n")
            .filter(|line| !ids.iter().any(|id| line.starts_with(id)))
            .collect();
        assert_eq!(found, expected);
    }

    const FORWARDED: &str = "forwarded: for=192.0.2.1;host=\"h:80\";proto=http";

    #[test]
    fn drops_what_belongs_to_one_connection() {
        let fields = [
            ("host", "evil"),
            ("connection", "keep-alive, x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("x_forwarded_for", "6.6.6.6"),
            ("accept", "*/*"),
        ];
        let expected = [
            "GET /a?b HTTP/1.1",
            "host: h:80",
            "accept: */*",
            "x-forwarded-for: 192.0.2.1",
            "x-forwarded-proto: http",
            "x-forwarded-host: h:80",
            FORWARDED,
        ];
        check(&fields, false, &expected);
    }

    #[test]
    fn replaces_claims_unless_the_peer_is_trusted() {
        let fields = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "other"),
            ("x-real-ip", "6.6.6.6"),
            ("forwarded", "for=6.6.6.6"),
        ];
        let own = [
            "x-forwarded-for: 192.0.2.1",
            "x-forwarded-proto: http",
            "x-forwarded-host: h:80",
            FORWARDED,
        ];
        let start = ["GET /a?b HTTP/1.1", "host: h:80"];
        check(&fields, false, &[&start[..], &own].concat());
        let forwarded = format!(
            "forwarded: for=6.6.6.6, {}",
            &FORWARDED["forwarded: ".len()..]
        );
        let theirs = [
            "x-real-ip: 6.6.6.6",
            "x-forwarded-for: 6.6.6.6, 192.0.2.1",
            "x-forwarded-proto: https",
            "x-forwarded-host: other",
            &forwarded,
        ];
        check(&fields, true, &[&start[..], &theirs].concat());
    }

    #[test]
    fn the_client_is_the_last_that_is_not_trusted() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network")];
        for (peer, list, expected) in [
            ("10.0.0.1", "1.1.1.1, 2.2.2.2, 10.0.0.2", "2.2.2.2"),
            ("9.9.9.9", "1.1.1.1", "9.9.9.9"),
            ("10.0.0.1", "nonsense", "10.0.0.1"),
            ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ] {
            let headers = headers(&[("x-forwarded-for", list)]);
            let found = client(peer.parse().expect("an address"), &headers, &trusted);
            assert_eq!(found.to_string(), expected, "{peer} {list}");
        }
    }
}
