//! What a plan's builds are written in, where the file does not say: renderers make Dockerfiles and pipelines of it.

use std::path::Path;

use wharf_plan::model::{Framework, Language, Plan, Source, Toolchain};

use crate::detect::{self, Kind};
use crate::error::DetectError;

/// Looks at the folder of each build that does not say its language; `base_dir` is the folder of `wharf.yaml`. A folder that is
/// not there, or of a kind that is not known, leaves its build as it is.
///
/// # Errors
/// A project file cannot be read or is not in its format.
pub fn fill(plan: &mut Plan, base_dir: &Path) -> Result<(), DetectError> {
    for service in plan.services.values_mut() {
        let Source::Build(build) = &mut service.source else {
            continue;
        };
        let folder = base_dir.join(&build.context);
        if build.toolchain.is_none() && build.dockerfile.is_none() && folder.is_dir() {
            build.toolchain = of(&detect::detect(&folder)?.kind);
        }
    }
    wharf_plan::languages::fill(plan);
    Ok(())
}

fn of(kind: &Kind) -> Option<Toolchain> {
    let (language, framework) = match kind {
        Kind::Cargo(_) => (Language::Rust, None),
        Kind::Node(node) => (Language::Node, node.react_page.then_some(Framework::React)),
        Kind::Python(python) => {
            let framework = python.framework.as_ref().map(|framework| match framework {
                detect::Framework::Django { .. } => Framework::Django,
                detect::Framework::Flask { .. } => Framework::Flask,
                detect::Framework::FastApi { .. } => Framework::Fastapi,
            });
            (Language::Python, framework)
        }
        Kind::Go(_) => (Language::Go, None),
        Kind::Dockerfile | Kind::Command => return None,
    };
    Some(Toolchain {
        language,
        version: None,
        framework,
        packages: vec![],
        build_packages: vec![],
    })
}
