//! The servers of the stores: prepared, started or adopted, asked whether they answer, set up, kept running.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, watch};
use wharf_base::ids::Name;
use wharf_base::units::{Bytes, Millicores};
use wharf_plan::model::{Resources, Store, StoreEngine};
use wharf_plan::rules::vocabulary::watched_lists;
use wharf_process::{Limits, LogTarget};
use wharf_store::{Credentials, RANDOM_BYTES, RedisList};

use crate::api::EventKind;
use crate::engine::Engine;
use crate::environment::StoreAddress;
use crate::ports::free_port;
use crate::replica::{Observed, Order};
use crate::state_dir::{random_hex, write_secret};
use crate::store_process::{
    LOG_MAX_BYTES, LOG_MAX_FILES, News, StorePhase, StoreProcess, StoreReport,
};
use crate::store_task::StoreTask;

/// What is known of a store beside what is saved.
pub(crate) struct LiveStore {
    pub(crate) engine: StoreEngine,
    pub(crate) process: StoreProcess,
    pub(crate) address: Option<StoreAddress>,
    /// How long the lists are that the plan watches, by name.
    pub(crate) queues: BTreeMap<String, u64>,
    /// Which lists those are, for its task; none for a server that Wharf does not run.
    pub(crate) lists: Option<watch::Sender<Vec<RedisList>>>,
}

impl LiveStore {
    /// Whether its server can be used, through whatever pool.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.process.phase, StorePhase::Ready | StorePhase::External)
    }

    pub(crate) fn is_external(&self) -> bool {
        self.lists.is_none()
    }
}

impl Engine {
    /// Where the stores answer that Wharf runs.
    pub(crate) fn store_addresses(&self) -> BTreeMap<Name, StoreAddress> {
        let known = self.live_stores.iter();
        known
            .filter(|(_, store)| !store.is_external())
            .filter_map(|(name, store)| {
                let mut address = store.address.clone()?;
                address.pool_port = self.pool_port(name);
                Some((name.clone(), address))
            })
            .collect()
    }

    /// Whether clients can use the store: its server, and its pool where it has one.
    pub(crate) fn store_is_ready(&self, name: &Name) -> bool {
        let target = self
            .target()
            .and_then(|target| target.plan.stores.get(name));
        let elsewhere = target.is_some_and(|store| store.external_url.is_some());
        self.live_stores.get(name).is_some_and(|live| {
            // A server that still runs for what serves is not the one that the target asks.
            let other = elsewhere && !live.is_external();
            other || live.is_ready() && self.pool_is_ready(name)
        })
    }

