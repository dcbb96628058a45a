//! The telemetry from its start to its end.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::Handle as RuntimeHandle;
use tokio::sync::watch;
use wharf_alerting::manager::Handle;
use wharf_alerting::rules::RuleGroup;
use wharf_control::alert::Alert;
use wharf_process::log::{Waker, Watch};
use wharf_signal::SampleSink;

use crate::archive::Place;
use crate::collectors::Collectors;
use crate::config::{Config, Mode, Settings};
use crate::files::{Files, LOOK};
use crate::gate::Gate;
use crate::health::{self, Health, State};
use crate::notify::{self, Notifications};
use crate::rules::Rules;
use crate::scrape::{Collector, Scraper};
use crate::stores::Stores;
use crate::tail::{LogSources, Tail};
use crate::{alertmanager_api, guard, ingest_api, loki_api, prometheus_api, tempo_api};

/// Threads that serve and scrape. Queries run on others, as many at once as the gate lets in.
const THREADS: usize = 2;

/// A thread of a query that has nothing to do ends after this time.
const IDLE_THREAD: Duration = Duration::from_secs(10);

/// Between two attempts to open the stores.
const OPEN_AGAIN: Duration = Duration::from_secs(5);

/// Queries that run at once, as in Prometheus, and how long one may take.
const QUERIES: usize = 20;
const QUERY_TIMEOUT: Duration = Duration::from_secs(120);

/// How long requests under way may take when it ends.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A running telemetry. Dropped, it ends; [`Telemetry::stop`] waits for that.
#[derive(Debug)]
pub struct Telemetry {
    address: SocketAddr,
    health: health::Shared,
    stores: Arc<OnceLock<Stores>>,
    config: watch::Sender<Option<Arc<Config>>>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Telemetry {
    /// Starts it. It opens its stores and answers once it knows what there is ([`Telemetry::configure`]); who asks before waits.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let address = settings.listener.local_addr()?;
        settings.listener.set_nonblocking(true)?;
        let health = health::Shared::default();
        let stores = Arc::new(OnceLock::new());
        let (config, configs) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("telemetry")
            .thread_keep_alive(IDLE_THREAD)
            .enable_all()
            .build()?;
        let run = Run {
            dir: settings.dir,
            address,
            mode: settings.mode,
            engine: settings.engine,
            health: health.clone(),
            stores: Arc::clone(&stores),
            configs,
            stopped,
        };
        let listener = settings.listener;
        let thread = std::thread::Builder::new()
            .name("telemetry".to_owned())
            .spawn(move || {
                let health = run.health.clone();
                if let Err(error) = runtime.block_on(run.run(listener)) {
                    health.trouble("server", Some(error));
                }
                runtime.shutdown_timeout(STOP_TIMEOUT);
                health.set_state(State::Stopped);
            })?;
        Ok(Self {
            address,
            health,
            stores,
            config,
            stop,
            thread: Some(thread),
        })
    }

    /// Tells it what there is. Takes effect soon; what stays the same is not disturbed.
    pub fn configure(&self, config: Config) {
        self.config.send_if_modified(|present| {
            let changed = present.as_deref() != Some(&config);
            if changed {
                *present = Some(Arc::new(config));
            }
            changed
        });
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it fares, its stores at this moment included.
    #[must_use]
    pub fn health(&self) -> Health {
        let mut health = self.health.get();
        if let Some(stores) = self.stores.get() {
            stores.add_to(&mut health);
        }
        health
    }

    /// Ends it in order. Blocks, for some seconds at most while requests are under way.
    pub fn stop(mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has ended too.
            drop(thread.join());
        }
    }
}

struct Run {
    dir: PathBuf,
    address: SocketAddr,
    mode: Mode,
    engine: Arc<dyn Collector>,
    health: health::Shared,
    /// For who asks how they are; set once they are open.
    stores: Arc<OnceLock<Stores>>,
    configs: watch::Receiver<Option<Arc<Config>>>,
    stopped: watch::Receiver<bool>,
}

