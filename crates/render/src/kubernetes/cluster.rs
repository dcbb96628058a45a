//! What every object of a plan is made with: names, labels, addresses, images.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use wharf_base::ids::Name;
use wharf_base::units::{Bounds, Bytes, Millicores};
use wharf_plan::model::{
    Compute, Plan, Resources, Service, Source, Store, StoreEngine, StoresBy, Volume, VolumeSource,
};

use crate::dockerfile::runtime::{self, Runtime};
use crate::values::{Addresses, StoreAddress, Variable};
use crate::{images, names, values};

/// Stands for the number of the AWS account, which no file holds: twelve digits, so that what it stands in is well-formed.
pub(crate) const ACCOUNT: &str = "000000000000";

/// The port of PgBouncer.
pub(super) const POOL_PORT: u16 = 6432;

/// A plan, as the cluster sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cluster<'a> {
    pub(crate) plan: &'a Plan,
    /// Whether objects say when Argo CD is to apply them.
    pub(crate) waves: bool,
}

impl<'a> Cluster<'a> {
    /// Metadata of an object of `component`, in the project's namespace.
    pub(super) fn meta(&self, name: &str, component: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.plan.kubernetes.namespace.clone()),
            labels: Some(names::labels(self.plan, component)),
            ..ObjectMeta::default()
        }
    }

    /// Metadata of an object of the whole cluster.
    pub(super) fn cluster_meta(&self, name: &str) -> ObjectMeta {
        ObjectMeta {
            namespace: None,
            ..self.meta(name, self.plan.name.as_str())
        }
    }

    /// Metadata of the pods of `component`.
    pub(super) fn pod_meta(&self, component: &str) -> ObjectMeta {
        ObjectMeta {
            labels: Some(names::labels(self.plan, component)),
            ..ObjectMeta::default()
        }
    }

    /// Selects the pods of `component`.
    pub(super) fn selector(&self, component: &str) -> LabelSelector {
        LabelSelector {
            match_labels: Some(names::selector(self.plan, component)),
            ..LabelSelector::default()
        }
    }

    /// The minor version: 28 of `1.28`.
    pub(super) fn minor(&self) -> u32 {
        let minor = self.plan.kubernetes.version.split('.').nth(1);
        minor.and_then(|minor| minor.parse().ok()).unwrap_or(32)
    }

    /// The version of a server that the plan names; every one that is rendered here has a default.
    pub(super) fn version(&self, tool: &str) -> &'a str {
        self.plan
            .versions
            .get(tool)
            .map_or("latest", String::as_str)
    }

    /// Whether the store runs somewhere else: in the cloud, or wherever its URL says.
    pub(super) fn is_outside(&self, store: &Name) -> bool {
        let managed = self
            .plan
            .cloud
            .as_ref()
            .is_some_and(|cloud| cloud.stores == StoresBy::Managed);
        let store = self.plan.stores.get(store);
        managed || store.is_some_and(|store| store.external_url.is_some())
    }

    /// Whether the cloud is EKS, whose pods take roles.
    pub(super) fn is_eks(&self) -> bool {
        let cloud = self.plan.cloud.as_ref();
        cloud.is_some_and(|cloud| cloud.compute == Compute::Eks)
    }

    /// The role of AWS that `purpose` takes, by its number and name.
    pub(super) fn role(&self, purpose: &str) -> Option<String> {
        let cloud = self.plan.cloud.as_ref().filter(|_| self.is_eks())?;
        Some(format!(
            "arn:aws:iam::{ACCOUNT}:role/{}-{purpose}",
            cloud.prefix
        ))
    }

    /// What a Kubernetes Service in front of `service` is called.
    pub(super) fn service_name(&self, service: &Name) -> String {
        let expose = self.plan.services.get(service);
        let expose = expose.and_then(|service| service.expose.as_ref());
        expose
            .and_then(|expose| expose.name.clone())
            .unwrap_or_else(|| service_label(service.as_str()))
    }

    /// The port of the Kubernetes Service for a port of the program.
    pub(super) fn service_port_of(&self, service: &Service, port: &Name) -> u16 {
        let number = service.ports.get(port).copied().unwrap_or_default();
        match &service.expose {
            Some(expose) if service.primary_port.as_ref() == Some(port) => expose.port,
            _ => number,
        }
    }

    /// The image of a service, with the registry of the account and the tag.
    pub(crate) fn image(&self, service: &Name) -> Option<String> {
        let image = images::tagged(self.plan, service)?;
        let built = matches!(self.plan.services.get(service)?.source, Source::Build(_));
        match (&self.plan.images.registry, &self.plan.cloud) {
            (None, Some(cloud)) if built => Some(format!(
                "{ACCOUNT}.dkr.ecr.{}.amazonaws.com/{image}",
                cloud.region
            )),
            _ => Some(image),
        }
    }

    /// The component that keeps the connections to a store, if it has one.
    pub(super) fn pool_name(store: &Name) -> String {
        suffixed(store, "pool")
    }

    /// The variables of `service`; a release's command asks the server itself, since what it does to a schema may need a
    /// session of its own.
    pub(super) fn variables(&self, service: &Name, directly: bool) -> Vec<Variable> {
        values::variables(
            self.plan,
            service,
            &Places {
                cluster: *self,
                directly,
            },
        )
    }

    /// Where a store itself is reached, without a pool.
    pub(super) fn server(&self, store: &Name) -> StoreAddress {
        Places {
            cluster: *self,
            directly: true,
        }
        .store(store)
    }

    /// The stores in order, with their names.
    pub(super) fn stores(&self) -> impl Iterator<Item = (&'a Name, &'a Store)> {
        self.plan.stores.iter()
    }
}

