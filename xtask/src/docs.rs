//! The references that are generated from the code, so that they cannot drift from it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// One generated file: where it is, and what makes its text.
type Reference = (&'static str, fn() -> Result<String>);

/// Every generated file.
const REFERENCES: [Reference; 3] = [
    ("docs/reference/cli.md", || Ok(wharf_cli::reference())),
    ("docs/reference/wharf-yaml.md", || {
        Ok(wharf_spec::reference())
    }),
    ("docs/reference/wharf.schema.json", || {
        Ok(serde_json::to_string_pretty(&wharf_spec::schema())? + "\n")
    }),
];

/// Writes those that differ.
pub(crate) fn write(root: &Path) -> Result<()> {
    for (path, text) in REFERENCES {
        let (path, text) = (root.join(path), text()?);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        fs::write(&path, text).with_context(|| path.display().to_string())?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

/// Fails if one differs.
pub(crate) fn check(root: &Path) -> Result<()> {
    for (path, text) in REFERENCES {
        let text = text()?;
        if !fs::read_to_string(root.join(path)).is_ok_and(|old| old == text) {
            bail!("{path} is not up to date: run `cargo xtask docs`");
        }
    }
    Ok(())
}
