//! Commands that run once: the one-shot of a release, and the runs of scheduled services.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use wharf_base::clock::Timestamp;
use wharf_base::cron::Cron;
use wharf_base::ids::{Name, ReleaseId};

use crate::api::EventKind;
use crate::engine::{Engine, Event};
use crate::environment::prepare_volumes;
use crate::replica::{Observed, Order, Start, Watched, supervise};
use crate::saved::SavedJob;

/// What is known of a job beside what is saved.
pub(crate) struct LiveJob {
    pub(crate) pid: Option<u32>,
    pub(crate) shim_pid: Option<u32>,
    /// When it is stopped for taking too long.
    deadline: Option<Timestamp>,
    timed_out: bool,
    orders: mpsc::Sender<Order>,
}

/// The one-shot's id is the same in each life of the engine, so that it runs once.
fn one_shot_id(service: &Name, release: ReleaseId) -> String {
    format!("{service}-release-{release}")
}

impl Engine {
    /// Whether the one-shot of `service` at `release` is done; starts it if it is not under way.
    pub(crate) fn one_shot_done(&mut self, service: &Name, release: ReleaseId) -> bool {
        let key = (service.clone(), release);
        let command = self
            .releases
            .get(&release)
            .and_then(|r| r.plan.services.get(service)?.release.clone());
        let Some(command) = command else { return true };
        if self.saved.one_shots_done.contains(&key) {
            return true;
        }
        let id = one_shot_id(service, release);
        let failed = self
            .saved
            .rollout
            .as_ref()
            .is_some_and(|rollout| rollout.message.is_some());
        if !self.saved.jobs.contains_key(&id) && !failed {
            self.start_job(&id, service, release, Some(&command.command));
        }
        false
    }

    fn start_job(
        &mut self,
        id: &str,
        service: &Name,
        release: ReleaseId,
        command: Option<&wharf_plan::model::Command>,
    ) {
        let one_shot = command.is_some();
        let began = self.now();
        let prepared = self.prepare(release, service, command, &BTreeMap::new());
        let launch = prepared.map_err(|error| error.0).and_then(|prepared| {
            let release = self
                .releases
                .get(&release)
                .ok_or("its release is not in the state any more")?;
            let known = release.plan.services.get(service);
            let known = known.ok_or_else(|| format!("`{service}` is not in {}", release.id))?;
            prepare_volumes(&self.state, &release.base_dir, service, known, self.user)
                .map_err(|error| error.0)?;
            // What a run of that name left before; mostly there is nothing.
            drop(std::fs::remove_dir_all(
                self.state.root().join("run").join(id),
            ));
            Ok(self.launch_of(id, (service, known), prepared, &self.state.run_dir(id, 1)))
        });
        let saved = SavedJob {
            service: service.clone(),
            release,
            one_shot,
            began,
        };
        match launch {
            Ok(launch) => {
                self.saved.jobs.insert(id.to_owned(), saved);
                if one_shot {
                    let state = "started".to_owned();
                    self.tell(
                        Some(release),
                        EventKind::OneShot {
                            service: service.clone(),
                            state,
                        },
                    );
                }
                let id = id.to_owned();
                self.effect(move |engine| {
                    engine.supervise_job(&id, Start::Spawn(Box::new(launch)))
                });
            }
            Err(message) if one_shot => {
                self.fail_rollout_of(service, format!("its release command {message}"))
            }
            Err(message) => self.tell(
                Some(release),
                EventKind::Notice {
                    message: format!("`{service}`: {message}"),
                },
            ),
        }
    }

    pub(crate) fn adopt_jobs(&mut self) {
        for id in self.saved.jobs.keys().cloned().collect::<Vec<_>>() {
            let dir = self.state.run_dir(&id, 1);
            self.supervise_job(&id, Start::Adopt(dir));
        }
    }

