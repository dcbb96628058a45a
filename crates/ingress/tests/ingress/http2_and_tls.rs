//! HTTP/2 with prior knowledge, TLS with certificates of the local authority, and clients that people use.

use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls;
use wharf_ingress::authority::Authority;
use wharf_ingress::config::Config;

use crate::harness::{Ingress, config, next, until};
use crate::replica::Replica;
use crate::wire::Wire;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(crate::harness::DEADLINE, future)
            .await
            .expect("in time")
    })
}

type Sender = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

async fn http2(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Sender {
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io))
            .await
            .expect("a handshake");
    tokio::spawn(connection);
    sender
}

/// The status, the trace id and the body.
async fn ask(
    sender: &mut Sender,
    request: http::Request<Full<Bytes>>,
) -> (u16, Option<String>, Bytes) {
    let response = sender.send_request(request).await.expect("an answer");
    let trace = response
        .headers()
        .get("x-trace-id")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let status = response.status().as_u16();
    (
        status,
        trace,
        response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes(),
    )
}

fn request(path: &str, body: &'static str) -> http::Request<Full<Bytes>> {
    let method = if body.is_empty() { "GET" } else { "POST" };
    http::Request::builder()
        .method(method)
        .uri(format!("http://app.test{path}"))
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .expect("a request")
}

#[test]
fn http2_with_prior_knowledge() {
    let replica = Replica::start("web-r1-1");
    let mut ingress = Ingress::start(&config(&[&replica]));
    let address = ingress.http();
    block_on(async {
        let mut sender = http2(TcpStream::connect(address).await.expect("a connection")).await;
        let (status, trace, body) = ask(&mut sender, request("/echo", "")).await;
        let head = String::from_utf8(body.to_vec()).expect("text");
        assert_eq!(status, 200);
        assert!(trace.is_some());
        assert!(
            head.starts_with("GET /echo HTTP/1.1\r\nhost: app.test\r\n"),
            "{head}"
        );
        assert!(head.contains("cookie: a=1; b=2\r\n"), "{head}");
        assert_eq!(ask(&mut sender, request("/size", "hello")).await.2, "5");
        assert_eq!(
            ask(&mut sender, request("/big", "")).await.2.len(),
            160 * 64 * 1024
        );
        assert_eq!(ask(&mut sender, request("/empty", "")).await.0, 204);
        let answers = (0..100).map(|_| {
            let mut sender = sender.clone();
            tokio::spawn(async move { ask(&mut sender, request("/name", "")).await.0 })
        });
        for answer in answers.collect::<Vec<_>>() {
            assert_eq!(answer.await.expect("a task"), 200);
        }
        let forbidden = http::Request::builder()
            .uri("http://app.test/echo")
            .header("host", "other.test")
            .body(Full::default())
            .expect("a request");
        assert_eq!(ask(&mut sender, forbidden).await.0, 400, "two hosts");
    });
    assert_eq!(ingress.log_line("/size")["protocol"], "HTTP/2");
    assert_eq!(ingress.drain(std::time::Duration::from_secs(5)), Some(0));
}

/// A frame of HTTP/2: type, flags, stream and payload.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len())
        .expect("a short frame")
        .to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header field that is not indexed and not compressed (RFC 7541, section 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        [
            &[u8::try_from(text.len()).expect("a short text")][..],
            text.as_bytes(),
        ]
        .concat()
    };
    [&[0][..], &text(name), &text(value)].concat()
}

#[test]
fn malformed_http2_requests_are_reset() {
    let replica = Replica::start("web-r1-1");
    let ingress = Ingress::start(&config(&[&replica]));
    for (name, value) in [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("keep-alive", "1"),
        ("proxy-connection", "close"),
        ("te", "gzip"),
        ("X-Upper", "a"),
        ("x-split", "a\r\nb: c"),
        (":path", "/again"),
        ("content-length", "5"),
    ] {
        let mut wire = Wire::connect(ingress.http());
        let mut block = Vec::new();
        for (name, value) in [
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/echo"),
            (":authority", "a"),
            (name, value),
        ] {
            block.extend(field(name, value));
        }
        wire.send(
            [
                &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
                &frame(4, 0, 0, &[]),
                &frame(1, 5, 1, &block),
            ]
            .concat(),
        );
        let refused = loop {
            let Some(head) = wire.read_exact(9) else {
                break true;
            };
            let length = usize::from(head[1]) << 8 | usize::from(head[2]);
            let Some(payload) = wire.read_exact(length) else {
                break true;
            };
            match head[3] {
                // RST_STREAM, GOAWAY.
                3 | 7 => break true,
                // HEADERS: `:status` 400 is entry 12 of the static table.
                1 => break payload.first() == Some(&(0x80 | 12)),
                _ => {}
            }
        };
        assert!(refused, "{name}: {value}");
    }
    assert_eq!(replica.requests(), 0);
}

