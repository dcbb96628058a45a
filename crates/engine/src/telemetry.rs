//! The engine's side of the telemetry: what runs is what is scraped, tailed and watched.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use wharf_alerting::from_plan;
use wharf_alerting::rules::RuleGroup;
use wharf_base::clock::Timestamp;
use wharf_base::ids::{Name, ReleaseId, ReplicaId};
use wharf_exporters::{Families, Replica};
use wharf_plan::model::{LogArchive, Plan, Resources, Service, StoreEngine};
use wharf_plan::rules::rules;
use wharf_plan::rules::vocabulary::{PGBOUNCER_EXPORTER, POSTGRES_EXPORTER, REDIS_EXPORTER};
use wharf_signal::Labels;
use wharf_telemetry::scrape::{Address, Collecting, Collector};
use wharf_telemetry::{
    ArchivePlace, Bucket, Config, Keep, LogSources, Mode, Notifications, Settings, TargetConfig,
    Telemetry, Watched,
};

use crate::api::TelemetryStatus;
use crate::engine::{Command, Engine, Event};
use crate::ports::free_port;
use crate::release::Release;
use crate::saved::SavedReplica;
use crate::secret_values::secret_variable;
use crate::secrets::Secrets;
use crate::state_dir::StateDir;

/// The variable that turns the telemetry into a test bench: `test` takes samples of any age into an empty store. `off`: there is none,
/// which shows what it costs.
const MODE_VARIABLE: &str = "WHARF_TELEMETRY_MODE";

/// A request of the ingress that took longer becomes a span although it is not sampled.
const SLOW: Duration = Duration::from_secs(1);

/// The engine answers within its turn; one that is about to end does not.
const FACTS_TIMEOUT: Duration = Duration::from_secs(5);

/// The telemetry of a project, or why there is none.
pub(crate) struct TelemetryLink {
    running: Result<Telemetry, Absent>,
    /// What follows from the release alone, made once.
    of_release: Option<(ReleaseId, Arc<OfRelease>)>,
}

/// Why there is no telemetry.
struct Absent {
    /// As a word of [`TelemetryStatus`].
    status: &'static str,
    why: String,
}

/// What of a configuration follows from the release alone.
struct OfRelease {
    archive: ArchivePlace,
    rules: Vec<RuleGroup>,
    notifications: Notifications,
}

impl TelemetryLink {
    /// Starts it where it listened before, if that port is free.
    pub(crate) fn start(state: &StateDir, events: mpsc::Sender<Event>) -> Self {
        let mode = match std::env::var(MODE_VARIABLE).as_deref() {
            Ok("test") => Ok(Mode::Test),
            Ok("off") => Err(Absent {
                status: "off",
                why: format!(
                    "{MODE_VARIABLE} turned it off; unset that and start the engine again"
                ),
            }),
            _ => Ok(Mode::Project),
        };
        Self {
            running: mode.and_then(|mode| Self::run(state.telemetry(), mode, events)),
            of_release: None,
        }
    }

