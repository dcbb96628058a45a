//! The engine's hold on a running process.
//!
//! A task of its own, the keeper, waits for the shim's end, reaps it, and kills what a killed shim has left behind. It lives as long as
//! the process, also without a [`Handle`].

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, pidfd_send_signal, waitid,
};
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, watch};
use wharf_base::clock::{self, Timestamp};

use crate::connection::Connection;
use crate::exit::{Cause, Exit};
use crate::facts::{self, Facts, Running, Slot};
use crate::signal::Signal;
use crate::sweep::{Marker, sweep_with};
use crate::wire::{Command, Event};

/// How long a shim may take beyond the stop timeout: its own patience with what it kills, and some for a busy machine.
const SHIM_PATIENCE: Duration = Duration::from_secs(15);
/// Between a shim's last message and its end lie two system calls.
const SHIM_LAST_MOMENT: Duration = Duration::from_secs(1);
/// Between attempts to reach a shim that runs but has closed the connection.
const RECONNECT_PERIOD: Duration = Duration::from_millis(100);

/// A process that runs, or has just ended. Cheap to clone. Dropping it changes nothing for the process.
#[derive(Debug, Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    exit: watch::Receiver<Option<Exit>>,
}

#[derive(Debug)]
struct Shared {
    facts: Facts,
    running: Running,
    dir: PathBuf,
    pidfd: Arc<AsyncFd<OwnedFd>>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Handle {
    /// The process's name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.shared.facts.id
    }

    /// The main process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.shared.running.pid
    }

    /// Its shim.
    #[must_use]
    pub fn shim_pid(&self) -> i32 {
        self.shared.running.shim_pid
    }

    /// When it was executed.
    #[must_use]
    pub fn started_at(&self) -> Timestamp {
        self.shared.running.started_at
    }

    /// All that is known of it, the limits that are not enforced among it.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.shared.facts
    }

    /// Its run directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.exit.borrow().clone()
    }

    /// Waits for its end; then nothing of it runs any more, and its log is complete. Cancel safe.
    pub async fn wait(&self) -> Exit {
        let mut exit = self.exit.clone();
        let ended = exit
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|exit| exit.clone());
        match ended {
            Some(exit) => exit,
            // The keeper is gone: the runtime is being shut down, and with it whoever waits here.
            None => std::future::pending().await,
        }
    }

    /// Asks it to end, with its stop signal; kills everything of it after the stop timeout. Waits for its end. Cancelling only stops
    /// the waiting.
    pub async fn stop(&self) -> Exit {
        self.command(Command::Stop);
        self.end_within(self.shared.facts.stop_timeout + SHIM_PATIENCE)
            .await
    }

    /// Kills everything of it at once. Waits for its end. Cancelling only stops the waiting.
    pub async fn kill(&self) -> Exit {
        self.command(Command::Kill);
        self.end_within(SHIM_PATIENCE).await
    }

    /// Sends a signal to the main process, such as [`Signal::HUP`]. Does not wait.
    pub fn signal(&self, signal: Signal) {
        self.command(Command::Signal(signal));
    }

    /// A shim that does not answer (stopped by a signal, say) is killed itself; the keeper then kills what it has left.
    async fn end_within(&self, patience: Duration) -> Exit {
        if let Ok(exit) = tokio::time::timeout(patience, self.wait()).await {
            return exit;
        }
        // It may have ended just now.
        pidfd_send_signal(self.shared.pidfd.get_ref(), rustix::process::Signal::KILL).ok();
        self.wait().await
    }

    fn command(&self, command: Command) {
        // Fails when the process has ended: then there is nothing to ask for.
        self.shared.commands.send(command).ok();
    }

    /// Takes hold of a shim that has greeted. `shim` must be a descriptor of exactly this shim.
    pub(crate) fn keep(
        dir: PathBuf,
        facts: Facts,
        running: Running,
        shim: OwnedFd,
        connection: Option<Connection>,
    ) -> io::Result<Self> {
        let pidfd = Arc::new(crate::syscalls::watch(shim)?);
        let (commands, received) = mpsc::unbounded_channel();
        let (publish, exit) = watch::channel(None);
        let keeper = Keeper {
            dir: dir.clone(),
            facts: facts.clone(),
            pidfd: Arc::clone(&pidfd),
            connection,
            commands: received,
            unsent: None,
            ending: None,
            publish,
        };
        tokio::spawn(keeper.run());
        Ok(Self {
            shared: Arc::new(Shared {
                facts,
                running,
                dir,
                pidfd,
                commands,
            }),
            exit,
        })
    }
}

struct Keeper {
    dir: PathBuf,
    facts: Facts,
    pidfd: Arc<AsyncFd<OwnedFd>>,
    connection: Option<Connection>,
    commands: mpsc::UnboundedReceiver<Command>,
    /// A command that no connection has taken yet.
    unsent: Option<Command>,
    /// What has been asked for and must happen. A connection can break with a command in it, so every new one is told again; asking
    /// twice is no harm.
    ending: Option<Command>,
    publish: watch::Sender<Option<Exit>>,
}

