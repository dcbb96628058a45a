//! `environment` and other texts with variables.

use super::addresses::Address;
use super::emit::Out;
use super::interpolation::{Piece, pieces};
use super::{Importer, text};
use crate::decode::{EnvName, TableKey};
use crate::yaml::{Kind, Node};

impl Importer<'_> {
    /// A map or a list of `KEY=value`; a key without a value is the caller's variable.
    pub(super) fn environment(&mut self, service: &str, environment: &Node) -> Option<Out> {
        let mut variables: Vec<(String, Out)> = vec![];
        let pairs: Vec<(&str, Option<&str>, &Node)> = match &environment.kind {
            Kind::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.text.as_str(), text(&entry.value), &entry.value))
                .collect(),
            Kind::List(items) => items
                .iter()
                .filter_map(|item| {
                    let typed = text(item)?;
                    let (key, value) = typed
                        .split_once('=')
                        .map_or((typed, None), |(key, value)| (key, Some(value)));
                    Some((key, value, item))
                })
                .collect(),
            _ => vec![],
        };
        for (key, value, node) in pairs {
            if EnvName::from_key(key).is_err() {
                self.left(
                    node,
                    format!("{service}.environment"),
                    "not the name of a variable",
                );
                continue;
            }
            // Each replica is told its port by Wharf.
            let own_port = self
                .ports
                .get(service)
                .and_then(|ports| ports.numbers.first());
            if key == "PORT" && value.is_some() && value == own_port.map(u16::to_string).as_deref()
            {
                continue;
            }
            let value = match value {
                Some(value) => self.value(service, key, value, node),
                None => format!("${{env.{key}}}"),
            };
            // Of two values for one variable the last counts.
            variables.retain(|(known, _)| known != key);
            variables.push((key.to_owned(), Out::Text(value)));
        }
        (!variables.is_empty()).then_some(Out::Map(variables))
    }

    fn value(&mut self, service: &str, key: &str, value: &str, node: &Node) -> String {
        let place = || format!("{service}.environment.{key}");
        match self.address(key, value) {
            Some(Address::Rewritten { before, after }) => {
                before + &self.template(&place(), &after, node)
            }
            Some(Address::FurtherPort { service }) => {
                let reason = format!(
                    "only the first port of a service has an address (`${{{service}.url}}`); make the other one a service of its own, or the first"
                );
                self.left(node, place(), reason);
                self.template(&place(), value, node)
            }
            None => self.template(&place(), value, node),
        }
    }

    /// Compose's variables as `${env.NAME}`.
    fn template(&mut self, place: &str, value: &str, node: &Node) -> String {
        let mut template = String::new();
        for piece in pieces(value) {
            match piece {
                Piece::Text(text) => template.push_str(&text.replace('$', "$$")),
                Piece::Variable {
                    name,
                    default: None,
                } => template.push_str(&format!("${{env.{name}}}")),
                Piece::Variable {
                    name,
                    default: Some(default),
                } => {
                    template.push_str(&format!("${{env.{name}:-{default}}}"));
                }
                Piece::Unknown(inner) => {
                    let reason = format!(
                        "`${{{}}}` has no counterpart; only `${{env.NAME}}` and `${{env.NAME:-default}}` have",
                        crate::diagnostic::excerpt(&inner)
                    );
                    self.left(node, place, reason);
                    template.push_str(&format!("$${{{}}}", inner.replace('$', "$$")));
                }
            }
        }
        template
    }

    /// A text outside of `environment`, where Wharf fills in nothing: the defaults are written.
    pub(super) fn plain(&mut self, place: &str, node: &Node) -> Option<String> {
        let typed = text(node)?;
        let mut plain = String::new();
        let mut names = vec![];
        for piece in pieces(typed) {
            match piece {
                Piece::Text(text) => plain.push_str(&text),
                Piece::Variable { name, default } => {
                    plain.push_str(default.as_deref().unwrap_or_default());
                    names.push(format!("`{name}`"));
                }
                Piece::Unknown(inner) => {
                    names.push(format!("`{}`", crate::diagnostic::excerpt(&inner)));
                }
            }
        }
        if !names.is_empty() {
            let shown = crate::diagnostic::excerpt(&plain);
            let reason = format!(
                "variables are filled in in `environment` alone, so {} is written as its default: `{shown}`",
                names.join(" and ")
            );
            self.left(node, place, reason);
        }
        Some(plain)
    }
}
