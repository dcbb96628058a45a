//! One object of the API, and the file that it stands in.

use k8s_openapi::Resource;
use serde::Serialize;

use super::order::ordered;
use crate::map;
use crate::yaml::{Map, Yaml};

/// When an object is applied; later stages need what earlier ones made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The namespace.
    Namespace,
    /// What may run in it: quotas, roles, network policies. Whoever administers the cluster applies these two.
    Policy,
    /// Configuration, references to secrets, volumes.
    Config,
    /// Stores and what stands before them.
    Stores,
    /// What has to run once before a new release.
    Release,
    /// Services.
    Services,
    /// The way in.
    Edge,
}

impl Stage {
    /// The number that its files begin with, so that `kubectl apply -f` takes them in order.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Namespace => 0,
            Self::Policy => 10,
            Self::Config => 20,
            Self::Stores => 30,
            Self::Release => 40,
            Self::Services => 50,
            Self::Edge => 60,
        }
    }

    /// Its wave in Argo CD: services are 0.
    #[must_use]
    pub fn wave(self) -> i8 {
        match self {
            Self::Namespace => -5,
            Self::Policy => -4,
            Self::Config => -3,
            Self::Stores => -2,
            Self::Release => -1,
            Self::Services => 0,
            Self::Edge => 1,
        }
    }
}

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// When it is applied.
    pub stage: Stage,
    /// The file without its number and ending: `web-deployment`. Objects of one file stand next to each other.
    pub file: String,
    /// The folder below the target's; empty for the application, `monitoring` for what watches it.
    pub folder: &'static str,
    /// The manifest.
    pub yaml: Yaml,
}

impl Object {
    /// A typed object of the API.
    pub(super) fn typed<T: Resource + Serialize>(
        stage: Stage,
        file: impl Into<String>,
        object: &T,
    ) -> Self {
        let mut yaml = ordered(serde_json::to_value(object).unwrap_or_default());
        tidy(&mut yaml);
        Self {
            stage,
            file: file.into(),
            folder: "",
            yaml,
        }
    }

    /// An object of an extension's API: the type is not in the API server's own description.
    pub(super) fn custom(
        stage: Stage,
        file: impl Into<String>,
        api_version: &str,
        kind: &str,
        metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
        spec: impl Into<Yaml>,
    ) -> Self {
        let metadata = ordered(serde_json::to_value(metadata).unwrap_or_default());
        let yaml = map! {
            "apiVersion" => api_version,
            "kind" => kind,
            "metadata" => metadata,
            "spec" => spec,
        };
        Self {
            stage,
            file: file.into(),
            folder: "",
            yaml: yaml.into(),
        }
    }

    /// Lines above a key of the manifest, found by a JSON Pointer. A pointer that leads nowhere is passed over: what it
    /// would have explained is not there.
    pub(super) fn comment(mut self, pointer: &str, comment: impl Into<String>) -> Self {
        self.yaml.comment(pointer, comment);
        self
    }

    /// The text at a JSON Pointer; empty if there is none.
    fn text(&self, pointer: &str) -> &str {
        match self.yaml.at(pointer) {
            Some(Yaml::Text(text)) => text,
            _ => "",
        }
    }

    /// `Deployment`.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// Its API group and version: `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Its namespace; empty for what belongs to the cluster.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    /// The path of its file.
    #[must_use]
    pub fn path(&self) -> String {
        let number = self.stage.number();
        if self.folder.is_empty() {
            format!("{number:02}-{}.yaml", self.file)
        } else if self.stage == Stage::Namespace {
            format!("{}/{number:02}-{}.yaml", self.folder, self.file)
        } else {
            format!("{}/{}.yaml", self.folder, self.file)
        }
    }

    /// Adds an annotation of the object itself.
    pub(super) fn annotate(&mut self, key: &str, value: &str) {
        let Some(metadata) = self.yaml.at_mut("/metadata").and_then(Yaml::as_map_mut) else {
            return;
        };
        let mut annotations = match metadata.get("annotations") {
            Some(Yaml::Map(map)) => map.clone(),
            _ => Map::new(),
        };
        annotations.set(key, value);
        metadata.set("annotations", annotations);
    }
}

/// Takes away what says nothing: the `null`s and the empty `status` that typed objects serialize to.
fn tidy(yaml: &mut Yaml) {
    match yaml {
        Yaml::Map(map) => {
            map.retain(|entry| {
                entry.value != Yaml::Null
                    && !(matches!(entry.key.as_str(), "status" | "creationTimestamp")
                        && entry.value.is_empty())
            });
            for value in map.values_mut() {
                tidy(value);
            }
        }
        Yaml::List(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}
