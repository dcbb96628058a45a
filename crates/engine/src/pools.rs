//! The pools before stores: started once the server can be used, adopted, told of another size, kept running, stopped before the
//! server when no replica is left that needs them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use wharf_base::ids::Name;
use wharf_plan::model::{Pool, StoreEngine};
use wharf_process::{Launch, Limits, LogTarget, ShimProgram, Signal, StopScope, User};
use wharf_store::{Account, Credentials, PoolSite, Pooler, Readiness};

use crate::api::EventKind;
use crate::engine::{Engine, Event};
use crate::ports::free_port;
use crate::replica::{Order, Start, chain};
use crate::store_process::{
    ASK_TIMEOUT, LOG_MAX_BYTES, LOG_MAX_FILES, News, READY_PAUSE, StorePhase, StoreProcess,
    StoreReport, inherited_environment, run_watched,
};
use crate::stores::LiveStore;

/// From one question to the next while it starts. Each that fails is a line of PgBouncer's log.
const STARTING_PAUSE: Duration = Duration::from_millis(100);

/// Descriptors beside those of connections: PgBouncer's own, and room for a larger `clients` while it runs.
const SPARE_FILES: u64 = 4_096;

/// What is known of a pool beside what is saved.
pub(crate) struct LivePool {
    pub(crate) process: StoreProcess,
    /// What it is to be; none for one that is only kept to be stopped.
    pub(crate) pool: Option<Pool>,
    changes: watch::Sender<Option<Pool>>,
}

impl Engine {
    /// The pools that have to run: those of the target, and those that replicas and jobs of other releases were given.
    fn wanted_pools(&self) -> BTreeMap<Name, Pool> {
        let replicas = self.saved.replicas.values().map(|replica| replica.release);
        let jobs = self.saved.jobs.values().map(|job| job.release);
        let releases = replicas
            .chain(jobs)
            .chain(self.saved.serving)
            .chain(self.saved.target);
        let stores = self.wanted_stores();
        releases
            .filter_map(|release| self.releases.get(&release))
            .flat_map(|release| &release.plan.stores)
            .filter(|(name, store)| stores.contains_key(*name) && store.external_url.is_none())
            .filter_map(|(name, store)| Some((name.clone(), store.pool?)))
            .collect()
    }

    /// Whether a store's pool can be used, or it has none.
    pub(crate) fn pool_is_ready(&self, name: &Name) -> bool {
        match self.live_pools.get(name) {
            Some(live) => live.process.phase == StorePhase::Ready,
            None => !self.wanted_pools().contains_key(name),
        }
    }

    /// Where a store's pool listens, or did; none if it never had one.
    pub(crate) fn pool_port(&self, name: &Name) -> Option<u16> {
        Some(self.saved.stores.get(name)?.pool.as_ref()?.port)
    }

    /// Chooses where a store's pool listens, once: replicas may be told before it runs.
    fn choose_pool_port(&mut self, name: &Name) {
        let taken = self.store_ports();
        let saved = self.saved.stores.entry(name.clone()).or_default();
        let pool = saved.pool.get_or_insert_default();
        if pool.port == 0 {
            pool.port = free_port(&taken).unwrap_or_default();
        }
    }

    pub(crate) fn adopt_pools(&mut self) {
        let wanted = self.wanted_pools();
        for (name, saved) in self.saved.stores.clone() {
            if saved.pool.is_some_and(|pool| pool.runs) {
                self.start_pool(&name, wanted.get(&name).copied(), true);
            }
        }
    }

    /// Starts the pools that are wanted, tells them what has changed, and stops those that are wanted no more.
    pub(crate) fn tend_pools(&mut self) {
        if self.shutdown.is_some() {
            return;
        }
        let now = self.now();
        let wanted = self.wanted_pools();
        for (name, pool) in &wanted {
            match self.live_pools.get_mut(name) {
                // Until its server answers there is nothing to lead to.
                None => {
                    self.choose_pool_port(name);
                    if self.live_stores.get(name).is_some_and(LiveStore::is_ready) {
                        self.start_pool(name, Some(*pool), false);
                    }
                }
                Some(live) => match live.process.phase {
                    StorePhase::Waiting { until } if until <= now => {
                        self.start_pool(name, Some(*pool), false);
                    }
                    StorePhase::Waiting { until } => self.wake_at(until),
                    StorePhase::Stopping => {}
                    _ if live.pool != Some(*pool) => {
                        live.pool = Some(*pool);
                        live.changes.send_replace(Some(*pool));
                    }
                    _ => {}
                },
            }
        }
        let unwanted = self.live_pools.keys();
        let unwanted: Vec<Name> = unwanted
            .filter(|name| !wanted.contains_key(*name))
            .cloned()
            .collect();
        for name in unwanted {
            self.stop_pool(&name, Order::Stop);
        }
    }

