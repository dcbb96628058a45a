//! The processes that Wharf starts of itself.

use anyhow::Context;
use wharf_engine::state_dir::StateDir;

use crate::args::{EngineArgs, IngressArgs};
use crate::exit::Code;

/// `wharf engine DIR`
pub(crate) fn engine(args: &EngineArgs) -> anyhow::Result<Code> {
    // Away from the terminal that started it, so that its hang-up reaches nothing. Fails only where it leads already.
    rustix::process::setsid().ok();
    wharf_engine::run(&StateDir::at(args.dir.clone()))?;
    Ok(Code::Done)
}

/// `wharf ingress …`
pub(crate) fn ingress(args: IngressArgs) -> anyhow::Result<Code> {
    rustix::process::setsid().ok();
    let listeners = wharf_ingress::inherited_listeners()
        .context("the listening sockets were not handed over")?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let options = wharf_ingress::Options {
        control_socket: args.control_socket,
        config_file: args.config_file,
        access_log: args.access_log,
        workers: args.workers.unwrap_or(cores),
        listeners,
    };
    wharf_ingress::run(options)?;
    Ok(Code::Done)
}
