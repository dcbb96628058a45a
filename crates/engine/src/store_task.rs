//! One run of a store's server: prepared, launched or adopted, asked whether it answers, set up, asked again.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, watch};
use wharf_base::ids::Name;
use wharf_plan::model::Store;
use wharf_process::{Launch, LogTarget, ShimProgram, Signal, StopScope, User};
use wharf_store::{Account, Credentials, Prepared, RedisList, Request};

use crate::engine::Event;
use crate::replica::{Observed, Order, Start, chain};
use crate::store_process::{
    ASK_TIMEOUT, READY_PAUSE, STARTING_PAUSE, StoreReport, inherited_environment, run_watched,
};
use crate::stores::limits_of;

/// One run of one store's server.
pub(crate) struct StoreTask {
    pub(crate) name: Name,
    pub(crate) store: Store,
    pub(crate) attempt: u32,
    pub(crate) credentials: Credentials,
    pub(crate) dir: PathBuf,
    pub(crate) run_dir: PathBuf,
    pub(crate) log: LogTarget,
    pub(crate) project: String,
    pub(crate) shim: ShimProgram,
    pub(crate) user: Option<User>,
    pub(crate) events: mpsc::Sender<Event>,
}

impl StoreTask {
    pub(crate) async fn run(
        self,
        adopt: bool,
        orders: mpsc::Receiver<Order>,
        lists: watch::Receiver<Vec<RedisList>>,
    ) {
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
        let watching = self.watch(prepared.as_ref(), &lists);
        let report = async |report| self.report(report).await;
        run_watched(self.shim.clone(), start, orders, watching, report).await;
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
            pooled: self.store.pool.map_or(0, |pool| pool.size),
        };
        wharf_store::prepare(request)
            .await
            .map_err(|error| chain(&error))
    }

    fn launch(&self, prepared: &Prepared) -> Launch {
        let mut env = inherited_environment();
        env.extend(prepared.env.clone());
        Launch {
            id: format!("store-{}", self.name),
            project: self.project.clone(),
            argv: prepared.argv.clone(),
            cwd: prepared.cwd.clone(),
            env,
            user: self.user,
            limits: limits_of(&self.store.resources),
            stop_signal: Signal::from_number(prepared.stop.signal).unwrap_or(Signal::TERM),
            stop_scope: StopScope::Main,
            stop_timeout: prepared.stop.timeout,
            dir: self.run_dir.clone(),
            log: self.log.clone(),
        }
    }

    /// Asks the server until it answers, sets it up, and goes on asking. Never ends.
    async fn watch(
        &self,
        prepared: Option<&Prepared>,
        lists: &watch::Receiver<Vec<RedisList>>,
    ) -> Infallible {
        let mut ready = false;
        let mut last = String::new();
        let mut queues = BTreeMap::new();
        let mut memory = MemoryWatch::new(&self.run_dir);
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
                    queues.clear();
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
            // A server that lives on has lost one of its own processes; one that does not says so with its end.
            if ready && memory.has_killed() {
                let limit = self.store.resources.memory.map(|bounds| bounds.limit);
                let limit = limit
                    .map(|limit| format!(" of {limit}"))
                    .unwrap_or_default();
                let message = format!(
                    "the kernel killed a process of the store `{}`, which went over its memory limit{limit}: raise \
                     `resources.memory` of the store",
                    self.name
                );
                self.report(StoreReport::Warning(message)).await;
            }
            let watched = lists.borrow().clone();
            if ready
                && !watched.is_empty()
                && let Some(lengths) = self.lengths(&watched).await
                && lengths != queues
            {
                queues.clone_from(&lengths);
                self.report(StoreReport::Queues(lengths)).await;
            }
            tokio::time::sleep(if ready { READY_PAUSE } else { STARTING_PAUSE }).await;
        }
    }

    /// How long the lists are, by name; those of one name in several databases together. None where Redis does not
    /// answer, which the next question about it will tell.
    async fn lengths(&self, lists: &[RedisList]) -> Option<BTreeMap<String, u64>> {
        let lengths = wharf_store::list_lengths(&self.credentials, lists, ASK_TIMEOUT).await;
        let mut queues = BTreeMap::new();
        for (list, length) in lists.iter().zip(lengths.ok()?) {
            let queue: &mut u64 = queues.entry(list.key.clone()).or_default();
            *queue = queue.saturating_add(length);
        }
        Some(queues)
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

/// Whether the kernel kills processes of a run for want of memory.
struct MemoryWatch<'a> {
    run_dir: &'a Path,
    killed: Option<u64>,
}

impl<'a> MemoryWatch<'a> {
    fn new(run_dir: &'a Path) -> Self {
        Self {
            run_dir,
            killed: None,
        }
    }

    /// Whether it has killed since the last question.
    fn has_killed(&mut self) -> bool {
        let Ok(Some(facts)) = wharf_process::facts::read(self.run_dir) else {
            return false;
        };
        let killed = facts.killed_for_memory();
        let before = self.killed.replace(killed);
        before.is_some_and(|before| killed > before)
    }
}
