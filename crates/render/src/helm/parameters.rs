//! Which parts of an object are values.

mod additions;
mod globals;
mod images;
mod rules;

use std::collections::BTreeSet;

use wharf_plan::model::Plan;

use super::merge::{Merged, NAMESPACE, Variant};
use super::text::Actions;
use super::values::{self, Values};
use crate::kubernetes::Object;
use crate::yaml::{Map, Yaml};

pub(super) use globals::globals;

/// Labels that the chart's own helper writes.
const COMMON_LABELS: [&str; 4] = [
    "app.kubernetes.io/name",
    "app.kubernetes.io/part-of",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/environment",
];

/// What `networkPolicy.enabled` says.
const POLICIES: &str = "Whether only the declared connections are allowed";

/// The template of one object; what it takes from the values is added to them.
pub(super) fn template(
    object: &Merged,
    base: &Plan,
    variants: &[Variant<'_>],
    values: &mut Values,
) -> String {
    let component = component(object);
    let mut writer = Writer {
        object,
        base,
        variants,
        values,
        actions: Actions::default(),
        at: place(base, variants, &component),
        component,
        taken: BTreeSet::new(),
    };
    let condition = writer.condition();
    let nodes: Vec<Option<&Yaml>> = object.each.iter().map(Option::as_ref).collect();
    let mut tree = writer.build(&nodes, "");
    writer.finish(&mut tree);
    writer.actions.to_text(condition.as_deref(), tree)
}

/// The component of an object, by its label.
fn component(object: &Merged) -> String {
    let some = object.each.iter().flatten().next();
    match some.and_then(|yaml| yaml.at("/metadata/labels/app.kubernetes.io~1name")) {
        Some(Yaml::Text(component)) => component.clone(),
        _ => object.name.clone(),
    }
}

/// Where a component's values stand.
fn place(base: &Plan, variants: &[Variant<'_>], component: &str) -> Vec<String> {
    let plans = || variants.iter().map(|variant| variant.plan).chain([base]);
    let group = if plans().any(|plan| plan.services.contains_key(component)) {
        "services"
    } else if plans().any(|plan| plan.stores.contains_key(component)) {
        "stores"
    } else {
        "components"
    };
    vec![group.to_owned(), values::key(component)]
}

struct Writer<'a, 'v> {
    object: &'a Merged,
    base: &'a Plan,
    variants: &'a [Variant<'a>],
    values: &'v mut Values,
    actions: Actions,
    /// Where the component's values stand.
    at: Vec<String>,
    component: String,
    /// The places that this object has taken for what differs.
    taken: BTreeSet<Vec<String>>,
}

impl Writer<'_, '_> {
    fn kind(&self) -> &str {
        &self.object.kind
    }

    fn own(&self, path: &[&str]) -> Vec<String> {
        let path = path.iter().map(|segment| (*segment).to_owned());
        self.at.iter().cloned().chain(path).collect()
    }

    fn add(&mut self, path: &[String], comment: &str, each: &[Option<Yaml>]) -> String {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        self.values.add(&path, comment, each)
    }

    /// Whether the object is there at all.
    fn condition(&mut self) -> Option<String> {
        let there: Vec<Option<Yaml>> = self
            .object
            .each
            .iter()
            .map(|one| Some(Yaml::Bool(one.is_some())))
            .collect();
        let everywhere = self.object.each.iter().all(Option::is_some);
        let (switch, comment): (Vec<String>, &str) = match self.kind() {
            "HorizontalPodAutoscaler" | "ScaledObject" => (
                self.own(&["autoscaling", "enabled"]),
                "Whether the count of replicas follows the load",
            ),
            "PodDisruptionBudget" => (
                self.own(&["podDisruptionBudget", "enabled"]),
                "Whether nodes are drained only as fast as replicas allow",
            ),
            "Ingress" => (
                vec!["ingress".into(), "enabled".into()],
                "Whether the routes are served",
            ),
            "NetworkPolicy" if everywhere => {
                (vec!["networkPolicy".into(), "enabled".into()], POLICIES)
            }
            "ExternalSecret" | "SecretStore" => (
                vec!["externalSecrets".into(), "enabled".into()],
                "Whether the External Secrets Operator fills the Secret; if not, somebody else has to",
            ),
            "PersistentVolumeClaim" if everywhere && self.waits() => {
                return Some(self.is_missing());
            }
            _ if everywhere => return None,
            "ServiceAccount" if self.component == "external-secrets" => {
                (vec!["externalSecrets".into(), "enabled".into()], "")
            }
            _ if self.at[0] == "stores" => (
                self.own(&["enabled"]),
                "Whether the cluster runs it; off where the cloud does",
            ),
            _ if self.at[0] == "components" && self.is_whole() => {
                (self.own(&["enabled"]), "Whether it is there")
            }
            kind => {
                let kind = values::key(&lower_first(kind));
                (self.own(&[&kind, "enabled"]), "Whether the object is there")
            }
        };
        let switch = self.add(&switch, comment, &there);
        Some(match self.kind() {
            "NetworkPolicy" if !everywhere => {
                let policies = ["networkPolicy", "enabled"];
                let policies = self
                    .values
                    .add_default(&policies, POLICIES, Yaml::Bool(true));
                format!("and {policies} {switch}")
            }
            "PersistentVolumeClaim" if self.waits() => {
                format!("and {switch} ({})", self.is_missing())
            }
            _ => switch,
        })
    }

    /// Whether every object of the component that some variant lacks is there in the same variants.
    fn is_whole(&self) -> bool {
        let component = Some(Yaml::Text(self.component.clone()));
        let is_own = |object: &&Object| {
            object.yaml.at("/metadata/labels/app.kubernetes.io~1name") == component.as_ref()
        };
        let has = |variant: &Variant<'_>, kind: &str, name: &str| {
            let mut objects = variant.objects.iter();
            objects.any(|object| object.kind() == kind && object.name() == name)
        };
        let own = self.variants.iter().flat_map(|v| &v.objects);
        own.filter(is_own).all(|object| {
            let there: Vec<bool> = self
                .variants
                .iter()
                .map(|variant| has(variant, object.kind(), object.name()))
                .collect();
            let mine = self.object.each.iter().map(Option::is_some);
            there.iter().all(|there| *there) || mine.eq(there.iter().copied())
        })
    }

    /// Whether a claim is mounted by nothing that an installation starts, so that it may stay without a volume for long.
    fn waits(&self) -> bool {
        let mut objects = self.variants.iter().flat_map(|variant| &variant.objects);
        !objects.any(|object| {
            matches!(object.kind(), "Deployment" | "StatefulSet" | "Job")
                && mounts(&object.yaml, &self.object.name)
        })
    }

    /// Whether the cluster has no object of this kind and name yet.
    fn is_missing(&self) -> String {
        format!(
            "not (lookup \"v1\" \"{}\" $.Release.Namespace \"{}\")",
            self.object.kind, self.object.name
        )
    }

    /// The template of a part; `nodes` are what each variant has there.
    fn build(&mut self, nodes: &[Option<&Yaml>], pointer: &str) -> Yaml {
        if let Some(yaml) = self.special(nodes, pointer) {
            return yaml;
        }
        if let Some((path, comment)) = self.rule(pointer) {
            return self.value(nodes, path, comment);
        }
        let there: Vec<&Yaml> = self.present(nodes);
        let all_maps = there.iter().all(|node| matches!(node, Yaml::Map(_)));
        if all_maps && !there.is_empty() && there.len() == self.wanted() {
            return self.map(nodes, pointer);
        }
        let lengths: BTreeSet<Option<usize>> = there
            .iter()
            .map(|node| match node {
                Yaml::List(items) => Some(items.len()),
                _ => None,
            })
            .collect();
        if let (1, Some(Some(length)), true) = (
            lengths.len(),
            lengths.first().copied(),
            there.len() == self.wanted(),
        ) {
            let items = (0..length).map(|index| {
                let nodes: Vec<Option<&Yaml>> = nodes
                    .iter()
                    .map(|node| match node {
                        Some(Yaml::List(items)) => items.get(index),
                        _ => None,
                    })
                    .collect();
                self.build(&nodes, &format!("{pointer}/{index}"))
            });
            return Yaml::List(items.collect());
        }
        match there.as_slice() {
            [first, rest @ ..]
                if rest.iter().all(|other| other == first) && there.len() == self.wanted() =>
            {
                (*first).clone()
            }
            _ => {
                let path = self.free_place(pointer);
                self.value(nodes, path, "")
            }
        }
    }

    /// How many variants have the object.
    fn wanted(&self) -> usize {
        self.object.each.iter().flatten().count()
    }

    fn present<'n>(&self, nodes: &[Option<&'n Yaml>]) -> Vec<&'n Yaml> {
        nodes.iter().flatten().copied().collect()
    }

    fn map(&mut self, nodes: &[Option<&Yaml>], pointer: &str) -> Yaml {
        let mut keys: Vec<(&str, &str)> = vec![];
        for node in nodes.iter().flatten() {
            let Yaml::Map(map) = node else { continue };
            for entry in map.entries() {
                if !keys.iter().any(|(key, _)| *key == entry.key) {
                    keys.push((&entry.key, &entry.comment));
                }
            }
        }
        let mut out = Map::new();
        for (key, comment) in keys {
            let inner: Vec<Option<&Yaml>> = nodes
                .iter()
                .map(|node| match node {
                    Some(Yaml::Map(map)) => map.get(key),
                    _ => None,
                })
                .collect();
            let pointer = format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"));
            let somewhere_missing = self.present(&inner).len() < self.wanted();
            let rule = self.rule(&pointer);
            if somewhere_missing || rule.as_ref().is_some_and(|_| may_be_empty(key)) {
                // A key that some variant does not have is there only while it has a value.
                let (path, comment) = rule.unwrap_or_else(|| (self.free_place(&pointer), ""));
                let each: Vec<Option<Yaml>> = inner.iter().map(|node| node.cloned()).collect();
                let expression = self.add(&path, comment, &each);
                if matches!(
                    each.iter().flatten().next(),
                    Some(Yaml::Map(_) | Yaml::List(_))
                ) {
                    self.actions.with(&mut out, key, &expression);
                } else {
                    self.actions.line(&mut out, format!("with {expression}"));
                    out.set(key, Yaml::Raw(quoted(".", each.iter().flatten().next())));
                    self.actions.line(&mut out, "end");
                }
                continue;
            }
            let value = self.build(&inner, &pointer);
            out.set_with_comment(comment, key, value);
        }
        out.into()
    }

    /// A value at `path`.
    fn value(&mut self, nodes: &[Option<&Yaml>], path: Vec<String>, comment: &str) -> Yaml {
        let each: Vec<Option<Yaml>> = nodes.iter().map(|node| node.cloned()).collect();
        // A variant without the object does not want another value.
        let first = each.iter().flatten().next().cloned();
        let each: Vec<Option<Yaml>> = each
            .into_iter()
            .zip(&self.object.each)
            .map(|(value, object)| {
                if object.is_some() {
                    value
                } else {
                    first.clone()
                }
            })
            .collect();
        // The release's namespace in a value is filled in when the chart is.
        let placed = each.iter().flatten().any(holds_namespace);
        let each: Vec<Option<Yaml>> = each
            .into_iter()
            .map(|one| one.map(namespace_in_value))
            .collect();
        let expression = self.add(&path, comment, &each);
        match first {
            Some(Yaml::Map(_) | Yaml::List(_) | Yaml::Inline(_)) if placed => {
                self.actions.block(format!("tpl (toYaml {expression}) $"))
            }
            Some(Yaml::Text(_)) if placed => {
                Yaml::Raw(format!("{{{{ tpl {expression} $ | quote }}}}"))
            }
            Some(Yaml::Map(_) | Yaml::List(_) | Yaml::Inline(_)) => {
                self.actions.block(format!("toYaml {expression}"))
            }
            first => Yaml::Raw(quoted(&expression, first.as_ref())),
        }
    }

    /// Parts that Helm says in its own way.
    fn special(&mut self, nodes: &[Option<&Yaml>], pointer: &str) -> Option<Yaml> {
        let first = nodes.iter().flatten().next().copied()?;
        match pointer {
            "/metadata/labels" => {
                let expression = format!(
                    "include \"{}.labels\" (dict \"root\" $ \"component\" \"{}\")",
                    self.base.name, self.component
                );
                let block = self.actions.block(expression);
                let mut extra = Map::new();
                if let Yaml::Map(map) = first {
                    for entry in map.entries() {
                        if !COMMON_LABELS.contains(&entry.key.as_str()) {
                            extra.set(entry.key.clone(), entry.value.clone());
                        }
                    }
                }
                return extra.is_empty().then_some(block);
            }
            _ if pointer.ends_with("/metadata/labels") => {
                // What selects pods stays as it is; what may change does not belong on them.
                let Yaml::Map(map) = first else { return None };
                let mut labels = map.clone();
                labels.retain(|entry| {
                    !matches!(
                        entry.key.as_str(),
                        "app.kubernetes.io/managed-by" | "app.kubernetes.io/environment"
                    )
                });
                return Some(labels.into());
            }
            _ => {}
        }
        let key = pointer.rsplit('/').next().unwrap_or_default();
        if key.starts_with("checksum~1") && key.contains("config") {
            let file = "(print $.Template.BasePath \"/configmap.yaml\")";
            return Some(Yaml::Raw(format!("{{{{ include {file} $ | sha256sum }}}}")));
        }
        if key == "imagePullPolicy" {
            return Some(Yaml::Raw("{{ $.Values.image.pullPolicy }}".to_owned()));
        }
        if key == "image" && pointer.contains("ontainers/") {
            return Some(self.image(nodes, pointer));
        }
        None
    }

    /// A place for what differs and has no rule, called as the part is.
    fn free_place(&mut self, pointer: &str) -> Vec<String> {
        let mut segments: Vec<String> = vec![];
        let mut here = String::new();
        for segment in pointer.split('/').skip(1) {
            here = format!("{here}/{segment}");
            // An item of a list is called by its name: a variable, a port, a container.
            let name = self.object.each.iter().flatten().find_map(|object| {
                match object.at(&format!("{here}/name")) {
                    Some(Yaml::Text(name)) => Some(name.to_ascii_lowercase()),
                    _ => None,
                }
            });
            match name {
                Some(name) if segment.parse::<usize>().is_ok() => segments.push(values::key(&name)),
                None if segment.parse::<usize>().is_ok() => {}
                // The value of a variable is the variable.
                _ if segment == "value" && segments.len() > 1 => {}
                _ => segments.push(values::key(&segment.replace("~1", "-").replace("~0", "-"))),
            }
        }
        let kind = values::key(&lower_first(self.kind()));
        let mut length = 1;
        loop {
            let tail = &segments[segments.len().saturating_sub(length)..];
            let mut path = self.at.clone();
            if self.at[0] != "services" || self.kind() != "Deployment" {
                path.push(kind.clone());
                if values::key(&self.object.name) != self.at[1] {
                    path.push(values::key(&self.object.name));
                }
            }
            path.push(values::key(&tail.join("-")));
            if length > segments.len() || self.taken.insert(path.clone()) {
                return path;
            }
            length += 1;
        }
    }
}