/// A configuration with certificates for two names and a wildcard, and the authority's certificate.
fn with_tls(directory: &std::path::Path, base: &Config) -> (Config, Vec<u8>) {
    let now = wharf_base::clock::now();
    let authority = Authority::open(directory, now).expect("an authority");
    let issue = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        authority.issue(&names, now).expect("a certificate")
    };
    let certificates = vec![issue(&["one.test"]), issue(&["*.two.test", "two.test"])];
    let config = next(base, |config| {
        config.certificates = certificates;
        config.routes[0].headers.security = true;
    });
    (
        config,
        std::fs::read(authority.certificate_path()).expect("the certificate"),
    )
}

#[test]
fn tls_with_certificates_by_name() {
    use rustls::pki_types::pem::PemObject as _;
    let replica = Replica::start("web-r1-1");
    let directory = tempfile::tempdir().expect("a directory");
    let (config, authority) = with_tls(directory.path(), &config(&[&replica]));
    let ingress = Ingress::start(&config);
    let address = ingress.https();
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(rustls::pki_types::CertificateDer::from_pem_slice(&authority).expect("PEM"))
        .expect("a certificate");
    let connect = |name: &'static str,
                   protocol: &'static str,
                   versions: &[&'static rustls::SupportedProtocolVersion]| {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut client = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        client.alpn_protocols = vec![protocol.into()];
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        async move {
            let stream = TcpStream::connect(address).await.expect("a connection");
            connector
                .connect(name.try_into().expect("a name"), stream)
                .await
        }
    };
    let all = rustls::ALL_VERSIONS;
    block_on(async {
        for name in ["one.test", "a.two.test", "two.test"] {
            let stream = connect(name, "h2", all).await.expect("a handshake");
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            let mut sender = http2(stream).await;
            let (status, _, body) = ask(&mut sender, request("/echo", "")).await;
            assert_eq!(status, 200);
            assert!(String::from_utf8_lossy(&body).contains("x-forwarded-proto: https\r\n"));
        }
        assert!(
            connect("three.test", "h2", all).await.is_err(),
            "no certificate is for it"
        );
        let stream = connect("one.test", "http/1.1", &[&rustls::version::TLS12])
            .await
            .expect("TLS 1.2");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("a handshake");
        tokio::spawn(connection);
        let request = http::Request::builder()
            .uri("/name")
            .header("host", "one.test")
            .body(Full::<Bytes>::default())
            .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        let strict = response
            .headers()
            .get("strict-transport-security")
            .and_then(|value| value.to_str().ok());
        assert_eq!(strict, Some("max-age=31536000; includeSubDomains"));
    });
    block_on(async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = connect("one.test", "http/1.1", all)
            .await
            .expect("a handshake");
        stream
            .write_all(crate::websockets::HANDSHAKE.as_bytes())
            .await
            .expect("it sends");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101 "),
            "{}",
            String::from_utf8_lossy(&head)
        );
        stream
            .write_all(&crate::websockets::frame("over TLS"))
            .await
            .expect("it sends");
        let mut echo = [0; 10];
        stream.read_exact(&mut echo).await.expect("an echo");
        assert_eq!(&echo, b"\x81\x08over TLS");
    });
    // Plain HTTP on the TLS port is not answered.
    let mut wire = Wire::connect(ingress.https());
    wire.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the end", || wire.try_answer(false).is_none().then_some(()));
}

#[test]
fn curl_agrees() {
    let Some(version) = Command::new("curl").arg("--version").output().ok() else {
        assert_ne!(
            std::env::var("WHARF_TEST_REQUIRE").as_deref(),
            Ok("all"),
            "curl is not installed"
        );
        eprintln!("skipped: curl is not installed");
        return;
    };
    let replica = Replica::start("web-r1-1");
    let directory = tempfile::tempdir().expect("a directory");
    let (config, _) = with_tls(directory.path(), &config(&[&replica]));
    let ingress = Ingress::start(&config);
    let authority = directory.path().join("authority.pem");
    let port = ingress.https().port();
    let mut protocols = vec!["--http1.1"];
    if String::from_utf8_lossy(&version.stdout).contains("HTTP2") {
        protocols.push("--http2");
    }
    for protocol in protocols {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "10", protocol, "--cacert"])
            .arg(&authority)
            .args([
                "--resolve",
                &format!("one.test:{port}:127.0.0.1"),
                "--data",
                "hello",
            ])
            .arg(format!("https://one.test:{port}/size"))
            .output()
            .expect("curl runs");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "5",
            "{protocol}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
