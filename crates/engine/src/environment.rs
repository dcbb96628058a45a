//! What a process of a service is started with: command, folder, variables, user.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use wharf_base::ids::{Name, ReleaseId};
use wharf_plan::images::{beside_program, is_uploaded, volume_of};
use wharf_plan::model::{Command, Plan, Service, Source, StoreEngine, VolumeSource};
use wharf_plan::template::{Field, Own, Reference};
use wharf_process::User;
use wharf_store::Credentials;

use crate::release::{Artifact, Release};
use crate::secrets::Secrets;
use crate::state_dir::StateDir;

/// Variables of the engine's own environment that services see too. Everything else stays out: a developer's shell
/// holds credentials that are not the service's.
const INHERITED: [&str; 8] = [
    "PATH",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// Where a store answers, with what.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct StoreAddress {
    pub(crate) engine: StoreEngine,
    pub(crate) credentials: Credentials,
    /// An external store's URL as it was given.
    pub(crate) url: Option<String>,
    /// Where its pool listens, if it has one.
    pub(crate) pool_port: Option<u16>,
}

impl StoreAddress {
    /// The address of its pool, for a release whose plan has one: those before it keep to the server.
    fn pooled(&self) -> Option<Credentials> {
        Some(Credentials {
            host: "127.0.0.1".to_owned(),
            port: self.pool_port?,
            ..self.credentials.clone()
        })
    }
}

/// What the templates of a service may refer to.
pub(crate) struct Context<'a> {
    pub(crate) state: &'a StateDir,
    pub(crate) release: &'a Release,
    pub(crate) secrets: &'a Secrets,
    pub(crate) stores: &'a BTreeMap<Name, StoreAddress>,
    /// The stable internal ports of services that others refer to.
    pub(crate) services: &'a BTreeMap<Name, u16>,
    pub(crate) user: Option<User>,
    /// Whether stores are asked through their pools. A release's command asks the server itself: what it does to a schema
    /// may need a session's own settings, locks and time.
    pub(crate) pooled: bool,
}

/// Why a process cannot be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct EnvironmentError(pub(crate) String);

/// A process, all but its ports.
#[derive(Clone)]
pub(crate) struct Prepared {
    pub(crate) argv: Vec<String>,
    pub(crate) cwd: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
}

