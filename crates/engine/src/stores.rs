//! The servers of the stores: prepared, started or adopted, asked whether they answer, set up, kept running.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc;
use wharf_base::clock::Timestamp;
use wharf_base::ids::Name;
use wharf_control::restart::Backoff;
use wharf_plan::model::{Store, StoreEngine};
use wharf_process::{Launch, Limits, LogTarget, ShimProgram, Signal, StopScope, User};
use wharf_store::{Account, Credentials, Prepared, RANDOM_BYTES, Request};

use crate::api::EventKind;
use crate::engine::{Engine, Event};
use crate::environment::StoreAddress;
use crate::ports::free_port;
use crate::replica::{Observed, Order, Start, Watched, chain, supervise};
use crate::state_dir::{random_hex, write_secret};

/// From one question to the next while a server starts.
const STARTING_PAUSE: Duration = Duration::from_millis(20);

/// From one question to the next once it has answered.
const READY_PAUSE: Duration = Duration::from_secs(2);

/// When a question without an answer has failed.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// A server of the size that Wharf sets up never logs more between two looks at it.
const LOG_MAX_BYTES: u64 = 16 << 20;

/// What is known of a store beside what is saved.
pub(crate) struct LiveStore {
    pub(crate) engine: StoreEngine,
    pub(crate) phase: StorePhase,
    pub(crate) pid: Option<u32>,
    pub(crate) shim_pid: Option<u32>,
    pub(crate) message: Option<String>,
    pub(crate) address: Option<StoreAddress>,
    started: Timestamp,
    backoff: Backoff,
    orders: Option<mpsc::Sender<Order>>,
}

/// Where a store stands.
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

/// What the task of a store reports.
#[derive(Debug)]
pub(crate) enum StoreReport {
    /// Something worth a line: another version than asked for.
    Warning(String),
    Process(Observed),
    /// It answers and is set up.
    Ready,
    /// It does not answer.
    Unready(String),
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

impl LiveStore {
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.phase, StorePhase::Ready | StorePhase::External)
    }
}

impl Engine {
    /// Where the stores answer.
    pub(crate) fn store_addresses(&self) -> BTreeMap<Name, StoreAddress> {
        let known = self.live_stores.iter();
        known
            .filter_map(|(name, store)| Some((name.clone(), store.address.clone()?)))
            .collect()
    }

    /// The stores that have to run: those of the target and, until it serves, those of what serves.
    fn wanted_stores(&self) -> BTreeMap<Name, Store> {
        let releases = [self.serving(), self.target()];
        releases
            .into_iter()
            .flatten()
            .flat_map(|release| release.plan.stores.clone())
            .collect()
    }

    pub(crate) fn adopt_stores(&mut self) {
        for (name, store) in self.wanted_stores() {
            let Some(saved) = self
                .saved
                .stores
                .get(&name)
                .filter(|saved| saved.attempt > 0)
            else {
                continue;
            };
            let set_up = saved.set_up;
            if store.external_url.is_none() {
                self.start_store(&name, &store, true);
                if !set_up {
                    // The former engine was killed before it had a database and a user: it starts over.
                    self.stop_store(&name, Order::Stop);
                }
            }
        }
    }

