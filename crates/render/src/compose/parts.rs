//! Parts of services that both files have.

use wharf_base::ids::Name;
use wharf_base::units::Bytes;
use wharf_plan::model::{Condition, Service, Source, Volume, VolumeSource};

use super::addresses::host_variable;
use super::stack::Stack;
use crate::dockerfile;
use crate::dockerfile::runtime;
use crate::map;
use crate::values::{Piece, Variable, secret_variable};
use crate::yaml::{Map, Yaml};

/// What development takes for a secret that nobody has set.
pub(super) const DEVELOPMENT: &str = "development";

/// For whom a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Development,
    Production,
}

/// The address that a program listens on, unless the plan says so: a container's own loopback is reached by nobody.
pub(super) fn listen(service: &Service, environment: &mut Map) {
    if !service.ports.is_empty() && !service.environment.contains_key("HOST") {
        environment.set("HOST", "0.0.0.0");
    }
}

/// A text in which Compose replaces nothing.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// A command whose words Compose takes as they are.
pub(super) fn command(words: &[String]) -> Yaml {
    Yaml::Inline(words.iter().map(|word| literal(word).into()).collect())
}

/// The value of a variable.
pub(super) fn value(stack: &Stack<'_>, variable: &Variable, mode: Mode) -> String {
    let mut value = String::new();
    for piece in &variable.pieces {
        match piece {
            Piece::Text(text) => value.push_str(&with_hosts(stack, text)),
            Piece::Secret(secret) => {
                let name = secret_variable(secret);
                value.push_str(&match mode {
                    Mode::Development => format!("${{{name}:-{DEVELOPMENT}}}"),
                    Mode::Production => format!("${{{name}:?it is a secret, see env.example}}"),
                });
            }
            Piece::Operator { name, default } => {
                value.push_str(&operator(name, default.as_deref()))
            }
        }
    }
    value
}

/// `${env.NAME}`, as Compose writes it.
pub(super) fn operator(name: &str, default: Option<&str>) -> String {
    match default {
        // Braces and line feeds cannot stand within a reference.
        Some(default) if !default.contains(['{', '}', '\n']) => {
            format!("${{{name}:-{}}}", literal(default))
        }
        Some(_) => format!("${{{name}}}"),
        None => format!("${{{name}:?see env.example}}"),
    }
}

/// A literal text, but for the hosts of stores that exist elsewhere: those are variables.
fn with_hosts(stack: &Stack<'_>, text: &str) -> String {
    let mut text = literal(text);
    for (name, store) in &stack.plan.stores {
        if store.external_url.is_some() {
            let host = host_variable(name);
            let escaped = format!("$${{{host}}}");
            text = text.replace(&escaped, &format!("${{{host}:?see env.example}}"));
        }
    }
    text
}

/// How a service's image is built; none: it is not.
pub(super) fn build(stack: &Stack<'_>, name: &Name, mode: Mode) -> Option<Map> {
    let image = stack.built(name)?;
    let mut build = map! { "context" => literal(&stack.source_path(&image.build.context)) };
    let file = match &image.build.dockerfile {
        Some(file) => file.clone(),
        None => {
            // The Dockerfile is found from the context.
            let context = image.build.context.trim_start_matches("./");
            let depth = context
                .split('/')
                .filter(|part| !matches!(*part, "" | "."))
                .count();
            let up = "../".repeat(depth);
            format!("{up}{}", dockerfile::path(image.name.as_str()))
        }
    };
    build.set("dockerfile", literal(&file));
    let stage = image.build.target.clone().or_else(|| {
        // In development the tools of the build are what runs.
        let tools = matches!(
            runtime::Runtime::of(image.build),
            Some(runtime::Runtime::Node | runtime::Runtime::Nginx)
        );
        (tools && mode == Mode::Development).then(|| "builder".to_owned())
    });
    build.set_some("target", stage.map(|stage| literal(&stage)));
    if image.build.dockerfile.is_some() && !image.build.args.is_empty() {
        let mut args = Map::new();
        for (name, value) in &image.build.args {
            args.set(name.clone(), literal(value));
        }
        build.set("args", args);
    }
    Some(build)
}