impl Run {
    /// Runs until it is told to stop; then everything that was taken is on disk.
    async fn run(mut self, listener: std::net::TcpListener) -> Result<(), String> {
        let listener = TcpListener::from_std(listener)
            .map_err(|error| format!("it cannot be listened on: {error}"))?;
        let mut stopped = self.stopped.clone();
        let archive = Place::new(&self.dir, RuntimeHandle::current());
        let stores = tokio::select! {
            stores = self.open(&archive) => stores,
            _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
        };
        let sink: Arc<dyn SampleSink> = Arc::new(stores.db.clone());
        let scraper = Arc::new(Scraper::new(sink, RuntimeHandle::current()));
        let (manager, managing) = notify::start(&self.dir, &self.health);
        let rules = Arc::new(self.rules(&stores, &manager));
        let app = self.router(&stores, &scraper, &rules, &manager);
        let mut background = tokio::task::JoinSet::new();
        background.spawn(stores.clone().tend(self.health.clone()));
        if self.mode == Mode::Project {
            background.spawn(Arc::clone(&rules).run());
        }
        let mut stop = self.stopped.clone();
        let serving = axum::serve(listener, app).with_graceful_shutdown(async move {
            // A sender that is gone means the same.
            drop(stop.wait_for(|stopped| *stopped).await);
        });
        let serving = tokio::spawn(serving.into_future());
        self.health.set_state(State::Ready);
        let mut tail = Tailing::new(stores.clone(), self.health.clone());
        let collectors = Collectors::new(Arc::clone(&self.engine), stores.clone());
        let parts = Parts {
            archive,
            scraper: Arc::clone(&scraper),
            collectors,
            rules,
            manager,
            health: self.health.clone(),
            files: Files::default(),
            config: None,
            told: None,
        };
        self.follow_config(parts, &mut tail).await;
        background.shutdown().await;
        tail.stop().await;
        // Whoever follows a log holds its connection for as long as it likes.
        drop(tokio::time::timeout(STOP_TIMEOUT, serving).await);
        drop(tokio::time::timeout(notify::STOP_TIMEOUT, managing).await);
        if let Some(scraper) = Arc::into_inner(scraper) {
            scraper.stop().await;
        }
        drop(tokio::task::spawn_blocking(move || stores.close()).await);
        Ok(())
    }

    /// Opens the stores once it is known how long they keep things; tries again while they cannot be opened.
    async fn open(&mut self, archive: &Place) -> Stores {
        loop {
            let config = match self.configs.wait_for(Option::is_some).await {
                Ok(config) => config.clone(),
                Err(_) => return std::future::pending().await,
            };
            let Some(config) = config else { continue };
            let (dir, mode) = (self.dir.clone(), self.mode);
            let (archive, health) = (archive.clone(), self.health.clone());
            let opened = tokio::task::spawn_blocking(move || {
                health.trouble("archive", archive.set(&config.project, &config.archive));
                Stores::open(&dir, mode, &config.keep, &archive)
            });
            let opened = opened.await;
            match opened.unwrap_or_else(|error| Err(format!("opening ended by a defect: {error}")))
            {
                Ok((stores, found)) => {
                    self.health.trouble("stores", None);
                    self.health.recovered(found);
                    // They are opened once.
                    drop(self.stores.set(stores.clone()));
                    return stores;
                }
                Err(error) => {
                    self.health.trouble("stores", Some(error));
                    self.health.set_state(State::Failed);
                    tokio::time::sleep(OPEN_AGAIN).await;
                }
            }
        }
    }

    /// The rules, which tell the manager of notifications what fires.
    fn rules(&self, stores: &Stores, manager: &Handle) -> Rules {
        let (manager, runtime) = (manager.clone(), RuntimeHandle::current());
        let tell = move |source: &str, firing: Vec<Alert>| {
            // Rules are evaluated on a thread that may wait. A manager that has ended ends with everything else.
            runtime
                .block_on(manager.observe(source, firing))
                .unwrap_or_default();
        };
        Rules::new(
            stores.db.clone(),
            self.dir.join("rules.json"),
            format!("http://{}", self.address),
            self.health.clone(),
            Box::new(tell),
        )
    }

    fn router(
        &self,
        stores: &Stores,
        scraper: &Arc<Scraper>,
        rules: &Arc<Rules>,
        manager: &Handle,
    ) -> Router {
        let gate = Gate::new(QUERIES, QUERY_TIMEOUT);
        Router::new()
            .merge(prometheus_api::router(
                stores, scraper, rules, gate, self.mode,
            ))
            .merge(alertmanager_api::router(manager))
            .merge(ingest_api::router(stores))
            .merge(loki_api::router(Arc::new(stores.logs.clone())))
            .merge(tempo_api::router(stores.traces.clone()))
            .layer(axum::middleware::from_fn(guard::only_local))
    }

