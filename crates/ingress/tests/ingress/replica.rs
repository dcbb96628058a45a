//! A replica: a small HTTP/1.1 server whose paths do what tests need.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What a test sees and does of a replica.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) connections: AtomicUsize,
    pub(crate) requests: AtomicUsize,
    /// `/health` and `/flaky` answer 503 and 502.
    pub(crate) sick: AtomicBool,
    /// Open connections are closed after the next response, without saying so.
    pub(crate) silent_close: AtomicBool,
    stopped: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
    released: Mutex<bool>,
    release: Condvar,
}

/// A running replica.
pub(crate) struct Replica {
    pub(crate) id: String,
    pub(crate) address: SocketAddr,
    pub(crate) shared: Arc<Shared>,
}

/// A request as it came.
struct Request {
    method: String,
    path: String,
    head: String,
    body: Vec<u8>,
}

impl Replica {
    /// Starts one on a free port.
    pub(crate) fn start(id: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self::start_on(id, listener)
    }

    pub(crate) fn start_on(id: &str, listener: TcpListener) -> Self {
        let address = listener.local_addr().expect("a bound socket");
        let shared = Arc::new(Shared::default());
        let (id, own, name) = (id.to_owned(), Arc::clone(&shared), id.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if own.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                own.connections.fetch_add(1, Ordering::SeqCst);
                if let Ok(clone) = stream.try_clone() {
                    own.streams.lock().expect("not poisoned").push(clone);
                }
                let (shared, name) = (Arc::clone(&own), name.clone());
                std::thread::spawn(move || serve(stream, &name, &shared));
            }
        });
        Self {
            id,
            address,
            shared,
        }
    }

    /// One that refuses connections.
    pub(crate) fn dead(id: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        Self {
            id: id.to_owned(),
            address: address.expect("a free port"),
            shared: Arc::default(),
        }
    }

    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Lets all requests of `/wait` go on.
    pub(crate) fn release(&self) {
        *self.shared.released.lock().expect("not poisoned") = true;
        self.shared.release.notify_all();
    }

    /// Closes all connections that are open.
    pub(crate) fn close_connections(&self) {
        for stream in self.shared.streams.lock().expect("not poisoned").drain(..) {
            // It may be closed already.
            stream.shutdown(Shutdown::Both).unwrap_or_default();
        }
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.release();
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, unless nothing listens.
        drop(TcpStream::connect(self.address));
        self.close_connections();
    }
}

fn serve(stream: TcpStream, name: &str, shared: &Shared) {
    stream.set_nodelay(true).expect("no delay");
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        shared.requests.fetch_add(1, Ordering::SeqCst);
        let upgraded = answer(&mut reader, &request, name, shared).is_none();
        if upgraded || shared.silent_close.load(Ordering::SeqCst) {
            break;
        }
    }
    reader
        .get_ref()
        .shutdown(Shutdown::Both)
        .unwrap_or_default();
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut body = Vec::new();
    let field = |name: &str| {
        head.lines()
            .find_map(|line| line.strip_prefix(name).map(str::trim))
    };
    if let Some(length) = field("content-length:") {
        body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
    } else if field("transfer-encoding:").is_some() {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    }
    Some(Request {
        method,
        path,
        head,
        body,
    })
}

/// None: the connection ends.
fn answer(
    reader: &mut BufReader<TcpStream>,
    request: &Request,
    name: &str,
    shared: &Shared,
) -> Option<()> {
    let path = request.path.split('?').next()?;
    let stream = reader.get_mut();
    let mut plain = |status: &str, headers: &str, body: &[u8]| {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: keep-alive\r\n{headers}\r\n",
            body.len()
        );
        let body = if request.method == "HEAD" {
            &[][..]
        } else {
            body
        };
        stream.write_all(&[head.as_bytes(), body].concat()).ok()
    };
    match path {
        "/name" => plain("200 OK", "", name.as_bytes()),
        echo if echo == "/echo" || echo.starts_with("/echo/") => plain(
            "200 OK",
            "",
            &[request.head.as_bytes(), &request.body].concat(),
        ),
        "/size" => plain("200 OK", "", request.body.len().to_string().as_bytes()),
        "/gzip" => plain(
            "200 OK",
            "content-encoding: gzip\r\nvary: accept-encoding\r\n",
            b"\x1f\x8b not really",
        ),
        "/own-headers" => plain(
            "200 OK",
            "x-frame-options: DENY\r\nserver: own\r\nx-request-id: theirs\r\n",
            b"",
        ),
        "/health" if shared.sick.load(Ordering::SeqCst) => plain("503 No", "", b""),
        "/flaky" if shared.sick.load(Ordering::SeqCst) => plain("502 No", "", b""),
        "/empty" => stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok(),
        "/unmodified" => stream
            .write_all(b"HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n")
            .ok(),
        "/drop" => None,
        "/wait" => {
            let released = shared.released.lock().expect("not poisoned");
            drop(
                shared
                    .release
                    .wait_while(released, |released| !*released)
                    .expect("not poisoned"),
            );
            plain("200 OK", "", name.as_bytes())
        }
        "/until-close" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nall of it").ok()?;
            None
        }
        "/half" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
                .ok()?;
            None
        }
        "/early" => plain("200 OK", "", b"early"),
        "/big" => {
            let block = vec![b'x'; 64 * 1024];
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                .ok()?;
            for _ in 0..160 {
                stream
                    .write_all(format!("{:x}\r\n", block.len()).as_bytes())
                    .ok()?;
                stream.write_all(&block).ok()?;
                stream.write_all(b"\r\n").ok()?;
            }
            stream.write_all(b"0\r\n\r\n").ok()
        }
        "/events" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
                .ok()?;
            for count in 0_u32.. {
                let event = format!("data: {count}\n\n");
                stream
                    .write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
                    .ok()?;
                let quiet = request.path.contains("quiet");
                std::thread::sleep(Duration::from_millis(if quiet { 60_000 } else { 20 }));
            }
            None
        }
        "/ws" => {
            let accepted = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: x\r\n\r\n";
            stream.write_all(accepted.as_bytes()).ok()?;
            echo_frames(reader);
            None
        }
        _ => plain("200 OK", "", name.as_bytes()),
    }
}

/// Answers each short frame with its content, unmasked; ends after a close frame.
fn echo_frames(reader: &mut BufReader<TcpStream>) {
    loop {
        let mut head = [0; 6];
        if reader.read_exact(&mut head).is_err() {
            return;
        }
        let mut payload = vec![0; usize::from(head[1] & 0x7f)];
        if reader.read_exact(&mut payload).is_err() {
            return;
        }
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte ^= head[2 + index % 4];
        }
        let length = u8::try_from(payload.len()).expect("a short frame");
        let frame = [&[head[0], length][..], &payload].concat();
        if reader.get_mut().write_all(&frame).is_err() || head[0] & 0x0f == 8 {
            return;
        }
    }
}
