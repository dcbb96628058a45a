//! A telemetry of its own for a test, and a client of it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use wharf_base::clock::Timestamp;
use wharf_exporters::Families;
use wharf_telemetry::scrape::{Collecting, Collector};
use wharf_telemetry::{
    ArchivePlace, Config, Keep, LogSources, Mode, Notifications, Settings, State, Telemetry,
};

/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

struct Nothing;

impl Collector for Nothing {
    fn collect(&self, _: Timestamp) -> Collecting<'_> {
        Box::pin(async { Ok(Families::new()) })
    }
}

/// A telemetry that is ended with the test.
pub(crate) struct Server {
    telemetry: Option<Telemetry>,
    pub(crate) address: SocketAddr,
    folder: Option<tempfile::TempDir>,
}

impl Server {
    /// One with an empty folder of its own.
    pub(crate) fn start(mode: Mode) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Self::open(folder.path(), mode);
        server.folder = Some(folder);
        server
    }

    /// One with what is in this folder.
    pub(crate) fn open(dir: &Path, mode: Mode) -> Self {
        let settings = Settings {
            dir: dir.to_owned(),
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            mode,
            engine: Arc::new(Nothing),
        };
        let telemetry = Telemetry::start(settings).unwrap();
        telemetry.configure(config(dir));
        let begin = Instant::now();
        while telemetry.health().state != State::Ready {
            assert!(begin.elapsed() < PATIENCE, "{:?}", telemetry.health());
            std::thread::sleep(Duration::from_millis(2));
        }
        Self {
            address: telemetry.address(),
            telemetry: Some(telemetry),
            folder: None,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Ends it in order; what it stored stays.
    pub(crate) fn stop(&mut self) {
        if let Some(telemetry) = self.telemetry.take() {
            telemetry.stop();
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        ask(self.address, "GET", path, "", b"")
    }

    /// A GET with parameters, which has to succeed with JSON.
    #[track_caller]
    pub(crate) fn json(&self, path: &str, parameters: &[(&str, &str)]) -> Json {
        let query: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let answer = self.get(&format!("{path}?{query}"));
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    pub(crate) fn post(&self, path: &str, headers: &str, body: &[u8]) -> Answer {
        ask(self.address, "POST", path, headers, body)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn config(dir: &Path) -> Config {
    let day = Duration::from_secs(86_400);
    Config {
        project: "test".to_owned(),
        keep: Keep {
            samples: day * 15,
            samples_bytes: 1 << 30,
            logs_hot: day * 14,
            logs_archive: day * 90,
        },
        archive: ArchivePlace::Own,
        interval: Duration::from_secs(15),
        external_labels: [].into(),
        targets: vec![],
        target_files: vec![],
        logs: LogSources {
            root: dir.join("no-logs"),
            access_log: dir.join("no-access.log"),
            ..LogSources::default()
        },
        rules: vec![],
        rule_files: vec![],
        notifications: Notifications::default(),
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }
}

/// One request on a connection of its own, which has to be answered.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Answer {
    try_ask(address, method, path, headers, body).unwrap()
}

/// The same of a server that may end at any time.
///
/// # Errors
/// It is not there, or it ended before the whole answer.
pub(crate) fn try_ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut all = vec![];
    stream.read_to_end(&mut all)?;
    let cut = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let end = all.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(cut)?;
    let head = String::from_utf8_lossy(&all[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Answer {
        status,
        body: all[end + 4..].to_vec(),
    })
}

/// Waits until it holds.
///
/// # Panics
/// It does not within a minute.
#[track_caller]
pub(crate) fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
