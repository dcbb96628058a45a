//! The engine's side of the ingress: its process, its listening sockets, its configuration, what drains in it.
//!
//! The engine binds the sockets and keeps them open. So a crash of the ingress refuses no connection (the kernel
//! queues them until the next one accepts), and a replacement is a second process on the same sockets.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use tokio::sync::{Notify, mpsc, watch};
use wharf_base::clock::Timestamp;
use wharf_base::ids::ReplicaId;
use wharf_ingress::config::{Certificate, Config, Status};

use crate::api::EventKind;
use crate::engine::{Engine, Event};
use crate::replica::chain;
use crate::saved::SavedRole;
use crate::state_dir::StateDir;

/// From one look at the ingress to the next while something drains in it.
const DRAIN_PAUSE: Duration = Duration::from_millis(25);

/// From one look to the next otherwise: a crash is noticed at once by its exit, this is for one that hangs.
const IDLE_PAUSE: Duration = Duration::from_secs(2);

/// Between two attempts at an ingress that does not answer.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// An ingress that has not answered after so long is started again.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// How long requests under way may take when everything is stopped.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

const DAY_MILLIS: u64 = 86_400_000;

/// After a drain deadline the ingress gets so long to cut what is left.
const CUT_GRACE: Duration = Duration::from_secs(2);

/// What the task of the ingress reports.
pub(crate) enum IngressReport {
    /// It runs with this process, and serves this generation.
    Applied { pid: u32, generation: u64 },
    /// What it said last while something drained.
    Looked(Box<Status>),
    /// Something went wrong; the task tries again.
    Trouble(String),
    /// It was told to stop, and has.
    Stopped,
}

/// The sockets that the next ingress process gets.
type Sockets = Arc<Vec<(String, TcpListener)>>;

/// A certificate that the ingress has.
struct Issued {
    names: Vec<String>,
    day: u64,
    chain: Vec<u8>,
    certificate: Certificate,
}

/// The link to the one ingress of the project.
pub(crate) struct IngressLink {
    sockets: Vec<(String, TcpListener)>,
    addresses: BTreeMap<String, SocketAddr>,
    wanted: Option<Arc<Config>>,
    applied: u64,
    pub(crate) pid: Option<u32>,
    to_config: watch::Sender<Option<Arc<Config>>>,
    to_sockets: watch::Sender<Sockets>,
    to_draining: watch::Sender<bool>,
    stop: Arc<Notify>,
    certificate: Option<Issued>,
    trouble: Option<String>,
}

impl IngressLink {
    /// A link with the sockets of an ingress that runs already, if one does; its task begins with the first
    /// configuration.
    pub(crate) fn new(
        state: &StateDir,
        marker: &str,
        sockets: Vec<(String, TcpListener)>,
        running: Option<u32>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let addresses = sockets
            .iter()
            .filter_map(|(name, socket)| Some((name.clone(), socket.local_addr().ok()?)))
            .collect();
        let (to_config, config) = watch::channel(None);
        let (to_sockets, socket_receiver) = watch::channel(duplicate(&sockets));
        let (to_draining, draining) = watch::channel(false);
        let stop = Arc::new(Notify::new());
        let task = Task {
            socket: state.ingress_socket(),
            state: state.clone(),
            marker: marker.to_owned(),
            config,
            sockets: socket_receiver,
            draining,
            stop: Arc::clone(&stop),
            events,
            formers: Rc::new(Cell::new(0)),
        };
        tokio::task::spawn_local(task.run(running));
        Self {
            sockets,
            addresses,
            wanted: None,
            applied: 0,
            pid: running,
            to_config,
            to_sockets,
            to_draining,
            stop,
            certificate: None,
            trouble: None,
        }
    }

    pub(crate) fn listeners(&self) -> &BTreeMap<String, SocketAddr> {
        &self.addresses
    }

    /// Adds or replaces a listener; [`IngressLink::use_listeners`] makes it serve.
    pub(crate) fn add_listener(&mut self, name: String, socket: TcpListener) {
        if let Ok(address) = socket.local_addr() {
            self.addresses.insert(name.clone(), address);
        }
        self.sockets.retain(|(other, _)| *other != name);
        self.sockets.push((name, socket));
    }

