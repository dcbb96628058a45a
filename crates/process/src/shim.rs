//! The shim: a process of its own between the engine and one main process. Single-threaded, without a runtime, small.
//!
//! Its life: read the [`Launch`] from standard input, start the program, report to standard output, then wait for signals, output and
//! commands until the program and everything below it has ended; write `exit.json`, tell the engines, end. It has a session of its own
//! (no Ctrl-C reaches it), survives the engine, and takes SIGTERM as the wish to stop.

mod engines;
mod start;
mod supervise;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::process::ExitCode;

use rustix::fs::{Mode, OFlags};

use crate::launch::Launch;
use crate::syscalls;
use crate::wire::{self, Failure, Report, Step};

/// The longest launch. The kernel takes 2 MiB of arguments and environment; JSON may need six bytes for one.
const LAUNCH_MAX_BYTES: u64 = 16 << 20;

/// What a process does whose whole task is to be a shim: call this first in `main`, with no thread running and no file open. Its
/// arguments mean nothing to it. Returns when the process that it was for has ended.
#[must_use]
pub fn shim_main() -> ExitCode {
    syscalls::close_inherited();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is the engine's pipe until the report; what it says ends up in the engine's message.
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    // Refused if it leads a group already, as one started by hand in a shell does.
    rustix::process::setsid().ok();
    rustix::thread::set_name(c"wharf-shim")?;
    let launch = read_launch()?;
    let mut report = File::from(rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?);
    match start::start(&launch) {
        Ok(started) => {
            detach()?;
            // The launch holds the environment's secrets; what is needed of it has been taken.
            drop(launch);
            // The engine may have been killed meanwhile; the next one adopts.
            drop(report.write_all(&wire::line(&Report::Running(started.facts.clone()))));
            drop(report);
            supervise::supervise(started)
        }
        Err(failure) => report.write_all(&wire::line(&Report::Failed(failure))),
    }
}

/// Reads one line. Without its end the engine has died while it wrote, and nothing is started.
fn read_launch() -> io::Result<Launch> {
    let mut text = Vec::new();
    let mut input = BufReader::new(io::Read::take(
        File::from(rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?),
        LAUNCH_MAX_BYTES,
    ));
    input.read_until(b'\n', &mut text)?;
    if !text.ends_with(b"\n") {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the launch ends before its end",
        ));
    }
    // serde's messages can quote values, and values can be secrets.
    serde_json::from_slice(&text).map_err(|error| {
        let message = format!(
            "the launch is not one of this release, at byte {}",
            error.column()
        );
        io::Error::new(io::ErrorKind::InvalidData, message)
    })
}

/// Lets go of the engine's pipes, so that their ends are seen, and of the folder, so that it can be unmounted.
fn detach() -> io::Result<()> {
    let null = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(rustix::process::chdir("/")?)
}

/// The failure of a step, for `map_err`.
fn failed(step: Step) -> impl Fn(io::Error) -> Failure {
    move |error| Failure {
        step,
        errno: error.raw_os_error().unwrap_or(0),
    }
}
