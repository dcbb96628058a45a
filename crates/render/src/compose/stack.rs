//! What both Compose files are made from: names that do not collide, who talks to whom, which secrets are files.

use std::collections::{BTreeMap, BTreeSet};

use wharf_base::ids::Name;
use wharf_plan::flows::{End, flows};
use wharf_plan::model::{ExposeKind, Plan, RouteAction, Service, Source};

use super::addresses::InStack;
use super::secrets::Carried;
use super::statics::{self, StaticFolder};
use crate::dockerfile::runtime::{self, Runtime};
use crate::images::{self, BuiltImage};
use crate::{Rendered, header, names};

/// A plan, as a stack of containers.
pub(super) struct Stack<'a> {
    pub(super) plan: &'a Plan,
    /// The sentence at the head of every file.
    pub(super) header: String,
    /// From the folder of the Compose files to that of `wharf.yaml`.
    pub(super) root: &'static str,
    /// The services that have an image, in the order of their names.
    pub(super) services: Vec<(&'a Name, &'a Service)>,
    /// The images that the project builds, by service.
    built: BTreeMap<&'a Name, BuiltImage<'a>>,
    /// Every image, by service.
    images: BTreeMap<&'a Name, String>,
    /// Who opens connections to each store.
    callers: BTreeSet<(&'a Name, Name)>,
    /// How each secret gets into the containers.
    pub(super) carried: Carried,
    /// The one-shots of releases, by service.
    releases: BTreeMap<&'a Name, String>,
    /// Folders that Nginx serves, by service.
    pub(super) statics: BTreeMap<&'a Name, Vec<StaticFolder>>,
    /// What copies them out of the image, by service.
    pub(super) copies: BTreeMap<&'a Name, String>,
    pub(super) nginx: String,
    pub(super) traefik: String,
    /// The network of Traefik and Nginx, and that of the services.
    pub(super) edge: String,
    pub(super) app: String,
}

