//! `wharf render`

use std::path::PathBuf;

use serde::Serialize;
use similar::TextDiff;
use wharf_plan::model::Plan;
use wharf_render::{Scope, TARGETS};

use crate::args::{Global, Render};
use crate::exit::{Code, failure};
use crate::output::{Output, Style, paint};
use crate::project::Project;
use crate::rendered_dir::{FileChange, FileChangeKind, RenderedDir};
use crate::rendering::Plans;

pub(crate) fn run(global: &Global, args: &Render, output: &Output) -> anyhow::Result<Code> {
    let project = Project::locate(global)?;
    let plans = Plans::read(&project, global, output)?;
    if args.list {
        return list(&plans, output);
    }
    let targets = plans.targets(&args.targets)?;
    let dir = folder(&project, plans.chosen(), args.output.as_ref());
    let mut rendered_dir = RenderedDir::open(&dir)?;
    let mut report = Report::default();
    let mut made = vec![];
    for target in targets {
        let rendered = plans.render(target);
        let changes = rendered_dir.changes(target.name, &rendered.files)?;
        report.files += rendered.files.len();
        for gap in &rendered.gaps {
            report.gaps.push(ReportedGap {
                target: target.name,
                what: gap.what.clone(),
                why: gap.why.clone(),
            });
        }
        made.push((target, rendered, changes));
    }
    let changes: Vec<&FileChange> = made.iter().flat_map(|(_, _, changes)| changes).collect();
    report.changed = changes.iter().map(|change| change.path.clone()).collect();

    if args.check {
        for change in &changes {
            output.line(diff(change, output).trim_end());
        }
        report.print(args.explain, output)?;
        if changes.is_empty() {
            output.progress(&format!("{} is up to date", dir.display()));
            return Ok(Code::Done);
        }
        output.note(&format!(
            "{} in {} would change",
            count(changes.len(), "file"),
            dir.display()
        ));
        return Ok(Code::Pending);
    }

    let edited: Vec<&str> = changes
        .iter()
        .filter(|change| change.edited)
        .map(|change| change.path.as_str())
        .collect();
    if !edited.is_empty() && !args.force {
        let message = format!(
            "{} in {} changed by hand and would be lost: {}",
            if edited.len() == 1 {
                "1 file was".to_owned()
            } else {
                format!("{} files were", edited.len())
            },
            dir.display(),
            edited.join(", ")
        );
        let hint = "`--check` shows the difference; say it in wharf.yaml (`patches:` where nothing else does), or `--force`";
        return Err(failure(Code::Failed, message, hint));
    }
    for (target, rendered, changes) in &made {
        rendered_dir.write(target.name, &rendered.files, changes)?;
    }
    let written = report.changed.len();
    rendered_dir.close(plans.chosen())?;
    report.print(args.explain, output)?;
    output.progress(&format!(
        "{} of {} in {}: {}",
        count(report.files, "file"),
        count(made.len(), "target"),
        dir.display(),
        if written == 0 {
            "none had changed".to_owned()
        } else {
            format!("{written} written")
        },
    ));
    if !args.explain && !report.gaps.is_empty() {
        output.progress(&format!(
            "{} could not be expressed: --explain tells them",
            count(report.gaps.len(), "thing")
        ));
    }
    Ok(Code::Done)
}

/// Where files go: as asked, else `deploy`, and `deploy/ENV` for an environment, beside the file.
pub(crate) fn folder(project: &Project, plan: &Plan, asked: Option<&PathBuf>) -> PathBuf {
    if let Some(asked) = asked {
        return asked.clone();
    }
    let deploy = project.base_dir.join("deploy");
    match &plan.environment {
        Some(environment) => deploy.join(environment.as_str()),
        None => deploy,
    }
}

pub(crate) fn count(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// How many files the targets have.
    files: usize,
    /// Those that were not so before.
    changed: Vec<String>,
    /// What the targets cannot express.
    gaps: Vec<ReportedGap>,
}

#[derive(Debug, Serialize)]
struct ReportedGap {
    target: &'static str,
    what: String,
    why: String,
}

impl Report {
    fn print(&self, explain: bool, output: &Output) -> anyhow::Result<()> {
        if output.json {
            return output.value(self);
        }
        if explain {
            for gap in &self.gaps {
                output.line(&format!("{}: {}: {}", gap.target, gap.what, gap.why));
            }
        }
        Ok(())
    }
}

fn list(plans: &Plans, output: &Output) -> anyhow::Result<Code> {
    let input = plans.input();
    let mut rows = vec![];
    let mut facts = vec![];
    for target in TARGETS {
        let scope = match target.scope {
            Scope::Project => "project",
            Scope::Environment => "environment",
        };
        let reason = (target.applies)(&input).err();
        facts.push(serde_json::json!({
            "target": target.name, "summary": target.summary, "scope": scope, "applies": reason.is_none(),
            "reason": reason,
        }));
        let style = reason.map(|_| Style::Faint);
        let about = match reason {
            Some(reason) => format!("{} (not here: {reason})", target.summary),
            None => target.summary.to_owned(),
        };
        rows.push(vec![
            (target.name.to_owned(), style),
            (scope.to_owned(), style),
            (about, style),
        ]);
    }
    if output.json {
        output.value(&facts)?;
    } else {
        output.table(&["target", "scope", "what"], &rows);
    }
    Ok(Code::Done)
}

/// The difference as people read it.
fn diff(change: &FileChange, output: &Output) -> String {
    let (old, new) = match change.kind {
        FileChangeKind::Added => ("/dev/null".to_owned(), change.path.clone()),
        FileChangeKind::Removed => (change.path.clone(), "/dev/null".to_owned()),
        FileChangeKind::Changed if change.edited => (
            format!("{} (changed by hand)", change.path),
            change.path.clone(),
        ),
        FileChangeKind::Changed => (change.path.clone(), change.path.clone()),
    };
    let text = TextDiff::from_lines(&change.old, &change.new)
        .unified_diff()
        .header(&old, &new)
        .to_string();
    let color = output.color_out;
    let painted = text.lines().map(|line| {
        let style = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Style::Strong,
            [b'+', ..] => Style::Good,
            [b'-', ..] => Style::Bad,
            [b'@', ..] => Style::Faint,
            _ => return line.to_owned(),
        };
        paint(line, style, color)
    });
    painted.collect::<Vec<_>>().join("\n")
}