    /// Has a new ingress process take over with the present sockets.
    pub(crate) fn use_listeners(&self) {
        self.to_sockets.send_replace(duplicate(&self.sockets));
    }

    pub(crate) fn wanted(&self) -> Option<&Config> {
        self.wanted.as_deref()
    }

    pub(crate) fn set_wanted(&mut self, config: Config) {
        self.wanted = Some(Arc::new(config));
    }

    pub(crate) fn send_wanted(&self) {
        self.to_config.send_replace(self.wanted.clone());
    }

    /// Whether the ingress serves the present configuration.
    pub(crate) fn is_current(&self) -> bool {
        self.wanted
            .as_ref()
            .is_some_and(|wanted| wanted.generation <= self.applied)
    }

    /// What went wrong last, if it still does.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Has the ingress process finish what it has and end; none is started again.
    pub(crate) fn stop(&self) {
        self.stop.notify_one();
    }

    /// The certificate of the local authority for `names`. It is asked for when the names change and once a day, since the
    /// authority renews what is about to expire; a renewed one is sent to the ingress although its path is the same.
    pub(crate) fn certificate(
        &mut self,
        dir: &Path,
        names: &[String],
        now: Timestamp,
    ) -> Result<Certificate, String> {
        let day = now.0 / DAY_MILLIS;
        if let Some(issued) = &self.certificate
            && issued.names == names
            && issued.day == day
        {
            return Ok(issued.certificate.clone());
        }
        let certificate = wharf_ingress::authority::Authority::open(dir, now)
            .and_then(|authority| authority.issue(names, now))
            .map_err(|error| format!("cannot make a certificate: {}", chain(&error)))?;
        let chain = std::fs::read(&certificate.chain).unwrap_or_default();
        let renewed = self
            .certificate
            .as_ref()
            .is_some_and(|before| before.chain != chain);
        if renewed {
            self.wanted = None;
        }
        let names = names.to_vec();
        self.certificate = Some(Issued {
            names,
            day,
            chain,
            certificate: certificate.clone(),
        });
        Ok(certificate)
    }
}

fn duplicate(sockets: &[(String, TcpListener)]) -> Sockets {
    Arc::new(
        sockets
            .iter()
            .filter_map(|(name, socket)| Some((name.clone(), socket.try_clone().ok()?)))
            .collect(),
    )
}

impl Engine {
    pub(crate) fn ingress_reported(&mut self, report: IngressReport) {
        match report {
            IngressReport::Applied { pid, generation } => {
                self.ingress.pid = Some(pid);
                self.ingress.applied = generation;
                self.ingress.trouble = None;
            }
            IngressReport::Stopped => self.ingress.pid = None,
            IngressReport::Looked(status) => self.finish_drained(&status),
            IngressReport::Trouble(message) => {
                if self.ingress.trouble.as_ref() != Some(&message) {
                    self.tell(
                        None,
                        EventKind::Notice {
                            message: format!("the ingress: {message}"),
                        },
                    );
                }
                self.ingress.trouble = Some(message);
            }
        }
    }

    /// Replicas that leave and have nothing under way any more.
    fn finish_drained(&mut self, status: &Status) {
        // An older configuration may still send requests to a replica that leaves.
        if !self.ingress.is_current() || status.generation < self.ingress.applied {
            return;
        }
        let idle: BTreeSet<&str> = status
            .endpoints
            .iter()
            .filter(|(_, endpoint)| endpoint.in_flight == 0)
            .map(|(id, _)| id.as_str())
            .collect();
        let leaving: Vec<ReplicaId> = self.leaving().map(|(id, _)| id.clone()).collect();
        for id in leaving {
            if idle.contains(id.as_str()) || !status.endpoints.contains_key(id.as_str()) {
                self.drained(&id);
            }
        }
    }

