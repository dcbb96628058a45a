//! The ingress alone, for measurements and experiments: `ingress CONTROL_SOCKET CONFIG_FILE ACCESS_LOG WORKERS`, with
//! the listeners as systemd passes them (`LISTEN_FDS`, `LISTEN_FDNAMES`).

use std::process::ExitCode;

use wharf_ingress::{Options, inherited_listeners, run};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().unwrap_or_default();
    let (control_socket, config_file, access_log) = (next().into(), next().into(), next().into());
    let workers = next().parse().unwrap_or(1);
    let served = inherited_listeners()
        .map_err(|error| error.to_string())
        .and_then(|listeners| {
            run(Options {
                control_socket,
                config_file,
                access_log,
                workers,
                listeners,
            })
            .map_err(|error| {
                let cause = std::error::Error::source(&error)
                    .map(|cause| format!(": {cause}"))
                    .unwrap_or_default();
                format!("{error}{cause}")
            })
        });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("ingress: {message}");
            ExitCode::FAILURE
        }
    }
}
