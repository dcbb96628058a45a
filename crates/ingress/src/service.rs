//! The way of one request: who is asked for it, whether it may go there, and what is added to the answer.

use std::rc::Rc;
use std::sync::Arc;

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, LOCATION, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, UPGRADE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;

use crate::access_log::json_string;
use crate::body::ResponseBody;
use crate::connection::{Connection, Refused};
use crate::files::{self, FilesTable};
use crate::forward::{self, Answer, Destination};
use crate::headers::{self, X_REQUEST_ID, X_TRACE_ID};
use crate::monotonic;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::table::{ActionTable, ListenerTable, PathEntry, RouteTable, Table};
use crate::websocket::Tunnel;
use crate::worker::Worker;

/// Where the task of a connection finds the WebSocket that its last request became.
pub(crate) type TunnelSlot = Rc<std::cell::RefCell<Option<(Tunnel, Box<Record>)>>>;

/// Answers one request.
pub(crate) async fn answer(
    worker: Rc<Worker>,
    connection: Arc<Connection>,
    listener: Arc<str>,
    tunnel: TunnelSlot,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let table = worker.table();
    let mut record = Box::new(Record::new(&worker, &connection, &request, table.sampling));
    let http1 = request.version() != Version::HTTP_2;
    let (route, outcome) = match find(&table, &listener, &request, &mut record) {
        Ok(entry) => {
            record.route = Arc::clone(&entry.route.name);
            record.key.route = entry.route.label;
            let outcome = match prepare(&worker, &table, entry, &request, &mut record) {
                Ok(Prepared::Answer(response)) => Ok(Answer::Response(response)),
                Ok(Prepared::Forward(to)) => {
                    forward::forward(&worker, &to, request, &mut record).await
                }
                Ok(Prepared::Files(found)) => {
                    files::answer(&worker, found, &entry.route, &request, &mut record)
                        .await
                        .map(Answer::Response)
                }
                Err(refusal) => Err(refusal),
            };
            (Some(&*entry.route), outcome)
        }
        Err(refusal) => (None, Err(refusal)),
    };
    let mut last = connection.is_draining();
    let outcome = match outcome {
        Ok(Answer::Response(response)) => Ok(response),
        Ok(Answer::Tunnel(response, tunnel)) => Err((response, tunnel)),
        Err(refusal) => {
            worker.reject(refusal.reason);
            // Whoever sends such a request may have meant its connection to be read otherwise.
            last |= refusal.status == StatusCode::BAD_REQUEST;
            let response = refusal.response(&record.request_id);
            record.error = Some(refusal.message);
            Ok(response)
        }
    };
    match outcome {
        Ok(mut response) => {
            connection.hold(false);
            connection.answer_begins();
            complete(&mut response, &record, route);
            if http1 && last {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            record.status = Some(response.status());
            response.map(|body| body.with_record(record))
        }
        Err((mut response, agreed)) => {
            complete(&mut response, &record, None);
            record.status = Some(response.status());
            *tunnel.borrow_mut() = Some((agreed, record));
            response
        }
    }
}

/// What serves the request.
fn find<'a>(
    table: &'a Table,
    listener: &str,
    request: &Request<Incoming>,
    record: &mut Record,
) -> Result<&'a PathEntry, Refusal> {
    let authority = authority(request)?;
    record.host = host(authority).to_ascii_lowercase();
    if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
        return Err(Refusal::head(
            StatusCode::METHOD_NOT_ALLOWED,
            "CONNECT and TRACE are not served here",
        ));
    }
    match table.listeners.get(listener) {
        Some(ListenerTable::Upstream(entry)) => Ok(entry),
        Some(ListenerTable::Routes { .. }) => table
            .find(&record.host, request.uri().path())
            .ok_or_else(|| {
                Refusal::new(
                    StatusCode::NOT_FOUND,
                    "no_route",
                    format!("no route serves this path of `{}`", record.host),
                )
            }),
        None if table.generation == 0 => Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_configured",
            "the ingress has no configuration yet",
        )
        .retry_after(1)),
        None => Err(Refusal::new(
            StatusCode::NOT_FOUND,
            "no_route",
            "nothing is served on this port",
        )),
    }
}