/// What a keeper waits for.
enum Happening {
    Event(io::Result<Option<Event>>),
    ShimEnded,
    Command(Option<Command>),
    Reconnect,
}

impl Keeper {
    async fn run(mut self) {
        let mut handles_left = true;
        let mut told = None;
        loop {
            let happening = tokio::select! {
                biased;
                event = next_event(&mut self.connection), if self.connection.is_some() => Happening::Event(event),
                _ = self.pidfd.readable() => Happening::ShimEnded,
                command = self.commands.recv(), if handles_left && self.unsent.is_none() => Happening::Command(command),
                () = tokio::time::sleep(RECONNECT_PERIOD), if self.connection.is_none() => Happening::Reconnect,
            };
            match happening {
                Happening::Event(Ok(Some(Event::Exited(exit)))) => {
                    told = Some(exit);
                    break;
                }
                Happening::Event(Ok(Some(Event::Running(_)))) => {}
                Happening::Event(Ok(None) | Err(_)) => self.connection = None,
                Happening::ShimEnded => break,
                Happening::Command(Some(command)) => {
                    if matches!(
                        (command, self.ending),
                        (Command::Stop, None) | (Command::Kill, _)
                    ) {
                        self.ending = Some(command);
                    }
                    self.send(command);
                }
                Happening::Command(None) => handles_left = false,
                Happening::Reconnect => {
                    self.connection = Connection::open(&self.dir).ok();
                    for command in [self.ending, self.unsent.take()].into_iter().flatten() {
                        self.send(command);
                    }
                }
            }
        }
        self.finish(told).await;
    }

    fn send(&mut self, command: Command) {
        let sent = self
            .connection
            .as_mut()
            .map(|connection| connection.send(command));
        if !matches!(sent, Some(Ok(()))) {
            self.connection = None;
            self.unsent = Some(command);
        }
    }

    /// Publishes the exit once the shim has ended too, so that nothing at all is left; one that has told its last and still does not
    /// end is not waited for.
    async fn finish(self, told: Option<Exit>) {
        if let Some(exit) = &told
            && tokio::time::timeout(SHIM_LAST_MOMENT, self.pidfd.readable())
                .await
                .is_err()
        {
            self.publish.send_replace(Some(exit.clone()));
        }
        // An error would mean that the runtime is shutting down.
        if self.pidfd.readable().await.is_err() {
            return;
        }
        reap(self.pidfd.get_ref());
        if self.publish.borrow().is_some() {
            return;
        }
        let exit = match (told, facts::read_exit(&self.dir)) {
            (Some(exit), _) | (None, Ok(Some(exit))) => exit,
            (None, _) => bury(self.dir, self.facts).await,
        };
        self.publish.send_replace(Some(exit));
    }
}

async fn next_event(connection: &mut Option<Connection>) -> io::Result<Option<Event>> {
    match connection {
        Some(connection) => connection.next().await,
        None => std::future::pending().await,
    }
}

/// A descriptor of the process of this id, if it is the one that started at `ticks`.
pub(crate) fn open_exactly(running: &Running) -> Option<OwnedFd> {
    let pidfd = pidfd_open(Pid::from_raw(running.shim_pid)?, PidfdFlags::empty()).ok()?;
    let stat = crate::procfs::stat(running.shim_pid)?;
    (stat.ticks == running.shim_ticks).then_some(pidfd)
}

/// Takes a zombie from the system's table, if it is a child of ours; an adopted shim is another's.
pub(crate) fn reap(pidfd: &OwnedFd) {
    waitid(
        WaitId::PidFd(pidfd.as_fd()),
        WaitIdOptions::EXITED | WaitIdOptions::NOHANG,
    )
    .ok();
}

/// The shim has been killed: kills everything that it has left behind, and leaves its `exit.json` to the next reader.
pub(crate) async fn bury(dir: PathBuf, facts: Facts) -> Exit {
    let work = move || {
        let marker = Marker::Replica {
            project: facts.project,
            id: facts.id,
        };
        let survivors = sweep_with(&marker, &facts.cgroups)
            .err()
            .map(|error| error.pids)
            .unwrap_or_default();
        let exit = Exit {
            cause: Cause::ShimLost,
            at: clock::now(),
            oom_killed: false,
            asked: false,
            dropped_lines: 0,
            survivors,
        };
        // Where it cannot be written, the next reader finds the shim lost once more and comes to the same.
        Slot::reserve_exit(&dir)
            .and_then(|mut slot| slot.fill(&exit))
            .ok();
        std::fs::remove_file(facts::socket_path(&dir)).ok();
        exit
    };
    let lost = || Exit {
        cause: Cause::ShimLost,
        at: clock::now(),
        oom_killed: false,
        asked: false,
        dropped_lines: 0,
        survivors: Vec::new(),
    };
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| lost())
}
