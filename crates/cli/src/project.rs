//! The project that a command is about: its file, its folder, its state directory, its plan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use wharf_base::ids::Name;
use wharf_engine::client::Client;
use wharf_engine::state_dir::StateDir;
use wharf_plan::model::{Plan, TargetKind};
use wharf_plan::template::{Reference, Template};
use wharf_spec::diagnostic::{self, Diagnostic, Severity};

use crate::args::Global;
use crate::exit::{Code, failure};
use crate::output::{Output, Style, paint};

/// Larger files are refused by the parser; no more than this is read for it to say so.
const FILE_MAX_BYTES: u64 = 2 << 20;

/// The project of a command.
pub(crate) struct Project {
    /// `wharf.yaml`, as it was given.
    pub(crate) file: PathBuf,
    /// Its folder, absolute.
    pub(crate) base_dir: PathBuf,
    /// Its state.
    pub(crate) state: StateDir,
}

impl Project {
    /// Finds the project. The file need not exist: `ps` and `down` ask for the state alone.
    pub(crate) fn locate(global: &Global) -> anyhow::Result<Self> {
        let parent = global
            .file
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.map_or_else(|| PathBuf::from("."), std::borrow::ToOwned::to_owned);
        let base_dir = std::fs::canonicalize(&parent).map_err(|error| {
            let message = format!("there is no folder {}: {error}", parent.display());
            failure(Code::Usage, message, "name the project's file with -f")
        })?;
        let given = global
            .state_dir
            .clone()
            .map(std::path::absolute)
            .transpose()?;
        let state = StateDir::locate(&base_dir, given);
        Ok(Self {
            file: global.file.clone(),
            base_dir,
            state,
        })
    }

    /// A client of the project's engine.
    pub(crate) fn client(&self) -> Client {
        Client::new(&self.state)
    }

    /// The bytes of the file.
    pub(crate) fn read(&self) -> anyhow::Result<Vec<u8>> {
        use std::io::Read as _;
        let shown = self.file.display();
        let open = std::fs::File::open(&self.file).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => failure(
                Code::Usage,
                format!("there is no {shown}"),
                "`wharf init` writes one for what lies in the folder; -f names another file",
            ),
            _ => failure(Code::Usage, format!("cannot read {shown}: {error}"), ""),
        })?;
        let mut bytes = vec![];
        open.take(FILE_MAX_BYTES)
            .read_to_end(&mut bytes)
            .with_context(|| format!("cannot read {shown}"))?;
        Ok(bytes)
    }

    /// What the file means; prints everything that is wrong with it.
    pub(crate) fn plan(&self, global: &Global, output: &Output) -> anyhow::Result<Plan> {
        let bytes = self.read()?;
        let (plan, diagnostics) = wharf_plan::resolve(&bytes, global.env.as_deref());
        self.checked(plan, &diagnostics, &bytes, output)
    }

    /// The plan, if it has no error; prints what is wrong with it.
    fn checked(
        &self,
        plan: Option<Plan>,
        diagnostics: &[Diagnostic],
        bytes: &[u8],
        output: &Output,
    ) -> anyhow::Result<Plan> {
        output.diagnostics(diagnostics, &self.file.display().to_string(), bytes);
        let errors = diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .count();
        match plan {
            Some(plan) if errors == 0 => Ok(plan),
            _ => {
                let noun = if errors == 1 { "error" } else { "errors" };
                let message = format!("{} has {errors} {noun}", self.file.display());
                Err(failure(Code::Usage, message, ""))
            }
        }
    }
}

impl Project {
    /// The plan, of an environment that runs on this machine.
    pub(crate) fn local_plan(&self, global: &Global, output: &Output) -> anyhow::Result<Plan> {
        let bytes = self.read()?;
        let (plan, mut diagnostics) = wharf_plan::resolve(&bytes, global.env.as_deref());
        // Old versions matter where they are rendered; what is installed runs here.
        let all = diagnostics.len();
        diagnostics.retain(|diagnostic| diagnostic.code != diagnostic::Code::ENDED.id);
        let plan = self.checked(plan, &diagnostics, &bytes, output)?;
        let ended = all - diagnostics.len();
        if ended > 0 && plan.target.kind == TargetKind::Local {
            let noun = if ended == 1 { "version" } else { "versions" };
            let line =
                format!("{ended} {noun} in the file get no more fixes; `wharf check` names them");
            output.progress(&paint(&line, Style::Faint, output.color_err));
        }
        let place = match plan.target.kind {
            TargetKind::Local => return Ok(plan),
            TargetKind::Compose => "with Compose",
            TargetKind::Kubernetes => "on Kubernetes",
            TargetKind::Ec2 => "on instances of EC2",
        };
        let runs_here = |name: &String| {
            let (plan, _) = wharf_plan::resolve(&bytes, Some(name));
            plan.is_some_and(|plan| plan.target.kind == TargetKind::Local)
        };
        let here = match wharf_plan::environments(&bytes)
            .iter()
            .find(|name| runs_here(name))
        {
            Some(name) => format!("`-e {name}` runs here"),
            None => "without `-e` the file as it stands runs here".to_owned(),
        };
        let name = plan
            .environment
            .map(|name| name.to_string())
            .unwrap_or_default();
        Err(failure(
            Code::Usage,
            format!("the environment {name} runs {place}, not on this machine"),
            format!("`wharf render` writes the files for it; {here}"),
        ))
    }
}

/// The values that the plan's `${env.…}` references have here.
pub(crate) fn env_values(plan: &Plan) -> BTreeMap<String, String> {
    references(plan)
        .filter_map(|reference| match reference {
            Reference::Env { name, .. } => Some((name.clone(), std::env::var(name).ok()?)),
            _ => None,
        })
        .collect()
}

/// The values of the plan's secrets that are among the variables here: of services, of receivers of alerts, of the archive of
/// logs. The engine takes what it needs of them.
pub(crate) fn secret_values(plan: &Plan) -> BTreeMap<Name, String> {
    let names = plan.secrets.keys();
    names
        .filter_map(|name| {
            let value = std::env::var(wharf_engine::secret_variable(name)).ok()?;
            Some((name.clone(), value))
        })
        .collect()
}

/// Everything that what runs here refers to.
fn references(plan: &Plan) -> impl Iterator<Item = &Reference> {
    let urls = plan
        .stores
        .values()
        .filter_map(|store| store.external_url.as_ref());
    let templates = plan
        .services
        .values()
        .flat_map(|service| service.environment.values())
        .chain(urls);
    templates.flat_map(Template::references)
}

/// Who asks, for the audit trail: the user that logged in, also behind `sudo`.
pub(crate) fn actor() -> String {
    let variable = |name: &&str| std::env::var(name).ok().filter(|user| !user.is_empty());
    let uid = rustix::process::getuid().as_raw().to_string();
    let known = || {
        let users = std::fs::read_to_string("/etc/passwd").ok()?;
        let line = users
            .lines()
            .find(|line| line.split(':').nth(2) == Some(uid.as_str()))?;
        line.split(':').next().map(str::to_owned)
    };
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(variable)
        .or_else(known)
        .unwrap_or_else(|| format!("uid {uid}"))
}
