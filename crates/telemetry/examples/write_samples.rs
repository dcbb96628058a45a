//! Sends samples by remote write, for benchmarks, as a sender of Prometheus does: over one connection, up to 2,000 samples a request.
//!
//! - `write_samples ADDRESS generate TARGETS SERIES START STEP COUNT`: what `exposition` tells of so many targets, from a second on, in
//!   steps of so many seconds.
//! - `write_samples ADDRESS replay FOLDER START STEP`: expositions in files, in the order of their names, as if there had been so many
//!   seconds between them.
//!
//! Prints how many samples were acknowledged.

#![expect(clippy::print_stdout, reason = "an instrument tells what it did")]

#[path = "application/metrics.rs"]
mod metrics;

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::ControlFlow;

use wharf_protocols::exposition::{Format, Item, SampleLine, parse};
use wharf_protocols::remote_write::{TimeSeries, WriteRequest, encode};
use wharf_signal::{Labels, Sample};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// As senders of Prometheus 3 have it.
const REQUEST_SAMPLES: usize = 2_000;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut sender;
    match arguments[..] {
        [address, "generate", targets, series, start, step, count] => {
            sender = Sender::new(address)?;
            let (start, step): (u64, u64) = (start.parse()?, step.parse()?);
            let (targets, series): (u64, usize) = (targets.parse()?, series.parse()?);
            for n in 0..count.parse()? {
                let seconds = start + n * step;
                for target in 0..targets {
                    let text = metrics::exposition(target, series, seconds);
                    sender.text(target, &text, seconds)?;
                }
                sender.send()?;
            }
        }
        [address, "replay", folder, start, step] => {
            sender = Sender::new(address)?;
            let mut files = vec![];
            for entry in std::fs::read_dir(folder)? {
                files.push(entry?.path());
            }
            files.sort();
            let (mut seconds, step): (u64, u64) = (start.parse()?, step.parse()?);
            for file in files {
                sender.text(0, &std::fs::read_to_string(file)?, seconds)?;
                sender.send()?;
                seconds += step;
            }
        }
        _ => {
            return Err(
                "write_samples ADDRESS generate|replay …: the head of its source says what follows"
                    .into(),
            );
        }
    }
    println!("{}", sender.sent);
    Ok(())
}

struct Sender {
    address: String,
    connection: BufReader<TcpStream>,
    /// The labels of each series of each target, by how the series was written.
    known: Vec<HashMap<String, Labels>>,
    request: WriteRequest,
    sent: usize,
}

impl Sender {
    fn new(address: &str) -> Outcome<Self> {
        let connection = TcpStream::connect(address)?;
        connection.set_nodelay(true)?;
        Ok(Self {
            address: address.to_owned(),
            connection: BufReader::new(connection),
            known: vec![],
            request: WriteRequest::default(),
            sent: 0,
        })
    }

    fn text(&mut self, target: u64, text: &str, seconds: u64) -> Outcome<()> {
        let t = i64::try_from(seconds)? * 1000;
        let mut failed = None;
        parse(text.as_bytes(), Format::Text, &mut |item| {
            let Item::Sample(line) = item else {
                return ControlFlow::Continue(());
            };
            match self.sample(target, &line, t) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }

    fn sample(&mut self, target: u64, line: &SampleLine<'_>, t: i64) -> Outcome<()> {
        let place = usize::try_from(target)?;
        if self.known.len() <= place {
            self.known.resize_with(place + 1, HashMap::new);
        }
        let known = &mut self.known[place];
        let labels = match known.get(line.series) {
            Some(labels) => labels.clone(),
            None => {
                let mut labels = line.labels()?.edit();
                labels
                    .set("job", "bench")
                    .set("instance", "127.0.0.1:9100")
                    .set("target", target.to_string());
                let labels = labels.build();
                known.insert(line.series.to_owned(), labels.clone());
                labels
            }
        };
        self.request.series.push(TimeSeries {
            labels,
            samples: vec![Sample { t, v: line.value }],
            exemplars: vec![],
        });
        match self.request.series.len() {
            REQUEST_SAMPLES => self.send(),
            _ => Ok(()),
        }
    }

    fn send(&mut self) -> Outcome<()> {
        let samples = self.request.series.len();
        if samples == 0 {
            return Ok(());
        }
        let body = encode(&self.request);
        self.request.series.clear();
        let head = format!(
            "POST /api/v1/write HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\
             X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let mut message = head.into_bytes();
        message.extend_from_slice(&body);
        self.connection.get_mut().write_all(&message)?;
        self.acknowledged()?;
        self.sent += samples;
        Ok(())
    }

    /// Reads the answer, which has to be that everything was taken.
    fn acknowledged(&mut self) -> Outcome<()> {
        let (mut status, mut length) = (String::new(), 0);
        self.connection.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            self.connection.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(given) = line.strip_prefix("content-length:") {
                length = given.trim().parse()?;
            }
        }
        let mut body = vec![0; length];
        self.connection.read_exact(&mut body)?;
        let code = status.split(' ').nth(1).unwrap_or_default();
        if code.starts_with('2') {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&body).into_owned();
        Err(format!("{} answered {}: {why}", self.address, status.trim_end()).into())
    }
}
