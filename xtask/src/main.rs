//! The repository's own commands: `cargo xtask tidy` and `cargo xtask docs`.

mod docs;
mod links;
mod rules;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy            check what compilers do not: names, headers and lengths of files, links of documents
  docs            write the generated references into docs/reference
  docs --check    fail if they are not up to date";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["tidy"] => tidy(&root()),
        ["docs"] => docs::write(&root()),
        ["docs", "--check"] => docs::check(&root()),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder of the workspace.
fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// Applies every rule to every file. Prints what is found; warnings alone are no failure.
fn tidy(root: &Path) -> Result<()> {
    let files = tree::read(root)?;
    let mut findings = rules::check(&files);
    findings.extend(links::check(root, &files));
    for finding in &findings {
        eprintln!("{finding}");
    }
    let errors = findings
        .iter()
        .filter(|finding| finding.level == rules::Level::Error)
        .count();
    if errors > 0 {
        bail!("{errors} errors in {} files", files.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        super::tidy(&super::root()).unwrap();
    }

    #[test]
    fn the_references_are_up_to_date() {
        super::docs::check(&super::root()).unwrap();
    }
}
