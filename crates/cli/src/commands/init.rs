//! `wharf init`

use anyhow::Context;
use wharf_spec::diagnostic::Severity;

use crate::args::Init;
use crate::exit::{Code, failure};
use crate::output::Output;

pub(crate) fn run(args: &Init, output: &Output) -> anyhow::Result<Code> {
    let text = match &args.from {
        Some(compose) => from_compose(compose, output)?,
        None => wharf_build::init::propose(&args.dir)?,
    };
    let (plan, diagnostics) = wharf_plan::resolve(text.as_bytes(), None);
    if args.stdout {
        output.line(text.trim_end());
    } else {
        write(args, &text, output)?;
    }
    output.diagnostics(&diagnostics, "wharf.yaml", text.as_bytes());
    let errors = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    if plan.is_none() || errors {
        return Err(failure(Code::Usage, "the file needs your hand before it can be used", "mend what is marked above, then `wharf check`"));
    }
    if !args.stdout {
        output.progress("next: read it, then `wharf up`");
    }
    Ok(Code::Done)
}

fn from_compose(path: &std::path::Path, output: &Output) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let folder = std::fs::canonicalize(path).ok().and_then(|path| Some(path.parent()?.file_name()?.to_string_lossy().into_owned()));
    let imported = wharf_spec::compose::import(&text, folder.as_deref().unwrap_or("app"))
        .map_err(|error| failure(Code::Usage, format!("{} cannot be taken over: {error}", path.display()), ""))?;
    for left in &imported.left_out {
        output.note(&format!("{}:{}: {} was left out: {}", path.display(), left.line, left.key, left.reason));
    }
    Ok(imported.text)
}

fn write(args: &Init, text: &str, output: &Output) -> anyhow::Result<()> {
    let path = args.dir.join("wharf.yaml");
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if args.force { options.create(true).truncate(true) } else { options.create_new(true) };
    let file = options.open(&path);
    let mut file = match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(failure(Code::Usage, format!("{} is there already", path.display()), "--force writes over it, --stdout prints instead"));
        }
        file => file.with_context(|| format!("cannot write {}", path.display()))?,
    };
    std::io::Write::write_all(&mut file, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
    output.line(&format!("wrote {}", path.display()));
    Ok(())
}
