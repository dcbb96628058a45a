//! `wharf open`

use std::process::{Command, Stdio};

use crate::args::{Global, Open};
use crate::exit::{Code, failure};
use crate::launcher::block_on;
use crate::output::Output;
use crate::project::Project;

pub(crate) fn run(global: &Global, args: &Open, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    let status = block_on(async { Ok(project.client().status().await?) })?;
    let url = status.url.ok_or_else(|| failure(Code::Failed, "the project has no address yet", "`wharf up` starts it"))?;
    let url = format!("{url}/{}", args.path.trim_start_matches('/'));
    output.line(&url);
    // Without a desktop the printed address is all there is to give.
    for program in ["xdg-open", "open"] {
        let started = Command::new(program).arg(&url).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        if started.is_ok() {
            break;
        }
    }
    Ok(Code::Done)
}