    /// The stores that have to be there: those of the target and, until it serves, those of what serves. A server that one of
    /// the two needs run is run, wherever the other has the store.
    pub(crate) fn wanted_stores(&self) -> BTreeMap<Name, Store> {
        let releases = [self.serving(), self.target()];
        let stores = releases
            .into_iter()
            .flatten()
            .flat_map(|release| release.plan.stores.clone());
        let (external, own): (Vec<_>, Vec<_>) =
            stores.partition(|(_, store)| store.external_url.is_some());
        external.into_iter().chain(own).collect()
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
            if store.external_url.is_some() {
                self.tend_external(name);
                continue;
            }
            let live = self.live_stores.get(name);
            let own = live.filter(|live| !live.is_external());
            match own.map(|live| live.process.phase) {
                None => self.start_store(name, store, false),
                Some(StorePhase::Waiting { until }) if until <= now => {
                    self.start_store(name, store, false)
                }
                Some(StorePhase::Waiting { until }) => self.wake_at(until),
                Some(_) => {}
            }
        }
        self.tell_lists(&wanted);
        let gone: Vec<Name> = self
            .live_stores
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            // A pool ends before its server.
            if !self.live_pools.contains_key(&name) {
                self.stop_store(&name, Order::Stop);
            }
        }
    }

    /// Tells the tasks of stores which lists are watched now.
    fn tell_lists(&mut self, stores: &BTreeMap<Name, Store>) {
        let plan = self
            .target()
            .or(self.serving())
            .map(|release| &release.plan);
        let Some(plan) = plan.cloned() else { return };
        for name in stores.keys() {
            let Some(live) = self.live_stores.get_mut(name) else {
                continue;
            };
            let wanted: Vec<RedisList> = watched_lists(&plan, name)
                .into_iter()
                .map(|(database, key)| RedisList {
                    database,
                    key: key.to_owned(),
                })
                .collect();
            live.queues
                .retain(|queue, _| wanted.iter().any(|list| list.key == *queue));
            if let Some(lists) = &live.lists {
                lists.send_if_modified(|lists| {
                    let changed = *lists != wanted;
                    *lists = wanted;
                    changed
                });
            }
        }
    }

    fn start_store(&mut self, name: &Name, store: &Store, adopt: bool) {
        let now = self.now();
        let backoff = self
            .live_stores
            .get(name)
            .map(|live| live.process.backoff)
            .unwrap_or_default();
        let taken = self.store_ports();
        let saved = self.saved.stores.entry(name.clone()).or_default();
        if saved.port == 0 {
            saved.port = free_port(&taken).unwrap_or_default();
        }
        saved.attempt += u32::from(!adopt);
        let (port, attempt) = (saved.port, saved.attempt);
        let (orders, receiver) = mpsc::channel(4);
        let (lists, watched) = watch::channel(vec![]);
        let mut live = LiveStore {
            engine: store.engine,
            process: StoreProcess::starting("server", now, backoff, orders),
            address: None,
            queues: BTreeMap::new(),
            lists: Some(lists),
        };
        let credentials = match self.credentials(name, store.engine, port) {
            Ok(credentials) => credentials,
            Err(error) => {
                let message = format!("cannot keep its password: {error}");
                live.process.failed(now, message);
                self.live_stores.insert(name.clone(), live);
                return;
            }
        };
        live.address = Some(StoreAddress {
            engine: store.engine,
            credentials: credentials.clone(),
            url: None,
            pool_port: None,
        });
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
                max_files: LOG_MAX_FILES,
            },
            project: self.marker.clone(),
            shim: self.shim.clone(),
            user: self.user,
            events: self.events.clone(),
        };
        self.effect(move |_| drop(tokio::task::spawn_local(task.run(adopt, receiver, watched))));
    }

    /// The ports that stores and pools have for ever.
    pub(crate) fn store_ports(&self) -> Vec<u16> {
        let stores = self.saved.stores.values();
        stores
            .flat_map(|saved| [Some(saved.port), saved.pool.as_ref().map(|pool| pool.port)])
            .flatten()
            .collect()
    }

    /// The password of a store, drawn once and kept for ever.
    pub(crate) fn credentials(
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
        match &report {
            StoreReport::Ready if live.process.phase != StorePhase::Stopping => {
                if let Some(saved) = self.saved.stores.get_mut(name) {
                    saved.set_up = true;
                }
            }
            StoreReport::Queues(lengths) => live.queues.clone_from(lengths),
            StoreReport::Unready(_) | StoreReport::Process(Observed::Ended(_)) => {
                live.queues.clear();
            }
            _ => {}
        }
        let news = live.process.reported(report, now);
        let (phase, message) = (live.process.phase, live.process.message.clone());
        self.tell_store(name, news, phase, message);
    }

    /// Tells of what a store's server has reported; forgets one that is gone.
    fn tell_store(&mut self, name: &Name, news: News, phase: StorePhase, message: Option<String>) {
        let (state, message) = match news {
            News::None => return,
            News::Notice(message) => return self.tell(None, EventKind::Notice { message }),
            News::Phase => (phase.as_str(), message),
            News::Gone => {
                self.live_stores.remove(name);
                ("stopped", None)
            }
        };
        self.tell(
            None,
            EventKind::Store {
                store: name.clone(),
                state: state.to_owned(),
                message,
            },
        );
    }

    /// Stops a store's server.
    pub(crate) fn stop_store(&mut self, name: &Name, order: Order) {
        let Some(live) = self.live_stores.get_mut(name) else {
            return;
        };
        match live.process.phase {
            StorePhase::External | StorePhase::Waiting { .. } => {
                self.live_stores.remove(name);
            }
            _ => {
                if let Some(orders) = live.process.stop(order) {
                    self.effect(move |_| {
                        orders.try_send(order).ok();
                    });
                }
            }
        }
    }
}

/// What the plan lets a process use.
pub(crate) fn limits_of(resources: &Resources) -> Limits {
    Limits {
        memory: resources.memory.map(|bounds| Bytes(bounds.limit.0)),
        cpu: resources.cpu.map(|bounds| Millicores(bounds.limit.0)),
        ..Limits::default()
    }
}