    fn run(dir: PathBuf, mode: Mode, events: mpsc::Sender<Event>) -> Result<Telemetry, Absent> {
        let started = std::fs::create_dir_all(&dir)
            .and_then(|()| listen(&dir))
            .and_then(|listener| {
                Telemetry::start(Settings {
                    dir,
                    listener,
                    mode,
                    engine: Arc::new(EngineCollector(events)),
                })
            });
        started.map_err(|error| Absent {
            status: "failed",
            why: format!("the telemetry cannot start: {error}"),
        })
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> Option<String> {
        let running = self.running.as_ref().ok()?;
        Some(format!("http://{}", running.address()))
    }

    /// How it fares, or why there is none.
    pub(crate) fn status(&self) -> TelemetryStatus {
        let running = match &self.running {
            Ok(running) => running,
            Err(absent) => {
                return TelemetryStatus {
                    status: absent.status.to_owned(),
                    troubles: BTreeMap::from([("server".to_owned(), absent.why.clone())]),
                    recovered: vec![],
                };
            }
        };
        let health = running.health();
        let troubles = health.troubles.into_iter();
        TelemetryStatus {
            status: health.state.as_str().to_owned(),
            troubles: troubles.map(|(part, why)| (part.to_owned(), why)).collect(),
            recovered: health.recovered,
        }
    }

    fn configure(&self, config: Config) {
        if let Ok(running) = &self.running {
            running.configure(config);
        }
    }

    /// Ends it in order. Blocks for some seconds at most.
    pub(crate) fn stop(self) {
        if let Ok(running) = self.running {
            running.stop();
        }
    }
}

/// Listens on loopback: on the port of last time, which is kept in the file `port`, or on another.
fn listen(dir: &Path) -> std::io::Result<TcpListener> {
    let file = dir.join("port");
    let on = |port: u16| TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let former = std::fs::read_to_string(&file)
        .ok()
        .and_then(|text| text.trim().parse::<u16>().ok());
    if let Some(listener) = former.and_then(|port| on(port).ok()) {
        return Ok(listener);
    }
    let listener = on(free_port(&[]).unwrap_or_default())?;
    std::fs::write(file, format!("{}\n", listener.local_addr()?.port()))?;
    Ok(listener)
}

/// Asks the engine's loop for its metrics.
struct EngineCollector(mpsc::Sender<Event>);

impl Collector for EngineCollector {
    fn collect(&self, _: Timestamp) -> Collecting<'_> {
        Box::pin(async {
            let (reply, facts) = oneshot::channel();
            let ask = Event::Command(Command::Facts(reply));
            let asked = async {
                self.0.send(ask).await.ok()?;
                facts.await.ok()
            };
            let found: Option<Families> = tokio::time::timeout(FACTS_TIMEOUT, asked)
                .await
                .ok()
                .flatten();
            found.ok_or_else(|| "the engine did not answer".to_owned())
        })
    }
}

impl Engine {
    /// Tells the telemetry what there is now. The telemetry itself sees whether that has changed.
    pub(crate) fn publish_telemetry(&mut self) {
        let Some(id) = self.saved.target.or(self.saved.serving) else {
            return;
        };
        let Some(fixed) = self.of_release(id) else {
            return;
        };
        let Some(release) = self.releases.get(&id) else {
            return;
        };
        let plan = &release.plan;
        let beside = |path: &String| release.base_dir.join(path);
        let namespace = plan.kubernetes.namespace.clone();
        let telemetry = &plan.telemetry;
        self.telemetry.configure(Config {
            project: plan.name.to_string(),
            keep: Keep {
                samples: telemetry.retention,
                samples_bytes: telemetry.storage.0,
                logs_hot: telemetry.logs_hot,
                logs_archive: telemetry.logs_archive,
            },
            archive: fixed.archive.clone(),
            interval: telemetry.scrape_interval,
            external_labels: external_labels(plan),
            targets: self.watched(plan, &namespace),
            logs: LogSources {
                root: self.state.logs_root(),
                access_log: self.state.access_log(),
                namespace,
                slow: SLOW,
            },
            rules: fixed.rules.clone(),
            rule_files: plan.telemetry.rules.iter().map(beside).collect(),
            notifications: fixed.notifications.clone(),
            target_files: plan
                .telemetry
                .target_files
                .iter()
                .map(|file| (beside(&file.path), file.job.to_string()))
                .collect(),
        });
    }

    /// What follows from a release alone; a turn has no time to make it anew.
    fn of_release(&mut self, id: ReleaseId) -> Option<Arc<OfRelease>> {
        if let Some((known, fixed)) = &self.telemetry.of_release
            && *known == id
        {
            return Some(Arc::clone(fixed));
        }
        // What cannot be read is what a receiver is told to lack.
        let secrets = self.secrets_of(id).unwrap_or_default();
        let release = self.releases.get(&id)?;
        let fixed = Arc::new(OfRelease {
            archive: archive(release, &secrets),
            rules: wharf_alerting::rules::of_plan(&rules(&release.plan)),
            notifications: self.notifications(release, &secrets),
        });
        self.telemetry.of_release = Some((id, Arc::clone(&fixed)));
        Some(fixed)
    }

