//! The task of one client connection: TLS, the choice of HTTP/1.1 or HTTP/2, and then hyper.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2::Connection as Http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::body::ResponseBody;
use crate::client_io::{ClientIo, Transport};
use crate::connection::{Connection, Verdict};
use crate::http1::head::HEADERS_MAX;
use crate::refusal::Refusal;
use crate::service::TunnelSlot;
use crate::table::ListenerTable;
use crate::upstream::poll_read_some;
use crate::worker::Worker;
use crate::{ids, service, websocket};

/// What an HTTP/2 client says first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Streams of one HTTP/2 connection at once; browsers use far fewer, and each may hold a replica.
const STREAMS_MAX: u32 = 128;

/// The most bytes of one HTTP/2 request's headers, as RFC 9113 counts them; as much as of an HTTP/1 head.
const HEADER_LIST_MAX_BYTES: u32 = 32 * 1024;

/// What a client may send ahead on one HTTP/2 stream and on the whole connection.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// What waits for a client that does not read, for one HTTP/2 stream and for one HTTP/1 connection.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// hyper's buffer of an HTTP/1 connection; has to hold a head.
const HTTP1_BUFFER_BYTES: usize = 64 * 1024;

/// Serves `stream`, which was counted already.
pub(crate) fn spawn(worker: &Rc<Worker>, stream: TcpStream, peer: SocketAddr, listener: Arc<str>) {
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        serve(Rc::clone(&worker), stream, peer, listener).await;
        worker.leave();
    });
}

async fn serve(worker: Rc<Worker>, mut stream: TcpStream, peer: SocketAddr, listener: Arc<str>) {
    // Answers are written whole: waiting for more of them only delays. A failure means that the client is gone.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let table = worker.table();
    let tls = match table.listeners.get(&*listener) {
        Some(ListenerTable::Routes { tls: true }) => table.tls.clone(),
        _ => None,
    };
    if tls.is_none()
        && matches!(
            table.listeners.get(&*listener),
            Some(ListenerTable::Routes { tls: true })
        )
    {
        worker.reject("no_certificate");
        return;
    }
    let connection = Arc::new(Connection::new(peer.ip().to_canonical(), tls.is_some()));
    let Some(_admitted) = worker.admit(Arc::clone(&connection)) else {
        worker.reject("too_many_connections");
        let refusal = Refusal::new(
            http::StatusCode::SERVICE_UNAVAILABLE,
            "too_many_connections",
            "the ingress has as many connections as it can serve",
        );
        let id = ids::new_request_id(&mut worker.random.borrow_mut());
        if tls.is_none() && stream.try_write(&refusal.retry_after(1).raw(&id)).is_ok() {
            stream.shutdown().await.unwrap_or_default();
        }
        return;
    };
    drop(table);
    let transport = match tls {
        None => Some(Transport::Plain(stream)),
        Some(config) => {
            let handshake = tokio_rustls::TlsAcceptor::from(config).accept(stream);
            match Box::pin(until_decided(&connection, handshake)).await {
                Some(Ok(stream)) => Some(Transport::Tls(Box::new(stream))),
                Some(Err(_)) => {
                    worker.reject("tls_handshake");
                    None
                }
                None => None,
            }
        }
    };
    let Some(mut transport) = transport else {
        return;
    };
    let mut first = BytesMut::new();
    // Each stage is a box of its own: a connection holds the memory of the stage that it is in.
    let Some(http2) = until_decided(&connection, is_http2(&mut transport, &mut first)).await else {
        return;
    };
    let guarded = !http2;
    if http2 {
        connection.head_ends();
    }
    let io = TokioIo::new(ClientIo::new(
        transport,
        first,
        guarded,
        Arc::clone(&connection),
    ));
    let tunnel = TunnelSlot::default();
    let requests = {
        let (worker, connection, tunnel) = (
            Rc::clone(&worker),
            Arc::clone(&connection),
            Rc::clone(&tunnel),
        );
        service_fn(move |request: Request<Incoming>| {
            let (worker, connection) = (Rc::clone(&worker), Arc::clone(&connection));
            let (listener, tunnel) = (Arc::clone(&listener), Rc::clone(&tunnel));
            async move {
                let answer = service::answer(worker, connection, listener, tunnel, request).await;
                Ok::<Response<ResponseBody>, Infallible>(answer)
            }
        })
    };
    if http2 {
        let served = hyper::server::conn::http2::Builder::new(LocalExecutor)
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_LIST_MAX_BYTES)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES)
            .serve_connection(io, requests);
        Box::pin(drive(&connection, served, Some(Http2::graceful_shutdown))).await;
    } else {
        let served = hyper::server::conn::http1::Builder::new()
            .max_headers(HEADERS_MAX)
            .max_buf_size(HTTP1_BUFFER_BYTES)
            .header_read_timeout(None)
            .serve_connection(io, requests)
            .with_upgrades();
        // HTTP/1 is not shut down from here: an idle connection closes by its deadline, so that a request that is on
        // its way is still answered, with `Connection: close`.
        Box::pin(drive(&connection, served, None::<fn(Pin<&mut _>)>)).await;
    }
    let agreed = tunnel.borrow_mut().take();
    if let Some((agreed, mut record)) = agreed {
        Box::pin(until_decided(
            &connection,
            websocket::run(agreed, &mut record),
        ))
        .await;
    }
    if let Some(refused) = connection.take_refused() {
        worker.reject(refused.refusal.reason);
        service::log_refused(&worker, &connection, &refused);
    }
}

