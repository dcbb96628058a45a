//! A real Prometheus 3, fed by remote write and asked over HTTP.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use prost::Message;
use serde_json::Value as Json;
use wharf_promql::{Element, Evaluated, Value};
use wharf_signal::{Labels, Sample, Series};

use crate::require::skip;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<RawSample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct RawSample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// A server with a folder of its own; ends with the test.
pub(crate) struct Prometheus {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache.or(home).map(|cache| cache.join("wharf-ci/gobin"));
    let mut folders = std::env::split_paths(&path).chain(cache);
    folders.find_map(|folder| Some(folder.join("prometheus3")).filter(|program| program.exists()))
}

impl Prometheus {
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            skip("prometheus3 (Prometheus 3, which .ci/run builds) is not installed");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, "global: {evaluation_interval: 1m}\n").unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.enable-remote-write-receiver")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Self {
            child,
            port,
            _folder: folder,
        };
        // It serves before it is ready.
        for _ in 0..600 {
            if let Ok((200, _)) = started.exchange("GET", "/-/ready", "", b"") {
                return Some(started);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("prometheus3 was not ready within 30 seconds");
    }

    fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> std::io::Result<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = String::from_utf8_lossy(&answer[..end]);
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok((status.unwrap_or(0), answer.split_off(end + 4)))
    }

    /// Sends samples by slices of time, as a server that falls behind would.
    pub(crate) fn write(&self, series: &[Series]) {
        let times = || series.iter().flat_map(|s| s.samples.iter().map(|s| s.t));
        let (Some(first), Some(last)) = (times().min(), times().max()) else {
            return;
        };
        let slice = 10 * 60_000;
        for start in (first..=last).step_by(slice) {
            let end = start + i64::try_from(slice).unwrap();
            let timeseries = series.iter().map(|series| TimeSeries {
                labels: series
                    .labels
                    .iter()
                    .map(|(name, value)| Label {
                        name: name.to_owned(),
                        value: value.to_owned(),
                    })
                    .collect(),
                samples: series
                    .samples
                    .iter()
                    .filter(|sample| (start..end).contains(&sample.t))
                    .map(|sample| RawSample {
                        value: sample.v,
                        timestamp: sample.t,
                    })
                    .collect(),
            });
            let request = WriteRequest {
                timeseries: timeseries.filter(|s| !s.samples.is_empty()).collect(),
            };
            let body = snap::raw::Encoder::new()
                .compress_vec(&request.encode_to_vec())
                .unwrap();
            let headers = "Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n";
            let (status, answer) = self
                .exchange("POST", "/api/v1/write", headers, &body)
                .unwrap();
            assert!(
                (200..300).contains(&status),
                "remote write: {status} {}",
                String::from_utf8_lossy(&answer)
            );
        }
    }

    /// An expression as it formats it.
    pub(crate) fn formatted(&self, query: &str) -> Result<String, String> {
        let answer = self.ask("/api/v1/format_query", &[("query", query.to_owned())])?;
        Ok(answer["data"].as_str().unwrap().to_owned())
    }

    pub(crate) fn query(&self, path: &str, fields: &[(&str, String)]) -> Result<Evaluated, String> {
        let answer = self.ask(path, fields)?;
        Ok(Evaluated {
            value: value(&answer["data"]),
            warnings: texts(&answer["warnings"]),
            infos: texts(&answer["infos"]),
        })
    }

    fn ask(&self, path: &str, fields: &[(&str, String)]) -> Result<Json, String> {
        let fields = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)));
        let body = fields.collect::<Vec<_>>().join("&");
        let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
        let (_, answer) = self
            .exchange("POST", path, headers, body.as_bytes())
            .unwrap();
        let answer: Json = serde_json::from_slice(&answer).unwrap();
        if answer["status"] != "success" {
            return Err(answer["error"].as_str().unwrap_or_default().to_owned());
        }
        Ok(answer)
    }
}

fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// Seconds with three decimals.
pub(crate) fn seconds(millis: i64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

fn texts(json: &Json) -> Vec<String> {
    let texts = json.as_array().into_iter().flatten();
    texts
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

#[expect(clippy::cast_possible_truncation, reason = "times of the test")]
fn sample(json: &Json) -> Sample {
    Sample {
        t: (json[0].as_f64().unwrap() * 1000.0).round() as i64,
        v: json[1].as_str().unwrap().parse().unwrap(),
    }
}

fn labels(json: &Json) -> Labels {
    let pairs = json.as_object().unwrap().iter();
    Labels::from_pairs(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap())))
}

fn value(data: &Json) -> Value {
    let result = &data["result"];
    let all = || result.as_array().unwrap().iter();
    match data["resultType"].as_str().unwrap() {
        "scalar" => Value::Scalar(sample(result)),
        "vector" => Value::Vector(
            all()
                .map(|one| Element {
                    labels: labels(&one["metric"]),
                    sample: sample(&one["value"]),
                })
                .collect(),
        ),
        "matrix" => Value::Matrix(
            all()
                .map(|one| Series {
                    labels: labels(&one["metric"]),
                    samples: one["values"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(sample)
                        .collect(),
                })
                .collect(),
        ),
        other => panic!("a {other} was not asked for"),
    }
}