impl Context<'_> {
    /// The process that runs `command`, or the service's own command, on `ports`.
    pub(crate) fn prepare(
        &self,
        name: &Name,
        command: Option<&Command>,
        ports: &BTreeMap<Name, u16>,
    ) -> Result<Prepared, EnvironmentError> {
        let (service, revision) = self.release.service(name).ok_or_else(|| {
            EnvironmentError(format!(
                "there is no service `{name}` in {}",
                self.release.id
            ))
        })?;
        let artifact = revision.artifact.as_ref();
        let command = command
            .or(service.command.as_ref())
            .or_else(|| artifact.and_then(|artifact| artifact.default_command.as_ref()))
            .ok_or_else(|| {
                EnvironmentError(format!(
                    "`{name}` has no `command` and its build does not say what starts it: add `command:` to it"
                ))
            })?;
        let cwd = artifact.map_or_else(
            || self.release.base_dir.clone(),
            |artifact| artifact.dir.clone(),
        );
        let env = self.variables(name, service, revision.release, artifact, ports)?;
        Ok(Prepared {
            argv: command.argv(),
            cwd,
            env,
        })
    }

    fn variables(
        &self,
        name: &Name,
        service: &Service,
        revision: ReleaseId,
        artifact: Option<&Artifact>,
        ports: &BTreeMap<Name, u16>,
    ) -> Result<BTreeMap<String, String>, EnvironmentError> {
        let mut env: BTreeMap<String, String> = INHERITED
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), std::env::var(key).ok()?)))
            .collect();
        if let Some(artifact) = artifact {
            let inherited = env.get("PATH").cloned().unwrap_or_default();
            let before = artifact
                .path_prepend
                .iter()
                .map(|path| path.display().to_string());
            let path: Vec<String> = before
                .chain([inherited])
                .filter(|part| !part.is_empty())
                .collect();
            env.insert("PATH".to_owned(), path.join(":"));
            env.extend(artifact.env.clone());
        }
        // Its own folder would be writable by no other service's user; `/tmp` exists and belongs to nobody.
        let home = if self.user.is_some() {
            Some("/tmp".to_owned())
        } else {
            std::env::var("HOME").ok()
        };
        env.extend(home.map(|home| ("HOME".to_owned(), home)));
        env.extend(self.secrets.files.get(name).cloned().unwrap_or_default());
        // Services listen where only this machine reaches them; the ingress is the door.
        env.insert("HOST".to_owned(), "127.0.0.1".to_owned());
        for (port, number) in ports {
            let variable = format!("PORT_{}", port.as_str().to_uppercase().replace('-', "_"));
            env.insert(variable, number.to_string());
        }
        if let Some(port) = service
            .primary_port
            .as_ref()
            .and_then(|primary| ports.get(primary))
        {
            env.insert("PORT".to_owned(), port.to_string());
        }
        for (key, template) in &service.environment {
            let value =
                template.render(|reference| self.look_up(name, service, revision, reference))?;
            env.insert(key.clone(), value);
        }
        Ok(env)
    }

    fn look_up(
        &self,
        name: &Name,
        service: &Service,
        revision: ReleaseId,
        reference: &Reference,
    ) -> Result<String, EnvironmentError> {
        match reference {
            Reference::Field { of, field } => self.field(of, *field),
            Reference::Env { name: variable, default } => self
                .secrets
                .env
                .get(variable)
                .filter(|value| !value.is_empty())
                .or(default.as_ref())
                .cloned()
                .ok_or_else(|| {
                    EnvironmentError(format!(
                        "`{name}` needs the environment variable {variable}, which was not set when {revision} was made: set it, or write `${{env.{variable}:-default}}`"
                    ))
                }),
            Reference::Secret(secret) => self.secrets.secrets.get(secret).cloned().ok_or_else(|| {
                EnvironmentError(format!("`{name}` needs the secret `{secret}`, which has no value in {revision}"))
            }),
            Reference::Volume(volume) => Ok(self.volume(service, volume)),
            Reference::Wharf(Own::Project) => Ok(self.release.plan.name.to_string()),
            Reference::Wharf(Own::Service) => Ok(name.to_string()),
            Reference::Wharf(Own::Release) => Ok(revision.to_string()),
            Reference::Wharf(Own::Environment) => {
                Ok(self.release.plan.environment.as_ref().map(ToString::to_string).unwrap_or_default())
            }
        }
    }

    fn field(&self, of: &Name, field: Field) -> Result<String, EnvironmentError> {
        if let Some(store) = self.stores.get(of) {
            let wanted = self.release.plan.stores.get(of);
            let pool = wanted
                .filter(|wanted| self.pooled && wanted.pool.is_some())
                .and_then(|_| store.pooled());
            let url = store.url.as_ref().filter(|_| pool.is_none());
            let credentials = pool.as_ref().unwrap_or(&store.credentials);
            return Ok(match field {
                Field::Url => url
                    .cloned()
                    .unwrap_or_else(|| credentials.url(store.engine)),
                Field::Host => credentials.host.clone(),
                Field::Port => credentials.port.to_string(),
                Field::User => credentials.user.clone(),
                Field::Password => credentials.password.clone(),
                Field::Database => credentials.database.clone(),
            });
        }
        let port = self.services.get(of).ok_or_else(|| {
            EnvironmentError(format!(
                "`{of}` is neither a store nor a service with a port"
            ))
        })?;
        match field {
            Field::Url => Ok(format!("http://127.0.0.1:{port}")),
            Field::Host => Ok("127.0.0.1".to_owned()),
            Field::Port => Ok(port.to_string()),
            _ => Err(EnvironmentError(format!(
                "the service `{of}` has no field `{}`",
                field.as_str()
            ))),
        }
    }

    /// Where a named volume is found on this machine: the project's own folder for it, whatever its target.
    fn volume(&self, service: &Service, volume: &Name) -> String {
        let named = |source: &VolumeSource| *source == VolumeSource::Named(volume.clone());
        debug_assert!(
            service.volumes.iter().any(|v| named(&v.source)),
            "the plan checks references"
        );
        self.state.volume(volume).display().to_string()
    }
}

/// What stands for a value that only a running release has.
const UNUSED: &str = "unused";

/// The variables of a service for a build that reads its settings: what the file says, and in place of secrets and of
/// addresses what looks like them. The same in every release, since the artifact depends on them.
pub(crate) fn settings(
    state: &StateDir,
    plan: &Plan,
    name: &Name,
    service: &Service,
) -> BTreeMap<String, String> {
    let stand_in = |reference: &Reference| -> Result<String, Infallible> {
        Ok(match reference {
            Reference::Field { of, field } => {
                let engine = plan.stores.get(of).map(|store| store.engine);
                let (scheme, port) = match engine {
                    Some(StoreEngine::Postgres) => ("postgres", 5432),
                    Some(StoreEngine::Redis) => ("redis", 6379),
                    None => ("http", 80),
                };
                match field {
                    Field::Url if engine == Some(StoreEngine::Postgres) => {
                        format!("{scheme}://{UNUSED}@127.0.0.1:{port}/{UNUSED}")
                    }
                    Field::Url => format!("{scheme}://127.0.0.1:{port}"),
                    Field::Host => "127.0.0.1".to_owned(),
                    Field::Port => port.to_string(),
                    Field::User | Field::Password | Field::Database => UNUSED.to_owned(),
                }
            }
            Reference::Env { default, .. } => default.clone().unwrap_or_else(|| UNUSED.to_owned()),
            Reference::Volume(volume) => state.volume(volume).display().to_string(),
            Reference::Wharf(Own::Project) => plan.name.to_string(),
            Reference::Wharf(Own::Service) => name.to_string(),
            Reference::Wharf(Own::Environment) => plan
                .environment
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            Reference::Secret(_) | Reference::Wharf(Own::Release) => UNUSED.to_owned(),
        })
    };
    let mut settings = BTreeMap::new();
    let port = service.primary_port_number();
    settings.extend(port.map(|port| ("PORT".to_owned(), port.to_string())));
    for (key, template) in &service.environment {
        let Ok(value) = template.render(stand_in);
        settings.insert(key.clone(), value);
    }
    settings
}

