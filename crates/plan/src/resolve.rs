//! The file's text -> [`Plan`], or everything that is wrong with it.
//!
//! Every check of meaning happens here, for the file as it stands and for each of its environments, so that a file that
//! passes for one environment passes for all. Pure: the same text gives the same plan.

mod buckets;
mod builds;
mod cloud;
mod databases;
mod delivery;
mod headers;
mod jobs;
mod kubernetes;
mod load;
mod load_balancer;
mod log_archive;
mod machines;
pub(crate) mod names;
mod network;
mod notify;
mod observe;
mod order;
mod ports;
mod probes;
mod promql;
mod reach;
mod references;
mod rollout;
mod routes;
mod scale;
mod scraped;
mod secrets;
mod services;
mod stores;
mod versions;
mod volumes;

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic, Findings, nearest};
use wharf_spec::document::{Document, MEMBERS_MAX};
use wharf_spec::model::{Environment, Spec};

use crate::model::{Patch, Plan, RENDER_TARGETS};
use cloud::Application;
use ports::Ports;
use volumes::unite_volumes;

/// Names that a service or store may not have, because `${…}` uses them.
const RESERVED: [&str; 5] = ["env", "secret", "self", "volume", "wharf"];

/// Resolves the bytes of a `wharf.yaml` for `environment`, or as it stands.
///
/// The plan is there exactly if no diagnostic is an error. Diagnostics come in the order of the file; those of the
/// environments that were not asked for are among them.
#[must_use]
pub fn resolve(bytes: &[u8], environment: Option<&str>) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut findings = Findings::default();
    let Some(document) = Document::parse(bytes, &mut findings) else {
        return (None, findings.into_sorted());
    };
    // The document was read, so the bytes are text.
    let source = std::str::from_utf8(bytes).unwrap_or_default();
    let mut plan = one(&document, source, None, &mut findings);
    let mut known = environment.is_none();
    for key in document.environments() {
        let mut found = Findings::default();
        let variant = one(&document, source, Some(&key.text), &mut found);
        for mut diagnostic in found.into_sorted() {
            if findings.as_slice().contains(&diagnostic) {
                continue;
            }
            if diagnostic.span.start < key.span.start {
                diagnostic = diagnostic.related(key.span.clone(), "in this environment");
            }
            findings.report(diagnostic);
        }
        if environment == Some(key.text.as_str()) {
            plan = variant;
            known = true;
        }
    }
    if let (Some(environment), false) = (environment, known) {
        findings.report(no_environment(environment, &document));
    }
    let plan = plan.filter(|_| !findings.has_errors());
    (plan, findings.into_sorted())
}

/// The names of the environments of a `wharf.yaml`, in its order; none if it cannot be read.
#[must_use]
pub fn environments(bytes: &[u8]) -> Vec<String> {
    let mut findings = Findings::default();
    let document = Document::parse(bytes, &mut findings);
    document
        .iter()
        .flat_map(Document::environments)
        .map(|key| key.text.clone())
        .collect()
}

/// The plan for one environment. It is only of use if nothing was found to be an error.
fn one(
    document: &Document,
    source: &str,
    environment: Option<&str>,
    findings: &mut Findings,
) -> Option<Plan> {
    let spec = document.spec(environment, findings)?;
    let about = environment.and_then(|name| document.environment(name));
    let mut resolver = Resolver::new(&spec, source, findings);
    resolver.environment = about.as_ref();
    resolver.environment_name = environment.unwrap_or_default();
    if !resolver.check_members() {
        return None;
    }
    let extensions = document
        .extensions()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    resolver.plan(extensions)
}

/// What every part of the resolution needs to know.
struct Resolver<'a> {
    spec: &'a Spec,
    source: &'a str,
    /// What the environment says of itself; none for the file as it stands.
    environment: Option<&'a Environment>,
    environment_name: &'a str,
    /// The ports of each service that was typed, also of those that are wrong elsewhere.
    ports: BTreeMap<Name, Ports>,
    findings: &'a mut Findings,
}

impl<'a> Resolver<'a> {
    fn new(spec: &'a Spec, source: &'a str, findings: &'a mut Findings) -> Self {
        let services = spec
            .services
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let ports = services
            .iter()
            .map(|entry| {
                let ports = match &entry.value {
                    Some(service) => Ports::of(&service.value, findings),
                    None => Ports::unknown(),
                };
                (entry.key.value.clone(), ports)
            })
            .collect();
        Self {
            spec,
            source,
            environment: None,
            environment_name: "",
            ports,
            findings,
        }
    }

    /// Every section in turn; what follows from others comes after them.
    fn plan(mut self, extensions: BTreeMap<String, serde_json::Value>) -> Option<Plan> {
        let target = self.target();
        let stores = self.stores();
        let mut services = self.services();
        unite_volumes(&mut services);
        self.check_volumes();
        self.check_exposed();
        self.check_order(&services);
        let routes = self.routes();
        let application = Application {
            services: &services,
            stores: &stores,
            routes: &routes,
        };
        let cloud = self.cloud(target.kind, &application);
        let secrets = self.secrets();
        let mut plan = Plan {
            name: self.spec.name.value()?.clone(),
            environment: self.environment_name.parse().ok(),
            images: self.images(&services),
            secrets,
            secret_store: self.secret_store(target.kind, cloud.is_some()),
            kubernetes: self.kubernetes(),
            cloud,
            telemetry: self.telemetry(),
            objectives: self.objectives(),
            alerts: self.alerts(),
            notify: self.receivers(),
            pipeline: self.pipeline(target.kind),
            load: self.load(),
            versions: self.versions(),
            patches: self.patches(),
            target,
            services,
            stores,
            routes,
            extensions,
        };
        crate::languages::fill(&mut plan);
        self.check_buckets(&plan);
        Some(plan)
    }

