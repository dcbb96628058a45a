//! Renders one target of one file into a folder: `render FILE ENVIRONMENT|- TARGET DIR`. What `wharf render` does, without the
//! rest of the binary: for work on a target.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use wharf_base::ids::Name;
use wharf_plan::model::Plan;
use wharf_render::{Input, TARGETS, Target};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, environment, target, dir] = arguments.as_slice() else {
        return Err("usage: render FILE ENVIRONMENT|- TARGET|all DIR".into());
    };
    let bytes = std::fs::read(file)?;
    let folder = Path::new(file).parent().unwrap_or(Path::new("."));
    let plan = |environment: Option<&str>| plan(&bytes, environment, folder);
    let base = plan(None)?;
    let mut environments = BTreeMap::new();
    // The names are not in a plan: the file is asked.
    for name in wharf_plan::environments(&bytes) {
        let name: Name = name.parse()?;
        environments.insert(name.clone(), plan(Some(name.as_str()))?);
    }
    let plan = match environment.as_str() {
        "-" => &base,
        name => environments
            .get(name)
            .ok_or("the file has no such environment")?,
    };
    let input = Input {
        plan,
        base: &base,
        environments: &environments,
    };
    let targets: Vec<&Target> = match target.as_str() {
        "all" => TARGETS.iter().collect(),
        name => vec![Target::find(name).ok_or("there is no such target")?],
    };
    for target in targets {
        if let Err(reason) = (target.applies)(&input) {
            eprintln!("{}: does not apply: {reason}", target.name);
            continue;
        }
        let rendered = target.render(&input);
        for gap in &rendered.gaps {
            eprintln!("{}: gap: {gap}", target.name);
        }
        for (path, file) in &rendered.files {
            let path = Path::new(dir).join(target.name).join(path);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(path, &file.text)?;
        }
        eprintln!("{}: {} files", target.name, rendered.files.len());
    }
    Ok(())
}

fn plan(bytes: &[u8], environment: Option<&str>, folder: &Path) -> Result<Plan, Box<dyn Error>> {
    let (plan, diagnostics) = wharf_plan::resolve(bytes, environment);
    let mut plan = plan.ok_or_else(|| {
        let messages: Vec<String> = diagnostics
            .iter()
            .map(|diagnostic| diagnostic.message.clone())
            .collect();
        messages.join("\n")
    })?;
    wharf_build::toolchain::fill(&mut plan, folder)?;
    Ok(plan)
}
