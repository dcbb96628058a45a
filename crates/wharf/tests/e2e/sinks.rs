//! Servers that take what is sent to people, and remember it: one for HTTP, one for mail (RFC 5321).

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// No answer is held back for longer, whatever the test forgets.
const HELD_MOST: Duration = Duration::from_secs(60);
/// A client that says nothing for so long is given up.
const SILENCE_MOST: Duration = Duration::from_secs(60);

/// Accepts connections, each on a thread of its own, until it is dropped.
struct Server {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let (end, serve) = (Arc::clone(&ended), Arc::new(serve));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || {
                    // A client that goes away early is what some tests are about.
                    drop(
                        stream
                            .set_read_timeout(Some(SILENCE_MOST))
                            .and_then(|()| serve(stream)),
                    );
                });
            }
        });
        Self {
            address,
            ended,
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// One request that came with a body.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) at: Instant,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Posted {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Takes whatever is posted, and answers 200.
pub(crate) struct HttpSink {
    server: Server,
    taken: Arc<Mutex<Vec<Posted>>>,
    held: Arc<Mutex<Option<&'static str>>>,
}

impl HttpSink {
    pub(crate) fn start() -> Self {
        let (taken, held) = (
            Arc::new(Mutex::new(vec![])),
            Arc::new(Mutex::new(None::<&'static str>)),
        );
        let (into, hold) = (Arc::clone(&taken), Arc::clone(&held));
        let server = Server::start(move |mut stream| {
            let Some(posted) = request(&stream)? else {
                return Ok(());
            };
            let path = posted.path.clone();
            into.lock().unwrap().push(posted);
            let begin = Instant::now();
            while *hold.lock().unwrap() == Some(path.as_str()) && begin.elapsed() < HELD_MOST {
                std::thread::sleep(Duration::from_millis(10));
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        });
        Self {
            server,
            taken,
            held,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Holds back the answers at a path, and takes requests nevertheless; or none any more.
    pub(crate) fn hold(&self, path: Option<&'static str>) {
        *self.held.lock().unwrap() = path;
    }

    pub(crate) fn taken(&self) -> Vec<Posted> {
        self.taken.lock().unwrap().clone()
    }
}

/// None where a connection ends before it has asked anything.
fn request(stream: &TcpStream) -> io::Result<Option<Posted>> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut headers = vec![];
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok());
    let mut body = String::new();
    reader
        .take(length.unwrap_or_default())
        .read_to_string(&mut body)?;
    Ok(Some(Posted {
        at: Instant::now(),
        path: line.split(' ').nth(1).unwrap_or_default().to_owned(),
        headers,
        body,
    }))
}

/// One mail, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) at: Instant,
    pub(crate) from: String,
    pub(crate) to: String,
    text: String,
}

impl Mail {
    /// A header, its folded lines as one.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        let mut lines = unfolded.split("\r\n");
        lines.find_map(|line| {
            let (header, value) = line.split_once(':')?;
            header
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }

    /// What stands behind the headers; lines that quoted-printable broke are whole again.
    pub(crate) fn body(&self) -> String {
        let body = self.text.split_once("\r\n\r\n").map(|(_, body)| body);
        let body = body.unwrap_or_default().replace("=\r\n", "");
        body.replace("=3D", "=")
    }
}

/// A mail server that asks for no name, and speaks in the clear.
pub(crate) struct MailSink {
    server: Server,
    taken: Arc<Mutex<Vec<Mail>>>,
}

impl MailSink {
    pub(crate) fn start() -> Self {
        let taken = Arc::new(Mutex::new(vec![]));
        let into = Arc::clone(&taken);
        let server = Server::start(move |stream| converse(&stream, &into));
        Self { server, taken }
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.address.port()
    }

    pub(crate) fn taken(&self) -> Vec<Mail> {
        self.taken.lock().unwrap().clone()
    }
}

fn converse(mut stream: &TcpStream, taken: &Mutex<Vec<Mail>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut say = |line: &str| stream.write_all(format!("{line}\r\n").as_bytes());
    let (mut from, mut to) = (String::new(), String::new());
    say("220 sink ESMTP")?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let inner = line
            .split_once('<')
            .and_then(|(_, rest)| rest.split_once('>'));
        let address = inner.map_or_else(String::new, |(address, _)| address.to_owned());
        match line.get(..4).unwrap_or_default() {
            "MAIL" => from = address,
            "RCPT" => to = address,
            "DATA" => {
                say("354 go on")?;
                let mut text = String::new();
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line)? == 0 {
                        return Ok(());
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                taken.lock().unwrap().push(Mail {
                    at: Instant::now(),
                    from: from.clone(),
                    to: to.clone(),
                    text,
                });
            }
            "QUIT" => return say("221 bye"),
            _ => {}
        }
        say("250 ok")?;
    }
}
