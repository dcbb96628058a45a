//! One process of a store, its server or its pool, as the engine sees it: where it stands, and what follows from what its task
//! reports.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use wharf_base::clock::Timestamp;
use wharf_control::restart::Backoff;
use wharf_process::ShimProgram;

use crate::replica::{Observed, Order, Start, Watched, supervise};

/// From one question to the next while it starts.
pub(crate) const STARTING_PAUSE: Duration = Duration::from_millis(20);

/// From one question to the next once it has answered.
pub(crate) const READY_PAUSE: Duration = Duration::from_secs(2);

/// When a question without an answer has failed.
pub(crate) const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// A server of the size that Wharf sets up never logs more between two looks at it.
pub(crate) const LOG_MAX_BYTES: u64 = 16 << 20;

/// Log files of one process that are kept.
pub(crate) const LOG_MAX_FILES: u32 = 4;

/// What the engine knows of it.
pub(crate) struct StoreProcess {
    /// `server` or `pool`, for sentences.
    word: &'static str,
    pub(crate) phase: StorePhase,
    pub(crate) pid: Option<u32>,
    pub(crate) shim_pid: Option<u32>,
    pub(crate) cgroups: Vec<PathBuf>,
    pub(crate) message: Option<String>,
    started: Timestamp,
    pub(crate) backoff: Backoff,
    orders: Option<mpsc::Sender<Order>>,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StorePhase {
    Starting,
    Ready,
    /// It cannot be used until something outside changes, and is tried again then.
    Waiting {
        until: Timestamp,
    },
    Stopping,
    /// A server that Wharf does not run.
    External,
}

impl StorePhase {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Waiting { .. } => "failed",
            Self::Stopping => "stopping",
            Self::External => "external",
        }
    }
}

/// What its task reports.
#[derive(Debug)]
pub(crate) enum StoreReport {
    /// Something worth a line: another version than asked for.
    Warning(String),
    Process(Observed),
    /// It answers and is set up.
    Ready,
    /// It does not answer.
    Unready(String),
    /// How long the watched lists are, by name.
    Queues(BTreeMap<String, u64>),
}

/// What follows from a report.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing that others wait for.
    None,
    /// Something worth a line.
    Notice(String),
    /// Its phase is another.
    Phase,
    /// It was stopped and is gone.
    Gone,
}

impl StoreProcess {
    /// When its process began.
    pub(crate) fn started(&self) -> Timestamp {
        self.started
    }

    /// One that is about to be started, or adopted; `orders` go to its task.
    pub(crate) fn starting(
        word: &'static str,
        now: Timestamp,
        backoff: Backoff,
        orders: mpsc::Sender<Order>,
    ) -> Self {
        Self {
            orders: Some(orders),
            ..Self::at(word, now, backoff, StorePhase::Starting)
        }
    }

    /// One without a process.
    pub(crate) fn at(
        word: &'static str,
        now: Timestamp,
        backoff: Backoff,
        phase: StorePhase,
    ) -> Self {
        Self {
            word,
            phase,
            pid: None,
            shim_pid: None,
            cgroups: vec![],
            message: None,
            started: now,
            backoff,
            orders: None,
        }
    }

    /// It could not be started, or has ended: it is tried again after a while.
    pub(crate) fn failed(&mut self, now: Timestamp, message: String) {
        let delay = self.backoff.ended(now.since(self.started));
        self.phase = StorePhase::Waiting {
            until: now.after(delay),
        };
        self.message = Some(message);
        (self.pid, self.shim_pid) = (None, None);
    }

    pub(crate) fn reported(&mut self, report: StoreReport, now: Timestamp) -> News {
        let stopping = self.phase == StorePhase::Stopping;
        match report {
            StoreReport::Warning(message) => {
                self.message = Some(message.clone());
                News::Notice(message)
            }
            StoreReport::Process(Observed::Started {
                pid,
                shim_pid,
                cgroups,
            }) => {
                (self.pid, self.shim_pid) = (Some(pid), Some(shim_pid));
                self.cgroups = cgroups;
                News::None
            }
            StoreReport::Process(Observed::Ended(_) | Observed::NotStarted(_)) if stopping => {
                News::Gone
            }
            StoreReport::Process(Observed::NotStarted(message)) => {
                self.failed(now, message);
                News::Phase
            }
            StoreReport::Process(Observed::Ended(exit)) => {
                self.failed(now, format!("its {} {exit}", self.word));
                News::Phase
            }
            StoreReport::Process(_) | StoreReport::Queues(_) => News::None,
            StoreReport::Ready if stopping => News::None,
            StoreReport::Ready => {
                (self.phase, self.message) = (StorePhase::Ready, None);
                News::Phase
            }
            StoreReport::Unready(reason) => {
                if self.phase == StorePhase::Ready {
                    self.phase = StorePhase::Starting;
                }
                self.message = Some(reason);
                News::None
            }
        }
    }

    /// Notes that it is to stop, and gives whom to tell it; none if there is no process. A second order passes on only what
    /// is more than to stop.
    pub(crate) fn stop(&mut self, order: Order) -> Option<mpsc::Sender<Order>> {
        let again = self.phase == StorePhase::Stopping && order == Order::Stop;
        self.phase = StorePhase::Stopping;
        self.orders.clone().filter(|_| !again)
    }
}

/// Runs a process of a store to its end, with `watching` beside it; every observation is reported before what follows it.
pub(crate) async fn run_watched(
    shim: ShimProgram,
    start: Start,
    orders: mpsc::Receiver<Order>,
    watching: impl Future<Output = Infallible>,
    report: impl AsyncFn(StoreReport),
) {
    let (observations, mut observed) = mpsc::unbounded_channel();
    let observe = move |observed| drop(observations.send(observed));
    let process = supervise(shim, start, Watched::default(), orders, observe);
    tokio::pin!(process, watching);
    let mut running = true;
    loop {
        tokio::select! {
            // Everything that the process reported comes before its end is acted on.
            biased;
            Some(observed) = observed.recv() => report(StoreReport::Process(observed)).await,
            () = &mut process, if running => running = false,
            never = &mut watching, if running => match never {},
            else => return,
        }
    }
}

/// What a process of a store has of the engine's own environment.
pub(crate) fn inherited_environment() -> BTreeMap<String, String> {
    ["PATH", "LANG", "LC_ALL", "TZ"]
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), std::env::var(key).ok()?)))
        .collect()
}
