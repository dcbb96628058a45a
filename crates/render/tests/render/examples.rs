//! The examples, rendered: every target that applies, for the whole file and for each environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wharf_base::ids::Name;
use wharf_plan::model::Plan;
use wharf_render::{Input, Rendered, Scope, TARGETS, Target};

/// The five systems.
pub(crate) const EXAMPLES: [&str; 5] = ["chat", "django-ec2", "django-eks", "items", "items-redis"];

/// The folder of what is the same for every environment.
pub(crate) const PROJECT: &str = "project";
/// The folder of the file as it stands, without an environment.
pub(crate) const DEFAULT: &str = "default";

/// One file's plans.
pub(crate) struct Plans {
    pub(crate) base: Plan,
    pub(crate) environments: BTreeMap<Name, Plan>,
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().and_then(Path::parent).unwrap().to_owned()
}

impl Plans {
    pub(crate) fn of_example(name: &str) -> Self {
        let path = root().join("examples").join(name).join("wharf.yaml");
        let bytes = std::fs::read(&path).unwrap();
        let mut plans = Self::of(&bytes).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        let folder = path.parent().unwrap();
        for plan in plans.environments.values_mut().chain([&mut plans.base]) {
            wharf_build::toolchain::fill(plan, folder).unwrap();
        }
        plans
    }

    /// The plans of a file, or what is wrong with it.
    pub(crate) fn of(bytes: &[u8]) -> Result<Self, String> {
        let plan = |environment: Option<&str>| {
            let (plan, diagnostics) = wharf_plan::resolve(bytes, environment);
            plan.ok_or_else(|| {
                let messages: Vec<&str> =
                    diagnostics.iter().map(|one| one.message.as_str()).collect();
                messages.join("; ")
            })
        };
        let mut environments = BTreeMap::new();
        for name in wharf_plan::environments(bytes) {
            environments.insert(name.parse().unwrap(), plan(Some(&name))?);
        }
        Ok(Self {
            base: plan(None)?,
            environments,
        })
    }

    /// Every rendering: folder (`project`, `default` or the environment), target, files.
    pub(crate) fn render_all(&self) -> Vec<(String, &'static Target, Rendered)> {
        let mut all = vec![];
        let mut render = |folder: &str, plan: &Plan, scope: Scope| {
            let input = Input {
                plan,
                base: &self.base,
                environments: &self.environments,
            };
            for target in TARGETS.iter().filter(|target| target.scope == scope) {
                if (target.applies)(&input).is_ok() {
                    all.push((folder.to_owned(), target, target.render(&input)));
                }
            }
        };
        render(PROJECT, &self.base, Scope::Project);
        render(DEFAULT, &self.base, Scope::Environment);
        for (name, plan) in &self.environments {
            render(name.as_str(), plan, Scope::Environment);
        }
        all
    }
}