impl<'a> Stack<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let images = images::by_service(plan);
        let mut built = BTreeMap::new();
        for image in images::built(plan) {
            for service in &image.services {
                built.insert(*service, image.clone());
            }
        }
        let services: Vec<_> = plan
            .services
            .iter()
            .filter(|(name, _)| images.contains_key(name))
            .collect();
        let mut taken: BTreeSet<String> = plan
            .services
            .keys()
            .chain(plan.stores.keys())
            .map(Name::to_string)
            .collect();
        let mut unique = |wanted: &str| unique(&mut taken, wanted);
        let (nginx, traefik) = (unique("nginx"), unique("traefik"));
        let mut releases = BTreeMap::new();
        let mut copies = BTreeMap::new();
        for (name, service) in &services {
            if service.release.is_some() {
                releases.insert(*name, unique(&format!("{name}-release")));
            }
            if !service.static_files.is_empty() {
                copies.insert(*name, unique(&format!("{name}-static")));
            }
        }
        let mut networks: BTreeSet<String> = plan.stores.keys().map(Name::to_string).collect();
        let (edge, app) = (
            self::unique(&mut networks, "edge"),
            self::unique(&mut networks, "app"),
        );
        let callers = flows(plan)
            .into_iter()
            .filter_map(|flow| match (flow.from, flow.to) {
                (End::Service(from), End::Store(to)) => {
                    Some((plan.services.get_key_value(&from)?.0, to))
                }
                _ => None,
            })
            .collect();
        let mut stack = Self {
            plan,
            header: header(plan),
            root: if plan.environment.is_some() {
                "../../.."
            } else {
                "../.."
            },
            services,
            built,
            images,
            callers,
            carried: Carried::default(),
            releases,
            statics: BTreeMap::new(),
            copies,
            nginx,
            traefik,
            edge,
            app,
        };
        stack.statics = statics::folders(&stack);
        let copies = std::mem::take(&mut stack.copies);
        stack.copies = copies
            .into_iter()
            .filter(|(name, _)| {
                let folders = stack.statics.get(name).into_iter().flatten();
                folders.into_iter().any(|folder| folder.copied)
            })
            .collect();
        stack.carried = Carried::new(&stack);
        stack
    }

    /// The addresses in production.
    pub(super) fn addresses(&self) -> InStack<'a> {
        InStack {
            plan: self.plan,
            redis_password: true,
        }
    }

    /// A path of `wharf.yaml` as the Compose files write it.
    pub(super) fn source_path(&self, path: &str) -> String {
        if path.starts_with('/') {
            return path.to_owned();
        }
        let path = path.trim_start_matches("./").trim_end_matches('/');
        match path {
            "" | "." => self.root.to_owned(),
            path => format!("{}/{path}", self.root),
        }
    }

    /// The image of a service, as its file names it.
    pub(super) fn image(&self, service: &Name) -> Option<&str> {
        self.images.get(service).map(String::as_str)
    }

    /// The image of a service, if the project builds it.
    pub(super) fn built(&self, service: &Name) -> Option<&BuiltImage<'a>> {
        self.built.get(service)
    }

    /// The command of a container of `service`, where it is known.
    pub(super) fn start(&self, name: &'a Name, service: &Service) -> Option<Vec<String>> {
        let image = self.built(name).map_or(name, |image| image.name);
        runtime::start(image, service)
    }

    /// What makes the probe of `service` from within its container; none: there is none, or nothing in the image could.
    pub(super) fn health(&self, name: &Name, service: &Service) -> Option<Vec<String>> {
        let probe = runtime::probe(service)?;
        let Some(image) = self.built(name) else {
            return exec_check(probe);
        };
        let Some(runtime) = Runtime::of(image.build) else {
            return exec_check(probe);
        };
        if runtime == Runtime::Bare && image.name != name {
            // The program in the image asks what the image's own service answers.
            let other = self.plan.services.get(image.name)?;
            if runtime::probe(other) != Some(probe) || other.ports != service.ports {
                return None;
            }
        }
        runtime::health_command(runtime, service, probe)
    }

    /// The one-shot of a service's release.
    pub(super) fn release(&self, service: &Name) -> Option<&str> {
        self.releases.get(service).map(String::as_str)
    }

    /// The stores that a service talks to, where this stack runs them.
    pub(super) fn stores_of(&self, service: &Name) -> Vec<&'a Name> {
        let stores = self.plan.stores.iter();
        stores
            .filter(|(store, meant)| {
                meant.external_url.is_none()
                    && self
                        .callers
                        .iter()
                        .any(|(from, to)| *from == service && to == *store)
            })
            .map(|(store, _)| store)
            .collect()
    }

    /// Whether a route leads to a service.
    pub(super) fn is_routed(&self, service: &Name) -> bool {
        self.plan.routes.iter().any(|route| {
            route.paths.values().any(|action| {
                matches!(action, RouteAction::Service { service: to, .. } if to == service)
            })
        })
    }

    /// Whether a scheduled service is run by hand or by cron, and not because another one waits for it.
    pub(super) fn is_scheduled(&self, name: &Name, service: &Service) -> bool {
        service.schedule.is_some()
            && !self
                .services
                .iter()
                .any(|(_, other)| other.needs.contains_key(name))
    }

    /// What neither file can say.
    pub(super) fn gaps(&self, out: &mut Rendered) {
        for (name, service) in &self.plan.services {
            if !self.images.contains_key(name) {
                out.gap(
                    format!("services.{name}"),
                    "a command of this machine has no image, so it is in no Compose file",
                );
            }
            if service.scale.is_some() {
                out.gap(
                    format!("services.{name}.scale"),
                    "Compose has no autoscaler; the count of replicas stays as it is",
                );
            }
            if service.replicas > 0 && !service.singleton {
                out.gap(
                    format!("services.{name}.rollout"),
                    "`docker compose up` replaces the replicas of a service at once; `wharf up` rolls",
                );
            }
            if let Some(schedule) = &service.schedule {
                out.gap(
                    format!("services.{name}.schedule"),
                    format!(
                        "Compose has no clock: cron has to run it (`{}`)",
                        schedule.cron
                    ),
                );
            }
            if !service.buckets.is_empty() {
                out.gap(
                    format!("services.{name}.buckets"),
                    "one server has no buckets; the files stay on its volumes",
                );
            }
            if runtime::probe(service).is_some()
                && self.images.contains_key(name)
                && self.health(name, service).is_none()
            {
                out.gap(
                    format!("services.{name}.probes"),
                    "nothing in the image is known that could make the check: use `exec`",
                );
            }
            if let Some(expose) = &service.expose
                && expose.kind != ExposeKind::ClusterIp
                && self.is_routed(name)
            {
                out.gap(
                    format!("services.{name}.expose"),
                    "its route leads to it; it has no port of its own in production",
                );
            }
        }
        for (name, store) in &self.plan.stores {
            if store.backups.is_some() {
                out.gap(
                    format!("stores.{name}.backups"),
                    "Compose makes none: `wharf backup` or the server's cron has to",
                );
            }
            if store.pool.is_some() {
                out.gap(
                    format!("stores.{name}.pool"),
                    "on one server the programs connect to PostgreSQL themselves",
                );
            }
        }
    }
}

/// `wanted` as a legal name that nothing else has.
pub(super) fn unique(taken: &mut BTreeSet<String>, wanted: &str) -> String {
    let mut name = names::dns_label(wanted, 63);
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = names::dns_label(&format!("{wanted}-{number}"), 63);
        number += 1;
    }
    name
}

fn exec_check(probe: &wharf_plan::model::Probe) -> Option<Vec<String>> {
    match &probe.check {
        wharf_plan::model::Check::Exec { command } => {
            Some(wharf_plan::exec_form::exec_form(command))
        }
        _ => None,
    }
}

/// Whether a service's container can be started by a script of ours.
pub(super) fn can_be_wrapped(stack: &Stack<'_>, name: &Name, service: &Service) -> bool {
    let image = stack.built(name).map_or(name, |image| image.name);
    matches!(service.source, Source::Build(_))
        && Runtime::of_service(service).is_some_and(Runtime::has_shell)
        && runtime::start(image, service).is_some()
}