    /// Replicas that finish their requests, with the time at which they are cut.
    fn leaving(&self) -> impl Iterator<Item = (&ReplicaId, wharf_base::clock::Timestamp)> {
        self.saved
            .replicas
            .iter()
            .filter_map(|(id, replica)| match replica.role {
                SavedRole::Leaving { deadline, .. } => Some((id, deadline)),
                _ => None,
            })
    }

    /// Looks at the ingress while something drains in it; what it does not finish in time is over all the same.
    pub(crate) fn tend_draining(&mut self) {
        let leaving: Vec<_> = self
            .leaving()
            .map(|(id, deadline)| (id.clone(), deadline))
            .collect();
        self.ingress.to_draining.send_if_modified(|draining| {
            std::mem::replace(draining, !leaving.is_empty()) == leaving.is_empty()
        });
        for (id, deadline) in leaving {
            if self.due(deadline.after(CUT_GRACE)) {
                self.drained(&id);
            }
        }
    }
}

struct Task {
    socket: PathBuf,
    state: StateDir,
    marker: String,
    config: watch::Receiver<Option<Arc<Config>>>,
    sockets: watch::Receiver<Sockets>,
    draining: watch::Receiver<bool>,
    stop: Arc<Notify>,
    events: mpsc::Sender<Event>,
    /// Replaced ingress processes that still finish requests.
    formers: Rc<Cell<u32>>,
}

/// The process that the task looks after: its own child, or one that a former engine started.
struct Process {
    pid: u32,
    child: Option<tokio::process::Child>,
}

impl Process {
    /// Ends when the process has ended.
    async fn ended(&mut self) {
        match &mut self.child {
            Some(child) => drop(child.wait().await),
            // Not a child: it is gone when the kernel knows it no more.
            None => loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                if !is_alive(self.pid) {
                    return;
                }
            },
        }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(pid) = i32::try_from(self.pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            // One that has ended meanwhile needs no signal.
            rustix::process::kill_process(pid, signal).ok();
        }
    }
}

