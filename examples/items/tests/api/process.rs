//! The program itself: its log, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// No answer takes longer, however busy the machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// A running program; killed when the test ends early.
struct Items {
    child: Child,
    log: BufReader<ChildStdout>,
    address: String,
    _folder: tempfile::TempDir,
}

impl Items {
    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(environment: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_items"))
            .env("PORT", "0")
            .env("VERSION", "7")
            .env("ITEMS_FILE", folder.path().join("items.jsonl"))
            .env_remove("HOST")
            .env_remove("OTEL_EXPORTER_OTLP_ENDPOINT")
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        let mut items = Self {
            child,
            log,
            address: String::new(),
            _folder: folder,
        };
        let started = items.next_event("started");
        items.address = started["message"]
            .as_str()
            .unwrap()
            .rsplit(' ')
            .next()
            .unwrap()
            .to_owned();
        items
    }

    /// Reads the log up to the next line of this event.
    fn next_event(&mut self, event: &str) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.log.read_line(&mut line).unwrap(),
                0,
                "the log ended before {event:?}"
            );
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["event"] == event {
                return line;
            }
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn logs_one_line_a_request() {
    let mut items = Items::start();
    let mut stream = items.connect();
    write!(
        stream,
        "GET /items?limit=5 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let line = items.next_event("request_completed");
    assert_eq!(
        (&line["method"], &line["path"], &line["level"]),
        (&"GET".into(), &"/items".into(), &"info".into())
    );
    assert_eq!(line["status_code"], 200);
    assert!(line["duration_seconds"].as_f64().unwrap() >= 0.0);
    assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    assert!(
        answer.contains(&format!(
            "x-trace-id: {}\r\n",
            line["trace_id"].as_str().unwrap()
        )),
        "{answer}"
    );
}

#[test]
fn sends_the_spans_that_its_caller_wants() {
    let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let items = Items::start_with(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_SERVICE_NAME", "shop".to_owned()),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "service.instance.id=shop-1".to_owned(),
        ),
    ]);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    for (path, flags) in [("/items/unwanted", "00"), ("/items", "01")] {
        let mut stream = items.connect();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\ntraceparent: 00-{trace}-b7ad6b7169203331-{flags}\r\n\r\n"
        )
        .unwrap();
        stream.read_to_string(&mut String::new()).unwrap();
    }
    let (mut stream, _) = collector.accept().unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut reader = BufReader::new(&mut stream);
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        .unwrap();
    let sent: Value = serde_json::from_slice(&body).unwrap();
    let resource = sent["resourceSpans"][0]["resource"]["attributes"].to_string();
    assert!(resource.contains("shop-1") && resource.contains("service.name"));
    let spans = sent["resourceSpans"][0]["scopeSpans"][0]["spans"]
        .as_array()
        .unwrap();
    assert_eq!(spans.len(), 1, "{spans:?}");
    assert_eq!(spans[0]["traceId"], trace);
    assert_eq!(spans[0]["parentSpanId"], "b7ad6b7169203331");
    assert_eq!(spans[0]["name"], "GET /items");
    let time = |name: &str| spans[0][name].as_str().unwrap().parse::<u64>().unwrap();
    assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"));
}

#[test]
fn finishes_what_is_under_way_when_it_is_terminated() {
    let mut items = Items::start();
    let mut slow = items.connect();
    write!(slow, "GET /stream?seconds=2 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut socket = items.connect();
    let handshake = "GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    socket.write_all(handshake.as_bytes()).unwrap();
    let mut socket = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(socket.read_line(&mut head).unwrap(), 0, "{head}");
    }
    // The key and its answer are the example of RFC 6455, section 1.3.
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    // A text frame of two letters with a mask of zeros, and its echo.
    socket.get_mut().write_all(b"\x81\x82\0\0\0\0hi").unwrap();
    let mut echo = [0; 4];
    socket.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"\x81\x02hi");
    // The stream's first line says that it is under way.
    let mut slow = BufReader::new(slow);
    let mut answer = String::new();
    while !answer.contains("1/2\n") {
        assert_ne!(slow.read_line(&mut answer).unwrap(), 0, "{answer}");
    }

    items.terminate();
    let mut close = [0; 4];
    socket.read_exact(&mut close).unwrap();
    assert_eq!(
        (close[0], u16::from_be_bytes([close[2], close[3]])),
        (0x88, 1001)
    );
    slow.read_to_string(&mut answer).unwrap();
    assert!(
        answer.contains("2/2\n") && answer.ends_with("\r\n0\r\n\r\n"),
        "{answer}"
    );
    items.next_event("stopped");
    assert!(items.child.wait().unwrap().success());
    assert!(TcpStream::connect(&items.address).is_err());
}

#[test]
fn says_what_its_environment_lacks() {
    let output = Command::new(env!("CARGO_BIN_EXE_items"))
        .env_remove("ITEMS_FILE")
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(
        error.starts_with("items: ITEMS_FILE is not set: set it to the file"),
        "{error}"
    );
}