/// Whether a workload mounts a claim.
fn mounts(yaml: &Yaml, claim: &str) -> bool {
    match yaml {
        Yaml::Map(map) => map.entries().iter().any(|entry| {
            entry.key == "claimName" && entry.value == Yaml::Text(claim.to_owned())
                || mounts(&entry.value, claim)
        }),
        Yaml::List(items) => items.iter().any(|item| mounts(item, claim)),
        _ => false,
    }
}

fn holds_namespace(yaml: &Yaml) -> bool {
    match yaml {
        Yaml::Text(text) => text.contains(NAMESPACE),
        Yaml::List(items) | Yaml::Inline(items) => items.iter().any(holds_namespace),
        Yaml::Map(map) => map
            .entries()
            .iter()
            .any(|entry| holds_namespace(&entry.value)),
        _ => false,
    }
}

fn namespace_in_value(yaml: Yaml) -> Yaml {
    match yaml {
        Yaml::Text(text) => Yaml::Text(text.replace(NAMESPACE, "{{ .Release.Namespace }}")),
        Yaml::List(items) => Yaml::List(items.into_iter().map(namespace_in_value).collect()),
        Yaml::Inline(items) => Yaml::Inline(items.into_iter().map(namespace_in_value).collect()),
        Yaml::Map(mut map) => {
            for value in map.values_mut() {
                *value = namespace_in_value(std::mem::replace(value, Yaml::Null));
            }
            Yaml::Map(map)
        }
        other => other,
    }
}

/// Keys whose value may be an empty list or map, and then are left out.
fn may_be_empty(key: &str) -> bool {
    matches!(key, "annotations" | "tls")
}

fn quoted(expression: &str, like: Option<&Yaml>) -> String {
    match like {
        Some(Yaml::Text(_)) => format!("{{{{ {expression} | quote }}}}"),
        _ => format!("{{{{ {expression} }}}}"),
    }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_ascii_lowercase().to_string() + characters.as_str(),
        None => String::new(),
    }
}
