//! The shim's loop: one `poll` over signals, output and engines, until nothing of the process is left.
//!
//! As subreaper, the shim becomes the parent of every orphan below it, so "no child left" (ECHILD) means that nothing is left at all.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, kill_process, kill_process_group, wait,
    waitid,
};
use wharf_base::clock;

use super::engines::Engines;
use super::start::Started;
use crate::exit::{Cause, Exit};
use crate::launch::StopScope;
use crate::log::now_nanos;
use crate::wire::{Command, Event};
use crate::{cgroup, facts, procfs};

/// One read of a pipe: its whole capacity (pipe(7)).
const READ_BYTES: usize = 64 * 1024;
/// Reads of one pipe before the others have their turn.
const READS_PER_TURN: u32 = 16;
/// Between two rounds of killing; what is killed needs about this long to end.
const KILL_PERIOD: Duration = Duration::from_millis(5);
/// What has not ended so long after SIGKILL is named in the exit and left to the next sweep.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// How often a log or an exit that could not be written is tried again.
const RETRY_PERIOD: Duration = Duration::from_secs(1);
/// `signalfd_siginfo` (signalfd(2)); it begins with the signal's number.
const SIGINFO_BYTES: usize = 128;

/// Supervises until the end.
pub(super) fn supervise(started: Started) -> io::Result<()> {
    let mut shim = Supervisor {
        greeting: Event::Running(started.facts.clone()),
        started,
        engines: Engines::default(),
        status: None,
        phase: Phase::Running,
        asked: false,
        buffer: Vec::new(),
    };
    shim.reap();
    while !shim.step() {
        shim.wait()?;
    }
    shim.finish()
}

