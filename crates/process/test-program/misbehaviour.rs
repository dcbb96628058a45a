//! Children that no supervisor likes.

use std::io::Write;
use std::process::ExitCode;

/// Touches memory, a mebibyte at a time, up to 256 MiB.
pub(crate) fn eat() -> ExitCode {
    let mut held = Vec::new();
    for n in 0..256 {
        held.push(vec![u8::try_from(n % 255 + 1).unwrap_or(1); 1 << 20]);
    }
    std::hint::black_box(&held);
    ExitCode::SUCCESS
}

/// Writes numbered lines as fast as they are taken, to both streams in turn.
pub(crate) fn spam(count: u64) -> ExitCode {
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    for n in 0..count {
        let written = if n % 2 == 0 {
            writeln!(out, "line {n}")
        } else {
            writeln!(err, "line {n}")
        };
        if written.is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