/// The host that the request is for, with its port, as the client wrote it. All places that name it have to agree.
pub(crate) fn authority(request: &Request<Incoming>) -> Result<&str, Refusal> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().map(|value| {
        value
            .to_str()
            .map_err(|_| Refusal::malformed("the Host header is malformed"))
    });
    let host = host.transpose()?.map(str::trim);
    if hosts.next().is_some() {
        return Err(Refusal::malformed(
            "the request has more than one Host header",
        ));
    }
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    let authority = match (target, host) {
        (Some(target), Some(host)) if !target.eq_ignore_ascii_case(host) => {
            return Err(Refusal::malformed(
                "the request's target and its Host header name different hosts",
            ));
        }
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) if request.version() == Version::HTTP_10 => "",
        (None, None) => return Err(Refusal::malformed("the request names no host")),
    };
    if authority.bytes().any(|byte| {
        matches!(
            byte,
            b'@' | b'/' | b'\\' | b',' | b'"' | b' ' | b'\t' | b'?' | b'#'
        )
    }) {
        return Err(Refusal::malformed("the request's host is malformed"));
    }
    Ok(authority)
}

/// The host without its port, and without the dot that ends an absolute name.
fn host(authority: &str) -> &str {
    let host = match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => &authority[..colon],
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host)
}

/// What is to be done with a request that has a route.
enum Prepared<'a> {
    Answer(Response<ResponseBody>),
    Forward(Destination<'a>),
    Files(&'a Arc<FilesTable>),
}

/// Applies the route. Not async, so that the request is not kept in one more future.
fn prepare<'a>(
    worker: &Worker,
    table: &'a Table,
    entry: &'a PathEntry,
    request: &Request<Incoming>,
    record: &mut Record,
) -> Result<Prepared<'a>, Refusal> {
    let route = &*entry.route;
    let peer = record.connection.peer;
    let trusted = route.trusted.iter().any(|net| net.contains(&peer));
    record.client = headers::client(peer, request.headers(), &route.trusted);
    if let Some(port) = route.https_redirect
        && !(record.connection.tls || trusted && came_by_https(request.headers()))
    {
        let target = request
            .uri()
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let port = if port == 443 {
            String::new()
        } else {
            format!(":{port}")
        };
        let location = HeaderValue::try_from(format!("https://{}{port}{target}", record.host));
        let location =
            location.map_err(|_| Refusal::malformed("the request's target is malformed"))?;
        return Ok(Prepared::Answer(redirect(
            StatusCode::PERMANENT_REDIRECT,
            location,
        )));
    }
    admit(worker, route, request, record)?;
    Ok(match &entry.action {
        ActionTable::Redirect { to, status } => Prepared::Answer(redirect(*status, to.clone())),
        ActionTable::Files(files) => Prepared::Files(files),
        ActionTable::Forward {
            upstream,
            strip,
            sticky,
        } => Prepared::Forward(Destination {
            table,
            route,
            upstream,
            strip: *strip,
            trusted,
            sticky: sticky.as_deref(),
            https: record.connection.tls || trusted && came_by_https(request.headers()),
        }),
    })
}

fn came_by_https(headers: &HeaderMap) -> bool {
    headers
        .get("x-forwarded-proto")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"https"))
}

fn redirect(status: StatusCode, to: HeaderValue) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, to);
    response
}

