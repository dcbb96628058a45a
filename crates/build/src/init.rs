//! The first `wharf.yaml` of a folder: what was detected, as a file to read and change.
//!
//! What cannot be known is a comment beside the place it belongs to. The text always passes the checks of `wharf check`.

mod layout;
mod text;
mod variables;

use std::path::Path;

use crate::error::DetectError;

/// Proposes a `wharf.yaml` for what lies in `dir` and in its folders. Reads files and runs nothing.
///
/// # Errors
/// There is no such folder, or a project file in it cannot be read or is not in its format.
pub fn propose(dir: &Path) -> Result<String, DetectError> {
    let project = layout::project(dir)?;
    Ok(text::write(&project))
}

#[cfg(test)]
mod tests;
