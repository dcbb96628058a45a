//! Images: each is made once, scanned before anybody can pull it, and pushed for branches of environments.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Context, Job, Permission, Stage, Step, Triggers, folder, scans, tidy};
use crate::images::{BuiltImage, built};
use crate::model::{Plan, Scanner};

/// How long an image may take that is compiled for a processor which is emulated: some ten times as long as on its own.
const EMULATED: Duration = Duration::from_secs(90 * 60);

/// An image that is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageBuild {
    /// What it is called here: the service that it is named after.
    pub name: String,
    /// Its name in the registry, with the registry where the file names it, without a tag.
    pub repository: String,
    /// The folder that is sent to the builder.
    pub context: String,
    /// The Dockerfile, relative to the repository.
    pub dockerfile: String,
    /// The stage of the Dockerfile; none: the last.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// `linux/amd64`, `linux/arm64`.
    pub platforms: Vec<String>,
    /// The severities that stop it, as Trivy says them; none: it is not scanned.
    pub gate: Option<&'static str>,
    /// The image of the scanner.
    pub scanner: &'static str,
}

/// Where images are pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registry {
    /// Docker Hub; asks for a user and a token.
    DockerHub,
    /// The account's registry in the cloud; asks for a role.
    Ecr {
        /// Its region.
        region: String,
    },
    /// The registry of whoever hosts the source: the file names none.
    Host,
    /// Another one; asks for a user and a password.
    Other(String),
}

impl Registry {
    /// The registry of the project's images.
    #[must_use]
    pub fn of(plan: &Plan, region: Option<&str>) -> Self {
        match (plan.images.registry.as_deref(), region) {
            (Some(registry), _) => {
                let host = registry.split('/').next().unwrap_or(registry);
                match host {
                    "docker.io" | "index.docker.io" => Self::DockerHub,
                    "ghcr.io" | "registry.gitlab.com" => Self::Host,
                    _ => match ecr_region(host) {
                        Some(region) => Self::Ecr {
                            region: region.to_owned(),
                        },
                        None => Self::Other(host.to_owned()),
                    },
                }
            }
            (None, Some(region)) => Self::Ecr {
                region: region.to_owned(),
            },
            (None, None) => Self::Host,
        }
    }
}

/// `123456789012.dkr.ecr.us-east-1.amazonaws.com` is in `us-east-1`.
fn ecr_region(host: &str) -> Option<&str> {
    let mut parts = host.split('.');
    let is_ecr = parts.nth(1) == Some("dkr") && parts.next() == Some("ecr");
    is_ecr.then(|| parts.next()).flatten()
}

pub(super) fn jobs(context: &Context<'_>) -> Vec<Job> {
    let images = built(context.base);
    images
        .iter()
        .map(|image| {
            let mut job = context.job(
                format!("image-{}", image.name),
                format!("Image {}", image.name),
                Stage::Image,
            );
            job.triggers = Triggers::every_change();
            job.permission = Permission::Report;
            if context.base.images.platforms.len() > 1 {
                job.timeout = job.timeout.max(EMULATED);
            }
            job.steps.push(Step::Image(build(context, image)));
            job
        })
        .collect()
}

fn build(context: &Context<'_>, image: &BuiltImage<'_>) -> ImageBuild {
    let root = tidy(&image.build.context);
    let dockerfile = match &image.build.dockerfile {
        Some(own) if root == "." => own.clone(),
        Some(own) => format!("{root}/{own}"),
        None => format!("{}/{}/Dockerfile", folder("dockerfile", None), image.name),
    };
    let scan = &context.pipeline.scan;
    ImageBuild {
        name: image.name.to_string(),
        repository: image.repository.clone(),
        context: root,
        dockerfile,
        target: image.build.target.clone(),
        args: image.build.args.clone(),
        platforms: context.base.images.platforms.clone(),
        gate: scan
            .images
            .contains(&Scanner::Trivy)
            .then(|| scans::severities(scan.gate)),
        scanner: scans::TRIVY,
    }
}
