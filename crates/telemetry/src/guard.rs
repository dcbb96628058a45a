//! Who may ask: programs on this machine, and no web page in a browser on it.
//!
//! The endpoints are open on loopback, so that promtool and Grafana work unchanged. What keeps a page from the Internet away
//! that a browser here has open: the request has to name this machine (a rebound name does not), and where it names its
//! origin, that has to be this machine too.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Refuses what comes from a web page elsewhere.
pub(crate) async fn only_local(request: Request, next: Next) -> Response {
    // HTTP/2 says in the target whom it asks.
    let authority = request
        .uri()
        .authority()
        .map(|authority| authority.as_str());
    match refusal(authority, request.headers()) {
        None => next.run(request).await,
        Some(why) => (StatusCode::FORBIDDEN, why).into_response(),
    }
}

fn refusal(authority: Option<&str>, headers: &HeaderMap) -> Option<&'static str> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let mut named = authority.into_iter().chain(text(HOST));
    if named.any(|host| !is_local(host)) {
        return Some("this address answers as localhost and 127.0.0.1 only\n");
    }
    let origin =
        text(ORIGIN).map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    if origin.is_some_and(|origin| !is_local(origin)) {
        return Some("web pages of other hosts may not ask\n");
    }
    None
}

/// Whether `host[:port]` is this machine.
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, origin: Option<&str>, allowed: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().expect("a header"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().expect("a header"));
        }
        assert_eq!(
            refusal(None, &headers).is_none(),
            allowed,
            "{host} {origin:?}"
        );
        headers.remove(HOST);
        let asked = refusal(Some(host), &headers);
        assert_eq!(asked.is_none(), allowed, "{host} {origin:?}");
    }

    #[test]
    fn only_this_machine_is_answered() {
        check("127.0.0.1:9090", None, true);
        check("localhost:9090", None, true);
        check("[::1]:9090", None, true);
        check("grafana.localhost", Some("http://localhost:3000"), true);
        check("evil.example:9090", None, false);
        check("127.0.0.1.evil.example", None, false);
        check("127.0.0.1:9090", Some("https://evil.example"), false);
        check("127.0.0.1:9090", Some("null"), false);
    }
}