/// The health check of a service; none: the image's own, or none at all.
pub(super) fn health(stack: &Stack<'_>, name: &Name, service: &Service) -> Option<Map> {
    let probe = runtime::probe(service);
    let Some((probe, words)) = probe.zip(stack.health(name, service)) else {
        // The image may have one of another service.
        let other = stack.built(name).is_some_and(|image| image.name != name);
        return other.then(|| map! { "disable" => true });
    };
    let mut test = vec!["CMD".to_owned()];
    test.extend(words);
    Some(map! {
        "test" => command(&test),
        "interval" => dockerfile::seconds(dockerfile::interval(probe)),
        "timeout" => dockerfile::seconds(dockerfile::timeout(probe)),
        "retries" => probe.failure_threshold.max(1),
        "start_period" => dockerfile::seconds(dockerfile::start_period(service)),
    })
}

/// What has to be so before a service starts.
pub(super) fn depends_on(stack: &Stack<'_>, name: &Name, service: &Service) -> Map {
    let mut depends = Map::new();
    for store in stack.stores_of(name) {
        depends.set(store.as_str(), map! { "condition" => "service_healthy" });
    }
    if let Some(release) = stack.release(name) {
        depends.set(
            release,
            map! { "condition" => "service_completed_successfully" },
        );
    }
    for (needed, condition) in &service.needs {
        let Some((other, meant)) = stack.services.iter().find(|(other, _)| *other == needed) else {
            continue;
        };
        let healthy = stack.health(other, meant).is_some();
        let condition = match condition {
            Condition::Completed => "service_completed_successfully",
            Condition::Healthy if healthy => "service_healthy",
            Condition::Healthy | Condition::Started => "service_started",
        };
        depends.set(needed.as_str(), map! { "condition" => condition });
    }
    depends
}

/// The volumes of a service, as the plan names them.
pub(super) fn volumes(stack: &Stack<'_>, service: &Service) -> Vec<Yaml> {
    service
        .volumes
        .iter()
        .map(|volume| match &volume.source {
            VolumeSource::Named(name) => named(name.as_str(), volume),
            VolumeSource::Path(path) => {
                let mut mount = map! {
                    "type" => "bind",
                    "source" => literal(&stack.source_path(path)),
                    "target" => literal(&runtime::in_image(&volume.target)),
                };
                if volume.read_only {
                    mount.set("read_only", true);
                }
                mount.into()
            }
        })
        .collect()
}

fn named(name: &str, volume: &Volume) -> Yaml {
    let target = literal(&runtime::in_image(&volume.target));
    if target.contains([':', '\n']) {
        let mut mount = map! { "type" => "volume", "source" => name, "target" => target };
        if volume.read_only {
            mount.set("read_only", true);
        }
        return mount.into();
    }
    let suffix = if volume.read_only { ":ro" } else { "" };
    format!("{name}:{target}{suffix}").into()
}

/// The named volumes of the plan's services, in order.
pub(super) fn named_volumes(stack: &Stack<'_>) -> Vec<String> {
    let mut names: Vec<String> = stack
        .services
        .iter()
        .flat_map(|(_, service)| &service.volumes)
        .filter_map(|volume| match &volume.source {
            VolumeSource::Named(name) => Some(name.to_string()),
            VolumeSource::Path(_) => None,
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The environment files of a service.
pub(super) fn env_files(stack: &Stack<'_>, service: &Service) -> Vec<Yaml> {
    let files = service.env_files.iter();
    files
        .map(|file| literal(&stack.source_path(file)).into())
        .collect()
}

/// An amount of memory in Compose's units, in which `M` is 1024 * 1024 bytes.
pub(super) fn memory(bytes: Bytes) -> String {
    if bytes.0 > 0 && bytes.0.is_multiple_of(1 << 30) {
        format!("{}G", bytes.0 >> 30)
    } else if bytes.0 > 0 && bytes.0.is_multiple_of(1 << 20) {
        format!("{}M", bytes.0 >> 20)
    } else {
        format!("{}b", bytes.0)
    }
}

/// Whether a service is built here from source that can be mounted over what is in the image.
pub(super) fn mounts_source(service: &Service) -> bool {
    matches!(service.source, Source::Build(_))
        && matches!(
            runtime::Runtime::of_service(service),
            Some(runtime::Runtime::Python | runtime::Runtime::Node | runtime::Runtime::Nginx)
        )
}
