//! Where things are on a machine that runs services under systemd, and under which names a cloud hands it what only the
//! cloud knows. The targets systemd, nginx, userdata, cloudformation and terraform agree here.
//!
//! **What a machine asks for when it boots.** The user data is the same text on every machine: no address and no secret is
//! filled in. The stack, whoever makes it, keeps each store's address in the SSM parameter [`endpoint_parameter`] and the
//! ARN of the store's secret (a JSON with `username` and `password`) in [`secret_parameter`]; the plan's secrets are in
//! Secrets Manager under their own keys. Which commit runs is in [`revision_parameter`], where there is one. The role of the
//! machine may read exactly these.
//!
//! A machine that is up completes the lifecycle hook [`ready_hook`] of the group [`group_name`]; one that fails abandons
//! it and is replaced.

mod environment;
mod shell;

use wharf_base::ids::Name;
use wharf_plan::images::is_static;
use wharf_plan::model::{
    Build, Cloud, Compute, Language, ParameterValue, Plan, Service, Source, StoreEngine,
    VolumeSource,
};

use crate::values::{Addresses, StoreAddress};
use crate::{images, names};

pub use environment::{SecretsFrom, environment_program};
pub use shell::{heredoc_end, word};

/// The port of PostgreSQL.
const POSTGRES_PORT: u16 = 5432;
/// The port of Redis.
const REDIS_PORT: u16 = 6379;

/// A machine of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Machine<'a> {
    /// Whose services it runs.
    pub plan: &'a Plan,
}

impl<'a> Machine<'a> {
    /// The machine of this plan.
    #[must_use]
    pub fn new(plan: &'a Plan) -> Self {
        Self { plan }
    }

    /// The user that services run as, which is also its group.
    #[must_use]
    pub fn user(&self) -> String {
        // useradd takes at most 32 bytes, and systemd no digit at the beginning.
        let name = self.plan.name.as_str();
        if name.starts_with(|c: char| c.is_ascii_digit()) {
            return names::dns_label(&format!("w-{name}"), 31);
        }
        names::dns_label(name, 31)
    }

    /// Everything that is installed.
    #[must_use]
    pub fn root(&self) -> String {
        format!("/opt/{}", self.plan.name)
    }

    /// What is written while services run, and the home of their user.
    #[must_use]
    pub fn state(&self) -> String {
        format!("/var/lib/{}", self.plan.name)
    }

    /// The checked-out source.
    #[must_use]
    pub fn source(&self) -> String {
        format!("{}/source", self.root())
    }

    /// The folder of a build's source.
    #[must_use]
    pub fn folder(&self, build: &Build) -> String {
        let context: Vec<&str> = build
            .context
            .split('/')
            .filter(|segment| !segment.is_empty() && *segment != ".")
            .collect();
        match context.as_slice() {
            [] => self.source(),
            segments => format!("{}/{}", self.source(), segments.join("/")),
        }
    }

    /// The folder that a service's program is started in.
    #[must_use]
    pub fn working_folder(&self, service: &Service) -> String {
        match &service.source {
            Source::Build(build) => self.folder(build),
            Source::Image(_) | Source::Command => self.root(),
        }
    }

    /// The folders of a service whose files Nginx answers with.
    #[must_use]
    pub fn static_folders(&self, service: &Service) -> Vec<String> {
        let Source::Build(build) = &service.source else {
            return vec![];
        };
        let folder = self.folder(build);
        let files = service.static_files.values();
        files
            .map(|files| files.trim_start_matches("./").trim_end_matches('/'))
            .map(|files| format!("{folder}/{files}"))
            .collect()
    }

    /// The folder with the programs of a build: a virtual environment's, or that of compiled ones.
    #[must_use]
    pub fn programs(&self, build: &Build) -> Option<String> {
        match build.toolchain.as_ref()?.language {
            Language::Python => Some(format!("{}/bin", self.virtual_environment(build)?)),
            Language::Rust | Language::Go => Some(format!("{}/bin", self.root())),
            Language::Node => Some(format!("{}/node_modules/.bin", self.folder(build))),
        }
    }

    /// The virtual environment of a Python build.
    #[must_use]
    pub fn virtual_environment(&self, build: &Build) -> Option<String> {
        let built = images::built(self.plan);
        let image = built.iter().find(|image| image.build == build)?;
        Some(format!("{}/venv/{}", self.root(), image.name))
    }

    /// The name of a service's unit, without its suffix.
    #[must_use]
    pub fn unit(&self, service: &Name) -> String {
        format!("{}-{service}", self.plan.name)
    }

    /// How many replicas of a service one machine runs: one of what has a port, since it has the port.
    #[must_use]
    pub fn instances(&self, service: &Service) -> u32 {
        if service.ports.is_empty() && service.schedule.is_none() && !service.singleton {
            service.replicas.max(1)
        } else {
            1
        }
    }

