//! The `wharf` binary: hands its arguments to the command line crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    wharf_cli::main()
}
