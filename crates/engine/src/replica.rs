//! One process of a replica: started or adopted, probed, stopped, its end reported.
//!
//! The task knows nothing of releases and roles. It reports what it sees; the engine decides.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use wharf_plan::model::{Probe, Probes};
use wharf_process::{Adopted, Exit, Handle, Launch, ShimProgram};

use crate::probe::{self, Target};

/// Where the process comes from.
pub(crate) enum Start {
    /// It is new.
    Spawn(Box<Launch>),
    /// A former engine started it; the path is its run directory.
    Adopt(PathBuf),
}

/// What the task sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Observed {
    /// It runs.
    Started {
        /// Its main process.
        pid: u32,
        /// Its shim.
        shim_pid: u32,
        /// Its cgroup directories, in every hierarchy that holds it.
        cgroups: Vec<PathBuf>,
    },
    /// It could not be started.
    NotStarted(String),
    /// It passes its readiness probe.
    Ready,
    /// It does not pass its readiness probe, and why.
    Unready(String),
    /// It failed its startup or liveness probe for good and is being stopped.
    Failing(String),
    /// It ended.
    Ended(Exit),
}

/// What the task is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Stop it in order: signal, time to finish, kill.
    Stop,
    /// Kill it at once.
    Kill,
}

/// What is watched of a process beside its end.
#[derive(Default)]
pub(crate) struct Watched {
    pub(crate) probes: Probes,
    pub(crate) target: Target,
    /// Whether it was ready when a former engine saw it last: it has started long ago.
    pub(crate) assume_ready: bool,
}

/// Runs one process until it has ended. `report` is called in the order of what happens; the last call is
/// [`Observed::Ended`] or [`Observed::NotStarted`].
pub(crate) async fn supervise(
    shim: ShimProgram,
    start: Start,
    watched: Watched,
    mut orders: mpsc::Receiver<Order>,
    report: impl Fn(Observed),
) {
    let handle = match begin(&shim, start).await {
        Ok(Begun::Running(handle)) => handle,
        Ok(Begun::Ended(exit)) => return report(Observed::Ended(exit)),
        Err(message) => return report(Observed::NotStarted(message)),
    };
    report(Observed::Started {
        pid: handle.pid().unsigned_abs(),
        shim_pid: handle.shim_pid().unsigned_abs(),
        cgroups: handle.facts().cgroups.clone(),
    });
    let watching = watch(&watched, &report);
    tokio::pin!(watching);
    let exit = tokio::select! {
        exit = handle.wait() => exit,
        Some(order) = orders.recv() => end(&handle, order, &mut orders).await,
        reason = &mut watching => {
            report(Observed::Failing(reason));
            end(&handle, Order::Stop, &mut orders).await
        }
    };
    report(Observed::Ended(exit));
}

/// Ends the process as ordered; an order to kill cuts an orderly stop short.
async fn end(handle: &Handle, order: Order, orders: &mut mpsc::Receiver<Order>) -> Exit {
    if order == Order::Kill {
        return handle.kill().await;
    }
    let stopping = handle.stop();
    tokio::pin!(stopping);
    loop {
        tokio::select! {
            exit = &mut stopping => return exit,
            Some(order) = orders.recv() => {
                if order == Order::Kill {
                    return handle.kill().await;
                }
            }
        }
    }
}

enum Begun {
    Running(Handle),
    Ended(Exit),
}

async fn begin(shim: &ShimProgram, start: Start) -> Result<Begun, String> {
    match start {
        Start::Spawn(launch) => wharf_process::spawn(shim, *launch)
            .await
            .map(Begun::Running)
            .map_err(|error| chain(&error)),
        Start::Adopt(dir) => match wharf_process::adopt(&dir).await {
            Ok(Adopted::Running(handle)) => Ok(Begun::Running(handle)),
            Ok(Adopted::Exited(exit)) => Ok(Begun::Ended(exit)),
            Err(error) => Err(chain(&error)),
        },
    }
}

/// An error and its causes as one text.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Probes until the process has failed for good; gives the reason.
async fn watch(watched: &Watched, report: &impl Fn(Observed)) -> String {
    let Watched {
        probes,
        target,
        assume_ready,
    } = watched;
    if let Some(startup) = &probes.startup
        && !assume_ready
        && let Err(reason) = wait_for_startup(startup, target, report).await
    {
        return reason;
    }
    tokio::select! {
        reason = watch_liveness(probes.liveness.as_ref(), target) => reason,
        never = watch_readiness(probes.readiness.as_ref(), target, *assume_ready, report) => match never {},
    }
}

/// Asks quickly at first; gives up when the time that the probe allows is over.
async fn wait_for_startup(
    probe: &Probe,
    target: &Target,
    report: &impl Fn(Observed),
) -> Result<(), String> {
    sleep(probe.initial_delay).await;
    let give_up = Instant::now() + probe.period.saturating_mul(probe.failure_threshold.max(1));
    let mut passed = 0;
    let mut checks = 0;
    let mut last = String::new();
    loop {
        match probe::check(probe, target).await {
            Ok(()) => {
                passed += 1;
                if passed >= probe.success_threshold {
                    return Ok(());
                }
            }
            Err(reason) => {
                passed = 0;
                if Instant::now() >= give_up {
                    return Err(format!("its startup probe failed: {reason}"));
                }
                if reason != last {
                    report(Observed::Unready(format!(
                        "its startup probe fails: {reason}"
                    )));
                    last = reason;
                }
            }
        }
        sleep(probe::starting_pause(checks, probe.period)).await;
        checks += 1;
    }
}

async fn watch_readiness(
    probe: Option<&Probe>,
    target: &Target,
    assume_ready: bool,
    report: &impl Fn(Observed),
) -> std::convert::Infallible {
    let Some(probe) = probe else {
        report(Observed::Ready);
        return std::future::pending().await;
    };
    if !assume_ready {
        sleep(probe.initial_delay).await;
    }
    let mut ready = assume_ready;
    let (mut passed, mut failed, mut checks) = (0, 0, 0);
    let mut last = String::new();
    loop {
        let began = Instant::now();
        match probe::check(probe, target).await {
            Ok(()) => {
                (passed, failed) = (passed + 1, 0);
                if !ready && passed >= probe.success_threshold {
                    ready = true;
                    last.clear();
                    report(Observed::Ready);
                }
            }
            Err(reason) => {
                (passed, failed) = (0, failed + 1);
                let lost = ready && failed >= probe.failure_threshold;
                if lost || (!ready && reason != last) {
                    ready = false;
                    report(Observed::Unready(format!(
                        "its readiness probe fails: {reason}"
                    )));
                    last = reason;
                }
            }
        }
        if ready {
            sleep_until(began + probe.period).await;
        } else {
            sleep(probe::starting_pause(checks, probe.period)).await;
            checks += 1;
        }
    }
}

async fn watch_liveness(probe: Option<&Probe>, target: &Target) -> String {
    let Some(probe) = probe else {
        return std::future::pending().await;
    };
    sleep(probe.initial_delay.max(Duration::from_millis(1))).await;
    let mut failed = 0;
    loop {
        let began = Instant::now();
        // A service without a startup probe gets the first period to come up.
        sleep_until(began + probe.period).await;
        match probe::check(probe, target).await {
            Ok(()) => failed = 0,
            Err(reason) => {
                failed += 1;
                if failed >= probe.failure_threshold {
                    return format!("its liveness probe failed {failed} times in a row: {reason}");
                }
            }
        }
    }
}