    /// The unit of a service, or the pattern of its instances' units.
    #[must_use]
    pub fn units(&self, service: &Name) -> String {
        let many = self
            .plan
            .services
            .get(service)
            .is_some_and(|service| self.instances(service) > 1);
        let instances = if many { "@*" } else { "" };
        format!("{}{instances}.service", self.unit(service))
    }

    /// Where secrets and the variables made of them are while the machine runs.
    #[must_use]
    pub fn run_folder(&self) -> String {
        format!("/run/{}", self.plan.name)
    }

    /// Whether systemd serves this service: an image is the business of a container engine, and a static front end that
    /// of the web server.
    #[must_use]
    pub fn runs(&self, service: &Service) -> bool {
        !matches!(service.source, Source::Image(_)) && !is_static(service)
    }
}

/// Where a machine finds stores, services and volumes. Hosts of stores are shell variables: `$db_host`.
impl Addresses for Machine<'_> {
    fn store(&self, store: &Name) -> StoreAddress {
        let managed = self
            .plan
            .cloud
            .as_ref()
            .and_then(|cloud| cloud.databases.get(store));
        let engine = self.plan.stores.get(store).map(|store| store.engine);
        let own = names::identifier(self.plan.name.as_str());
        let host = format!("${{{}_host}}", names::identifier(store.as_str()));
        if engine == Some(StoreEngine::Redis) {
            return StoreAddress {
                host,
                port: REDIS_PORT,
                user: None,
                database: "0".to_owned(),
                tls: managed.is_some(),
                password: managed.is_some(),
            };
        }
        StoreAddress {
            host,
            port: POSTGRES_PORT,
            user: Some(managed.map_or_else(|| own.clone(), |database| database.user.clone())),
            database: managed.map_or(own, |database| database.database.clone()),
            tls: managed.is_some(),
            password: true,
        }
    }

    fn service_host(&self, _service: &Name) -> String {
        // All services of a machine are on that machine.
        "127.0.0.1".to_owned()
    }

    fn volume(&self, _service: &Service, volume: &Name) -> String {
        format!("{}/{volume}", self.state())
    }
}

/// The folders of this machine that a service's volumes are made of, each with where the program expects it.
#[must_use]
pub fn mounts(machine: &Machine<'_>, service: &Service) -> Vec<(String, String, bool)> {
    let working = machine.working_folder(service);
    let absolute = |path: &str| {
        let path = path.trim_start_matches("./");
        if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("{working}/{path}")
        }
    };
    service
        .volumes
        .iter()
        .map(|volume| {
            let source = match &volume.source {
                VolumeSource::Named(name) => machine.volume(service, name),
                VolumeSource::Path(path) => absolute(path),
            };
            (source, absolute(&volume.target), volume.read_only)
        })
        .collect()
}

/// Whether the machines of this plan are an auto-scaling group.
#[must_use]
pub fn group(plan: &Plan) -> Option<&Cloud> {
    plan.cloud
        .as_ref()
        .filter(|cloud| cloud.compute == Compute::Ec2)
}

/// The SSM parameter that holds the address of a store: the file's, where it names one.
#[must_use]
pub fn endpoint_parameter(cloud: &Cloud, store: &Name) -> String {
    let named = cloud
        .parameters
        .iter()
        .find(|(_, value)| matches!(value, ParameterValue::StoreEndpoint(of) if of == store));
    named.map_or_else(
        || format!("/{}/{store}/endpoint", cloud.prefix),
        |(name, _)| name.clone(),
    )
}

/// The SSM parameter that holds the ARN of a store's secret: a JSON with `username` and `password`.
#[must_use]
pub fn secret_parameter(cloud: &Cloud, store: &Name) -> String {
    format!("/{}/{store}/secret", cloud.prefix)
}

/// The SSM parameter that holds the commit to run; without it, machines run the newest of their branch. Pipelines write it
/// before they replace the machines.
#[must_use]
pub fn revision_parameter(plan: &Plan) -> String {
    let environment = plan.environment.as_ref().map_or("", |name| name.as_str());
    format!("/{}/{environment}/revision", plan.name)
}

/// The auto-scaling group.
#[must_use]
pub fn group_name(cloud: &Cloud) -> String {
    format!("{}-asg", cloud.prefix)
}

/// The lifecycle hook of the group that a machine completes once it serves.
#[must_use]
pub fn ready_hook(cloud: &Cloud) -> String {
    format!("{}-ready", cloud.prefix)
}

/// The log group that machines write to: the file's first that is none of the VPC's, or one of the project's name.
#[must_use]
pub fn log_group(plan: &Plan, cloud: &Cloud) -> String {
    let mut named = cloud.log_groups.iter();
    named
        .find(|name| name.starts_with("/aws/ec2/"))
        .cloned()
        .unwrap_or_else(|| format!("/aws/ec2/{}", plan.name))
}