    fn watched(&self, plan: &Plan, namespace: &str) -> Vec<TargetConfig> {
        let interval = plan.telemetry.scrape_interval;
        let target = |job: &str, watched: Watched, labels: &[(&str, &str)]| TargetConfig {
            job: job.to_owned(),
            watched,
            labels: Labels::from_pairs(labels.iter().copied().chain([("namespace", namespace)])),
            interval,
            timeout: None,
            honor_labels: false,
            honor_timestamps: true,
            sample_limit: None,
        };
        let mut targets = vec![
            target("prometheus", Watched::Telemetry, &[]),
            target("prometheus", Watched::Engine, &[]),
            target("node-exporter", Watched::Host, &[]),
            target("cadvisor", Watched::Replicas(self.running_replicas()), &[]),
        ];
        if !self.ingress.listeners().is_empty() {
            let address = Address::Unix {
                socket: self.state.ingress_socket(),
                path: "/metrics".to_owned(),
            };
            let instance = [("instance", "ingress")];
            let mut ingress = target("ingress", Watched::Url(address), &instance);
            // The service of a request is the one that answered it.
            ingress.honor_labels = true;
            targets.push(ingress);
        }
        for (name, live) in &self.live_stores {
            let Some(address) = &live.address else {
                continue;
            };
            let credentials = address.credentials.clone();
            let instance = credentials.address();
            let labels = [("store", name.as_str()), ("instance", &instance)];
            targets.push(match live.engine {
                StoreEngine::Postgres => {
                    let own = (!live.is_external()).then(|| self.state.store(name));
                    let watched = Watched::Postgres { credentials, own };
                    target(POSTGRES_EXPORTER, watched, &labels)
                }
                StoreEngine::Redis => {
                    let lists = live.lists.as_ref().map(|lists| lists.borrow().clone());
                    let lists = lists.unwrap_or_default();
                    target(
                        REDIS_EXPORTER,
                        Watched::Redis { credentials, lists },
                        &labels,
                    )
                }
            });
            if let Some(port) = self
                .pool_port(name)
                .filter(|_| self.live_pools.contains_key(name))
            {
                let site = self.pool_site(name, address.credentials.clone(), port);
                let instance = format!("127.0.0.1:{port}");
                let labels = [("store", name.as_str()), ("instance", &instance)];
                targets.push(target(
                    PGBOUNCER_EXPORTER,
                    Watched::PgBouncer(site),
                    &labels,
                ));
            }
        }
        for (id, replica) in &self.saved.replicas {
            let Some((service, port)) = self.measured(plan, replica) else {
                continue;
            };
            if self.live.get(id).is_none_or(|live| live.pid.is_none()) {
                continue;
            }
            let Some(endpoint) = &service.metrics else {
                continue;
            };
            let address = format!("http://127.0.0.1:{port}{}", endpoint.path);
            let Ok(address) = address.parse() else {
                continue;
            };
            let labels = [
                ("service", replica.service.as_str()),
                ("replica", id.as_str()),
                ("release", &replica.release.to_string()),
            ];
            targets.push(target(
                replica.service.as_str(),
                Watched::Url(address),
                &labels,
            ));
        }
        targets.extend(Self::further_targets(plan));
        targets
    }

    /// What the file names beside the services.
    fn further_targets(plan: &Plan) -> Vec<TargetConfig> {
        let targets = plan.telemetry.targets.iter();
        let each = targets.flat_map(|target| target.urls.iter().map(move |url| (target, url)));
        each.filter_map(|(target, url)| {
            Some(TargetConfig {
                job: target.job.to_string(),
                watched: Watched::Url(url.parse().ok()?),
                labels: Labels::from_pairs(target.labels.clone()),
                interval: target.interval,
                timeout: Some(target.timeout),
                honor_labels: target.honor_labels,
                honor_timestamps: target.honor_timestamps,
                sample_limit: target
                    .sample_limit
                    .and_then(|limit| usize::try_from(limit).ok()),
            })
        })
        .collect()
    }

    /// Who hears of alerts, with the values of their secrets.
    fn notifications(&self, release: &Release, secrets: &Secrets) -> Notifications {
        let plan = &release.plan;
        let policy = match from_plan::policy(plan) {
            Ok(policy) => policy,
            Err(error) => {
                return Notifications {
                    unusable: vec![crate::replica::chain(&error)],
                    ..Notifications::default()
                };
            }
        };
        let value = |name: &str| secrets.secrets.get(&name.parse::<Name>().ok()?).cloned();
        let (receivers, missing) = from_plan::receivers(plan, &value);
        Notifications {
            sender: from_plan::sender(plan, &self.telemetry.url().unwrap_or_default()),
            receivers,
            policy,
            unusable: missing
                .iter()
                .map(|missing| format!("{missing}: {}", give(&missing.secret)))
                .collect(),
        }
    }

