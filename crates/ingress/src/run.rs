//! The ingress's process: starts the workers and the control API, and ends when it has drained.
//!
//! It depends on nobody: it serves the last configuration while no engine runs, and its parent's death means nothing
//! to it. SIGTERM is a drain of 30 s.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::access_log::AccessLog;
use crate::config::Config;
use crate::control::{self, DRAIN_TIMEOUT, chain};
use crate::shared::Shared;
use crate::table::TableError;
use crate::worker::{self, Start};
use crate::{handover, health, socket};

/// The most client connections, however many files the process may open: each costs some 10 KiB.
const CONNECTIONS_MAX: u64 = 65_536;

/// Files that are not connections: listeners, logs, sockets, epoll.
const FILES_RESERVED: u64 = 128;

/// The most workers; more than cores only take time from each other.
const WORKERS_MAX: usize = 64;

/// What an ingress is started with.
#[derive(Debug)]
pub struct Options {
    /// Where the control API listens. `<control_socket>.fds` hands out the listeners.
    pub control_socket: PathBuf,
    /// The last configuration that was applied; read at the start, written at each change.
    pub config_file: PathBuf,
    /// The access log. Rotated at 64 MiB, with four files kept besides.
    pub access_log: PathBuf,
    /// How many threads serve.
    pub workers: usize,
    /// What is listened on, by name. The engine keeps these sockets open too.
    pub listeners: Vec<(String, TcpListener)>,
}