    /// Starts the stores that are wanted and do not run, and stops those that are wanted no more.
    pub(crate) fn tend_stores(&mut self) {
        if self.shutdown.is_some() {
            return;
        }
        let now = self.now();
        let wanted = self.wanted_stores();
        for (name, store) in &wanted {
            match self.live_stores.get(name).map(|live| live.phase) {
                None => self.start_store(name, store, false),
                Some(StorePhase::Waiting { until }) if until <= now => {
                    self.start_store(name, store, false)
                }
                Some(StorePhase::Waiting { until }) => self.wake_at(until),
                Some(_) => {}
            }
        }
        let gone: Vec<Name> = self
            .live_stores
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            self.stop_store(&name, Order::Stop);
        }
    }

    fn start_store(&mut self, name: &Name, store: &Store, adopt: bool) {
        if let Some(url) = &store.external_url {
            return self.use_external(name, store.engine, &url.clone());
        }
        let now = self.now();
        let backoff = self
            .live_stores
            .get(name)
            .map(|live| live.backoff)
            .unwrap_or_default();
        let taken: Vec<u16> = self.saved.stores.values().map(|saved| saved.port).collect();
        let saved = self.saved.stores.entry(name.clone()).or_default();
        if saved.port == 0 {
            saved.port = free_port(&taken).unwrap_or_default();
        }
        let (port, attempt) = (
            saved.port,
            if adopt {
                saved.attempt
            } else {
                saved.attempt + 1
            },
        );
        saved.attempt = attempt;
        let mut live = LiveStore {
            engine: store.engine,
            phase: StorePhase::Starting,
            pid: None,
            shim_pid: None,
            message: None,
            address: None,
            started: now,
            backoff,
            orders: None,
        };
        let credentials = match self.credentials(name, store.engine, port) {
            Ok(credentials) => credentials,
            Err(error) => {
                live.phase = StorePhase::Waiting {
                    until: now.after(live.backoff.ended(Duration::ZERO)),
                };
                live.message = Some(format!("cannot keep its password: {error}"));
                self.live_stores.insert(name.clone(), live);
                return;
            }
        };
        let address = StoreAddress {
            engine: store.engine,
            credentials: credentials.clone(),
            url: None,
        };
        live.address = Some(address);
        let (orders, receiver) = mpsc::channel(4);
        live.orders = Some(orders);
        self.live_stores.insert(name.clone(), live);
        self.tell(
            None,
            EventKind::Store {
                store: name.clone(),
                state: "starting".to_owned(),
                message: None,
            },
        );
        let task = StoreTask {
            name: name.clone(),
            store: store.clone(),
            attempt,
            credentials,
            dir: self.state.store(name),
            run_dir: self.state.run_dir(&format!("store-{name}"), attempt),
            log: LogTarget {
                dir: self.state.logs(name),
                name: name.to_string(),
                max_bytes: LOG_MAX_BYTES,
                max_files: 4,
            },
            project: self.marker.clone(),
            shim: self.shim.clone(),
            user: self.user,
            events: self.events.clone(),
        };
        self.effect(move |_| drop(tokio::task::spawn_local(task.run(adopt, receiver))));
    }

    /// The password of a store, drawn once and kept for ever.
    fn credentials(
        &self,
        name: &Name,
        engine: StoreEngine,
        port: u16,
    ) -> std::io::Result<Credentials> {
        let path = self.state.secret(&format!("store-{name}"));
        let password = match std::fs::read_to_string(&path) {
            Ok(password) => password,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let password = random_hex(RANDOM_BYTES)?;
                write_secret(&path, password.as_bytes())?;
                password
            }
            Err(error) => return Err(error),
        };
        let generated = Credentials::generate(engine, name.as_str(), port, [0; RANDOM_BYTES]);
        Ok(Credentials {
            password,
            ..generated
        })
    }

    fn use_external(
        &mut self,
        name: &Name,
        engine: StoreEngine,
        url: &wharf_plan::template::Template,
    ) {
        let now = self.now();
        let release = self.saved.target.or(self.saved.serving);
        let secrets = release.and_then(|release| self.secrets_of(release).ok());
        let rendered = url.render(|reference| match reference {
            wharf_plan::template::Reference::Env { name, default } => secrets
                .as_ref()
                .and_then(|secrets| secrets.env.get(name))
                .or(default.as_ref())
                .cloned()
                .ok_or_else(|| {
                    format!("its url needs the environment variable {name}, which was not set")
                }),
            other => Err(format!(
                "its url may refer to `${{env.NAME}}` only, not to `{other}`"
            )),
        });
        let parsed = rendered.and_then(|url| {
            let credentials = external_credentials(&url, engine)?;
            Ok(StoreAddress {
                engine,
                credentials,
                url: Some(url),
            })
        });
        let (phase, message, address) = match parsed {
            Ok(address) => (StorePhase::External, None, Some(address)),
            Err(message) => (
                StorePhase::Waiting {
                    until: now.after(READY_PAUSE),
                },
                Some(message),
                None,
            ),
        };
        let live = LiveStore {
            engine,
            phase,
            pid: None,
            shim_pid: None,
            message,
            address,
            started: now,
            backoff: Backoff::default(),
            orders: None,
        };
        self.live_stores.insert(name.clone(), live);
    }

    pub(crate) fn store_reported(&mut self, name: &Name, attempt: u32, report: StoreReport) {
        if self
            .saved
            .stores
            .get(name)
            .is_none_or(|saved| saved.attempt != attempt)
        {
            return;
        }
        let now = self.now();
        let Some(live) = self.live_stores.get_mut(name) else {
            return;
        };
        match report {
            StoreReport::Warning(message) => {
                live.message = Some(message.clone());
                self.tell(None, EventKind::Notice { message });
                return;
            }
            StoreReport::Process(Observed::Started { pid, shim_pid }) => {
                (live.pid, live.shim_pid) = (Some(pid), Some(shim_pid));
                return;
            }
            StoreReport::Ready if live.phase == StorePhase::Stopping => return,
            StoreReport::Ready => {
                (live.phase, live.message) = (StorePhase::Ready, None);
                if let Some(saved) = self.saved.stores.get_mut(name) {
                    saved.set_up = true;
                }
            }
            StoreReport::Unready(reason) => {
                if live.phase == StorePhase::Ready {
                    live.phase = StorePhase::Starting;
                }
                live.message = Some(reason);
                return;
            }
            StoreReport::Process(Observed::Ended(_) | Observed::NotStarted(_))
                if live.phase == StorePhase::Stopping =>
            {
                self.live_stores.remove(name);
                self.tell(
                    None,
                    EventKind::Store {
                        store: name.clone(),
                        state: "stopped".to_owned(),
                        message: None,
                    },
                );
                return;
            }
            StoreReport::Process(Observed::NotStarted(message)) => {
                let delay = live.backoff.ended(now.since(live.started));
                (live.phase, live.message) = (
                    StorePhase::Waiting {
                        until: now.after(delay),
                    },
                    Some(message),
                );
            }
            StoreReport::Process(Observed::Ended(exit)) => {
                let delay = live.backoff.ended(now.since(live.started));
                live.phase = StorePhase::Waiting {
                    until: now.after(delay),
                };
                live.message = Some(format!("its server {exit}"));
                (live.pid, live.shim_pid) = (None, None);
            }
            StoreReport::Process(_) => return,
        }
        let state = live.phase.as_str().to_owned();
        let message = live.message.clone();
        self.tell(
            None,
            EventKind::Store {
                store: name.clone(),
                state,
                message,
            },
        );
    }

    /// Stops a store's server.
    pub(crate) fn stop_store(&mut self, name: &Name, order: Order) {
        let Some(live) = self.live_stores.get_mut(name) else {
            return;
        };
        match live.phase {
            StorePhase::External | StorePhase::Waiting { .. } => {
                self.live_stores.remove(name);
            }
            StorePhase::Stopping if order == Order::Stop => {}
            _ => {
                live.phase = StorePhase::Stopping;
                let orders = live.orders.clone();
                self.effect(move |_| {
                    if let Some(orders) = orders {
                        orders.try_send(order).ok();
                    }
                });
            }
        }
    }
}

