//! Sends a request to a replica, and to another one if it is certain that the first has not begun it.
//!
//! A request is sent again only if nothing of it was sent, or if it has no body and is idempotent (RFC 9110, section
//! 9.2.2) and nothing of a response came. All else is answered with what happened.

use std::borrow::Cow;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio::net::TcpStream;

use crate::balance::{Pick, UpstreamTable};
use crate::body::{ResponseBody, Stream};
use crate::endpoint::EndpointState;
use crate::exchange::{Cut, Exchange, Registered};
use crate::headers::{self, Outgoing};
use crate::http1::response::{Framing, Head};
use crate::monotonic;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::service;
use crate::sticky::Sticky;
use crate::table::{RouteTable, Table};
use crate::upstream::{
    BodyFraming, ReceiveError, SLOW_BODY_PERIOD, SendError, Sender, UpstreamConnection,
};
use crate::websocket::Tunnel;
use crate::worker::Worker;

/// How often a request may be sent again. Two dead replicas at once are an outage, not a release.
const RETRIES_MAX: u32 = 3;

/// Until a replica has to accept a connection: replicas are near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where a request goes.
pub(crate) struct Destination<'a> {
    pub(crate) table: &'a Table,
    pub(crate) route: &'a RouteTable,
    pub(crate) upstream: &'a str,
    pub(crate) strip: usize,
    pub(crate) trusted: bool,
    /// None: any replica will do.
    pub(crate) sticky: Option<&'a Sticky>,
    /// Whether the client came by HTTPS.
    pub(crate) https: bool,
}

/// What a replica answered.
pub(crate) enum Answer {
    Response(Response<ResponseBody>),
    Tunnel(Response<ResponseBody>, Tunnel),
}

/// The body is longer than the route allows.
pub(crate) fn too_large(limit: u64) -> Refusal {
    let message =
        format!("the request's body is longer than {limit} bytes, the limit of this route");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

/// Why an attempt did not bring a response.
enum Failure {
    Connect(io::Error),
    Cut(Cut, WaitedFor),
    Send(SendError),
    Receive(ReceiveError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WaitedFor {
    Client,
    Replica,
}

/// Forwards `request`.
pub(crate) async fn forward(
    worker: &Rc<Worker>,
    to: &Destination<'_>,
    mut request: Request<Incoming>,
    record: &mut Record,
) -> Result<Answer, Refusal> {
    let Some(upstream) = to.table.upstreams.get(to.upstream) else {
        let message = format!("there is no upstream `{}`", to.upstream);
        return Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_replica",
            message,
        ));
    };
    record.service = Arc::clone(&upstream.service);
    record.key.service = upstream.service_label;
    let upgrade = service::is_websocket(&request).then(|| hyper::upgrade::on(&mut request));
    let framing = framing(&request);
    let head = Outgoing {
        method: request.method(),
        target: &target(&request, to.strip),
        authority: service::authority(&request)?,
        headers: request.headers(),
        version: request.version(),
        framing,
        websocket: upgrade.is_some(),
        peer: &record.connection.peer_text,
        tls: record.connection.tls,
        trusted: to.trusted,
        request_id: &record.request_id,
        trace: &record.trace,
        added: &to.route.request_headers,
    }
    .write();
    let stuck = to
        .sticky
        .map_or_else(Vec::new, |sticky| sticky.named(request.headers()));
    let (parts, body) = request.into_parts();
    let method = parts.method;
    drop((parts.uri, parts.extensions));
    let limit = to.route.limits.body_bytes.unwrap_or(u64::MAX);
    let mut attempts = Attempts {
        worker,
        to,
        upstream,
        exchange: worker
            .exchanges
            .add(Exchange::new(Arc::clone(&record.connection))),
        tried: Vec::new(),
        stuck,
        last: None,
        spare: parts.headers,
        bodyless: framing == BodyFraming::None || framing == BodyFraming::Length(0),
        method,
    };
    let mut sender = Sender::new(head, Some(body), framing, limit);
    loop {
        let pick = attempts.pick(record)?;
        match attempts.send(&pick, &mut sender, record).await {
            Ok((head, connection)) => {
                return attempts.accept(head, connection, pick, sender, upgrade, record);
            }
            Err(failure) => {
                record.bytes_in = sender.received;
                let again =
                    attempts.may_send_again(&failure, &sender) && record.retries < RETRIES_MAX;
                let refusal = attempts.refusal(&failure, &pick, limit);
                if !again {
                    return Err(refusal);
                }
                record.retries += 1;
                attempts.last = Some(refusal);
                sender = sender.again();
            }
        }
    }
}

/// The path and query for the replica.
fn target(request: &Request<Incoming>, strip: usize) -> Cow<'_, str> {
    let target = request
        .uri()
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let rest = target.get(strip..).unwrap_or_default();
    if rest.starts_with('/') || rest == "*" {
        rest.into()
    } else {
        format!("/{rest}").into()
    }
}

