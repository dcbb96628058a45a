//! What is remembered of one request: when this is dropped it is counted, and its line is in the access log.
//!
//! So every request is recorded once, however it ends: answered, cut, or left by its client.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderValue, Method, Request, StatusCode, Uri, Version};

use crate::access_log::json_string;
use crate::connection::Connection;
use crate::headers::{TRACEPARENT, X_REQUEST_ID};
use crate::ids::{Sampling, Trace};
use crate::metrics::{Sample, SeriesKey};
use crate::rate::RouteEntry;
use crate::worker::Worker;

/// The status of a request whose client left before the answer began, as nginx has it.
const CLIENT_CLOSED: u16 = 499;

/// What is remembered of one request.
pub(crate) struct Record {
    worker: Rc<Worker>,
    pub(crate) connection: Arc<Connection>,
    started: Instant,
    method: Method,
    uri: Uri,
    version: Version,
    user_agent: Option<HeaderValue>,
    pub(crate) host: String,
    pub(crate) client: IpAddr,
    pub(crate) request_id: HeaderValue,
    pub(crate) trace: Trace,
    pub(crate) key: SeriesKey,
    pub(crate) route: Arc<str>,
    pub(crate) service: Arc<str>,
    pub(crate) release: Arc<str>,
    pub(crate) replica: Arc<str>,
    pub(crate) route_entry: Option<RouteEntry>,
    pub(crate) retries: u32,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) upstream_micros: Option<u64>,
    /// None: not answered.
    pub(crate) status: Option<StatusCode>,
    pub(crate) error: Option<String>,
}

impl Record {
    /// A request that has just come.
    pub(crate) fn new<B>(
        worker: &Rc<Worker>,
        connection: &Arc<Connection>,
        request: &Request<B>,
        sampling: Sampling,
    ) -> Self {
        let headers = request.headers();
        let mut random = worker.random.borrow_mut();
        let nothing = || Arc::clone(&worker.nothing);
        connection.request_begins();
        Self {
            worker: Rc::clone(worker),
            connection: Arc::clone(connection),
            started: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            user_agent: headers.get(http::header::USER_AGENT).cloned(),
            host: String::new(),
            client: connection.peer,
            request_id: crate::ids::request_id(headers.get(&X_REQUEST_ID), &mut random),
            trace: Trace::new(headers.get(&TRACEPARENT), sampling, &mut random),
            key: SeriesKey::default(),
            route: nothing(),
            service: nothing(),
            release: nothing(),
            replica: nothing(),
            route_entry: None,
            retries: 0,
            bytes_in: 0,
            bytes_out: 0,
            upstream_micros: None,
            status: None,
            error: None,
        }
    }

    /// Microseconds since the request came.
    pub(crate) fn micros(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn write(&self, status: u16, micros: u64, time: &str, out: &mut Vec<u8>) {
        let text = |out: &mut Vec<u8>, key: &str, value: &[u8]| {
            out.extend_from_slice(key.as_bytes());
            json_string(out, value);
        };
        let number = |out: &mut Vec<u8>, key: &str, value: u64| {
            out.extend_from_slice(key.as_bytes());
            decimal(out, value);
        };
        out.extend_from_slice(b"{\"time\":\"");
        out.extend_from_slice(time.as_bytes());
        out.extend_from_slice(b"\",\"trace_id\":\"");
        out.extend_from_slice(&self.trace.uuid());
        out.extend_from_slice(b"\",\"span_id\":\"");
        out.extend_from_slice(&self.trace.span());
        if let Some(parent) = self.trace.parent() {
            out.extend_from_slice(b"\",\"parent_span_id\":\"");
            out.extend_from_slice(&parent);
        }
        let sampled: &[u8] = if self.trace.sampled() {
            b"\",\"sampled\":true"
        } else {
            b"\",\"sampled\":false"
        };
        out.extend_from_slice(sampled);
        text(out, ",\"request_id\":", self.request_id.as_bytes());
        if self.client == self.connection.peer {
            text(out, ",\"client\":", self.connection.peer_text.as_bytes());
        } else {
            text(out, ",\"client\":", self.client.to_string().as_bytes());
        }
        text(out, ",\"method\":", self.method.as_str().as_bytes());
        text(out, ",\"host\":", self.host.as_bytes());
        // Without the query: it may carry tokens.
        text(out, ",\"path\":", self.uri.path().as_bytes());
        number(out, ",\"status\":", u64::from(status));
        out.extend_from_slice(b",\"duration_seconds\":");
        seconds(out, micros);
        out.extend_from_slice(b",\"upstream_seconds\":");
        match self.upstream_micros {
            Some(micros) => seconds(out, micros),
            None => out.extend_from_slice(b"null"),
        }
        number(out, ",\"bytes_in\":", self.bytes_in);
        number(out, ",\"bytes_out\":", self.bytes_out);
        text(out, ",\"route\":", self.route.as_bytes());
        text(out, ",\"service\":", self.service.as_bytes());
        text(out, ",\"release\":", self.release.as_bytes());
        text(out, ",\"replica\":", self.replica.as_bytes());
        number(out, ",\"retries\":", u64::from(self.retries));
        text(
            out,
            ",\"user_agent\":",
            self.user_agent
                .as_ref()
                .map_or(b"", |value| value.as_bytes()),
        );
        let protocol = match self.version {
            Version::HTTP_2 => "HTTP/2",
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        };
        text(out, ",\"protocol\":", protocol.as_bytes());
        if let Some(error) = &self.error {
            text(out, ",\"error\":", error.as_bytes());
        }
        out.extend_from_slice(b"}\n");
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.connection.request_ends();
        let status = self.status.map_or(CLIENT_CLOSED, |status| status.as_u16());
        if self.status.is_none() && self.error.is_none() {
            self.error =
                Some("the client closed the connection before the response began".to_owned());
        }
        let now = Instant::now();
        let micros = u64::try_from((now - self.started).as_micros()).unwrap_or(u64::MAX);
        let sample = Sample {
            key: self.key,
            method: &self.method,
            status,
            micros,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            retries: self.retries,
        };
        self.worker.count(&sample);
        self.worker
            .log(now, |time, out| self.write(status, micros, time, out));
    }
}

/// Writes a number. A third of a log line's cost would be the formatting machinery's.
fn decimal(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(value % 10).unwrap_or_default();
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes microseconds as seconds with six digits behind the point.
fn seconds(out: &mut Vec<u8>, micros: u64) {
    decimal(out, micros / 1_000_000);
    out.push(b'.');
    let mut digits = [b'0'; 6];
    let mut rest = micros % 1_000_000;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
    }
    out.extend_from_slice(&digits);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(micros: u64, expected: &str) {
        let mut out = Vec::new();
        seconds(&mut out, micros);
        assert_eq!(out, expected.as_bytes());
    }

    #[test]
    fn seconds_have_six_digits() {
        check(0, "0.000000");
        check(1_234, "0.001234");
        check(12_000_001, "12.000001");
    }
}