    /// Takes on each configuration, and what its files say, until it is told to stop.
    async fn follow_config(&mut self, mut parts: Parts, tail: &mut Tailing) {
        let mut stopped = self.stopped.clone();
        loop {
            let config = self.configs.borrow_and_update().clone();
            if let Some(config) = config.filter(|_| self.mode == Mode::Project) {
                parts.take(&config).await;
                tail.follow(&config.logs).await;
            }
            tokio::select! {
                changed = self.configs.changed() => if changed.is_err() { return },
                () = parts.file_changed() => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
        }
    }
}

/// What a configuration changes.
struct Parts {
    archive: Place,
    scraper: Arc<Scraper>,
    collectors: Collectors,
    rules: Arc<Rules>,
    manager: Handle,
    health: health::Shared,
    files: Files,
    /// The configuration whose files these are.
    config: Option<Arc<Config>>,
    /// The notifications that the manager has.
    told: Option<(Notifications, Vec<String>)>,
}

impl Parts {
    /// Takes on a configuration.
    async fn take(&mut self, config: &Arc<Config>) {
        let known = self.config.as_ref();
        let same_files = known.is_some_and(|known| {
            (&known.target_files, &known.rule_files, known.interval)
                == (&config.target_files, &config.rule_files, config.interval)
        });
        if !same_files {
            self.files = Files::of(config);
            self.refresh_files().await;
        }
        let (archive, health) = (self.archive.clone(), self.health.clone());
        let to = Arc::clone(config);
        let set = tokio::task::spawn_blocking(move || {
            health.trouble("archive", archive.set(&to.project, &to.archive));
        });
        drop(set.await);
        self.config = Some(Arc::clone(config));
        let targets = config.targets.iter();
        let targets: Vec<_> = targets
            .map(|target| self.collectors.target(target))
            .collect();
        self.scraper
            .set_targets(targets.into_iter().chain(self.files.targets()));
        let mut groups = config.rules.clone();
        groups.extend(self.files.rules());
        // Receivers before rules: what fires first finds them.
        self.tell(config, groups.iter().map(RuleGroup::id).collect())
            .await;
        let (rules, config) = (Arc::clone(&self.rules), Arc::clone(config));
        let set = tokio::task::spawn_blocking(move || {
            rules.set_groups(&groups, config.interval, &config.external_labels);
        });
        drop(set.await);
    }

    /// Gives the manager other receivers, if they are others.
    async fn tell(&mut self, config: &Config, sources: Vec<String>) {
        let wanted = (config.notifications.clone(), sources);
        if self.told.as_ref() == Some(&wanted) {
            return;
        }
        let unusable = &wanted.0.unusable;
        let trouble = (!unusable.is_empty()).then(|| unusable.join("; "));
        self.health.trouble("receivers", trouble);
        let notifications = wanted.0.clone();
        let made = tokio::task::spawn_blocking(move || notify::config(&notifications)).await;
        if let Ok(made) = made {
            // A manager that has ended ends with everything else.
            let sources = wanted.1.clone();
            self.manager
                .reconfigure(made, sources)
                .await
                .unwrap_or_default();
            self.told = Some(wanted);
        }
    }

    async fn refresh_files(&mut self) -> bool {
        let (mut files, health) = (std::mem::take(&mut self.files), self.health.clone());
        let read = tokio::task::spawn_blocking(move || {
            let changed = files.refresh(&health);
            (files, changed)
        });
        match read.await {
            Ok((files, changed)) => {
                self.files = files;
                changed
            }
            Err(_) => false,
        }
    }

    /// Returns when a file says something else. Cancelled, it loses nothing but a look.
    async fn file_changed(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(config) = &self.config else { continue };
            if config.target_files.is_empty() && config.rule_files.is_empty() {
                continue;
            }
            if self.refresh_files().await {
                return;
            }
        }
    }
}

/// The thread that tails logs, if one does.
struct Tailing {
    stores: Stores,
    health: health::Shared,
    running: Option<(LogSources, Waker, JoinHandle<()>)>,
}

impl Tailing {
    fn new(stores: Stores, health: health::Shared) -> Self {
        Self {
            stores,
            health,
            running: None,
        }
    }

    /// Tails these from now on.
    async fn follow(&mut self, sources: &LogSources) {
        if self
            .running
            .as_ref()
            .is_some_and(|(known, ..)| known == sources)
        {
            return;
        }
        self.stop().await;
        let (stores, health) = (self.stores.clone(), self.health.clone());
        let started = Watch::new().and_then(|(watch, waker)| {
            let tail = Tail::new(sources.clone(), stores, health, watch);
            let thread = std::thread::Builder::new()
                .name("tail".to_owned())
                .spawn(move || tail.run())?;
            Ok((waker, thread))
        });
        match started {
            Ok((waker, thread)) => self.running = Some((sources.clone(), waker, thread)),
            Err(error) => {
                let message = format!("no thread can be started to follow logs: {error}");
                self.health.trouble("tail", Some(message));
            }
        }
    }

    /// Ends it once it has taken what is written by now.
    async fn stop(&mut self) {
        let Some((_, waker, thread)) = self.running.take() else {
            return;
        };
        drop(waker);
        // A thread that panicked has ended too.
        drop(tokio::task::spawn_blocking(move || thread.join()).await);
    }
}
