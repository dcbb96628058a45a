//! A program that tells its metrics, well or badly.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinHandle;

/// What it answers.
#[derive(Clone)]
pub(super) enum Reply {
    /// An exposition.
    Text(String),
    /// The same, packed.
    Gzip(String),
    /// Bytes as they are, head and all; then the connection is closed.
    Raw(Vec<u8>),
    /// A head, a little of the body, and nothing more.
    Stall,
}

pub(super) struct Server {
    pub(super) url: String,
    reply: Arc<Mutex<Reply>>,
    /// The heads of the requests.
    pub(super) heads: Arc<Mutex<Vec<String>>>,
    pub(super) connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Server {
    pub(super) async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        Self::serve(Listener::Tcp(listener), url, reply)
    }

    pub(super) fn on_socket(path: &std::path::Path, reply: Reply) -> Self {
        let listener = UnixListener::bind(path).unwrap();
        let url = format!("unix:{}:/metrics?x=1", path.display());
        Self::serve(Listener::Unix(listener), url, reply)
    }

    fn serve(listener: Listener, url: String, reply: Reply) -> Self {
        let reply = Arc::new(Mutex::new(reply));
        let heads = Arc::new(Mutex::new(vec![]));
        let connections = Arc::new(AtomicUsize::new(0));
        let (of_reply, of_heads, of_connections) = (
            Arc::clone(&reply),
            Arc::clone(&heads),
            Arc::clone(&connections),
        );
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let stream: Box<dyn Stream> = match &listener {
                    Listener::Tcp(listener) => Box::new(listener.accept().await.unwrap().0),
                    Listener::Unix(listener) => Box::new(listener.accept().await.unwrap().0),
                };
                of_connections.fetch_add(1, Ordering::Relaxed);
                open.spawn(converse(
                    stream,
                    Arc::clone(&of_reply),
                    Arc::clone(&of_heads),
                ));
            }
        });
        Self {
            url,
            reply,
            heads,
            connections,
            task,
        }
    }

    pub(super) fn answer(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }
}

async fn converse(
    stream: Box<dyn Stream>,
    reply: Arc<Mutex<Reply>>,
    heads: Arc<Mutex<Vec<String>>>,
) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head).await.unwrap_or(0) == 0 {
                return;
            }
        }
        heads.lock().unwrap().push(head);
        let reply = reply.lock().unwrap().clone();
        let kind = "Content-Type: text/plain; version=0.0.4";
        let (bytes, more) = match reply {
            Reply::Text(text) => (whole(kind, text.as_bytes()), true),
            Reply::Gzip(text) => {
                let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
                packed.write_all(text.as_bytes()).unwrap();
                let kind = format!("{kind}\r\nContent-Encoding: gzip");
                (whole(&kind, &packed.finish().unwrap()), true)
            }
            Reply::Raw(bytes) => (bytes, false),
            Reply::Stall => {
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na 1\n";
                drop(stream.write_all(head).await);
                tokio::time::sleep(Duration::from_secs(3600)).await;
                return;
            }
        };
        if stream.write_all(&bytes).await.is_err() || !more {
            return;
        }
    }
}

fn whole(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
