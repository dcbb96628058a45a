//! Servers that take messages and remember them.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};

/// A certificate of `localhost`, and the acceptor that shows it.
fn certificate() -> (Vec<u8>, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let root = made.cert.der().to_vec();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (root, TlsAcceptor::from(Arc::new(config)))
}

/// One HTTP request.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Taken {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Answers every POST in the same way, which can be changed.
pub(crate) struct HttpSink {
    pub(crate) url: String,
    pub(crate) root: Vec<u8>,
    taken: Arc<Mutex<Vec<Taken>>>,
    answer: Arc<Mutex<(u16, String)>>,
    task: JoinHandle<()>,
}

impl HttpSink {
    pub(crate) async fn start(status: u16, answer: &str) -> Self {
        Self::serve(status, answer, false).await
    }

    pub(crate) async fn start_tls(status: u16, answer: &str) -> Self {
        Self::serve(status, answer, true).await
    }

    async fn serve(status: u16, answer: &str, tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(vec![]));
        let answer = Arc::new(Mutex::new((status, answer.to_owned())));
        let (root, acceptor) = certificate();
        let (shared, says) = (taken.clone(), answer.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, says, acceptor) = (shared.clone(), says.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if tls {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            exchange(stream, &shared, &says).await;
                        }
                    } else {
                        exchange(stream, &shared, &says).await;
                    }
                });
            }
        });
        let url = if tls {
            format!("https://localhost:{port}")
        } else {
            format!("http://127.0.0.1:{port}")
        };
        Self {
            url,
            root,
            taken,
            answer,
            task,
        }
    }

    pub(crate) fn answer(&self, status: u16) {
        self.answer.lock().unwrap().0 = status;
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

impl Drop for HttpSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    taken: &Mutex<Vec<Taken>>,
    says: &Mutex<(u16, String)>,
) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    if stream.read_line(&mut line).await.is_err() {
        return;
    }
    let mut headers = vec![];
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await.unwrap();
        match header.trim_end().split_once(": ") {
            Some((name, value)) => headers.push((name.to_lowercase(), value.to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let line = line.trim_end().to_owned();
    taken.lock().unwrap().push(Taken {
        line,
        headers,
        body,
    });
    let (status, answer) = says.lock().unwrap().clone();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.shutdown().await.ok();
}

/// What a mail server offers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum MailTls {
    None,
    Starttls,
    Wrapped,
}

/// One mail.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) secured: bool,
    pub(crate) signed_in: bool,
}

/// A mail server (RFC 5321, 3207, 4954).
pub(crate) struct MailSink {
    pub(crate) port: u16,
    pub(crate) root: Vec<u8>,
    taken: Arc<Mutex<Vec<Mail>>>,
    task: JoinHandle<()>,
}

impl MailSink {
    pub(crate) async fn start(tls: MailTls, password: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taken = Arc::new(Mutex::new(vec![]));
        let (root, acceptor) = certificate();
        let server = Server {
            taken: taken.clone(),
            password: password.map(str::to_owned),
            tls,
            acceptor,
        };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().connection(stream));
            }
        });
        Self {
            port,
            root,
            taken,
            task,
        }
    }

    pub(crate) fn taken(&self) -> Vec<Mail> {
        self.taken.lock().unwrap().clone()
    }
}

impl Drop for MailSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Server {
    taken: Arc<Mutex<Vec<Mail>>>,
    password: Option<String>,
    tls: MailTls,
    acceptor: TlsAcceptor,
}

impl Server {
    async fn connection(self, stream: TcpStream) {
        if self.tls == MailTls::Wrapped {
            if let Ok(stream) = self.acceptor.clone().accept(stream).await {
                self.talk(BufReader::new(stream), true, true).await;
            }
            return;
        }
        if let Some(stream) = self.talk(BufReader::new(stream), true, false).await
            && let Ok(stream) = self.acceptor.clone().accept(stream).await
        {
            self.talk(BufReader::new(stream), false, true).await;
        }
    }

    /// Speaks until the end, or until TLS is to begin; then gives the stream.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: BufReader<S>,
        greets: bool,
        secured: bool,
    ) -> Option<S> {
        if greets {
            stream.write_all(b"220 sink ESMTP\r\n").await.ok()?;
        }
        let mut mail = Mail {
            from: String::new(),
            to: String::new(),
            text: String::new(),
            secured,
            signed_in: false,
        };
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let address = |line: &str| -> String {
                let inner = line
                    .split_once('<')
                    .and_then(|(_, rest)| rest.split_once('>'));
                inner.map_or_else(String::new, |(address, _)| address.to_owned())
            };
            let word = line
                .split([' ', ':', '\r'])
                .next()
                .unwrap_or_default()
                .to_uppercase();
            let answer = match word.as_str() {
                "EHLO" => {
                    let mut offers = "250-sink\r\n".to_owned();
                    if self.tls == MailTls::Starttls && !secured {
                        offers.push_str("250-STARTTLS\r\n");
                    }
                    if self.password.is_some() {
                        offers.push_str("250-AUTH PLAIN\r\n");
                    }
                    offers + "250 8BITMIME"
                }
                "STARTTLS" => {
                    stream.write_all(b"220 go ahead\r\n").await.ok()?;
                    return Some(stream.into_inner());
                }
                "AUTH" => {
                    use base64::Engine as _;
                    let given = line.trim_end().rsplit(' ').next().unwrap_or_default();
                    let given = base64::engine::general_purpose::STANDARD
                        .decode(given)
                        .unwrap();
                    let wanted =
                        format!("\0shop\0{}", self.password.as_deref().unwrap_or_default());
                    mail.signed_in = given == wanted.as_bytes();
                    let answer = if mail.signed_in {
                        "235 welcome"
                    } else {
                        "535 no such account"
                    };
                    answer.to_owned()
                }
                "MAIL" if self.password.is_some() && !mail.signed_in => {
                    "530 sign in first".to_owned()
                }
                "MAIL" => {
                    mail.from = address(&line);
                    "250 ok".to_owned()
                }
                "RCPT" => {
                    mail.to = address(&line);
                    "250 ok".to_owned()
                }
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await.ok()?;
                    loop {
                        let mut line = String::new();
                        stream.read_line(&mut line).await.ok()?;
                        if line == ".\r\n" {
                            break;
                        }
                        mail.text.push_str(&line);
                    }
                    self.taken.lock().unwrap().push(mail.clone());
                    "250 taken".to_owned()
                }
                "QUIT" => {
                    stream.write_all(b"221 bye\r\n").await.ok()?;
                    return None;
                }
                _ => "250 ok".to_owned(),
            };
            stream
                .write_all(format!("{answer}\r\n").as_bytes())
                .await
                .ok()?;
        }
    }
}
