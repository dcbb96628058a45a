//! What the tests launch: a shim (`shim`), an engine that can be killed (`engine`), and children that misbehave.

use std::process::ExitCode;

mod engine;
mod misbehaviour;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["shim", ..] => wharf_process::shim_main(),
        ["engine", launch] => engine::run(launch),
        ["eat"] => misbehaviour::eat(),
        ["spam", count] => misbehaviour::spam(count.parse().unwrap_or(0)),
        _ => ExitCode::from(2),
    }
}