/// What an external store's URL says. The host is taken apart only so far as `${db.host}` and its like need it.
fn external_credentials(url: &str, engine: StoreEngine) -> Result<Credentials, String> {
    let bad = || {
        format!(
            "its url is not of the form {}://user:password@host:port/database",
            engine.as_str()
        )
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
    let known = match engine {
        StoreEngine::Postgres => matches!(scheme, "postgres" | "postgresql"),
        StoreEngine::Redis => matches!(scheme, "redis" | "rediss"),
    };
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, address) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let address: http::uri::Authority = address.parse().map_err(|_| bad())?;
    let default_port = match engine {
        StoreEngine::Postgres => 5432,
        StoreEngine::Redis => 6379,
    };
    known
        .then(|| Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
            database: database.split('?').next().unwrap_or_default().to_owned(),
            host: address.host().to_owned(),
            port: address.port_u16().unwrap_or(default_port),
        })
        .ok_or_else(bad)
}

/// One run of one store's server.
struct StoreTask {
    name: Name,
    store: Store,
    attempt: u32,
    credentials: Credentials,
    dir: std::path::PathBuf,
    run_dir: std::path::PathBuf,
    log: LogTarget,
    project: String,
    shim: ShimProgram,
    user: Option<User>,
    events: mpsc::Sender<Event>,
}