    /// The project's name; empty if it could not be read.
    fn project(&self) -> &'a str {
        self.spec.name.value().map(Name::as_str).unwrap_or_default()
    }

    /// The environment's name; empty for the file as it stands.
    fn environment_name(&self) -> &'a str {
        self.environment_name
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.findings.report(diagnostic);
    }

    fn service_names(&self) -> Vec<&'a str> {
        self.spec
            .services
            .value()
            .map(|table| table.keys().collect())
            .unwrap_or_default()
    }

    fn store_names(&self) -> Vec<&'a str> {
        self.spec
            .stores
            .value()
            .map(|table| table.keys().collect())
            .unwrap_or_default()
    }

    /// Whether a service of this name was typed. True also if no service could be read at all, so that nothing that
    /// follows from it is reported.
    fn has_service(&self, name: &str) -> bool {
        match self.spec.services.value() {
            Some(table) => table.mentions(name),
            None => true,
        }
    }

    fn has_store(&self, name: &str) -> bool {
        match self.spec.stores.value() {
            Some(table) => table.mentions(name),
            None => !self.spec.stores.is_absent(),
        }
    }

    /// How many there are, and whether each name means one thing. False if they are too many to look at.
    fn check_members(&mut self) -> bool {
        let spec = self.spec;
        let services = spec
            .services
            .value()
            .map(|t| t.entries.as_slice())
            .unwrap_or_default();
        let stores = spec
            .stores
            .value()
            .map(|t| t.entries.as_slice())
            .unwrap_or_default();
        if let (Some(typed), true) = (spec.services.get(), services.is_empty()) {
            let refused = spec.services.value().is_some_and(|t| !t.refused.is_empty());
            if !refused {
                let message = "the file has no service";
                self.report(
                    Diagnostic::error(Code::NO_SOURCE, typed.span.clone(), message)
                        .help("a first one: `web: { build: ., port: 3000 }`"),
                );
            }
        }
        let count = services.len() + stores.len();
        if count > MEMBERS_MAX {
            let span = spec.services.key_span().cloned().unwrap_or(0..0);
            let message = format!(
                "the file has {count} services and stores; at most {MEMBERS_MAX} are supported"
            );
            self.report(
                Diagnostic::error(Code::LIMIT, span, message)
                    .help("split it into several projects"),
            );
            return false;
        }
        for key in stores.iter().map(|entry| &entry.key) {
            let twin = services
                .iter()
                .find(|service| service.key.value == key.value);
            if let Some(twin) = twin {
                let message = format!("`{}` is both a service and a store", key.value);
                self.report(
                    Diagnostic::error(Code::DUPLICATE_NAME, key.span.clone(), message)
                        .label("the store")
                        .related(twin.key.span.clone(), "the service"),
                );
            }
        }
        let keys = services
            .iter()
            .map(|entry| &entry.key)
            .chain(stores.iter().map(|entry| &entry.key));
        for key in keys {
            if RESERVED.contains(&key.value.as_str()) {
                let message = format!(
                    "the name `{}` is reserved: `${{{0}.…}}` has a meaning of its own",
                    key.value
                );
                self.report(Diagnostic::error(
                    Code::DUPLICATE_NAME,
                    key.span.clone(),
                    message,
                ));
            }
        }
        true
    }

    fn patches(&mut self) -> Vec<Patch> {
        let spec = self.spec;
        let list = spec
            .patches
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let mut patches = vec![];
        for patch in list {
            let (Some(target), Some(path), Some(value)) = (
                patch.value.target.get(),
                patch.value.path.get(),
                patch.value.value.value(),
            ) else {
                continue;
            };
            // RFC 6901: a pointer is empty or begins with `/`.
            let pointer = path
                .value
                .split_once('#')
                .filter(|(file, _)| !file.is_empty());
            if !pointer.is_some_and(|(_, pointer)| pointer.is_empty() || pointer.starts_with('/')) {
                let message = "expected a file and a JSON Pointer";
                self.report(
                    Diagnostic::error(Code::BAD_VALUE, path.span.clone(), message)
                        .help("for example `50-web-deployment.yaml#/spec/replicas`"),
                );
            }
            let called = target.value.as_str();
            if !RENDER_TARGETS.contains(&called) {
                let message = format!("there is no render target `{called}`");
                self.report(
                    Diagnostic::error(Code::BAD_VALUE, target.span.clone(), message)
                        .did_you_mean(called, RENDER_TARGETS),
                );
            }
            patches.push(Patch {
                target: target.value.to_string(),
                path: path.value.clone(),
                value: value.clone(),
            });
        }
        patches
    }
}

fn no_environment(environment: &str, document: &Document) -> Diagnostic {
    let names: Vec<&str> = document
        .environments()
        .map(|key| key.text.as_str())
        .collect();
    let shown = wharf_spec::diagnostic::excerpt(environment);
    let message = format!("the file has no environment `{shown}`");
    let span = document.environments_span().unwrap_or(0..0);
    let diagnostic = Diagnostic::error(Code::NO_ENVIRONMENT, span, message);
    match (
        nearest(environment, names.iter().copied()),
        names.as_slice(),
    ) {
        (Some(near), _) => diagnostic.help(format!("did you mean `{near}`?")),
        (None, []) => diagnostic.help(format!("add one: `environments: {{ {shown}: {{ … }} }}`")),
        (None, names) => diagnostic.help(format!("the environments are {}", names.join(", "))),
    }
}
