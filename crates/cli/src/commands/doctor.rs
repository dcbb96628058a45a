//! `wharf doctor`: what this machine can do, and what is missing.

use serde::Serialize;
use wharf_engine::client::Client;
use wharf_plan::model::StoreEngine;

use crate::args::Global;
use crate::exit::Code;
use crate::launcher::{block_on, was_started};
use crate::output::{Output, Style, paint};
use crate::project::Project;

#[derive(Serialize)]
struct Finding {
    ok: bool,
    what: String,
    consequence: String,
}

pub(crate) fn run(global: &Global, output: &Output) -> anyhow::Result<Code> {
    let mut findings: Vec<Finding> = wharf_process::capabilities::probe()
        .into_iter()
        .map(|finding| Finding {
            ok: finding.ok,
            what: finding.what,
            consequence: finding.consequence,
        })
        .collect();
    for engine in [StoreEngine::Postgres, StoreEngine::Redis] {
        findings.push(match wharf_store::find(engine, None) {
            Ok(server) => Finding {
                ok: true,
                what: format!(
                    "{} {} at {}",
                    engine.as_str(),
                    server.version,
                    server.program.display()
                ),
                consequence: String::new(),
            },
            Err(error) => Finding {
                ok: false,
                what: format!("{} for stores", engine.as_str()),
                consequence: error.to_string(),
            },
        });
    }
    findings.push(match wharf_store::Pooler::find() {
        Ok(pooler) => Finding {
            ok: true,
            what: format!(
                "pgbouncer {} at {}",
                pooler.version,
                pooler.program.display()
            ),
            consequence: String::new(),
        },
        Err(error) => Finding {
            ok: false,
            what: "pgbouncer for stores with `pool`".to_owned(),
            consequence: error.to_string(),
        },
    });
    for (program, needed) in [
        ("cargo", "Rust services"),
        ("npm", "Node services"),
        ("python3", "Python services"),
        ("go", "Go services"),
    ] {
        let found = std::env::var_os("PATH").is_some_and(|path| {
            std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
        });
        let consequence = if found {
            String::new()
        } else {
            format!("{needed} cannot be built here")
        };
        findings.push(Finding {
            ok: found,
            what: format!("{program} builds {needed}"),
            consequence,
        });
    }
    findings.extend(file_finding(global));
    findings.extend(telemetry_findings(global));
    if output.json {
        output.value(&findings)?;
    } else {
        for finding in &findings {
            let (sign, style) = if finding.ok {
                ("ok  ", Style::Good)
            } else {
                ("miss", Style::Busy)
            };
            let consequence = if finding.ok {
                String::new()
            } else {
                format!(": {}", finding.consequence)
            };
            output.line(&format!(
                "{} {}{consequence}",
                paint(sign, style, output.color_out),
                finding.what
            ));
        }
    }
    Ok(Code::Done)
}

/// The telemetry of a project that runs: whether it takes what comes, and what it found broken.
fn telemetry_findings(global: &Global) -> Vec<Finding> {
    let Ok(project) = Project::locate(global) else {
        return vec![];
    };
    if !was_started(&project.state) {
        return vec![];
    }
    let asked = block_on(async { Ok(Client::new(&project.state).status().await?) });
    let Ok(status) = asked else {
        return vec![];
    };
    let mut telemetry = status.telemetry;
    let finding = |what: &str, trouble: Option<String>| Finding {
        ok: trouble.is_none(),
        what: what.to_owned(),
        consequence: trouble.unwrap_or_default(),
    };
    let untold: Vec<String> = ["receivers", "messages"]
        .iter()
        .filter_map(|part| telemetry.troubles.remove(*part))
        .collect();
    let untold = (!untold.is_empty()).then(|| untold.join("; "));
    let mut trouble: Vec<String> = telemetry.troubles.into_values().collect();
    if telemetry.status != "ready" {
        trouble.insert(0, format!("it is {}", telemetry.status));
    }
    let trouble = (!trouble.is_empty()).then(|| trouble.join("; "));
    let mut findings = vec![
        finding("the telemetry takes metrics, logs and traces", trouble),
        finding("alerts reach everybody that `notify` names", untold),
    ];
    findings.extend(telemetry.recovered.into_iter().map(|what| Finding {
        ok: false,
        what: "the telemetry was whole when it was opened".to_owned(),
        consequence: what,
    }));
    findings
}

/// The file, if there is one: what is wrong with it belongs here too.
fn file_finding(global: &Global) -> Option<Finding> {
    let project = Project::locate(global).ok()?;
    let bytes = project.read().ok()?;
    let (plan, diagnostics) = wharf_plan::resolve(&bytes, global.env.as_deref());
    let shown = project.file.display();
    let consequence = if plan.is_some() {
        String::new()
    } else {
        format!("{} problems; `wharf check` shows them", diagnostics.len())
    };
    Some(Finding {
        ok: plan.is_some(),
        what: format!("{shown} is valid"),
        consequence,
    })
}
