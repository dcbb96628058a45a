//! `wharf audit`

use crate::args::Global;
use crate::exit::Code;
use crate::launcher::block_on;
use crate::output::Output;
use crate::project::Project;
use crate::terminal::moment;

pub(crate) fn run(global: &Global, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    let entries = block_on(async { Ok(project.client().audit().await?) })?;
    if output.json {
        output.value(&entries)?;
        return Ok(Code::Done);
    }
    let rows: Vec<_> = entries
        .into_iter()
        .map(|entry| vec![(moment(entry.at), None), (entry.actor, None), (entry.action, None)])
        .collect();
    output.table(&["when", "who", "what"], &rows);
    Ok(Code::Done)
}