/// Why the ingress cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum IngressError {
    /// An option makes no sense.
    #[error("{0}")]
    Options(&'static str),
    /// The access log cannot be opened.
    #[error("cannot open the access log {}", path.display())]
    AccessLog {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The control socket cannot be opened.
    #[error("cannot listen on the control socket {}", path.display())]
    ControlSocket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A listener cannot be used.
    #[error("cannot use the listener `{name}`")]
    Listener {
        /// Which.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The empty configuration cannot be served.
    #[error("cannot set up")]
    Table(#[from] TableError),
    /// The system refuses threads, signals or polling.
    #[error("cannot start serving")]
    Start(#[source] io::Error),
    /// A worker ended without being asked to.
    #[error("a worker failed")]
    Worker(#[source] io::Error),
}

/// Serves until it has drained: after `POST /drain`, SIGTERM or SIGINT.
///
/// # Errors
/// It cannot start, or a worker failed.
pub fn run(options: Options) -> Result<(), IngressError> {
    let workers = options.workers.clamp(1, WORKERS_MAX);
    if options.listeners.is_empty() || options.listeners.len() > handover::LISTENERS_MAX {
        return Err(IngressError::Options("an ingress needs 1 to 250 listeners"));
    }
    let connections_max = raise_open_files();
    let listeners: Vec<(Arc<str>, TcpListener)> = options
        .listeners
        .into_iter()
        .map(|(name, listener)| (name.into(), listener))
        .collect();
    let mut addresses = BTreeMap::new();
    for (name, listener) in &listeners {
        let address = listener
            .set_nonblocking(true)
            .and_then(|()| listener.local_addr());
        let address = address.map_err(|source| IngressError::Listener {
            name: name.to_string(),
            source,
        })?;
        addresses.insert(name.to_string(), address);
    }
    let (log, log_thread) =
        AccessLog::start(&options.access_log).map_err(|source| IngressError::AccessLog {
            path: options.access_log.clone(),
            source,
        })?;
    let dropped = Arc::clone(&log.dropped);
    let shared = Shared::new(
        workers,
        connections_max,
        options.config_file.clone(),
        addresses,
        dropped,
    )?;
    let shared = Arc::new(shared);
    load_config(&shared, &options.config_file);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(IngressError::Start)?;
    let entered = runtime.enter();
    // The signals before the workers: one that comes early is not lost.
    let signals = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let [terminate, interrupt] = signals;
    let (mut terminate, mut interrupt) = (
        terminate.map_err(IngressError::Start)?,
        interrupt.map_err(IngressError::Start)?,
    );
    let mut ended = start_workers(&shared, &listeners, &log, workers)?;
    drop(log);

    let fds_path = socket::fds_path(&options.control_socket);
    let bind = |path: &PathBuf| {
        socket::bind(path)
            .and_then(tokio::net::UnixListener::from_std)
            .map_err(|source| IngressError::ControlSocket {
                path: path.clone(),
                source,
            })
    };
    let (fds_listener, control_listener) = (bind(&fds_path)?, bind(&options.control_socket)?);
    runtime.spawn(control::serve_listeners(fds_listener, Arc::new(listeners)));
    runtime.spawn(control::serve(Arc::clone(&shared), control_listener));
    runtime.spawn(health::run(Arc::clone(&shared)));
    drop(entered);

    let result = runtime.block_on(async {
        let mut running = workers;
        while running > 0 {
            tokio::select! {
                end = ended.recv() => match end {
                    Some(Ok(())) => running -= 1,
                    Some(Err(error)) => return Err(IngressError::Worker(error)),
                    None => return Err(IngressError::Worker(io::Error::other("a worker's thread panicked"))),
                },
                _ = terminate.recv() => shared.drain(DRAIN_TIMEOUT),
                _ = interrupt.recv() => shared.drain(DRAIN_TIMEOUT),
            }
        }
        Ok(())
    });
    runtime.shutdown_background();
    if result.is_ok() {
        // The workers' buffers are gone, so the writer ends when it has written all. Its panic has been printed.
        log_thread.join().unwrap_or_default();
    }
    result
}

/// Tells the main thread that a worker has ended, also if it panicked.
struct EndNotice {
    result: Option<io::Result<()>>,
    sender: mpsc::UnboundedSender<io::Result<()>>,
}

impl EndNotice {
    fn complete(mut self, result: io::Result<()>) {
        self.result = Some(result);
    }
}

impl Drop for EndNotice {
    fn drop(&mut self) {
        let result = self
            .result
            .take()
            .unwrap_or_else(|| Err(io::Error::other("a worker's thread panicked")));
        // The main thread may have ended with the first failure.
        self.sender.send(result).unwrap_or_default();
    }
}

fn start_workers(
    shared: &Arc<Shared>,
    listeners: &[(Arc<str>, TcpListener)],
    log: &AccessLog,
    workers: usize,
) -> Result<mpsc::UnboundedReceiver<io::Result<()>>, IngressError> {
    let (ends, ended) = mpsc::unbounded_channel();
    let (peers, inboxes): (Vec<_>, Vec<_>) =
        (0..workers).map(|_| mpsc::unbounded_channel()).unzip();
    for (index, inbox) in inboxes.into_iter().enumerate() {
        let mut own = Vec::with_capacity(listeners.len());
        for (name, listener) in listeners {
            let listener = listener.try_clone();
            let listener = listener.map_err(|source| IngressError::Listener {
                name: name.to_string(),
                source,
            })?;
            own.push((Arc::clone(name), listener));
        }
        let start = Start {
            index,
            shared: Arc::clone(shared),
            listeners: own,
            log: log.buffer(),
            inbox,
            peers: peers.clone(),
        };
        let notice = EndNotice {
            result: None,
            sender: ends.clone(),
        };
        std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || notice.complete(worker::run(start)))
            .map_err(IngressError::Start)?;
    }
    Ok(ended)
}

/// Serves what was served last. Without it, or if it cannot be read, requests get 503 until the engine sends one.
fn load_config(shared: &Shared, file: &PathBuf) {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            eprintln!(
                "wharf ingress: cannot read {}: {error}; waiting for the engine",
                file.display()
            );
            return;
        }
    };
    let applied = serde_json::from_slice::<Config>(&text)
        .map_err(|error| error.to_string())
        .and_then(|config| shared.apply(&config).map_err(|error| chain(&error)));
    if let Err(error) = applied {
        eprintln!(
            "wharf ingress: cannot serve {}: {error}; waiting for the engine",
            file.display()
        );
    }
}

/// Raises the limit of open files as far as allowed: how many client connections fit. Each may need one to a replica.
fn raise_open_files() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let raised = setrlimit(Resource::Nofile, wanted).is_ok();
    let files = if raised { limit.maximum } else { limit.current }.unwrap_or(u64::MAX);
    let connections = (files.saturating_sub(FILES_RESERVED) / 2).clamp(64, CONNECTIONS_MAX);
    usize::try_from(connections).unwrap_or(64)
}