/// Where a volume lies on this machine.
fn volume_source(state: &StateDir, base_dir: &Path, source: &VolumeSource) -> PathBuf {
    match source {
        VolumeSource::Named(name) => state.volume(name),
        VolumeSource::Path(path) => base_dir.join(path),
    }
}

/// The links that an artifact gets for the service's volumes and uploads, by their place in it. What has an absolute target
/// elsewhere than in the folder of images cannot be mounted for a process; `${volume.NAME}` finds it.
pub(crate) fn volume_links(
    state: &StateDir,
    base_dir: &Path,
    name: &Name,
    service: &Service,
) -> BTreeMap<PathBuf, PathBuf> {
    // A program of this machine has its own folder, and no image's.
    let here = |target: &str| match service.source {
        Source::Command if Path::new(target).is_absolute() => None,
        Source::Command => Some(target.to_owned()),
        _ => beside_program(target),
    };
    let volumes = service.volumes.iter().filter_map(|volume| {
        let source = volume_source(state, base_dir, &volume.source);
        Some((PathBuf::from(here(&volume.target)?), source))
    });
    let uploads = uploads(service).filter_map(|folder| {
        let source = state.uploads(name, folder);
        Some((PathBuf::from(here(folder)?), source))
    });
    volumes.chain(uploads).collect()
}

/// The folders of uploads that lie on no volume: on this machine, as on one of the cloud, all replicas share them.
fn uploads(service: &Service) -> impl Iterator<Item = &str> {
    service
        .static_files
        .iter()
        .filter(|(prefix, folder)| {
            is_uploaded(service, prefix) && volume_of(service, folder).is_none()
        })
        .map(|(_, folder)| folder.as_str())
}

/// Where the files of a prefix lie while they change, which is not in the artifact; none: they are part of it.
pub(crate) fn changing_folder(
    state: &StateDir,
    base_dir: &Path,
    name: &Name,
    service: &Service,
    folder: &str,
) -> Option<PathBuf> {
    match volume_of(service, folder) {
        Some((volume, place)) => Some(volume_source(state, base_dir, &volume.source).join(place)),
        None => uploads(service)
            .any(|other| other == folder)
            .then(|| state.uploads(name, folder)),
    }
}

/// Makes the folders of the service's named volumes, owned by `user`, and, for a program of this machine, which has no
/// artifact, the links in its folder.
pub(crate) fn prepare_volumes(
    state: &StateDir,
    base_dir: &Path,
    name: &Name,
    service: &Service,
    user: Option<User>,
) -> Result<(), EnvironmentError> {
    for folder in uploads(service) {
        make_owned(&state.uploads(name, folder), user)?;
    }
    for volume in &service.volumes {
        if let VolumeSource::Named(name) = &volume.source {
            make_owned(&state.volume(name), user)?;
        }
    }
    if service.source != Source::Command {
        return Ok(());
    }
    for (target, source) in volume_links(state, base_dir, name, service) {
        let link = base_dir.join(target);
        if std::fs::read_link(&link).is_ok_and(|there| there == source) || link == source {
            continue;
        }
        std::os::unix::fs::symlink(&source, &link).map_err(|error| {
            EnvironmentError(format!(
                "cannot link the volume at {}: {error}",
                link.display()
            ))
        })?;
    }
    Ok(())
}

/// Makes a folder and gives it to `user`.
pub(crate) fn make_owned(dir: &Path, user: Option<User>) -> Result<(), EnvironmentError> {
    let fail = |error: std::io::Error| {
        EnvironmentError(format!("cannot make the folder {}: {error}", dir.display()))
    };
    std::fs::create_dir_all(dir).map_err(fail)?;
    if let Some(user) = user {
        std::os::unix::fs::chown(dir, Some(user.uid), Some(user.gid)).map_err(fail)?;
    }
    Ok(())
}
