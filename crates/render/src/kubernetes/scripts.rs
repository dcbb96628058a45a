//! What is done around the manifests: applying them in order, making the Secret, and what the cluster has to have.

use serde::Serialize;
use wharf_plan::model::{IngressClass, SecretProvider};

use super::cluster::{ACCOUNT, Cluster};
use super::monitoring;
use super::object::{Object, Stage};
use super::probes::seconds;
use super::secrets::{self, Bundle, Key};
use super::services::release_name;
use crate::images;
use crate::names::identifier;
use crate::prometheus::MONITORING;
use crate::template::fill;
use crate::values::secret_variable;
use crate::{Rendered, header};

/// Adds `deploy.sh`, the script for the Secret where somebody has to make it, and `README.md`.
pub(super) fn add(cluster: &Cluster<'_>, objects: &[Object], rendered: &mut Rendered) {
    let plan = cluster.plan;
    let account = plan.cloud.as_ref().map(|_| ACCOUNT);
    let jobs: Vec<Waited> = plan
        .services
        .iter()
        .filter_map(|(name, service)| {
            let release = service.release.as_ref()?;
            Some(Waited {
                name: release_name(name),
                seconds: seconds(release.timeout),
            })
        })
        .collect();
    let of = |kind: &str, stage: Stage| -> Vec<&str> {
        objects
            .iter()
            .filter(|object| object.folder.is_empty())
            .filter(|object| object.kind() == kind && object.stage == stage)
            .map(Object::name)
            .collect()
    };
    let deadline = plan
        .services
        .values()
        .map(|service| seconds(service.rollout.progress_deadline))
        .max();
    let context = Deploy {
        header: header(plan),
        namespace: &plan.kubernetes.namespace,
        account,
        placeholder: ACCOUNT,
        images: built(cluster),
        jobs,
        sets: of("StatefulSet", Stage::Stores),
        helpers: of("Deployment", Stage::Stores),
        deployments: of("Deployment", Stage::Services)
            .into_iter()
            .map(|name| Reverted {
                name,
                variable: identifier(name),
            })
            .collect(),
        deadline: deadline.unwrap_or(600),
        monitoring: plan.kubernetes.monitoring,
    };
    rendered.add_program(
        "deploy.sh",
        fill(include_str!("templates/deploy.sh"), &context),
    );
    let by_hand = secret_script(cluster, "20-sealed-secret.yaml");
    let sealed = is_sealed(cluster);
    if let Some(script) = &by_hand {
        rendered.add_program("secrets.sh", script);
    }
    rendered.add(
        "README.md",
        fill(
            include_str!("templates/README.md.in"),
            readme(cluster, objects, by_hand.is_some(), sealed),
        ),
    );
}

/// The images that the project builds, without their tags.
fn built(cluster: &Cluster<'_>) -> Vec<String> {
    let images = images::built(cluster.plan).into_iter();
    let images = images.filter_map(|image| cluster.image(image.name));
    images
        .filter_map(|image| Some(image.rsplit_once(':')?.0.to_owned()))
        .collect()
}

fn is_sealed(cluster: &Cluster<'_>) -> bool {
    cluster.plan.secret_store.provider == SecretProvider::SealedSecrets
}

/// The script that makes the Secret, where no operator does; `sealed_file` is what it writes where secrets are sealed.
pub(crate) fn secret_script(cluster: &Cluster<'_>, sealed_file: &str) -> Option<String> {
    let plan = cluster.plan;
    let bundles = secrets::bundles(cluster);
    if plan.secret_store.provider == SecretProvider::AwsSecretsManager || bundles.is_empty() {
        return None;
    }
    let mut sealed: Vec<Sealed> = vec![];
    if is_sealed(cluster) {
        // What watches the cluster is applied by somebody else than the releases.
        for (path, watches) in [
            (sealed_file.to_owned(), false),
            (format!("{}/sealed-secret.yaml", monitoring::FOLDER), true),
        ] {
            let of = |bundle: &&Bundle| (bundle.namespace == MONITORING) == watches;
            let bundles: Vec<Made> = bundles.iter().filter(of).map(Made::new).collect();
            if !bundles.is_empty() {
                sealed.push(Sealed { path, bundles });
            }
        }
    }
    let files: Vec<&str> = sealed.iter().map(|file| file.path.as_str()).collect();
    let context = Secrets {
        header: header(plan),
        files: files.join(" and "),
        sealed,
        bundles: bundles.iter().map(Made::new).collect(),
    };
    Some(fill(include_str!("templates/secrets.sh"), &context))
}

#[derive(Serialize)]
struct Waited {
    name: String,
    seconds: i32,
}

#[derive(Serialize)]
struct Reverted<'a> {
    name: &'a str,
    variable: String,
}