/// Where the programs of a cluster find each other.
pub(super) struct Places<'a> {
    cluster: Cluster<'a>,
    directly: bool,
}

impl Addresses for Places<'_> {
    fn store(&self, name: &Name) -> StoreAddress {
        let plan = self.cluster.plan;
        let outside = self.cluster.is_outside(name);
        let store = plan.stores.get(name);
        let postgres = store.is_some_and(|store| store.engine == StoreEngine::Postgres);
        let pooled = store.is_some_and(|store| store.pool.is_some()) && !self.directly;
        let managed = plan
            .cloud
            .as_ref()
            .filter(|_| outside)
            .and_then(|cloud| cloud.databases.get(name));
        let own = names::identifier(plan.name.as_str());
        let (user, database) = managed.map_or((own.clone(), own), |managed| {
            (managed.user.clone(), managed.database.clone())
        });
        StoreAddress {
            host: match (pooled, outside) {
                (true, _) => service_label(&Cluster::pool_name(name)),
                (false, true) => format!("$({})", host_variable(name)),
                (false, false) => service_label(name.as_str()),
            },
            port: match (pooled, postgres) {
                (true, _) => POOL_PORT,
                (false, true) => 5432,
                (false, false) => 6379,
            },
            user: postgres.then_some(user),
            database: if postgres { database } else { "0".to_owned() },
            // Inside of the cluster the network policies keep others away; the way out is encrypted.
            tls: outside && !pooled,
            password: true,
        }
    }

    fn service_host(&self, service: &Name) -> String {
        self.cluster.service_name(service)
    }

    fn service_port(&self, plan: &Plan, service: &Name) -> u16 {
        let Some(meant) = plan.services.get(service) else {
            return 0;
        };
        let port = meant.primary_port.as_ref();
        port.map_or(0, |port| self.cluster.service_port_of(meant, port))
    }

    fn volume(&self, service: &Service, volume: &Name) -> String {
        let mut mounted = service.volumes.iter();
        let mounted = mounted
            .find(|mounted| matches!(&mounted.source, VolumeSource::Named(name) if name == volume));
        mounted.map(mount_path).unwrap_or_default()
    }
}

/// A name with a word behind it, which is a label as well: what is too long ends with a hash.
pub(super) fn suffixed(name: &Name, word: &str) -> String {
    names::dns_label(&format!("{name}-{word}"), 63)
}

/// What a Kubernetes Service is called: unlike other names it begins with a letter (RFC 1035).
pub(super) fn service_label(name: &str) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        names::dns_label(&format!("s-{name}"), 63)
    } else {
        name.to_owned()
    }
}

/// The secret that holds the host of a store outside of the cluster: it is known once the store is made.
#[must_use]
pub(crate) fn host_secret(store: &Name) -> String {
    format!("{store}-host")
}

/// The variable of [`host_secret`].
pub(super) fn host_variable(store: &Name) -> String {
    values::secret_variable(&host_secret(store))
}

/// Where a volume is mounted; what is not absolute lies in the folder that images start in.
pub(super) fn mount_path(volume: &Volume) -> String {
    runtime::in_image(&volume.target)
}

/// CPU and memory as Kubernetes writes them.
pub(super) fn requirements(resources: &Resources) -> Option<ResourceRequirements> {
    let mut requests = BTreeMap::new();
    let mut limits = BTreeMap::new();
    if let Some(cpu) = resources.cpu {
        requests.insert("cpu".to_owned(), millicores(cpu.request));
        limits.insert("cpu".to_owned(), millicores(cpu.limit));
    }
    if let Some(memory) = resources.memory {
        requests.insert("memory".to_owned(), bytes(memory.request));
        limits.insert("memory".to_owned(), bytes(memory.limit));
    }
    (!requests.is_empty()).then_some(ResourceRequirements {
        requests: Some(requests),
        limits: Some(limits),
        claims: None,
    })
}

/// `resources`, and what stands here where they do not say.
pub(super) fn resources_or(
    resources: &Resources,
    cpu: (u32, u32),
    memory: (u64, u64),
) -> Resources {
    Resources {
        cpu: resources.cpu.or(Some(Bounds {
            request: Millicores(cpu.0),
            limit: Millicores(cpu.1),
        })),
        memory: resources.memory.or(Some(Bounds {
            request: Bytes(memory.0 << 20),
            limit: Bytes(memory.1 << 20),
        })),
    }
}

/// CPU from `cpu.0` to `cpu.1` millicores, memory from `memory.0` to `memory.1` MiB.
pub(super) fn small(cpu: (u32, u32), memory: (u64, u64)) -> Option<ResourceRequirements> {
    requirements(&resources_or(&Resources::default(), cpu, memory))
}

/// In millicores even where they are whole cores: a column of them is easier to compare.
fn millicores(cpu: Millicores) -> Quantity {
    Quantity(format!("{}m", cpu.0))
}

pub(super) fn bytes(bytes: Bytes) -> Quantity {
    Quantity(bytes.to_string())
}

/// Whether the image of a service is known to have a shell: those of compiled languages hold the program alone.
pub(super) fn has_shell(service: &Service) -> bool {
    Runtime::of_service(service).is_some_and(Runtime::has_shell)
}
