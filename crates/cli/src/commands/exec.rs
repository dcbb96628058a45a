//! `wharf exec` and `wharf run`: this process becomes the command, in the service's folder and environment.

use std::os::unix::process::CommandExt;
use std::process::Command;

use wharf_engine::api::{Environment, EnvironmentRequest};

use crate::args::{Exec, Global, Run};
use crate::exit::{Code, failure};
use crate::launcher::{block_on, ensure_engine};
use crate::project::Project;

pub(crate) fn exec(global: &Global, args: &Exec) -> anyhow::Result<Code> {
    become_command(&environment(global, &args.service)?, &args.command)
}

pub(crate) fn run(global: &Global, args: &Run) -> anyhow::Result<Code> {
    let environment = environment(global, &args.service)?;
    let command = if args.command.is_empty() { environment.argv.clone() } else { args.command.clone() };
    become_command(&environment, &command)
}

fn environment(global: &Global, service: &str) -> anyhow::Result<Environment> {
    let project = Project::locate(global)?;
    let service = service
        .parse()
        .map_err(|error: wharf_base::ids::ParseNameError| failure(Code::Usage, error.to_string(), "`wharf ps` lists the services"))?;
    block_on(async {
        let client = ensure_engine(&project.state).await?;
        Ok(client.environment(&EnvironmentRequest { service }).await?)
    })
}

fn become_command(environment: &Environment, argv: &[String]) -> anyhow::Result<Code> {
    let (program, arguments) = argv.split_first().ok_or_else(|| failure(Code::Usage, "the command is empty", ""))?;
    let mut command = Command::new(find(program, environment));
    command.arg0(program).args(arguments).current_dir(&environment.cwd).env_clear().envs(&environment.env);
    // The terminal stays usable for what runs in it.
    if let Ok(term) = std::env::var("TERM") {
        command.env("TERM", term);
    }
    if let Some((uid, gid)) = environment.user {
        command.gid(gid).uid(uid);
    }
    let error = command.exec();
    Err(failure(Code::Failed, format!("cannot run `{program}`: {error}"), "the service's PATH and folder are searched for it"))
}

/// The program in the service's PATH, not in that of this process.
fn find(program: &str, environment: &Environment) -> std::path::PathBuf {
    if program.contains('/') {
        return environment.cwd.join(program);
    }
    let path = environment.env.get("PATH").map_or("", String::as_str);
    let found = std::env::split_paths(path).map(|dir| dir.join(program)).find(|candidate| candidate.is_file());
    found.unwrap_or_else(|| program.into())
}
