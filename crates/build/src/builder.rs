//! One build: which tool, under which locks, and how its result becomes an artifact. One module a tool.

mod assemble;
mod cargo;
mod go;
mod node;
mod pip;
mod python;
mod requirements;
mod script;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_plan::model::{Build, Command, Framework};

use crate::artifact::Artifact;
use crate::detect::{self, Detected, Kind, detect};
use crate::error::BuildError;
use crate::lock::lock;
use crate::process::{Progress, ProgressSink};
use crate::snapshot::Fingerprint;

/// What is to be built.
#[derive(Clone)]
pub struct Request {
    /// The service, for progress.
    pub service: Name,
    /// Its source folder, absolute.
    pub context: PathBuf,
    /// What the plan says about its build.
    pub build: Build,
    /// The plan's command, if it has one: a folder in which nothing is to be built is accepted only with one.
    pub command: Option<Command>,
    /// Whether the service has files that a web server answers with (`static_files`).
    pub static_files: bool,
    /// The variables of the service, without secrets and real addresses: for what of the build reads its settings.
    pub settings: BTreeMap<String, String>,
    /// Links to put into the artifact in place of what is there: a path relative to its root, and where it leads (volumes).
    pub links: BTreeMap<PathBuf, PathBuf>,
    /// Where the service's artifacts are kept, absolute: `<state>/artifacts/<service>`.
    pub artifacts: PathBuf,
    /// Where installed dependencies are kept, absolute, shared by all services: `<state>/cache`.
    pub cache: PathBuf,
    /// When the build has failed for taking too long; none: never.
    pub timeout: Option<Duration>,
    /// Where progress goes.
    pub progress: ProgressSink,
}

/// A request with what has been found out about it; what every tool's module gets.
pub(crate) struct Job {
    context: PathBuf,
    artifacts: PathBuf,
    cache: PathBuf,
    /// The build's arguments, as environment variables.
    args: Vec<(String, String)>,
    /// The one program that is wanted of several.
    program: Option<String>,
    /// The variables with which Django's files are collected; none: they are not.
    collect: Option<BTreeMap<String, String>>,
    links: BTreeMap<PathBuf, PathBuf>,
    progress: ProgressSink,
    detected: Detected,
}

impl Job {
    /// Paths that are no source although they may lie in the context.
    fn except(&self) -> Vec<PathBuf> {
        vec![self.artifacts.clone(), self.cache.clone()]
    }

    fn warn(&self, message: impl Into<String>) {
        (self.progress)(Progress::Warning(message.into()));
    }

    /// A hash that begins with what every artifact depends on besides its files.
    fn fingerprint(&self, tool: &str) -> Fingerprint {
        // The number changes when the same input begins to give another artifact.
        let mut fingerprint = Fingerprint::new("wharf artifact 1");
        fingerprint.add(tool.as_bytes());
        for (name, value) in &self.args {
            fingerprint.add(name.as_bytes());
            fingerprint.add(value.as_bytes());
        }
        for (path, target) in &self.links {
            fingerprint.add(path.as_os_str().as_bytes());
            fingerprint.add(target.as_os_str().as_bytes());
        }
        fingerprint
    }
}

/// Builds a service's source; gives the artifact of that content, which may have been there already.
///
/// With Cargo, Go and a `build.command` the tool runs each time and decides itself what is to be done; with Node.js and Python
/// nothing runs when the content has been built before. Dropping the future kills all processes of the build and leaves nothing
/// half made. Builds of one folder wait for each other, also between processes.
///
/// # Errors
/// A tool is missing or fails, the limit of time passes, nothing says how the folder is built, or a file cannot be used.
pub async fn build(request: Request) -> Result<Artifact, BuildError> {
    let context = request.context.clone();
    let limit = request.timeout;
    let work = run(request);
    match limit {
        None => work.await,
        Some(limit) => match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => Err(BuildError::Timeout {
                dir: context,
                limit,
            }),
        },
    }
}

async fn run(request: Request) -> Result<Artifact, BuildError> {
    let Request {
        context,
        build,
        command,
        static_files,
        settings,
        links,
        artifacts,
        cache,
        progress,
        ..
    } = request;
    let context = context
        .canonicalize()
        .map_err(|e| BuildError::io("cannot find", &context, e))?;
    for folder in [&artifacts, &cache] {
        fs::create_dir_all(folder).map_err(|e| BuildError::io("cannot make", folder, e))?;
    }
    let (artifacts, cache) = (canonical(artifacts)?, canonical(cache)?);
    let mut key = Fingerprint::new("context");
    key.add(context.as_os_str().as_bytes());
    let folder_lock = cache.join("locks").join(key.finish());
    let _of_folder = lock(&folder_lock, &context.display().to_string(), &progress).await?;
    let detected = {
        let context = context.clone();
        blocking(move || detect(&context).map_err(BuildError::from)).await?
    };
    // As the rendered Dockerfile: a service that is said to be Django's has its files collected.
    let toolchain = build.toolchain.as_ref();
    let said = toolchain.and_then(|toolchain| toolchain.framework) == Some(Framework::Django);
    let collect = (said || static_files && is_django(&detected.kind)).then_some(settings);
    let args = build.args.into_iter().collect();
    let job = Job {
        context,
        artifacts,
        cache,
        args,
        program: build.program,
        collect,
        links,
        progress,
        detected,
    };
    if let Some(line) = &build.command {
        return script::build(&job, line).await;
    }
    if let (Some(program), Kind::Node(_) | Kind::Python(_) | Kind::Command) =
        (&job.program, &job.detected.kind)
    {
        return Err(BuildError::NotCompiled {
            dir: job.context.clone(),
            program: program.clone(),
        });
    }
    match job.detected.kind.clone() {
        Kind::Cargo(found) => cargo::build(&job, &found).await,
        Kind::Node(found) => node::build(&job, &found).await,
        Kind::Python(found) => python::build(&job, &found).await,
        Kind::Go(found) => go::build(&job, &found).await,
        Kind::Dockerfile => Err(BuildError::DockerfileOnly(job.context)),
        Kind::Command if command.is_none() && job.detected.default_command.is_none() => {
            Err(BuildError::Nothing(job.context))
        }
        Kind::Command => script::nothing_to_build(&job).await,
    }
}

fn is_django(kind: &Kind) -> bool {
    let Kind::Python(python) = kind else {
        return false;
    };
    matches!(python.framework, Some(detect::Framework::Django { .. }))
}

fn canonical(path: PathBuf) -> Result<PathBuf, BuildError> {
    path.canonicalize()
        .map_err(|e| BuildError::io("cannot find", &path, e))
}

/// Runs what works on files, off the event loop. It runs to its end even when nobody waits for it any more.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) if e.is_cancelled() => Err(BuildError::Stopped),
        Err(e) => Err(BuildError::io(
            "cannot work on",
            &PathBuf::from("the build"),
            io::Error::other(e),
        )),
    }
}
