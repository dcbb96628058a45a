//! An answer that the ingress gives itself: one sentence, as JSON, with the request's id.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::access_log::json_string;
use crate::body::ResponseBody;

/// Why the ingress answers instead of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The label of the metric.
    pub(crate) reason: &'static str,
    /// What happened, for whoever reads the answer.
    pub(crate) message: String,
    /// Seconds after which it may be worth to try again.
    pub(crate) retry_after: Option<u64>,
    /// What the status asks to be said as well.
    pub(crate) header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Refusal {
    /// With a status, a reason and a message.
    pub(crate) fn new(
        status: StatusCode,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
            retry_after: None,
            header: None,
        }
    }

    /// Says when to try again.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Says what the status asks for: `Allow` of 405, `Content-Range` of 416.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// A request that could be read in two ways.
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", message)
    }

    /// A head that is malformed or too large.
    pub(crate) fn head(status: StatusCode, message: &'static str) -> Self {
        let reason = match status {
            StatusCode::URI_TOO_LONG | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
                "head_too_large"
            }
            StatusCode::METHOD_NOT_ALLOWED => "method",
            _ => "malformed",
        };
        Self::new(status, reason, message)
    }

    /// The body of the answer.
    pub(crate) fn body(&self, request_id: &HeaderValue) -> Vec<u8> {
        let mut body = Vec::with_capacity(128);
        body.extend_from_slice(
            format!("{{\"status\":{},\"error\":", self.status.as_u16()).as_bytes(),
        );
        json_string(&mut body, self.message.as_bytes());
        body.extend_from_slice(b",\"request_id\":");
        json_string(&mut body, request_id.as_bytes());
        body.extend_from_slice(b"}\n");
        body
    }

    /// The answer to a request.
    pub(crate) fn response(&self, request_id: &HeaderValue) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::full(self.body(request_id).into()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some((name, value)) = self.header.as_deref() {
            headers.insert(name, value.clone());
        }
        response
    }

    /// The answer as bytes on an HTTP/1 connection that is closed after it.
    pub(crate) fn raw(&self, request_id: &HeaderValue) -> Vec<u8> {
        let body = self.body(request_id);
        let retry = self
            .retry_after
            .map(|seconds| format!("retry-after: {seconds}\r\n"))
            .unwrap_or_default();
        let mut answer = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{retry}connection: close\r\n\r\n",
            self.status.as_u16(),
            self.status.canonical_reason().unwrap_or_default(),
            body.len(),
        )
        .into_bytes();
        answer.extend_from_slice(&body);
        answer
    }
}
