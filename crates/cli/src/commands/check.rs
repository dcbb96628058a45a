//! `wharf check`

use crate::args::{Check, Format, Global};
use crate::exit::Code;
use crate::output::Output;
use crate::project::Project;

pub(crate) fn run(global: &Global, args: &Check, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    let plan = project.plan(global, output)?;
    let format = args.format.or(output.json.then_some(Format::Json));
    match format {
        Some(Format::Json) => output.value(&plan)?,
        Some(Format::Yaml) => output.line(wharf_plan::yaml::to_yaml(&plan)?.trim_end()),
        None => {
            let count = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
            output.line(&format!(
                "{} is valid: {}, {}, {}",
                project.file.display(),
                count(plan.services.len(), "service"),
                count(plan.stores.len(), "store"),
                count(plan.routes.len(), "route"),
            ));
        }
    }
    Ok(Code::Done)
}
