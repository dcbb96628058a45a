//! One worker: a thread with its own runtime, its own connections and its own pool.
//!
//! All workers accept from the same listeners. A connection goes to the worker with the fewest, once, when it is
//! accepted; from then on nothing of it crosses threads. A sweep a few times a second looks after deadlines, idle
//! connections and the log, so that a request needs no timer.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use slab::Slab;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use wharf_base::clock;

use crate::access_log::LogBuffer;
use crate::connection::{Connection, Verdict};
use crate::exchange::Exchanges;
use crate::metrics::{Sample, Shard};
use crate::monotonic::{self, NEVER};
use crate::pool::Pool;
use crate::serve;
use crate::shared::Shared;
use crate::table::Table;

/// Between two sweeps: how late a timeout may be, and how old a line of the log may get. Five wake-ups a second are
/// not measurable on an idle machine.
const SWEEP_PERIOD: Duration = Duration::from_millis(monotonic::RECENT_MILLIS);

/// How long after its deadline a drain may take to cut everything: time for close frames.
const CUT_GRACE_MILLIS: u64 = 4_000;

/// Files that are looked for or read at once: enough for the queue of a disk, and the most that one that hangs can hold.
const DISK_MAX: usize = 8;

/// How long accepting pauses when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A connection on its way to its worker.
pub(crate) struct Accepted {
    stream: StdStream,
    peer: SocketAddr,
    listener: Arc<str>,
}

/// What the connections of one worker share.
pub(crate) struct Worker {
    index: usize,
    pub(crate) shared: Arc<Shared>,
    table: RefCell<(u64, Arc<Table>)>,
    connections: RefCell<Slab<Arc<Connection>>>,
    pub(crate) exchanges: Rc<Exchanges>,
    pub(crate) pool: Pool,
    /// Who may have a thread for a file.
    pub(crate) disk: Arc<Semaphore>,
    pub(crate) random: RefCell<fastrand::Rng>,
    /// The empty text, shared, for labels that a request does not have.
    pub(crate) nothing: Arc<str>,
    shard: Arc<Mutex<Shard>>,
    log: RefCell<LogBuffer>,
    time: RefCell<TimeText>,
    /// When it noticed that the ingress drains; 0: it does not.
    draining_since: Cell<u64>,
}

impl Worker {
    fn new(index: usize, shared: Arc<Shared>, log: LogBuffer) -> Self {
        Self {
            index,
            table: RefCell::new(shared.table()),
            connections: RefCell::default(),
            exchanges: Rc::default(),
            pool: Pool::default(),
            disk: Arc::new(Semaphore::new(DISK_MAX)),
            random: RefCell::new(fastrand::Rng::new()),
            nothing: "".into(),
            shard: Arc::clone(&shared.shards[index]),
            log: RefCell::new(log),
            time: RefCell::new(TimeText::new()),
            draining_since: Cell::new(0),
            shared,
        }
    }

    /// The table that is served now.
    pub(crate) fn table(&self) -> Arc<Table> {
        let mut known = self.table.borrow_mut();
        if known.0 != self.shared.epoch() {
            *known = self.shared.table();
        }
        Arc::clone(&known.1)
    }

    /// Counts a request.
    pub(crate) fn count(&self, sample: &Sample<'_>) {
        let mut shard = self.shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.observe(sample, monotonic::recent());
    }

    /// Counts a refused request or connection.
    pub(crate) fn reject(&self, reason: &'static str) {
        self.shard
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .reject(reason);
    }

    /// Adds a line to the access log, at `now`.
    pub(crate) fn log(&self, now: Instant, write: impl FnOnce(&str, &mut Vec<u8>)) {
        let mut time = self.time.borrow_mut();
        let time = time.at(now);
        self.log.borrow_mut().line(|out| write(time, out));
    }

    /// Takes a connection in, or makes room for it by closing the most expendable one. None: there is no room.
    pub(crate) fn admit(self: &Rc<Self>, connection: Arc<Connection>) -> Option<Admitted> {
        let mut connections = self.connections.borrow_mut();
        if connections.len() >= self.shared.connections_max {
            let expendable = connections
                .iter()
                .filter_map(|(key, one)| one.expendable().map(|rank| (rank, key)))
                .min();
            let (_, key) = expendable?;
            connections[key].decide(Verdict::Close);
            // Its task ends in this turn of the loop; until then the table is one too full.
            if connections.len() >= self.shared.connections_max + 64 {
                return None;
            }
        }
        if self.draining_since.get() > 0 {
            connection.drain();
        }
        let key = connections.insert(connection);
        Some(Admitted {
            worker: Rc::clone(self),
            key,
        })
    }

    /// Looks after everything that time changes. Whether nothing is left to do.
    fn sweep(&self) -> bool {
        let now = monotonic::refresh();
        self.time.borrow_mut().refresh();
        let cut_at = self.shared.drain_deadline();
        self.exchanges.sweep(now, cut_at);
        self.exchanges.shrink();
        self.pool.sweep(now);
        self.log.borrow_mut().flush();
        let connections = self.connections.borrow();
        if cut_at != NEVER && self.draining_since.get() == 0 {
            self.draining_since.set(now.max(1));
            for (_, connection) in &*connections {
                connection.drain();
            }
        }
        for (_, connection) in &*connections {
            connection.sweep(now);
        }
        if self.draining_since.get() == 0 {
            return false;
        }
        // Another worker may notice a little later, and hand over one more connection until then.
        let settled = now > self.draining_since.get() + 2 * monotonic::RECENT_MILLIS;
        let done = settled && connections.is_empty() && self.exchanges.is_empty();
        done || now > cut_at.saturating_add(CUT_GRACE_MILLIS)
    }
}

