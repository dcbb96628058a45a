//! What the image of each service is called, and where its program lies in it. Services with the same build share one.

use std::collections::BTreeMap;

use crate::model::{Build, Framework, Plan, Service, Source, Volume};
use crate::resolve::names;
use wharf_base::ids::Name;

/// The folder of the program in every image; what a plan names relative to the program lies below it.
pub const FOLDER: &str = "/app";

/// A path of the plan in the image: relative ones lie in the program's folder.
#[must_use]
pub fn in_image(path: &str) -> String {
    if path.starts_with('/') {
        return path.trim_end_matches('/').to_owned();
    }
    let path = path.trim_start_matches("./").trim_end_matches('/');
    match path {
        "" | "." => FOLDER.to_owned(),
        path => format!("{FOLDER}/{path}"),
    }
}

/// Where a path of the plan lies relative to the program's folder; none: elsewhere.
#[must_use]
pub fn beside_program(path: &str) -> Option<String> {
    let path = in_image(path);
    Some(path.strip_prefix(FOLDER)?.strip_prefix('/')?.to_owned())
}

/// Whether the files of a prefix are uploaded while the service runs, rather than part of its build.
#[must_use]
pub fn is_uploaded(service: &Service, prefix: &str) -> bool {
    // Django collects into one folder and keeps uploads in another.
    is_django(service) && prefix.trim_matches('/') != "static"
}

/// Whether a service is written with Django.
#[must_use]
pub fn is_django(service: &Service) -> bool {
    let Source::Build(build) = &service.source else {
        return false;
    };
    let framework = build.toolchain.as_ref().and_then(|t| t.framework);
    framework == Some(Framework::Django)
}

/// The volume of `service` that a folder of its program lies on, and the place in it: empty for all of the volume.
#[must_use]
pub fn volume_of<'a>(service: &'a Service, folder: &str) -> Option<(&'a Volume, String)> {
    let folder = in_image(folder);
    let inside = |volume: &'a Volume| {
        let rest = folder.strip_prefix(in_image(&volume.target).as_str())?;
        let place = if rest.is_empty() {
            rest
        } else {
            rest.strip_prefix('/')?
        };
        Some((volume, place.to_owned()))
    };
    // Of one volume in another the inner one is seen.
    let found = service.volumes.iter().filter_map(inside);
    found.min_by_key(|(_, place)| place.len())
}

/// Whether a service is built to files that a web server hands out.
#[must_use]
pub fn is_static(service: &Service) -> bool {
    let Source::Build(build) = &service.source else {
        return false;
    };
    let framework = build.toolchain.as_ref().and_then(|chain| chain.framework);
    framework == Some(Framework::React) && service.command.is_none()
}

/// An image that the project builds.
#[derive(Debug, Clone, PartialEq)]
pub struct BuiltImage<'a> {
    /// What it is called by jobs and files: the first service that uses it.
    pub name: &'a Name,
    /// The services that run it, in the order of their names.
    pub services: Vec<&'a Name>,
    /// How it is made.
    pub build: &'a Build,
    /// Registry and repository, without a tag: `docker.io/chatapp/backend`. Without a registry, the repository alone.
    pub repository: String,
}

/// Every image that the project builds, in the order of its first service that serves a port, else by name.
#[must_use]
pub fn built(plan: &Plan) -> Vec<BuiltImage<'_>> {
    let mut images: Vec<BuiltImage<'_>> = vec![];
    // A service with a port names the image: `web`, not its worker.
    let mut services: Vec<_> = plan.services.iter().collect();
    services.sort_by_key(|(_, service)| service.ports.is_empty());
    for (name, service) in services {
        let Source::Build(build) = &service.source else {
            continue;
        };
        match images.iter_mut().find(|image| *image.build == **build) {
            Some(image) => image.services.push(name),
            None => images.push(BuiltImage {
                name,
                services: vec![name],
                build,
                repository: repository(plan, name),
            }),
        }
    }
    images
}

/// The image of each service, without a tag where the project builds it, and as the file says where not. A service that is
/// a command of the machine has none.
#[must_use]
pub fn by_service(plan: &Plan) -> BTreeMap<&Name, String> {
    let mut images = BTreeMap::new();
    for image in built(plan) {
        for service in image.services {
            images.insert(service, image.repository.clone());
        }
    }
    for (name, service) in &plan.services {
        if let Source::Image(image) = &service.source {
            images.insert(name, image.clone());
        }
    }
    images
}

/// The image of `service` with the tag that the plan names, or as the file says.
#[must_use]
pub fn tagged(plan: &Plan, service: &Name) -> Option<String> {
    let image = by_service(plan).remove(service)?;
    Some(match plan.services.get(service)?.source {
        Source::Build(_) => format!("{image}:{}", plan.images.tag),
        Source::Image(_) | Source::Command => image,
    })
}

fn repository(plan: &Plan, service: &Name) -> String {
    let repository = plan
        .images
        .repository
        .replace("{service}", service.as_str());
    let repository = names::repository(&repository);
    match &plan.images.registry {
        Some(registry) => format!("{}/{repository}", registry.trim_end_matches('/')),
        None => repository,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lies_on_the_innermost_volume() {
        let text = "name: a\nservices:\n  web:\n    build: .\n    port: 1\n    volumes: [{ source: data, target: /app/data }, { source: media, target: ./data/media }]\n";
        let (plan, diagnostics) = crate::resolve(text.as_bytes(), None);
        let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let service = plan.services.values().next().expect("a service");
        for (folder, expected) in [
            ("data", Some(("/app/data", ""))),
            ("./data/other/", Some(("/app/data", "other"))),
            ("data/media", Some(("./data/media", ""))),
            ("/app/data/media/a/b", Some(("./data/media", "a/b"))),
            ("database", None),
            ("media", None),
        ] {
            let found = volume_of(service, folder);
            let found = found
                .as_ref()
                .map(|(volume, place)| (volume.target.as_str(), place.as_str()));
            assert_eq!(found, expected, "{folder}");
        }
    }
}