struct Supervisor {
    started: Started,
    greeting: Event,
    engines: Engines,
    /// The main process's status, once it has been reaped.
    status: Option<WaitStatus>,
    phase: Phase,
    asked: bool,
    /// Allocated at the first output: most processes are silent most of the time.
    buffer: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Phase {
    Running,
    /// The stop signal has been sent.
    Stopping {
        deadline: Instant,
    },
    /// Everything is being killed.
    Killing {
        deadline: Instant,
    },
}

impl Supervisor {
    /// Waits for something to happen and takes it in, except for [`Supervisor::step`]'s decisions.
    fn wait(&mut self) -> io::Result<()> {
        let mut polled = vec![
            PollFd::new(&self.started.signals, PollFlags::IN),
            PollFd::new(&self.started.listener, PollFlags::IN),
        ];
        polled.extend(
            self.engines
                .descriptors()
                .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)),
        );
        let outputs = self.started.outputs.iter().flatten();
        polled.extend(outputs.map(|(fd, _)| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)));
        let timeout = self.timeout().map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        if ready[0] {
            self.take_signals();
        }
        if ready[1] {
            self.engines.accept(&self.started.listener, &self.greeting);
        }
        if ready[2..].contains(&true) {
            for command in self.engines.read() {
                self.obey(command);
            }
            self.read_outputs();
        }
        if self.started.writer.owes_note() {
            self.started.writer.flush();
        }
        Ok(())
    }

    fn timeout(&self) -> Option<Duration> {
        let until = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        let phase = match self.phase {
            Phase::Running => None,
            Phase::Stopping { deadline } => Some(until(deadline)),
            Phase::Killing { .. } => Some(KILL_PERIOD),
        };
        let log = self.started.writer.owes_note().then_some(RETRY_PERIOD);
        [phase, log].into_iter().flatten().min()
    }

    /// Decides what comes next. True: nothing is left.
    fn step(&mut self) -> bool {
        match self.phase {
            Phase::Running if self.status.is_some() => self.begin_killing(),
            Phase::Stopping { deadline } => {
                let over = Instant::now() >= deadline;
                let ended = self.status.is_some()
                    && !(self.started.stop_scope == StopScope::Group && self.group_has_children());
                if over || ended {
                    self.begin_killing();
                }
            }
            Phase::Running | Phase::Killing { .. } => {}
        }
        let Phase::Killing { deadline } = self.phase else {
            return false;
        };
        self.reap();
        if !has_children() || Instant::now() >= deadline {
            return true;
        }
        self.kill_everything();
        false
    }

    fn begin_killing(&mut self) {
        self.phase = Phase::Killing {
            deadline: Instant::now() + KILL_PATIENCE,
        };
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Stop => self.stop(),
            Command::Kill => {
                self.asked = true;
                if !matches!(self.phase, Phase::Killing { .. }) {
                    self.begin_killing();
                }
            }
            // Its number is its own until it has been reaped.
            Command::Signal(signal) if self.status.is_none() => {
                kill_process(self.started.pid, signal.as_rustix()).ok();
            }
            Command::Signal(_) => {}
        }
    }

    fn stop(&mut self) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        self.asked = true;
        self.phase = Phase::Stopping {
            deadline: Instant::now() + self.started.stop_timeout,
        };
        if self.status.is_none() {
            let signal = self.started.stop_signal.as_rustix();
            match self.started.stop_scope {
                StopScope::Main => kill_process(self.started.pid, signal).ok(),
                StopScope::Group => kill_process_group(self.started.pid, signal).ok(),
            };
            // A stopped process (SIGSTOP, a debugger) takes the signal only when it goes on.
            kill_process_group(self.started.pid, Signal::CONT).ok();
        }
    }

    fn take_signals(&mut self) {
        let mut record = [0; SIGINFO_BYTES];
        while rustix::io::read(&self.started.signals, &mut record)
            .is_ok_and(|read| read == SIGINFO_BYTES)
        {
            let number = i32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
            match number {
                libc::SIGTERM => self.stop(),
                libc::SIGCHLD => self.reap(),
                // A terminal's; not for a shim.
                _ => {}
            }
        }
    }

    fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid == self.started.pid {
                self.status = Some(status);
            }
        }
    }

    /// Whether a child of the shim is in the main process's group. (The group's number must not be used for signals any more once the
    /// main process has been reaped; asking for children by it is safe.)
    fn group_has_children(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pgid(Some(self.started.pid)), options).is_ok()
    }

    fn kill_everything(&self) {
        for dir in &self.started.facts.cgroups {
            cgroup::kill(dir, &BTreeSet::new());
        }
        let this = rustix::process::getpid().as_raw_pid();
        for (pid, stat) in procfs::descendants(&BTreeSet::from([this])) {
            procfs::kill_exactly(pid, stat.ticks);
        }
    }

    fn read_outputs(&mut self) {
        for index in 0..self.started.outputs.len() {
            self.read_output(index, READS_PER_TURN);
        }
    }

    /// Reads what a pipe has, at most so many times; closes it at its end.
    fn read_output(&mut self, index: usize, turns: u32) {
        let Some((fd, lines)) = &mut self.started.outputs[index] else {
            return;
        };
        self.buffer.resize(READ_BYTES, 0);
        for _ in 0..turns {
            match rustix::io::read(&*fd as &OwnedFd, &mut self.buffer) {
                Ok(read) if read > 0 => {
                    lines.feed(&self.buffer[..read], now_nanos(), &mut self.started.writer);
                    self.started.writer.flush();
                    if read < READ_BYTES / 2 {
                        // Nearly empty: let it fill instead of asking for each line.
                        return;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                _ => {
                    lines.finish(now_nanos(), &mut self.started.writer);
                    self.started.writer.flush();
                    self.started.outputs[index] = None;
                    return;
                }
            }
        }
    }

    /// Everything is dead: its last words, its exit, its end.
    fn finish(mut self) -> io::Result<()> {
        self.drain_outputs();
        let survivors: Vec<i32> = if has_children() {
            let this = rustix::process::getpid().as_raw_pid();
            procfs::descendants(&BTreeSet::from([this]))
                .into_keys()
                .collect()
        } else {
            Vec::new()
        };
        let oom_kills = self
            .started
            .facts
            .cgroups
            .iter()
            .map(|dir| cgroup::oom_kills(dir))
            .max()
            .unwrap_or(0);
        let exit = Exit {
            cause: self.status.map_or(Cause::Signal(libc::SIGKILL), cause),
            at: clock::now(),
            oom_killed: oom_kills > self.started.oom_kills_before,
            asked: self.asked,
            dropped_lines: self.started.writer.dropped(),
            survivors,
        };
        if exit.survivors.is_empty() {
            for dir in &self.started.facts.cgroups {
                cgroup::remove(dir);
            }
        }
        // Without the file nobody would know: retried until it is there, or until the directory is gone and nobody can ask.
        while let Err(error) = self.started.exit.fill(&exit) {
            if error.kind() == io::ErrorKind::NotFound {
                break;
            }
            std::thread::sleep(RETRY_PERIOD);
        }
        self.engines.accept(&self.started.listener, &self.greeting);
        self.engines.tell(&Event::Exited(exit));
        std::fs::remove_file(facts::socket_path(&self.started.dir)).or_else(|error| {
            match error.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            }
        })
    }

    fn drain_outputs(&mut self) {
        for index in 0..self.started.outputs.len() {
            // All writers are dead, so a pipe's content is at most its capacity, unless it was handed to a stranger; 16 MiB of his will do.
            for _ in 0..16 {
                self.read_output(index, READS_PER_TURN);
            }
            if let Some((_, mut lines)) = self.started.outputs[index].take() {
                lines.finish(now_nanos(), &mut self.started.writer);
            }
        }
        self.started.writer.flush();
    }
}

/// Whether any child is left, zombies included.
fn has_children() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, options).is_ok()
}

fn cause(status: WaitStatus) -> Cause {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Cause::Code(code),
        (None, Some(signal)) => Cause::Signal(signal),
        (None, None) => Cause::Signal(libc::SIGKILL),
    }
}