    fn supervise_job(&mut self, id: &str, start: Start) {
        let Some(saved) = self.saved.jobs.get(id).cloned() else {
            return;
        };
        let service = self
            .releases
            .get(&saved.release)
            .and_then(|r| r.plan.services.get(&saved.service));
        let timeout = service.and_then(|service| {
            if saved.one_shot {
                service.release.as_ref().map(|release| release.timeout)
            } else {
                service
                    .schedule
                    .as_ref()
                    .and_then(|schedule| schedule.timeout)
            }
        });
        let deadline = timeout.map(|timeout| saved.began.after(timeout));
        let (orders, receiver) = mpsc::channel(4);
        let job = LiveJob {
            pid: None,
            shim_pid: None,
            deadline,
            timed_out: false,
            orders,
        };
        self.live_jobs.insert(id.to_owned(), job);
        let (events, job_id) = (self.events.clone(), id.to_owned());
        let (observations, mut observed) = mpsc::unbounded_channel();
        tokio::task::spawn_local(async move {
            while let Some(observed) = observed.recv().await {
                if events
                    .send(Event::Job {
                        id: job_id.clone(),
                        observed,
                    })
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
        let report = move |observed| drop(observations.send(observed));
        let shim = self.shim.clone();
        tokio::task::spawn_local(supervise(shim, start, Watched::default(), receiver, report));
    }

    pub(crate) fn job_observed(&mut self, id: &str, observed: Observed) {
        let Some(saved) = self.saved.jobs.get(id).cloned() else {
            return;
        };
        let failure = match observed {
            Observed::Started { pid, shim_pid, .. } => {
                if let Some(job) = self.live_jobs.get_mut(id) {
                    (job.pid, job.shim_pid) = (Some(pid), Some(shim_pid));
                }
                return;
            }
            Observed::Ended(exit) if exit.success() => None,
            Observed::Ended(exit) => Some(exit.to_string()),
            Observed::NotStarted(message) => Some(message),
            Observed::Ready | Observed::Unready(_) | Observed::Failing(_) => return,
        };
        let timed_out = self.live_jobs.remove(id).is_some_and(|job| job.timed_out);
        self.saved.jobs.remove(id);
        let service = saved.service;
        match failure {
            None if saved.one_shot => {
                self.saved
                    .one_shots_done
                    .push((service.clone(), saved.release));
                self.tell(
                    Some(saved.release),
                    EventKind::OneShot {
                        service,
                        state: "done".to_owned(),
                    },
                );
            }
            None => self.saved.completed.push((service, saved.release)),
            Some(message) => {
                let message = if timed_out {
                    format!("{message} after its timeout")
                } else {
                    message
                };
                if saved.one_shot {
                    let command = self
                        .releases
                        .get(&saved.release)
                        .and_then(|r| r.plan.services.get(&service));
                    let command = command
                        .and_then(|s| s.release.as_ref())
                        .map(|r| r.command.to_string());
                    let command = command.unwrap_or_default();
                    let message = format!(
                        "its release command `{command}` expected exit code 0, but {message}"
                    );
                    self.fail_rollout_with_log(&service, message, id);
                } else {
                    let message = format!("a scheduled run of `{service}` failed: {message}");
                    self.tell(Some(saved.release), EventKind::Notice { message });
                }
            }
        }
    }

    /// Stops jobs whose time is over, and starts the scheduled runs that are due.
    pub(crate) fn tend_jobs(&mut self) {
        let now = self.now();
        let mut wakes = vec![];
        for job in self.live_jobs.values_mut().filter(|job| !job.timed_out) {
            match job.deadline {
                Some(deadline) if deadline <= now => {
                    job.timed_out = true;
                    job.orders.try_send(Order::Stop).ok();
                }
                Some(deadline) => wakes.push(deadline),
                None => {}
            }
        }
        wakes.into_iter().for_each(|wake| self.wake_at(wake));
        if self.shutdown.is_none() {
            self.run_schedules(now);
        }
    }

    fn run_schedules(&mut self, now: Timestamp) {
        let Some(release) = self.serving() else {
            return;
        };
        let schedules: Vec<(Name, ReleaseId, String)> = release
            .plan
            .services
            .iter()
            .filter_map(|(name, service)| {
                let revision = release.revisions.get(name)?;
                Some((
                    name.clone(),
                    revision.release,
                    service.schedule.as_ref()?.cron.clone(),
                ))
            })
            .collect();
        self.next_runs
            .retain(|name, _| schedules.iter().any(|(scheduled, _, _)| scheduled == name));
        for (service, release, cron) in schedules {
            // The first look at a schedule only notes when it is due.
            let due = *self
                .next_runs
                .entry(service.clone())
                .or_insert_with(|| next_run(&cron, now));
            if due > now {
                self.wake_at(due);
                continue;
            }
            let next = next_run(&cron, now);
            self.next_runs.insert(service.clone(), next);
            self.wake_at(next);
            let running = self
                .saved
                .jobs
                .values()
                .any(|job| job.service == service && !job.one_shot);
            if running {
                let message =
                    format!("`{service}` still runs from its last time; this run is left out");
                self.tell(Some(release), EventKind::Notice { message });
            } else {
                self.start_job(
                    &format!("{service}-run-{release}-{}", due.0 / 1000),
                    &service,
                    release,
                    None,
                );
            }
        }
    }

    /// Stops every job.
    pub(crate) fn stop_jobs(&mut self, order: Order) {
        for job in self.live_jobs.values() {
            job.orders.try_send(order).ok();
        }
    }
}

/// When a schedule is due next, UTC.
pub(crate) fn next_run(cron: &str, now: Timestamp) -> Timestamp {
    // The plan holds only schedules that parse; one of a file that was tampered with never runs.
    let next = Cron::parse(cron).ok().and_then(|cron| cron.next_after(now));
    next.unwrap_or(Timestamp(u64::MAX))
}
