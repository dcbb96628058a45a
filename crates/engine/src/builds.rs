//! Builds the services of a release, at most two at a time: a build uses what cores there are by itself. Services whose builds
//! are the same share one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use wharf_base::ids::{Name, ReleaseId};
use wharf_build::{Progress, Request};
use wharf_plan::images::is_django;
use wharf_plan::model::{Build, Service, Source};

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
                Source::Build(_) => {}
            }
        }
        for names in self.same_builds(release) {
            if let Some(request) = self.build_request(release, &names) {
                let (permits, events) = (Arc::clone(&permits), self.events.clone());
                tasks.spawn_local(build_one(id, names, request, permits, events));
            }
        }
        let events = self.events.clone();
        let task = tokio::task::spawn_local(async move {
            let mut result = refused.map_or(Ok(()), Err);
            while result.is_ok()
                && let Some(joined) = tasks.join_next().await
            {
                result = match joined {
                    Ok(Ok((names, artifact))) => {
                        let built = names.into_iter().map(|name| (name, Some(artifact.clone())));
                        artifacts.extend(built);
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

    /// The services that are built, those together that one artifact is enough for.
    fn same_builds(&self, release: &Release) -> Vec<Vec<Name>> {
        let mut groups: Vec<(Same<'_>, Vec<Name>)> = vec![];
        for (name, service) in &release.plan.services {
            let Some(same) = self.same(release, name, service) else {
                continue;
            };
            match groups.iter_mut().find(|(other, _)| *other == same) {
                Some((_, names)) => names.push(name.clone()),
                None => groups.push((same, vec![name.clone()])),
            }
        }
        groups.into_iter().map(|(_, names)| names).collect()
    }

    fn same<'a>(
        &self,
        release: &'a Release,
        name: &Name,
        service: &'a Service,
    ) -> Option<Same<'a>> {
        let Source::Build(build) = &service.source else {
            return None;
        };
        // Only what collects static files reads them, and no settings of it depend on where it listens.
        let reads = is_django(service) || !service.static_files.is_empty();
        let mut settings = settings(&self.state, &release.plan, name, service);
        settings.retain(|variable, _| {
            reads && (variable != "PORT" || service.environment.contains_key(variable))
        });
        Some(Same {
            build,
            links: volume_links(&self.state, &release.base_dir, name, service),
            settings,
            // Where nothing is to be built, only what has one is accepted.
            command: service.command.is_some(),
            // What Django's are is said; elsewhere the files decide whether any are collected.
            static_files: !is_django(service) && !service.static_files.is_empty(),
        })
    }

    /// What builds the artifact of these services: as the first of them that answers with static files, if any does.
    fn build_request(&self, release: &Release, names: &[Name]) -> Option<Request> {
        let services = &release.plan.services;
        let files = |name: &&Name| {
            !services
                .get(*name)
                .is_none_or(|s| s.static_files.is_empty())
        };
        let name = names.iter().find(files).or(names.first())?;
        let service = services.get(name)?;
        let Source::Build(build) = &service.source else {
            return None;
        };
        Some(Request {
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
            progress: self.progress(release.id, name.clone()),
        })
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
        if self.building.is_some() {
            return;
        }
        // An artifact lies in the folder of one of the services that it was built for.
        let revisions = self
            .releases
            .values()
            .flat_map(|release| &release.revisions);
        let mut folders = BTreeSet::new();
        let mut keep = BTreeSet::new();
        for (name, revision) in revisions {
            folders.insert(self.state.artifacts(name));
            let artifact = revision.artifact.as_ref();
            keep.extend(artifact.map(|artifact| artifact.digest.clone()));
        }
        // Removing folders takes its time; the engine does not wait for it.
        std::thread::spawn(move || {
            let keep: Vec<&str> = keep.iter().map(String::as_str).collect();
            for folder in folders {
                // What could not be removed is tried again after the next release.
                drop(wharf_build::prune(&folder, &keep));
            }
        });
    }
}

/// What services share an artifact with which they have this in common.
#[derive(PartialEq)]
struct Same<'a> {
    build: &'a Build,
    links: BTreeMap<PathBuf, PathBuf>,
    settings: BTreeMap<String, String>,
    command: bool,
    static_files: bool,
}

/// Builds the artifact of services.
async fn build_one(
    release: ReleaseId,
    names: Vec<Name>,
    request: Request,
    permits: Arc<Semaphore>,
    events: mpsc::Sender<Event>,
) -> Result<(Vec<Name>, Artifact), String> {
    let service = request.service.clone();
    let _permit = permits.acquire().await.map_err(|error| error.to_string())?;
    let began = tokio::time::Instant::now();
    let built = wharf_build::build(request).await;
    let built =
        built.map_err(|error| format!("the build of `{service}` failed: {}", chain(&error)))?;
    let (cached, took) = (built.cached, began.elapsed());
    for service in &names {
        let told = Event::ServiceBuilt {
            release,
            service: service.clone(),
            cached,
            took,
        };
        drop(events.send(told).await);
    }
    let artifact = Artifact {
        digest: built.digest,
        dir: built.dir,
        path_prepend: built.path_prepend,
        env: built.env,
        default_command: built.default_command,
    };
    Ok((names, artifact))
}
