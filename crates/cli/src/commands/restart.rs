//! `wharf restart`

use wharf_engine::api::RestartRequest;

use crate::args::{Global, Restart};
use crate::commands::release::finish;
use crate::exit::{Code, failure};
use crate::follow::follow;
use crate::launcher::{block_on, ensure_engine};
use crate::output::Output;
use crate::project::{Project, actor};

pub(crate) fn run(global: &Global, args: &Restart, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    let parsed = args.services.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>();
    let services = parsed.map_err(|error: wharf_base::ids::ParseNameError| failure(Code::Usage, error.to_string(), ""))?;
    block_on(async {
        let client = ensure_engine(&project.state).await?;
        let accepted = client.restart(&RestartRequest { services, actor: actor() }).await?;
        let ended = follow(&project.state, &client, &accepted, global.timeout, output).await?;
        finish(&accepted, &ended, output)?;
        Ok(Code::Done)
    })
}