fn is_alive(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

impl Task {
    async fn run(mut self, running: Option<u32>) {
        let stop = Arc::clone(&self.stop);
        let mut process = running.map(|pid| Process { pid, child: None });
        tokio::select! {
            () = self.serve(&mut process) => {}
            () = stop.notified() => {}
        }
        if let Some(mut process) = process {
            process.signal(rustix::process::Signal::TERM);
            tokio::select! {
                () = process.ended() => {}
                () = tokio::time::sleep(STOP_TIMEOUT) => {}
                () = stop.notified() => {}
            }
            process.signal(rustix::process::Signal::KILL);
            process.ended().await;
        }
        self.report(IngressReport::Stopped).await;
    }

    /// Keeps an ingress running with the present sockets and configuration. Never ends.
    async fn serve(&mut self, process: &mut Option<Process>) {
        // The first configuration says that there is something to serve.
        while self.config.borrow_and_update().is_none() {
            if self.config.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
        loop {
            if process.is_none() || self.sockets.has_changed().unwrap_or(false) {
                let sockets = Arc::clone(&self.sockets.borrow_and_update());
                match self.replace(&sockets).await {
                    Ok(next) => {
                        if let Some(former) = process.replace(next) {
                            former.signal(rustix::process::Signal::TERM);
                            reap(former, Rc::clone(&self.formers));
                        }
                    }
                    Err(message) => {
                        self.report(IngressReport::Trouble(message)).await;
                        tokio::time::sleep(RETRY_PAUSE).await;
                        continue;
                    }
                }
            }
            let Some(current) = process.as_mut() else {
                continue;
            };
            if self.attend(current).await {
                *process = None;
            }
        }
    }

    /// Hands the configuration over and looks at what drains, until something changes; true if the process ended.
    async fn attend(&mut self, process: &mut Process) -> bool {
        let config = self.config.borrow_and_update().clone();
        if let Some(config) = config {
            match wharf_ingress::client::put_config(&self.socket, &config).await {
                Ok(()) => {
                    let (pid, generation) = (process.pid, config.generation);
                    self.report(IngressReport::Applied { pid, generation })
                        .await;
                }
                Err(error) => {
                    self.report(IngressReport::Trouble(chain(&error))).await;
                    tokio::select! {
                        () = process.ended() => return true,
                        () = tokio::time::sleep(RETRY_PAUSE) => {}
                    }
                    self.config.mark_changed();
                    return false;
                }
            }
        }
        loop {
            let pause = if *self.draining.borrow_and_update() {
                DRAIN_PAUSE
            } else {
                IDLE_PAUSE
            };
            tokio::select! {
                () = process.ended() => return true,
                changed = self.config.changed() => {
                    if changed.is_err() {
                        return std::future::pending().await;
                    }
                    self.config.mark_changed();
                    return false;
                }
                _ = self.sockets.changed() => {
                    self.sockets.mark_changed();
                    return false;
                }
                _ = self.draining.changed() => {}
                () = tokio::time::sleep(pause) => {
                    match wharf_ingress::client::status(&self.socket).await {
                        // What a replaced one still serves is not in this one's status.
                        Ok(_) if self.formers.get() > 0 => {}
                        Ok(status) => self.report(IngressReport::Looked(Box::new(status))).await,
                        Err(error) => self.report(IngressReport::Trouble(chain(&error))).await,
                    }
                }
            }
        }
    }

    /// Starts an ingress on the sockets and waits until it serves.
    async fn replace(&self, sockets: &[(String, TcpListener)]) -> Result<Process, String> {
        let mut child = self.spawn(sockets)?;
        let pid = child.id().ok_or("it ended at once")?;
        let answers = async {
            loop {
                match wharf_ingress::client::status(&self.socket).await {
                    Ok(status) if status.pid == pid => return,
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::select! {
            () = answers => Ok(Process { pid, child: Some(child) }),
            _ = child.wait() => {
                Err(format!("it ended at once; see {}", self.state.ingress_log().display()))
            }
            () = tokio::time::sleep(START_TIMEOUT) => {
                let limit = wharf_base::duration::format(START_TIMEOUT);
                Err(format!("it did not answer within {limit}; see {}", self.state.ingress_log().display()))
            }
        }
    }

    fn spawn(&self, sockets: &[(String, TcpListener)]) -> Result<tokio::process::Child, String> {
        let fail = |error: &dyn std::fmt::Display| format!("it cannot be started: {error}");
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.state.ingress_log())
            .map_err(|error| fail(&error))?;
        let mut command = std::process::Command::new("/proc/self/exe");
        command
            .arg("ingress")
            .arg("--control-socket")
            .arg(&self.socket);
        command
            .arg("--config-file")
            .arg(self.state.ingress_config());
        command.arg("--access-log").arg(self.state.access_log());
        command
            .env_clear()
            .env("WHARF_PROJECT", &self.marker)
            .env("WHARF_REPLICA", "ingress");
        command.env("LISTEN_FDS", sockets.len().to_string());
        let names: Vec<&str> = sockets.iter().map(|(name, _)| name.as_str()).collect();
        command.env("LISTEN_FDNAMES", names.join(":"));
        command.stdin(std::process::Stdio::null());
        command
            .stdout(log.try_clone().map_err(|error| fail(&error))?)
            .stderr(log);
        let mappings = sockets
            .iter()
            .zip(3..)
            .map(|((_, socket), child_fd)| {
                Ok(FdMapping {
                    parent_fd: OwnedFd::from(socket.try_clone()?),
                    child_fd,
                })
            })
            .collect::<std::io::Result<Vec<_>>>()
            .map_err(|error| fail(&error))?;
        command
            .fd_mappings(mappings)
            .map_err(|error| fail(&error))?;
        tokio::process::Command::from(command)
            .spawn()
            .map_err(|error| fail(&error))
    }

    async fn report(&self, report: IngressReport) {
        // An engine that no longer listens is about to exit.
        drop(self.events.send(Event::Ingress(report)).await);
    }
}

/// Waits for a process that finishes by itself, so that it does not stay a zombie; counted while it does.
fn reap(mut process: Process, formers: Rc<Cell<u32>>) {
    formers.set(formers.get() + 1);
    tokio::task::spawn_local(async move {
        process.ended().await;
        formers.set(formers.get() - 1);
    });
}
