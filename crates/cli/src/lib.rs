//! The command line: wording, tables, progress, exit codes. One file a command.

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

mod args;
mod chart;
mod commands;
mod exit;
mod follow;
mod launcher;
mod output;
mod project;
mod reference;
mod rendered_dir;
mod rendering;
mod telemetry_client;
mod terminal;
mod trace_id;
mod unenforced;
mod waterfall;

pub use reference::reference;

use args::{Cli, Command};

/// Runs the command that the process's arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    // The shim is started with every replica: it reads no arguments and touches no terminal.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == "shim")
    {
        return wharf_process::shim_main();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let global = cli.global();
    let output = output::Output::new(&global);
    let code = match dispatch(cli.command, &global, &output) {
        Ok(code) => code,
        Err(error) => exit::report(&output, &error),
    };
    ExitCode::from(code as u8)
}

fn dispatch(
    command: Command,
    global: &args::Global,
    output: &output::Output,
) -> anyhow::Result<exit::Code> {
    match command {
        Command::Up(args) => commands::up::run(global, &args, output),
        Command::Down(args) => commands::down::run(global, &args, output),
        Command::Ps(_) => commands::ps::run(global, output),
        Command::Logs(args) => commands::logs::run(global, &args, output),
        Command::Query(args) => commands::query::run(global, &args, output),
        Command::Alerts(args) => commands::alerts::run(global, &args, output),
        Command::Trace(args) => commands::trace::run(global, &args, output),
        Command::Exec(args) => commands::exec::exec(global, &args),
        Command::Run(args) => commands::exec::run(global, &args),
        Command::Restart(args) => commands::restart::run(global, &args, output),
        Command::Scale(args) => commands::scale::run(global, &args, output),
        Command::Release(args) => commands::release::run(global, &args, output),
        Command::Rollout(args) => commands::rollout::run(global, &args.command, output),
        Command::Open(args) => commands::open::run(global, &args, output),
        Command::Check(args) => commands::check::run(global, &args, output),
        Command::Render(args) => commands::render::run(global, &args, output),
        Command::Plan(args) => commands::plan::run(global, &args, output),
        Command::Schema(_) => commands::schema::run(output),
        Command::Init(args) => commands::init::run(&args, output),
        Command::Doctor(_) => commands::doctor::run(global, output),
        Command::Audit(_) => commands::audit::run(global, output),
        Command::Completions(args) => {
            clap_complete::generate(
                args.shell,
                &mut Cli::command(),
                "wharf",
                &mut std::io::stdout(),
            );
            Ok(exit::Code::Done)
        }
        Command::Engine(args) => commands::internal::engine(&args),
        Command::Ingress(args) => commands::internal::ingress(args),
        Command::Shim(_) => Ok(exit::Code::Usage),
    }
}