    fn start_pool(&mut self, name: &Name, pool: Option<Pool>, adopt: bool) {
        let now = self.now();
        let backoff = self
            .live_pools
            .get(name)
            .map(|live| live.process.backoff)
            .unwrap_or_default();
        let saved = self.saved.stores.entry(name.clone()).or_default();
        let server_port = saved.port;
        let saved = saved.pool.get_or_insert_default();
        saved.attempt += u32::from(!adopt);
        saved.runs = true;
        let (port, attempt) = (saved.port, saved.attempt);
        let (orders, receiver) = mpsc::channel(4);
        let (changes, changed) = watch::channel(pool);
        let mut live = LivePool {
            process: StoreProcess::starting("pool", now, backoff, orders),
            pool,
            changes,
        };
        let server = match self.credentials(name, StoreEngine::Postgres, server_port) {
            Ok(credentials) => credentials,
            Err(error) => {
                live.process
                    .failed(now, format!("cannot read the store's password: {error}"));
                self.live_pools.insert(name.clone(), live);
                return;
            }
        };
        self.live_pools.insert(name.clone(), live);
        self.tell_pool(name, News::Phase);
        let id = format!("{name}-pool");
        let task = PoolTask {
            name: name.clone(),
            attempt,
            site: self.pool_site(name, server, port),
            run_dir: self.state.run_dir(&format!("pool-{name}"), attempt),
            log: LogTarget {
                dir: self.state.logs(name),
                name: id,
                max_bytes: LOG_MAX_BYTES,
                max_files: LOG_MAX_FILES,
            },
            project: self.marker.clone(),
            shim: self.shim.clone(),
            user: self.user,
            events: self.events.clone(),
        };
        self.effect(move |_| drop(tokio::task::spawn_local(task.run(adopt, receiver, changed))));
    }

    /// Where a pool listens, and before what.
    pub(crate) fn pool_site(&self, name: &Name, server: Credentials, port: u16) -> PoolSite {
        PoolSite {
            server,
            port,
            dir: self.state.store(name),
            account: self.user.map(|user| Account {
                uid: user.uid,
                gid: user.gid,
            }),
        }
    }

    pub(crate) fn pool_reported(&mut self, name: &Name, attempt: u32, report: StoreReport) {
        let saved = self.saved.stores.get(name);
        let saved = saved.and_then(|saved| saved.pool.as_ref());
        if saved.is_none_or(|saved| saved.attempt != attempt) {
            return;
        }
        let now = self.now();
        if let Some(live) = self.live_pools.get_mut(name) {
            let news = live.process.reported(report, now);
            self.tell_pool(name, news);
        }
    }

    /// Tells of a pool; forgets one that is gone.
    fn tell_pool(&mut self, name: &Name, news: News) {
        let process = self.live_pools.get(name).map(|live| &live.process);
        let (state, message) = match (news, process) {
            (News::None, _) | (_, None) => return,
            (News::Notice(message), _) => return self.tell(None, EventKind::Notice { message }),
            (News::Phase, Some(process)) => (process.phase.as_str(), process.message.clone()),
            (News::Gone, _) => {
                self.forget_pool(name);
                ("stopped", None)
            }
        };
        let state = format!("pool {state}");
        self.tell(
            None,
            EventKind::Store {
                store: name.clone(),
                state,
                message,
            },
        );
    }

    fn forget_pool(&mut self, name: &Name) {
        self.live_pools.remove(name);
        let saved = self.saved.stores.get_mut(name);
        if let Some(saved) = saved.and_then(|saved| saved.pool.as_mut()) {
            saved.runs = false;
        }
    }