/// A connection among its worker's, until this is dropped.
pub(crate) struct Admitted {
    worker: Rc<Worker>,
    key: usize,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut connections = self.worker.connections.borrow_mut();
        connections.remove(self.key);
        if connections.is_empty() && connections.capacity() > 256 {
            *connections = Slab::new();
        }
    }
}

/// What a worker's thread is given.
pub(crate) struct Start {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) listeners: Vec<(Arc<str>, std::net::TcpListener)>,
    pub(crate) log: LogBuffer,
    pub(crate) inbox: UnboundedReceiver<Accepted>,
    /// The inboxes of all workers, by index.
    pub(crate) peers: Vec<UnboundedSender<Accepted>>,
}

/// Serves until the ingress has drained.
pub(crate) fn run(start: Start) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, serve_all(start))
}

async fn serve_all(start: Start) -> io::Result<()> {
    let Start {
        index,
        shared,
        listeners,
        log,
        mut inbox,
        peers,
    } = start;
    let worker = Rc::new(Worker::new(index, Arc::clone(&shared), log));
    let peers = Rc::new(peers);
    for (name, listener) in listeners {
        let listener = TcpListener::from_std(listener)?;
        tokio::task::spawn_local(accept(
            Rc::clone(&worker),
            name,
            listener,
            Rc::clone(&peers),
        ));
    }
    drop(peers);
    let mut sweeps = tokio::time::interval(SWEEP_PERIOD);
    sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut drain = shared.drain_begins();
    let mut draining = false;
    loop {
        tokio::select! {
            Some(accepted) = inbox.recv() => begin(&worker, accepted),
            _ = sweeps.tick() => {
                if worker.sweep() && inbox.is_empty() {
                    break;
                }
            }
            _ = drain.changed(), if !draining => {
                draining = true;
                worker.sweep();
            }
        }
    }
    worker.log.borrow_mut().flush();
    Ok(())
}

/// Accepts until the ingress drains. Dropping the listener leaves the socket open: the engine has it too.
async fn accept(
    worker: Rc<Worker>,
    name: Arc<str>,
    listener: TcpListener,
    peers: Rc<Vec<UnboundedSender<Accepted>>>,
) {
    let mut drain = worker.shared.drain_begins();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = drain.wait_for(|cut_at| *cut_at != NEVER) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => hand_over(&worker, &peers, stream, peer, &name),
            Err(error) if is_of_connection(&error) => {}
            Err(_) => {
                worker.reject("no_file_descriptor");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        // The other workers wait for the same connections: without this the first to wake would take a whole burst.
        tokio::task::yield_now().await;
    }
}

/// Whether the client had gone before it was accepted.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

fn hand_over(
    worker: &Rc<Worker>,
    peers: &[UnboundedSender<Accepted>],
    stream: TcpStream,
    peer: SocketAddr,
    listener: &Arc<str>,
) {
    let loads = &worker.shared.loads;
    let load = |index: usize| loads[index].load(Ordering::Relaxed);
    let own = load(worker.index);
    let least = (0..loads.len())
        .min_by_key(|index| (load(*index), *index != worker.index))
        .unwrap_or(worker.index);
    // Handing over costs a wake-up of the other thread: not for a difference of one.
    let target = if load(least) + 1 < own {
        least
    } else {
        worker.index
    };
    loads[target].fetch_add(1, Ordering::Relaxed);
    if target == worker.index {
        serve::spawn(worker, stream, peer, Arc::clone(listener));
        return;
    }
    let sent = stream.into_std().is_ok_and(|stream| {
        peers[target]
            .send(Accepted {
                stream,
                peer,
                listener: Arc::clone(listener),
            })
            .is_ok()
    });
    if !sent {
        loads[target].fetch_sub(1, Ordering::Relaxed);
    }
}

fn begin(worker: &Rc<Worker>, accepted: Accepted) {
    match TcpStream::from_std(accepted.stream) {
        Ok(stream) => serve::spawn(worker, stream, accepted.peer, accepted.listener),
        Err(_) => worker.leave(),
    }
}

impl Worker {
    /// A connection that was counted when it was accepted has ended.
    pub(crate) fn leave(&self) {
        self.shared.loads[self.index].fetch_sub(1, Ordering::Relaxed);
    }
}

/// The time as RFC 3339 with milliseconds. The system's clock is asked once a sweep; what is above a second is
/// formatted once a second.
#[derive(Debug)]
struct TimeText {
    /// The same moment on both clocks.
    known: (Instant, u64),
    second: u64,
    text: String,
}

impl TimeText {
    fn new() -> Self {
        Self {
            known: (Instant::now(), clock::now().0),
            second: 0,
            text: String::new(),
        }
    }

    fn refresh(&mut self) {
        self.known = (Instant::now(), clock::now().0);
    }

    fn at(&mut self, moment: Instant) -> &str {
        let since = moment.saturating_duration_since(self.known.0).as_millis();
        let millis = self
            .known
            .1
            .saturating_add(u64::try_from(since).unwrap_or(0));
        let (second, millis) = (millis / 1000, millis % 1000);
        if second != self.second || self.text.is_empty() {
            self.second = second;
            let time = i64::try_from(second)
                .ok()
                .and_then(|second| jiff::Timestamp::from_second(second).ok());
            self.text = time.unwrap_or_default().to_string();
            self.text.pop();
            self.text.push_str(".000Z");
        }
        let from = self.text.len() - 4;
        self.text.truncate(from);
        for divisor in [100, 10, 1] {
            self.text.push(char::from(
                b'0' + u8::try_from(millis / divisor % 10).unwrap_or(0),
            ));
        }
        self.text.push('Z');
        &self.text
    }
}
