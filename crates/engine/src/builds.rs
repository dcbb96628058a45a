//! Builds the services of a release, at most two at a time: a build uses what cores there are by itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use wharf_base::ids::{Name, ReleaseId};
use wharf_build::{Progress, Request};
use wharf_plan::model::Source;

use crate::engine::{Engine, Event};
use crate::environment::{settings, volume_links};
use crate::release::{Artifact, Release};
use crate::replica::chain;

/// A build that takes longer hangs: the largest cold builds of a service take minutes.
const BUILD_TIMEOUT: Duration = Duration::from_secs(3_600);

/// Builds that run at once.
const PARALLEL: usize = 2;

impl Engine {
    /// Starts the build of a release; [`Event::Built`] tells its end.
    pub(crate) fn start_build(&self, release: &Release) -> AbortHandle {
        let id = release.id;
        let mut tasks = JoinSet::new();
        let permits = Arc::new(Semaphore::new(PARALLEL));
        let mut artifacts: BTreeMap<Name, Option<Artifact>> = BTreeMap::new();
        let mut refused = None;
        for (name, service) in &release.plan.services {
            match &service.source {
                Source::Command => drop(artifacts.insert(name.clone(), None)),
                Source::Image(image) => {
                    refused = Some(format!(
                        "`{name}` is the container image {image}, which the process driver cannot run: give it a `build`, or a `command` of this machine"
                    ));
                }
                Source::Build(build) => {
                    let request = Request {
                        service: name.clone(),
                        context: release.base_dir.join(&build.context),
                        build: (**build).clone(),
                        command: service.command.clone(),
                        static_files: !service.static_files.is_empty(),
                        settings: settings(&self.state, &release.plan, name, service),
                        links: volume_links(&self.state, &release.base_dir, name, service),
                        artifacts: self.state.artifacts(name),
                        cache: self.state.cache(),
                        timeout: Some(BUILD_TIMEOUT),
                        progress: self.progress(id, name.clone()),
                    };
                    tasks.spawn_local(build_one(
                        id,
                        request,
                        Arc::clone(&permits),
                        self.events.clone(),
                    ));
                }
            }
        }
        let events = self.events.clone();
        let task = tokio::task::spawn_local(async move {
            let mut result = refused.map_or(Ok(()), Err);
            while result.is_ok()
                && let Some(joined) = tasks.join_next().await
            {
                result = match joined {
                    Ok(Ok((name, artifact))) => {
                        artifacts.insert(name, Some(artifact));
                        Ok(())
                    }
                    Ok(Err(message)) => Err(message),
                    Err(error) => Err(format!("a build ended unexpectedly: {error}")),
                };
            }
            // Dropping the set cancels what still builds, with its processes.
            drop(tasks);
            drop(
                events
                    .send(Event::Built {
                        release: id,
                        result: result.map(|()| artifacts),
                    })
                    .await,
            );
        });
        task.abort_handle()
    }

    fn progress(&self, release: ReleaseId, service: Name) -> wharf_build::ProgressSink {
        let (lines, mut received) = mpsc::channel::<String>(64);
        let events = self.events.clone();
        tokio::task::spawn_local(async move {
            while let Some(line) = received.recv().await {
                if events
                    .send(Event::BuildLine {
                        release,
                        service: service.clone(),
                        line,
                    })
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
        Arc::new(move |progress: Progress| {
            let line = match progress {
                Progress::Step(line) | Progress::Line(line) | Progress::Warning(line) => line,
            };
            // Progress is for people: lines that come faster than they can be told are left out.
            drop(lines.try_send(line));
        })
    }

    /// Removes artifacts that no release refers to.
    pub(crate) fn prune_artifacts(&self) {
        let mut keep: BTreeMap<&Name, Vec<&str>> = BTreeMap::new();
        for (name, revision) in self
            .releases
            .values()
            .flat_map(|release| &release.revisions)
        {
            let digests = keep.entry(name).or_default();
            digests.extend(
                revision
                    .artifact
                    .as_ref()
                    .map(|artifact| artifact.digest.as_str()),
            );
        }
        if self.building.is_some() {
            return;
        }
        let keep: Vec<(PathBuf, Vec<String>)> = keep
            .into_iter()
            .map(|(name, digests)| {
                (
                    self.state.artifacts(name),
                    digests.into_iter().map(str::to_owned).collect(),
                )
            })
            .collect();
        // Removing folders takes its time; the engine does not wait for it.
        std::thread::spawn(move || {
            for (folder, digests) in keep {
                let digests: Vec<&str> = digests.iter().map(String::as_str).collect();
                // What could not be removed is tried again after the next release.
                drop(wharf_build::prune(&folder, &digests));
            }
        });
    }
}

async fn build_one(
    release: ReleaseId,
    request: Request,
    permits: Arc<Semaphore>,
    events: mpsc::Sender<Event>,
) -> Result<(Name, Artifact), String> {
    let service = request.service.clone();
    let _permit = permits.acquire().await.map_err(|error| error.to_string())?;
    let began = tokio::time::Instant::now();
    let built = wharf_build::build(request).await;
    let built =
        built.map_err(|error| format!("the build of `{service}` failed: {}", chain(&error)))?;
    let (cached, took) = (built.cached, began.elapsed());
    drop(
        events
            .send(Event::ServiceBuilt {
                release,
                service: service.clone(),
                cached,
                took,
            })
            .await,
    );
    let artifact = Artifact {
        digest: built.digest,
        dir: built.dir,
        path_prepend: built.path_prepend,
        env: built.env,
        default_command: built.default_command,
    };
    Ok((service, artifact))
}