    /// Stops a pool.
    pub(crate) fn stop_pool(&mut self, name: &Name, order: Order) {
        let Some(live) = self.live_pools.get_mut(name) else {
            return;
        };
        if let StorePhase::Waiting { .. } = live.process.phase {
            return self.forget_pool(name);
        }
        if let Some(orders) = live.process.stop(order) {
            self.effect(move |_| {
                orders.try_send(order).ok();
            });
        }
    }
}

/// One run of one pool.
struct PoolTask {
    name: Name,
    attempt: u32,
    site: PoolSite,
    run_dir: std::path::PathBuf,
    log: LogTarget,
    project: String,
    shim: ShimProgram,
    user: Option<User>,
    events: mpsc::Sender<Event>,
}

impl PoolTask {
    async fn run(
        self,
        adopt: bool,
        orders: mpsc::Receiver<Order>,
        changes: watch::Receiver<Option<Pool>>,
    ) {
        let pool = *changes.borrow();
        let start = match (adopt, pool) {
            (false, Some(pool)) => self.launch(&pool).await,
            _ => Ok(Start::Adopt(self.run_dir.clone())),
        };
        let start = match start {
            Ok(start) => start,
            Err(message) => {
                let report = crate::replica::Observed::NotStarted(message);
                return self.report(StoreReport::Process(report)).await;
            }
        };
        // What one that is adopted was configured with is not known.
        let known = pool.filter(|_| !adopt);
        let watching = self.watch(known, changes);
        let report = async |report| self.report(report).await;
        run_watched(self.shim.clone(), start, orders, watching, report).await;
    }

    async fn launch(&self, pool: &Pool) -> Result<Start, String> {
        let pooler = Pooler::find().map_err(|error| chain(&error))?;
        let prepared = self
            .site
            .prepare(&pooler, pool)
            .map_err(|error| chain(&error))?;
        if let Some(shortcoming) = pooler.shortcoming(pool) {
            self.report(StoreReport::Warning(format!(
                "the pool of `{}`: {shortcoming}",
                self.name
            )))
            .await;
        }
        let files = u64::from(pool.clients) + u64::from(pool.size) + SPARE_FILES;
        Ok(Start::Spawn(Box::new(Launch {
            id: format!("pool-{}", self.name),
            project: self.project.clone(),
            argv: prepared.argv,
            cwd: prepared.cwd,
            env: inherited_environment(),
            user: self.user,
            limits: Limits {
                open_files: Some(files),
                ..Limits::default()
            },
            stop_signal: Signal::from_number(prepared.stop.signal).unwrap_or(Signal::TERM),
            stop_scope: StopScope::Main,
            stop_timeout: prepared.stop.timeout,
            dir: self.run_dir.clone(),
            log: self.log.clone(),
        })))
    }

    /// Asks the pool until a client can log in, tells it what has changed, and goes on asking. Never ends.
    async fn watch(
        &self,
        mut known: Option<Pool>,
        mut changes: watch::Receiver<Option<Pool>>,
    ) -> Infallible {
        let mut ready = false;
        let mut last = String::new();
        loop {
            let wanted = *changes.borrow_and_update();
            let usable = match self.site.is_ready(!ready, ASK_TIMEOUT).await {
                Readiness::NotReady(reason) => Err(reason),
                Readiness::Ready => match wanted.filter(|wanted| known != Some(*wanted)) {
                    None => Ok(()),
                    Some(pool) => self.reload(&pool).await.map(|()| known = Some(pool)),
                },
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
            let pause = if ready { READY_PAUSE } else { STARTING_PAUSE };
            if let Ok(Err(_)) = tokio::time::timeout(pause, changes.changed()).await {
                // The engine has lost interest, and will end this task.
                tokio::time::sleep(pause).await;
            }
        }
    }

    async fn reload(&self, pool: &Pool) -> Result<(), String> {
        let pooler = Pooler::find().map_err(|error| chain(&error))?;
        let reloaded = tokio::time::timeout(ASK_TIMEOUT, self.site.reload(&pooler, pool)).await;
        reloaded
            .unwrap_or_else(|_| Err(self.site.silent()))
            .map_err(|error| chain(&error))
    }

    async fn report(&self, report: StoreReport) {
        let event = Event::Pool {
            name: self.name.clone(),
            attempt: self.attempt,
            report,
        };
        // An engine that no longer listens is about to exit.
        drop(self.events.send(event).await);
    }
}