    /// The service of a replica and the port of its metrics, if it has any.
    fn measured<'a>(
        &'a self,
        plan: &'a Plan,
        replica: &SavedReplica,
    ) -> Option<(&'a Service, u16)> {
        let release = self.releases.get(&replica.release);
        let plan = release.map_or(plan, |release| &release.plan);
        let service = plan.services.get(&replica.service)?;
        let port = replica.ports.get(&service.metrics.as_ref()?.port)?;
        Some((service, *port))
    }

    /// Every process that cAdvisor would call a container.
    fn running_replicas(&self) -> Vec<Replica> {
        let replicas = self.saved.replicas.iter();
        let mut all: Vec<Replica> = replicas
            .filter_map(|(id, saved)| self.running_replica(id, saved))
            .collect();
        let servers = self.live_stores.iter().filter_map(|(name, live)| {
            let store = self.wanted_stores().get(name).cloned();
            let resources = store.map(|store| store.resources);
            Some(Replica {
                service: name.to_string(),
                replica: name.to_string(),
                release: String::new(),
                name: name.to_string(),
                pid: i32::try_from(live.process.pid?).ok()?,
                started_at: live.process.started(),
                cgroups: live.process.cgroups.clone(),
                cpu_millis: resources.as_ref().and_then(cpu_limit),
                memory_bytes: resources.as_ref().and_then(memory_limit),
            })
        });
        all.extend(servers);
        all
    }

    fn running_replica(&self, id: &ReplicaId, saved: &SavedReplica) -> Option<Replica> {
        let live = self.live.get(id)?;
        let release = self.releases.get(&saved.release)?;
        let service = release.plan.services.get(&saved.service)?;
        Some(Replica {
            service: saved.service.to_string(),
            replica: id.to_string(),
            release: saved.release.to_string(),
            name: id.to_string(),
            pid: i32::try_from(live.pid?).ok()?,
            started_at: live.started,
            cgroups: live.cgroups.clone(),
            cpu_millis: cpu_limit(&service.resources),
            memory_bytes: memory_limit(&service.resources),
        })
    }
}

/// What to do about a secret without a value.
fn give(secret: &str) -> String {
    let variable = secret.parse().map(|name| secret_variable(&name));
    let variable = variable.unwrap_or_default();
    format!("set {variable}, or write it into .env beside wharf.yaml, and release again")
}

/// Where old lines go, with the values of its secrets.
fn archive(release: &Release, secrets: &Secrets) -> ArchivePlace {
    match &release.plan.telemetry.logs_archive_to {
        None => ArchivePlace::Own,
        Some(LogArchive::Folder(path)) => ArchivePlace::Folder(release.base_dir.join(path)),
        Some(LogArchive::Bucket {
            name,
            prefix,
            endpoint,
            region,
            access_key,
            secret_key,
        }) => {
            let value = |name: &str| secrets.secrets.get(&name.parse::<Name>().ok()?).cloned();
            let key = |template| from_plan::value(template, &value);
            match (key(access_key), key(secret_key)) {
                (Ok(access_key), Ok(secret_key)) => ArchivePlace::Bucket(Bucket {
                    name: name.clone(),
                    prefix: prefix.clone(),
                    endpoint: endpoint.clone(),
                    region: region.clone(),
                    access_key,
                    secret_key,
                }),
                (Err(missing), _) | (_, Err(missing)) => ArchivePlace::Unusable(format!(
                    "telemetry.logs.archive_to needs the secret `{missing}`, which has no value here; lines stay where they are until it has one: {}",
                    give(&missing)
                )),
            }
        }
    }
}

fn cpu_limit(resources: &Resources) -> Option<u32> {
    resources.cpu.as_ref().map(|bounds| bounds.limit.0)
}

fn memory_limit(resources: &Resources) -> Option<u64> {
    resources.memory.as_ref().map(|bounds| bounds.limit.0)
}

/// What all series of a project have in common when they leave it.
fn external_labels(plan: &Plan) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::from([("project".to_owned(), plan.name.to_string())]);
    if let Some(environment) = &plan.environment {
        labels.insert("environment".to_owned(), environment.to_string());
    }
    labels
}