/// Whether the client begins with HTTP/2's preface; what was read is in `first`.
async fn is_http2(transport: &mut Transport, first: &mut BytesMut) -> bool {
    loop {
        // The scratch is no part of the future, which lives as long as the connection.
        let read = poll_fn(|cx| {
            let mut scratch = [0; 4096];
            let read = std::task::ready!(poll_read_some(transport, &mut scratch, cx));
            Poll::Ready(read.map(|bytes| {
                first.extend_from_slice(bytes);
                bytes.len()
            }))
        });
        if !matches!(read.await, Ok(1..)) {
            // hyper finds the same, and ends.
            return false;
        }
        let compared = first.len().min(PREFACE.len());
        if first[..compared] != PREFACE[..compared] {
            return false;
        }
        if compared == PREFACE.len() {
            return true;
        }
    }
}

/// Awaits `future` unless the sweep decides to close.
async fn until_decided<F: Future>(connection: &Connection, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        connection.register(cx.waker());
        if connection.verdict() != Verdict::None {
            return Poll::Ready(None);
        }
        future.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Drives hyper until it has ended or the sweep closes the connection; `shut_down`, if the protocol has it, tells the
/// client first, so that it sends nothing that would be lost.
async fn drive<C, E>(connection: &Connection, served: C, shut_down: Option<impl Fn(Pin<&mut C>)>)
where
    C: Future<Output = Result<(), E>>,
{
    let mut served = pin!(served);
    let mut shut_down = shut_down;
    poll_fn(|cx: &mut Context<'_>| {
        connection.register(cx.waker());
        let closes = connection.verdict() == Verdict::Close;
        if closes || connection.is_draining() {
            match shut_down.take() {
                Some(shut_down) => {
                    shut_down(served.as_mut());
                    connection.decide_later();
                }
                None if closes => return Poll::Ready(()),
                None => {}
            }
        }
        // Whatever went wrong, it was between this client and hyper, and the requests have recorded it.
        served.as_mut().poll(cx).map(|_| ())
    })
    .await;
}

/// Runs hyper's tasks on this worker.
#[derive(Debug, Clone, Copy)]
struct LocalExecutor;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        // It ends with its connection, which owns what it works on.
        drop(tokio::task::spawn_local(async move {
            future.await;
        }));
    }
}
