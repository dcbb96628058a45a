//! The objects of every variant, side by side.

use wharf_plan::model::Plan;

use crate::kubernetes::Object;
use crate::yaml::Yaml;

/// One set of objects: of the file as it stands, or of an environment.
pub(super) struct Variant<'a> {
    pub(super) name: String,
    pub(super) plan: &'a Plan,
    pub(super) objects: Vec<Object>,
}

/// An object as each variant has it.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    pub(super) kind: String,
    pub(super) name: String,
    /// By variant, in their order; none where it has no such object. Without what Helm says in its own way: namespace, labels.
    pub(super) each: Vec<Option<Yaml>>,
}

/// Every object that any variant has, in the order of the first that has it.
pub(super) fn merge(variants: &[Variant<'_>]) -> Vec<Merged> {
    let mut merged: Vec<Merged> = vec![];
    for (index, variant) in variants.iter().enumerate() {
        for object in &variant.objects {
            let (kind, name) = (object.kind().to_owned(), object.name().to_owned());
            let found = merged
                .iter_mut()
                .find(|merged| merged.kind == kind && merged.name == name);
            let yaml = Some(normal(object, variant.plan));
            match found {
                Some(found) => found.each[index] = yaml,
                None => {
                    let mut each = vec![None; variants.len()];
                    each[index] = yaml;
                    merged.push(Merged { kind, name, each });
                }
            }
        }
    }
    merged
}

/// Stands for the release's namespace until the template is written.
pub(super) const NAMESPACE: &str = "\u{e002}";

/// The object with the release's namespace instead of the plan's, and without a namespace of its own.
fn normal(object: &Object, plan: &Plan) -> Yaml {
    let mut yaml = object.yaml.clone();
    if let Some(metadata) = yaml.at_mut("/metadata").and_then(Yaml::as_map_mut) {
        metadata.retain(|entry| entry.key != "namespace");
    }
    place_namespace(&mut yaml, &plan.kubernetes.namespace);
    yaml
}

fn place_namespace(yaml: &mut Yaml, namespace: &str) {
    match yaml {
        Yaml::Text(text) => {
            let inside = format!(".{namespace}.svc");
            *text = text.replace(&inside, &format!(".{NAMESPACE}.svc"));
        }
        Yaml::Map(map) => {
            for key in ["namespace", "kubernetes.io/metadata.name"] {
                if let Some(Yaml::Text(text)) = map.get_mut(key)
                    && text == namespace
                {
                    NAMESPACE.clone_into(text);
                }
            }
            map.values_mut()
                .for_each(|value| place_namespace(value, namespace));
        }
        Yaml::List(items) | Yaml::Inline(items) => items
            .iter_mut()
            .for_each(|item| place_namespace(item, namespace)),
        _ => {}
    }
}
