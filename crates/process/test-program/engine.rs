//! An engine that starts one process and then waits to be killed.

use std::io::Read;
use std::process::ExitCode;

use wharf_process::{Launch, ShimProgram, spawn};

/// Starts the launch in this file, says its pid, and waits until standard input ends.
pub(crate) fn run(launch: &str) -> ExitCode {
    let outcome = std::fs::read(launch)
        .map_err(|error| error.to_string())
        .and_then(|bytes| {
            let launch: Launch =
                serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            let shim = ShimProgram {
                program: "/proc/self/exe".into(),
                arguments: vec!["shim".into()],
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?;
            let handle = runtime
                .block_on(spawn(&shim, launch))
                .map_err(|error| error.to_string())?;
            #[expect(clippy::print_stdout, reason = "this is how the test hears of it")]
            {
                println!("{}", handle.pid());
            }
            std::io::stdin()
                .read_to_end(&mut Vec::new())
                .map_err(|error| error.to_string())
        });
    match outcome {
        Ok(_) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
