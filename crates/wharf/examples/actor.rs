//! A service for the end-to-end tests that behaves as it is told, well or badly. Standard library only.
//!
//! `MODE`: `well` (the default), `crash` (ends with status 3 after its first breath), `unready` (`/health` is 503 for
//! ever), `flap` (`/health` changes its mind every 300 ms). `OFFSPRING=1` starts a process that leaves its parent's
//! session. `GET /absent` is 404. `GET /` answers `VERSION` and the pid; `GET /visits` counts in PostgreSQL through `psql`.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Long enough for a probe to see it, short enough to be seen changing in a second.
const FLAP: Duration = Duration::from_millis(300);

struct Actor {
    started: Instant,
    mode: String,
    version: String,
    database: Option<String>,
}

fn main() -> io::Result<()> {
    let variable = |name: &str| std::env::var(name).ok();
    let actor = Arc::new(Actor {
        started: Instant::now(),
        mode: variable("MODE").unwrap_or_else(|| "well".to_owned()),
        version: variable("VERSION").unwrap_or_default(),
        database: variable("DATABASE_URL"),
    });
    if variable("OFFSPRING").is_some() {
        // The shell ends at once: its child is an orphan in a session of its own.
        Command::new("/bin/sh")
            .args(["-c", "setsid sleep 1000 >/dev/null 2>&1 &"])
            .status()?;
    }
    if actor.mode == "crash" {
        eprintln!("cannot open the ledger: permission denied");
        std::process::exit(3);
    }
    let port = variable("PORT")
        .and_then(|port| port.parse().ok())
        .unwrap_or(0);
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    eprintln!("{} listens on {}", actor.mode, listener.local_addr()?);
    for stream in listener.incoming() {
        let actor = Arc::clone(&actor);
        std::thread::spawn(move || {
            // A client that goes away early is its own affair.
            drop(stream.and_then(|stream| actor.serve(&stream)));
        });
    }
    Ok(())
}

impl Actor {
    /// One request of one connection.
    fn serve(&self, mut stream: &TcpStream) -> io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        while lines
            .next()
            .transpose()?
            .is_some_and(|line| !line.is_empty())
        {}
        let (status, body) = self.answer(request.split(' ').nth(1).unwrap_or("/"));
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }

    fn answer(&self, path: &str) -> (&'static str, String) {
        match path {
            "/health" if !self.healthy() => {
                ("503 Service Unavailable", "the ledger is locked".to_owned())
            }
            "/absent" => ("404 Not Found", "nothing is here".to_owned()),
            "/health" => ("200 OK", "well".to_owned()),
            "/visits" => match self.visit() {
                Ok(count) => ("200 OK", count),
                Err(error) => ("500 Internal Server Error", error.to_string()),
            },
            _ => ("200 OK", format!("{} {}", self.version, std::process::id())),
        }
    }

    fn healthy(&self) -> bool {
        match self.mode.as_str() {
            "unready" => false,
            "flap" => (self.started.elapsed().as_millis() / FLAP.as_millis()).is_multiple_of(2),
            _ => true,
        }
    }

    /// Adds a row and counts all.
    fn visit(&self) -> io::Result<String> {
        let database = self
            .database
            .as_deref()
            .ok_or_else(|| io::Error::other("DATABASE_URL is not set"))?;
        let sql = "insert into visits default values; select count(*) from visits";
        let output = Command::new("psql")
            .args(["-qtA", "-d", database, "-c", sql])
            .output()?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(io::Error::other(
                String::from_utf8_lossy(&output.stderr).into_owned(),
            ))
        }
    }
}
