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
    let shown = path.display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    let absolute = std::path::absolute(path).ok();
    let folder = absolute.as_deref().and_then(|path| Some(path.parent()?.file_name()?.to_string_lossy()));
    let imported = wharf_spec::compose::import(&bytes, folder.as_deref().unwrap_or("app")).map_err(|diagnostics| {
        output.diagnostics(&diagnostics, &shown, &bytes);
        failure(Code::Usage, format!("{shown} cannot be taken over"), "")
    })?;
    for left in &imported.left {
        output.note(&format!("{shown}:{}: `{}` was not taken over as it is: {}", left.line, left.key, left.reason));
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
