//! Images: the registry is one value for all, each has its name, and those that are built share a tag.

use wharf_plan::model::Plan;

use super::Writer;
use crate::helm::values;
use crate::kubernetes::ACCOUNT;
use crate::yaml::Yaml;

/// The registry of a plan's images: the file's, or the account's own; empty if there is neither.
pub(super) fn registry(plan: &Plan) -> String {
    match (&plan.images.registry, &plan.cloud) {
        (Some(registry), _) => registry.trim_end_matches('/').to_owned(),
        (None, Some(cloud)) => format!("{ACCOUNT}.dkr.ecr.{}.amazonaws.com", cloud.region),
        (None, None) => String::new(),
    }
}

/// The name of an image within the plan's registry.
fn without_registry(repository: &str, plan: &Plan) -> String {
    let prefix = format!("{}/", registry(plan));
    repository
        .strip_prefix(&prefix)
        .unwrap_or(repository)
        .to_owned()
}
impl Writer<'_, '_> {
    pub(super) fn image(&mut self, nodes: &[Option<&Yaml>], pointer: &str) -> Yaml {
        let own: Vec<String> = self
            .variants
            .iter()
            .flat_map(|variant| {
                let built = crate::images::built(variant.plan).into_iter();
                built.map(|image| without_registry(&image.repository, variant.plan))
            })
            .collect();
        let parts = |node: &Option<&Yaml>| match node {
            Some(Yaml::Text(image)) => {
                let (repository, tag) = match image.rsplit_once(':') {
                    Some((repository, tag)) if !tag.contains('/') => (repository, tag),
                    _ => (image.as_str(), ""),
                };
                Some((repository.to_owned(), tag.to_owned()))
            }
            _ => None,
        };
        let mut each: Vec<Option<(String, String)>> = nodes.iter().map(parts).collect();
        for (variant, parts) in self.variants.iter().zip(&mut each) {
            if let Some((repository, _)) = parts {
                let short = without_registry(repository, variant.plan);
                if own.contains(&short) {
                    *repository = short;
                }
            }
        }
        let first = each.iter().flatten().next().cloned();
        let built = first
            .as_ref()
            .is_some_and(|(repository, _)| own.contains(repository));
        let pick = |pick: fn((String, String)) -> String| -> Vec<Option<Yaml>> {
            each.iter()
                .map(|one| {
                    one.clone()
                        .or_else(|| first.clone())
                        .map(|one| Yaml::Text(pick(one)))
                })
                .collect()
        };
        let container = pointer
            .strip_suffix("/image")
            .map(|container| format!("{container}/name"));
        let container = container.and_then(|name| {
            let object = self.object.each.iter().flatten().next()?;
            match object.at(&name) {
                Some(Yaml::Text(name)) => Some(values::key(name)),
                _ => None,
            }
        });
        // The first container is the component's own; another is called by its name.
        let name = match container {
            Some(container) if !pointer.ends_with("/containers/0/image") => {
                format!("{container}Image")
            }
            _ => "image".to_owned(),
        };
        let repository = self.add(
            &self.own(&[&name, "repository"]),
            "Name of the image",
            &pick(|(repository, _)| repository),
        );
        let tags = if built {
            vec![Some(Yaml::Text(String::new())); each.len()]
        } else {
            pick(|(_, tag)| tag)
        };
        let comment = if built {
            "Its tag; `image.tag` if empty"
        } else {
            "Its tag"
        };
        let tag = self.add(&self.own(&[&name, "tag"]), comment, &tags);
        if built {
            let expression = format!(
                "include \"{}.image\" (dict \"root\" $ \"image\" {})",
                self.base.name,
                repository.trim_end_matches(".repository")
            );
            return Yaml::Raw(format!("{{{{ {expression} | quote }}}}"));
        }
        Yaml::Raw(format!("\"{{{{ {repository} }}}}:{{{{ {tag} }}}}\""))
    }
}
