//! A template while it is made, and the functions of CloudFormation.

use crate::map;
use crate::yaml::{Map, Yaml};

/// A template.
pub(super) struct Stack {
    description: String,
    parameters: Map,
    conditions: Map,
    resources: Map,
    outputs: Map,
}

impl Stack {
    pub(super) fn new(description: &str) -> Self {
        Self {
            description: description.to_owned(),
            parameters: Map::new(),
            conditions: Map::new(),
            resources: Map::new(),
            outputs: Map::new(),
        }
    }

    pub(super) fn parameter(&mut self, name: &str, parameter: Map) {
        self.parameters.set(name, parameter);
    }

    pub(super) fn condition(&mut self, name: &str, condition: Yaml) {
        self.conditions.set(name, condition);
    }

    pub(super) fn output(&mut self, name: &str, description: &str, value: Yaml) {
        self.outputs.set(
            name,
            map! { "Description" => description, "Value" => value },
        );
    }

    /// Adds a resource.
    pub(super) fn add(&mut self, id: &str, kind: &str, properties: Map) {
        self.add_with("", id, kind, Map::new(), properties);
    }

    /// Adds a resource that outlives the stack: it holds data.
    pub(super) fn add_kept(&mut self, id: &str, kind: &str, properties: Map) {
        self.add_with("", id, kind, kept(), properties);
    }

    /// Adds a resource with lines above it and attributes beside its properties.
    pub(super) fn add_with(
        &mut self,
        comment: &str,
        id: &str,
        kind: &str,
        attributes: Map,
        properties: Map,
    ) {
        let mut resource = map! { "Type" => kind };
        for entry in attributes.entries() {
            resource.set_with_comment(
                entry.comment.clone(),
                entry.key.clone(),
                entry.value.clone(),
            );
        }
        resource.set_full("Properties", properties);
        let comment = if self.resources.is_empty() {
            comment.to_owned()
        } else {
            format!("\n{comment}")
        };
        self.resources.set_with_comment(comment, id, resource);
    }

    pub(super) fn finish(self) -> Yaml {
        let mut template = map! {
            "AWSTemplateFormatVersion" => "2010-09-09",
            "Description" => self.description,
        };
        for (key, section) in [
            ("Parameters", self.parameters),
            ("Conditions", self.conditions),
            ("Resources", self.resources),
            ("Outputs", self.outputs),
        ] {
            if !section.is_empty() {
                template.set_with_comment("\n", key, section);
            }
        }
        template.into()
    }
}

/// The attributes of what holds data.
pub(super) fn kept() -> Map {
    map! { "DeletionPolicy" => "Retain", "UpdateReplacePolicy" => "Retain" }
}

/// The value of a resource or parameter.
pub(super) fn reference(id: &str) -> Yaml {
    Yaml::Raw(format!("!Ref {id}"))
}

/// An attribute of a resource: `Database.Endpoint.Address`.
pub(super) fn attribute(path: &str) -> Yaml {
    Yaml::Raw(format!("!GetAtt {path}"))
}

/// A text with `${…}` in it.
pub(super) fn sub(text: &str) -> Yaml {
    Yaml::Raw(format!(
        "!Sub {}",
        serde_json::to_string(text).unwrap_or_default()
    ))
}

/// One of two values, as a condition says.
pub(super) fn choose(condition: &str, yes: &str, no: &str) -> Yaml {
    Yaml::Raw(format!("!If [{condition}, {yes}, {no}]"))
}

/// A name as part of a logical id: letters and digits. Two names never become one.
pub(super) fn id(before: &str, name: &str) -> String {
    let camel = crate::names::camel_case(name);
    // What cannot be read back could be another name's as well.
    let mut back = String::new();
    for character in camel.chars() {
        if character.is_ascii_uppercase() && !back.is_empty() {
            back.push('-');
        }
        back.push(character.to_ascii_lowercase());
    }
    if camel.len() > 64 {
        // An id has at most 255 characters.
        format!("{before}{}x{:08x}", &camel[..64], crate::names::hash(name))
    } else if back == name {
        format!("{before}{camel}")
    } else {
        let unique: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        format!("{before}{camel}x{unique}")
    }
}

/// A policy document of these statements.
pub(super) fn policy(statements: Vec<Map>) -> Map {
    map! { "Version" => "2012-10-17", "Statement" => statements }
}

/// A statement that allows actions on resources.
pub(super) fn allow(id: &str, actions: &[&str], resources: impl Into<Yaml>) -> Map {
    map! {
        "Sid" => id,
        "Effect" => "Allow",
        "Action" => actions.to_vec(),
        "Resource" => resources,
    }
}

/// The trust policy of a role for an AWS service.
pub(super) fn trusts(service: &str) -> Map {
    policy(vec![map! {
        "Effect" => "Allow",
        "Principal" => map! { "Service" => service },
        "Action" => "sts:AssumeRole",
    }])
}
