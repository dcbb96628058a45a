//! `wharf plan`

use serde_json::json;
use wharf_plan::diff::{self, Change, Kind};

use crate::args::{Global, PlanArgs};
use crate::commands::render::{count, folder};
use crate::exit::Code;
use crate::output::{Output, Style, paint};
use crate::project::Project;
use crate::rendered_dir::{FileChange, FileChangeKind, RenderedDir};
use crate::rendering::Plans;

pub(crate) fn run(global: &Global, args: &PlanArgs, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    let plans = Plans::read(&project, global, output)?;
    let dir = folder(&project, plans.chosen(), args.output.as_ref());
    let rendered_dir = RenderedDir::open(&dir)?;
    let before = rendered_dir.plan();
    let changes = match &before {
        Some(before) => diff::changes(before, plans.chosen()),
        None => all_new(&plans),
    };
    let mut files: Vec<FileChange> = vec![];
    for name in rendered_dir.targets() {
        // A target that this version does not have, or that has nothing to do any more, leaves its files alone.
        let Ok(targets) = plans.targets(std::slice::from_ref(&name)) else {
            output.note(&format!(
                "{}: the plan has nothing for this target any more; its files stay",
                dir.join(&name).display()
            ));
            continue;
        };
        for target in targets {
            let rendered = plans.render(target);
            files.extend(rendered_dir.changes(target.name, &rendered.files)?);
        }
    }
    let pending = !changes.is_empty() || !files.is_empty();
    if output.json {
        output.value(&json!({
            "folder": dir,
            "changes": changes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "files": files.iter().map(|file| json!({
                "path": file.path, "change": word(file.kind), "edited": file.edited,
            })).collect::<Vec<_>>(),
        }))?;
    } else {
        print(&changes, &files, before.is_some(), &dir, output);
    }
    Ok(if pending { Code::Pending } else { Code::Done })
}

fn print(
    changes: &[Change],
    files: &[FileChange],
    rendered: bool,
    dir: &std::path::Path,
    output: &Output,
) {
    if !rendered {
        output.note(&format!(
            "nothing is rendered in {} yet, so everything is new",
            dir.display()
        ));
    }
    for change in changes {
        let (mark, style) = match change.kind {
            Kind::Added => ("+", Style::Good),
            Kind::Removed => ("-", Style::Bad),
            Kind::Changed { .. } => ("~", Style::Busy),
        };
        output.line(&format!(
            "{} {change}",
            paint(mark, style, output.color_out)
        ));
    }
    for file in files.iter().filter(|file| file.edited) {
        output.line(&format!(
            "{} file {}: changed by hand since it was rendered",
            paint("!", Style::Bad, output.color_out),
            file.path
        ));
    }
    if changes.is_empty() && files.is_empty() {
        output.progress("nothing would change");
    } else if !files.is_empty() {
        output.progress(&format!(
            "{} in {} would change: `wharf render --check` shows them",
            count(files.len(), "file"),
            dir.display()
        ));
    }
}

/// Without anything to compare with, what there is to be is told.
fn all_new(plans: &Plans) -> Vec<Change> {
    let plan = plans.chosen();
    let added = |subject: String| Change {
        subject,
        kind: Kind::Added,
    };
    let services = plan.services.iter().map(|(name, service)| {
        let replicas = count(service.replicas as usize, "replica");
        added(format!("service {name} ({replicas})"))
    });
    let stores = plan
        .stores
        .iter()
        .map(|(name, store)| added(format!("store {name} ({})", store.engine.as_str())));
    let routes = plan.routes.iter().map(|route| {
        added(format!(
            "route {}",
            route.host.as_deref().unwrap_or("of every host")
        ))
    });
    services.chain(stores).chain(routes).collect()
}

fn word(kind: FileChangeKind) -> &'static str {
    match kind {
        FileChangeKind::Added => "added",
        FileChangeKind::Changed => "changed",
        FileChangeKind::Removed => "removed",
    }
}