fn framing(request: &Request<Incoming>) -> BodyFraming {
    let body = request.body();
    if body.is_end_stream() {
        // A length of 0 is said only if the client said it: some servers ask for one with POST.
        let said = request.headers().contains_key(CONTENT_LENGTH);
        return if said {
            BodyFraming::Length(0)
        } else {
            BodyFraming::None
        };
    }
    match body.size_hint().exact() {
        Some(length) => BodyFraming::Length(length),
        None => BodyFraming::Chunked,
    }
}

/// The attempts to send one request.
struct Attempts<'a> {
    worker: &'a Rc<Worker>,
    to: &'a Destination<'a>,
    upstream: &'a Arc<UpstreamTable>,
    exchange: Registered,
    /// Endpoints that failed.
    tried: Vec<Arc<EndpointState>>,
    /// The endpoints that the client's cookies name.
    stuck: Vec<u64>,
    /// What the client is told if there is no other endpoint.
    last: Option<Refusal>,
    /// The request's map of headers, whose memory becomes the response's.
    spare: HeaderMap,
    bodyless: bool,
    method: Method,
}

impl Attempts<'_> {
    fn pick(&mut self, record: &mut Record) -> Result<Pick, Refusal> {
        let now = monotonic::recent();
        let mut random = self.worker.random.borrow_mut();
        let pick = self
            .upstream
            .pick_named(&self.stuck, &self.tried, now)
            .or_else(|| self.upstream.pick(&self.tried, now, &mut random))
            .or_else(|| {
                // The configuration may have changed since the request came.
                let newest = self.worker.table();
                newest
                    .upstreams
                    .get(self.to.upstream)?
                    .pick(&self.tried, now, &mut random)
            });
        let Some(pick) = pick else {
            return Err(self.last.take().unwrap_or_else(|| {
                let message = format!("no replica of `{}` is ready", self.upstream.name);
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "no_replica", message).retry_after(1)
            }));
        };
        record.release = Arc::clone(&pick.release);
        record.key.release = pick.release_label;
        record.replica = Arc::clone(&pick.in_flight.endpoint().id);
        self.exchange.goes_to(pick.in_flight.endpoint());
        Ok(pick)
    }

    /// Whether the request may be sent more than once, whatever the replica did with it.
    fn is_repeatable(&self) -> bool {
        self.bodyless
            && matches!(
                self.method,
                Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE
            )
    }

    async fn send(
        &mut self,
        pick: &Pick,
        sender: &mut Sender,
        record: &mut Record,
    ) -> Result<(Head, UpstreamConnection), Failure> {
        let endpoint = pick.in_flight.endpoint();
        // After a failure no pooled connection is trusted: they may all be as dead.
        let pooled = if record.retries == 0 {
            self.worker.pool.take(endpoint, self.is_repeatable())
        } else {
            None
        };
        let mut connection = match pooled {
            Some(connection) => connection,
            None => match connect(endpoint).await {
                Ok(stream) => UpstreamConnection::new(stream, Arc::clone(endpoint)),
                Err(error) => {
                    self.blame(endpoint);
                    return Err(Failure::Connect(error));
                }
            },
        };
        let started = record.micros();
        let received = self.receive(&mut connection, sender).await;
        record.upstream_micros = Some(record.micros().saturating_sub(started));
        match &received {
            Ok(head) if head.status == StatusCode::BAD_GATEWAY => endpoint.failed(),
            Ok(_) => endpoint.succeeded(),
            Err(Failure::Receive(ReceiveError::Closed { .. } | ReceiveError::Io { .. }))
                if connection.reused => {}
            Err(Failure::Receive(_)) => self.blame(endpoint),
            Err(_) => {}
        }
        received.map(|head| (head, connection))
    }

    fn blame(&mut self, endpoint: &Arc<EndpointState>) {
        endpoint.failed();
        self.tried.push(Arc::clone(endpoint));
    }

    /// Sends the request and waits for the head of the response, whichever comes first.
    async fn receive(
        &mut self,
        connection: &mut UpstreamConnection,
        sender: &mut Sender,
    ) -> Result<Head, Failure> {
        let timeout = self.to.route.limits.request_timeout;
        let mut sending = true;
        let mut progress = None;
        poll_fn(|cx| {
            if let Some(cut) = self.exchange.poll_cut(cx.waker()) {
                let waited_for = if sender.waits_for_client() {
                    WaitedFor::Client
                } else {
                    WaitedFor::Replica
                };
                return Poll::Ready(Err(Failure::Cut(cut, waited_for)));
            }
            if sending {
                match sender.poll_send(&mut connection.stream, cx) {
                    // A replica that takes no more may still have answered.
                    Poll::Ready(Ok(()) | Err(SendError::Upstream(_))) => {
                        sending = false;
                        self.exchange.expect_within(timeout);
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Send(error))),
                    Poll::Pending if progress != Some((sender.received, sender.written)) => {
                        progress = Some((sender.received, sender.written));
                        let client = sender.waits_for_client();
                        self.exchange.expect_within(if client {
                            SLOW_BODY_PERIOD
                        } else {
                            timeout
                        });
                    }
                    Poll::Pending => {}
                }
            }
            connection
                .poll_head(&self.method, &mut self.spare, cx)
                .map_err(Failure::Receive)
        })
        .await
    }

    fn may_send_again(&self, failure: &Failure, sender: &Sender) -> bool {
        match failure {
            Failure::Connect(_) => true,
            Failure::Receive(
                ReceiveError::Closed { answered: false }
                | ReceiveError::Io {
                    answered: false, ..
                },
            ) => sender.written == 0 || self.is_repeatable(),
            _ => false,
        }
    }

    /// What the client is told.
    fn refusal(&self, failure: &Failure, pick: &Pick, limit: u64) -> Refusal {
        let replica = &pick.in_flight.endpoint().id;
        let service = &self.upstream.name;
        let bad = |message| Refusal::new(StatusCode::BAD_GATEWAY, "replica_failed", message);
        match failure {
            Failure::Connect(error) => bad(format!(
                "replica `{replica}` of `{service}` does not accept connections: {error}"
            )),
            Failure::Receive(error) => {
                let cause = match error {
                    ReceiveError::Io { error: cause, .. } => format!(": {cause}"),
                    _ => String::new(),
                };
                bad(format!(
                    "replica `{replica}` of `{service}` did not answer: {error}{cause}"
                ))
            }
            Failure::Cut(Cut::Timeout, WaitedFor::Client) | Failure::Send(SendError::TooSlow) => {
                let message = "the request's body came too slowly";
                Refusal::new(StatusCode::REQUEST_TIMEOUT, "slow_body", message)
            }
            Failure::Cut(Cut::Timeout, WaitedFor::Replica) => {
                let timeout = wharf_base::duration::format(self.to.route.limits.request_timeout);
                let message =
                    format!("replica `{replica}` of `{service}` did not answer within {timeout}");
                Refusal::new(StatusCode::GATEWAY_TIMEOUT, "replica_timeout", message)
            }
            Failure::Cut(Cut::Replica | Cut::Ingress, _) => {
                let message =
                    format!("replica `{replica}` of `{service}` was stopped before it answered");
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "drained", message)
            }
            Failure::Send(SendError::TooLarge) => too_large(limit),
            Failure::Send(SendError::Client) => Refusal::new(
                StatusCode::BAD_REQUEST,
                "client_closed",
                "the client did not finish the request's body",
            ),
            Failure::Send(SendError::Upstream(error)) => bad(format!(
                "replica `{replica}` of `{service}` did not take the request: {error}"
            )),
        }
    }

    /// Makes the response out of its head and what follows on the connection.
    fn accept(
        self,
        head: Head,
        mut connection: UpstreamConnection,
        pick: Pick,
        mut sender: Sender,
        upgrade: Option<OnUpgrade>,
        record: &mut Record,
    ) -> Result<Answer, Refusal> {
        record.bytes_in = sender.received;
        sender.stop_watching();
        let idle_timeout = self.to.route.limits.idle_timeout;
        self.exchange.expect_within(idle_timeout);
        let Head {
            status,
            mut headers,
            framing,
            keep_alive,
        } = head;
        strip_hop_by_hop(&mut headers, framing);
        let key = pick.in_flight.endpoint().key;
        if let Some(sticky) = self.to.sticky
            && !self.stuck.contains(&key)
        {
            headers.extend(
                sticky
                    .cookie(key, self.to.https)
                    .map(|value| (SET_COOKIE, value)),
            );
        }
        if status == StatusCode::SWITCHING_PROTOCOLS {
            let Some(upgrade) = upgrade else {
                let message = format!(
                    "`{}` switched protocols without being asked",
                    self.upstream.name
                );
                return Err(Refusal::new(
                    StatusCode::BAD_GATEWAY,
                    "replica_failed",
                    message,
                ));
            };
            headers.insert(
                http::header::CONNECTION,
                http::HeaderValue::from_static("Upgrade"),
            );
            headers.insert(
                http::header::UPGRADE,
                http::HeaderValue::from_static("websocket"),
            );
            let tunnel = Tunnel {
                replica: connection,
                upgrade,
                exchange: self.exchange,
                in_flight: pick.in_flight.lasts(),
                idle_timeout,
            };
            return Ok(Answer::Tunnel(
                response(status, headers, ResponseBody::empty()),
                tunnel,
            ));
        }
        let complete = match framing {
            Framing::Length(length) => usize::try_from(length)
                .ok()
                .filter(|length| *length <= connection.buffer.len()),
            Framing::Chunked | Framing::UntilClose => None,
        };
        let body = match complete {
            Some(length) => {
                let bytes = connection.buffer.split_to(length).freeze();
                if keep_alive && sender.is_done() {
                    self.worker.pool.put(connection);
                }
                ResponseBody::full(bytes)
            }
            None => ResponseBody::stream(Stream {
                connection: Some(connection),
                sender,
                exchange: self.exchange,
                _in_flight: pick.in_flight.lasts(),
                worker: Rc::clone(self.worker),
                framing: framing.into(),
                keep_alive,
                idle_timeout,
            }),
        };
        Ok(Answer::Response(response(status, headers, body)))
    }
}

fn response(status: StatusCode, headers: HeaderMap, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn strip_hop_by_hop(headers: &mut HeaderMap, framing: Framing) {
    let mut names = headers::nominated(headers);
    names.extend(
        headers
            .keys()
            .filter(|name| headers::is_hop_by_hop(name.as_str()))
            .cloned(),
    );
    if framing == Framing::Chunked || headers.contains_key(TRANSFER_ENCODING) {
        names.push(CONTENT_LENGTH);
    }
    for name in names {
        headers.remove(name);
    }
}

async fn connect(endpoint: &EndpointState) -> io::Result<TcpStream> {
    let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(endpoint.address));
    let stream = match connecting.await {
        Ok(connected) => connected?,
        Err(_) => {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "no answer within 3 s",
            ));
        }
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}