#[derive(Serialize)]
struct Deploy<'a> {
    header: String,
    namespace: &'a str,
    account: Option<&'a str>,
    placeholder: &'a str,
    images: Vec<String>,
    jobs: Vec<Waited>,
    sets: Vec<&'a str>,
    helpers: Vec<&'a str>,
    deployments: Vec<Reverted<'a>>,
    deadline: i32,
    monitoring: bool,
}

#[derive(Serialize)]
struct Secrets {
    header: String,
    files: String,
    sealed: Vec<Sealed>,
    bundles: Vec<Made>,
}

/// One file of sealed secrets.
#[derive(Serialize)]
struct Sealed {
    path: String,
    bundles: Vec<Made>,
}

#[derive(Serialize)]
struct Made {
    namespace: String,
    name: String,
    keys: Vec<Entry>,
}

impl Made {
    fn new(bundle: &Bundle) -> Self {
        Self {
            namespace: bundle.namespace.clone(),
            name: bundle.name.clone(),
            keys: bundle.keys.iter().map(Entry::new).collect(),
        }
    }
}

#[derive(Serialize)]
struct Entry {
    name: String,
    variable: String,
    what: String,
    generate: u32,
}

impl Entry {
    fn new(key: &Key) -> Self {
        Self {
            name: key.name.clone(),
            variable: secret_variable(&key.name),
            what: key.what.trim_end_matches('.').replace('\n', " "),
            generate: key.generate.unwrap_or(0),
        }
    }
}

#[derive(Serialize)]
struct Readme<'a> {
    header: String,
    project: String,
    environment: String,
    namespace: &'a str,
    secret: &'a str,
    version: &'a str,
    needs: Vec<(&'static str, String)>,
    headers: String,
    by_hand: bool,
    sealed: bool,
    account: bool,
    jobs: bool,
    monitoring: bool,
}

/// The headers that Ingresses add to answers, which ingress-nginx has to allow.
pub(crate) fn added_headers(objects: &[Object]) -> String {
    let headers: Vec<String> = objects
        .iter()
        .filter(|object| object.kind() == "ConfigMap" && object.stage == Stage::Edge)
        .filter_map(|object| object.yaml.at("/data"))
        .filter_map(|data| match data {
            crate::yaml::Yaml::Map(map) => Some(map.entries()),
            _ => None,
        })
        .flatten()
        .map(|entry| entry.key.clone())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    headers.join(",")
}

fn readme<'a>(
    cluster: &Cluster<'a>,
    objects: &[Object],
    by_hand: bool,
    sealed: bool,
) -> Readme<'a> {
    let plan = cluster.plan;
    let has = |kind: &str| objects.iter().any(|object| object.kind() == kind);
    let mut needs = vec![];
    let mut need = |wanted: bool, what: &'static str, why: &str| {
        if wanted {
            needs.push((what, why.to_owned()));
        }
    };
    let nginx = plan.kubernetes.ingress == IngressClass::Nginx && has("Ingress");
    need(
        has("HorizontalPodAutoscaler") || has("ScaledObject"),
        "metrics-server",
        "CPU and memory of the pods, for the autoscalers",
    );
    need(
        nginx,
        "ingress-nginx",
        if plan.kubernetes.monitoring {
            "the way in, in the namespace `ingress-nginx`, with its metrics on (`controller.metrics.enabled` of its chart)"
        } else {
            "the way in, in the namespace `ingress-nginx`"
        },
    );
    need(
        has("Ingress") && !nginx,
        "AWS Load Balancer Controller",
        "an ALB for the Ingress",
    );
    need(
        has("Issuer"),
        "cert-manager",
        "certificates of Let's Encrypt",
    );
    need(
        has("ExternalSecret"),
        "External Secrets Operator 0.16 or newer",
        "reads AWS Secrets Manager",
    );
    need(
        sealed,
        "Sealed Secrets",
        "decrypts what `secrets.sh` encrypts",
    );
    need(
        has("ScaledObject"),
        "KEDA",
        "scales by the length of a queue, in the namespace `keda`",
    );
    need(
        has("Deployment"),
        "Reloader",
        "replaces pods when a secret was rotated; without it, `kubectl rollout restart`",
    );
    need(
        has("NetworkPolicy"),
        "a network plugin that knows policies",
        "Calico, Cilium, or the VPC CNI with policies enabled",
    );
    Readme {
        header: header(plan),
        project: plan.name.to_string(),
        environment: plan
            .environment
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        namespace: &plan.kubernetes.namespace,
        secret: &plan.kubernetes.secret,
        version: &plan.kubernetes.version,
        needs,
        headers: added_headers(objects),
        by_hand,
        sealed,
        account: plan.cloud.is_some(),
        jobs: has("Job"),
        monitoring: plan.kubernetes.monitoring,
    }
}