impl StoreTask {
    async fn run(self, adopt: bool, orders: mpsc::Receiver<Order>) {
        let (start, prepared) = if adopt {
            (Start::Adopt(self.run_dir.clone()), None)
        } else {
            match self.prepare().await {
                Ok(prepared) => (
                    Start::Spawn(Box::new(self.launch(&prepared))),
                    Some(prepared),
                ),
                Err(message) => {
                    return self
                        .report(StoreReport::Process(Observed::NotStarted(message)))
                        .await;
                }
            }
        };
        let (observations, mut observed) = mpsc::unbounded_channel();
        let report = move |observed| drop(observations.send(observed));
        let process = supervise(self.shim.clone(), start, Watched::default(), orders, report);
        let watching = self.watch(prepared.as_ref());
        tokio::pin!(process, watching);
        let mut running = true;
        loop {
            tokio::select! {
                // Everything that the process reported comes before its end is acted on.
                biased;
                Some(observed) = observed.recv() => self.report(StoreReport::Process(observed)).await,
                () = &mut process, if running => running = false,
                () = &mut watching, if running => {}
                else => return,
            }
        }
    }

    async fn prepare(&self) -> Result<Prepared, String> {
        let server = wharf_store::find(self.store.engine, self.store.version.as_deref())
            .map_err(|error| chain(&error))?;
        if let Some(warning) = &server.warning {
            self.report(StoreReport::Warning(format!("`{}`: {warning}", self.name)))
                .await;
        }
        let request = Request {
            server,
            credentials: self.credentials.clone(),
            dir: self.dir.clone(),
            account: self.user.map(|user| Account {
                uid: user.uid,
                gid: user.gid,
            }),
            extensions: self.store.extensions.clone(),
        };
        wharf_store::prepare(request)
            .await
            .map_err(|error| chain(&error))
    }

    fn launch(&self, prepared: &Prepared) -> Launch {
        let inherited = ["PATH", "LANG", "LC_ALL", "TZ"];
        let mut env: BTreeMap<String, String> = inherited
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), std::env::var(key).ok()?)))
            .collect();
        env.extend(prepared.env.clone());
        Launch {
            id: format!("store-{}", self.name),
            project: self.project.clone(),
            argv: prepared.argv.clone(),
            cwd: prepared.cwd.clone(),
            env,
            user: self.user,
            limits: Limits::default(),
            stop_signal: Signal::from_number(prepared.stop.signal).unwrap_or(Signal::TERM),
            stop_scope: StopScope::Main,
            stop_timeout: prepared.stop.timeout,
            dir: self.run_dir.clone(),
            log: self.log.clone(),
        }
    }

    /// Asks the server until it answers, sets it up, and goes on asking. Never ends.
    async fn watch(&self, prepared: Option<&Prepared>) {
        let mut ready = false;
        let mut last = String::new();
        loop {
            let readiness =
                wharf_store::is_ready(&self.credentials, self.store.engine, ASK_TIMEOUT).await;
            let usable = match (readiness, prepared) {
                (wharf_store::Readiness::NotReady(reason), _) => Err(reason),
                (wharf_store::Readiness::Ready, Some(prepared)) if !ready => {
                    prepared.set_up().await.map_err(|error| chain(&error))
                }
                (wharf_store::Readiness::Ready, _) => Ok(()),
            };
            match usable {
                Ok(()) if !ready => {
                    ready = true;
                    last.clear();
                    self.report(StoreReport::Ready).await;
                }
                Ok(()) => {}
                Err(reason) => {
                    ready = false;
                    if reason != last {
                        self.report(StoreReport::Unready(reason.clone())).await;
                        last = reason;
                    }
                }
            }
            tokio::time::sleep(if ready { READY_PAUSE } else { STARTING_PAUSE }).await;
        }
    }

    async fn report(&self, report: StoreReport) {
        let event = Event::Store {
            name: self.name.clone(),
            attempt: self.attempt,
            report,
        };
        // An engine that no longer listens is about to exit.
        drop(self.events.send(event).await);
    }
}