/// Applies the limits of the route.
fn admit(
    worker: &Worker,
    route: &RouteTable,
    request: &Request<Incoming>,
    record: &mut Record,
) -> Result<(), Refusal> {
    let limits = &route.limits;
    if let Some(rate) = limits.rate_per_second {
        let now = monotonic::millis();
        let taken = worker.shared.limiter.take(
            route.label.number(),
            record.client,
            rate,
            limits.burst,
            now,
        );
        taken.map_err(|seconds| {
            let message = format!("more than {rate} requests a second from one address");
            Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit", message).retry_after(seconds)
        })?;
    }
    let declared = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if let (Some(limit), Some(length)) = (limits.body_bytes, declared)
        && length > limit
    {
        return Err(forward::too_large(limit));
    }
    if let Some(limit) = limits.connections {
        let entry = route.counter.enter(limits.connections).ok_or_else(|| {
            let message = format!(
                "the route `{}` has {limit} requests under way, which is its limit",
                route.name
            );
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "route_full", message).retry_after(1)
        })?;
        record.route_entry = Some(entry);
    }
    Ok(())
}

/// Whether the client asks for a WebSocket (RFC 6455, section 4.1).
pub(crate) fn is_websocket(request: &Request<Incoming>) -> bool {
    let has = |name, token: &str| {
        request.headers().get_all(name).iter().any(|value| {
            let mut tokens = value.as_bytes().split(|byte| *byte == b',');
            tokens.any(|one| one.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
        })
    };
    request.version() == Version::HTTP_11
        && *request.method() == Method::GET
        && request.headers().contains_key(UPGRADE)
        && has(UPGRADE, "websocket")
        && has(CONNECTION, "upgrade")
}

/// Adds what each answer has.
fn complete(response: &mut Response<ResponseBody>, record: &Record, route: Option<&RouteTable>) {
    let headers = response.headers_mut();
    headers.insert(&X_REQUEST_ID, record.request_id.clone());
    if let Ok(trace) = HeaderValue::from_bytes(&record.trace.uuid()) {
        headers.insert(&X_TRACE_ID, trace);
    }
    let Some(route) = route else { return };
    if route.security {
        let mut default = |name, value| {
            headers
                .entry(name)
                .or_insert(HeaderValue::from_static(value));
        };
        default(X_CONTENT_TYPE_OPTIONS, "nosniff");
        default(X_FRAME_OPTIONS, "SAMEORIGIN");
        default(REFERRER_POLICY, "strict-origin-when-cross-origin");
        // A browser would remember it for all ports of localhost, for a year.
        let local = record.host == "localhost" || record.host.ends_with(".localhost");
        if record.connection.tls && !local {
            default(
                STRICT_TRANSPORT_SECURITY,
                "max-age=31536000; includeSubDomains",
            );
        }
    }
    for (name, value) in &route.response_headers {
        match value {
            Some(value) => drop(headers.insert(name, value.clone())),
            None => drop(headers.remove(name)),
        }
    }
}

/// Writes the log line of what the guard refused: there was no request that could have one.
pub(crate) fn log_refused(worker: &Worker, connection: &Connection, refused: &Refused) {
    worker.log(std::time::Instant::now(), |time, out| {
        let start = format!(
            "{{\"time\":\"{time}\",\"client\":\"{}\",\"request_id\":",
            connection.peer
        );
        out.extend_from_slice(start.as_bytes());
        json_string(out, refused.request_id.as_bytes());
        out.extend_from_slice(
            format!(",\"status\":{},\"error\":", refused.refusal.status.as_u16()).as_bytes(),
        );
        json_string(out, refused.refusal.message.as_bytes());
        out.extend_from_slice(b"}\n");
    });
}

#[cfg(test)]
mod tests {
    #[track_caller]
    fn check(authority: &str, expected: &str) {
        assert_eq!(super::host(authority), expected);
    }

    #[test]
    fn the_host_has_no_port() {
        check("app.example.com:8080", "app.example.com");
        check("app.example.com", "app.example.com");
        check("app.example.com.", "app.example.com");
        check("[::1]:80", "[::1]");
        check("[::1]", "[::1]");
        check("", "");
    }
}
