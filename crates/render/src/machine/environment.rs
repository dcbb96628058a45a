//! The program that writes each service's variables to `/run`, from where systemd reads them.
//!
//! systemd does not fill one variable into another, and a URL needs its password percent-encoded: so a shell program
//! composes the values. It runs before the services, at every start of them that follows a rotation too.

use std::collections::BTreeSet;

use wharf_base::ids::Name;
use wharf_plan::model::Service;

use super::{Machine, endpoint_parameter, heredoc_end, secret_parameter, word};
use crate::line::line;
use crate::values::{self, Addresses as _, Piece, Variable};
use crate::{names, template};

/// Where a machine gets secrets from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretsFrom {
    /// AWS Secrets Manager and SSM parameters, by the role of the machine.
    Aws,
    /// A file of `NAME=value` lines that only root reads.
    File,
}

/// The program, in Bash; `header` are its first comment lines.
#[must_use]
pub fn environment_program(machine: &Machine<'_>, from: SecretsFrom, header: &str) -> String {
    let plan = machine.plan;
    let services: Vec<(&Name, &Service)> = plan
        .services
        .iter()
        .filter(|(_, service)| machine.runs(service))
        .collect();
    let mut secrets = BTreeSet::new();
    let mut operators = BTreeSet::new();
    let mut text = String::new();
    let mut hosts = BTreeSet::new();
    for (name, _) in &services {
        let mut lines = String::new();
        for variable in values::variables(plan, name, machine) {
            for piece in &variable.pieces {
                match piece {
                    Piece::Secret(secret) => {
                        secrets.insert(secret.clone());
                    }
                    Piece::Operator { name, default } => {
                        operators.insert((name.clone(), default.clone().unwrap_or_default()));
                    }
                    Piece::Text(part) => {
                        let hosted = plan.stores.keys();
                        hosts.extend(
                            hosted.filter(|store| part.contains(&machine.store(store).host)),
                        );
                    }
                }
            }
            line!(lines, "{}={}", variable.name, value(&variable));
        }
        let end = heredoc_end("VALUES", &lines);
        line!(
            text,
            "\nwrite {name} '{}' <<{end}\n{lines}{end}",
            machine.units(name)
        );
    }

    let mut fetched = String::new();
    for store in hosts {
        let name = names::identifier(store.as_str());
        match (from, &plan.cloud) {
            (SecretsFrom::Aws, Some(cloud)) => {
                let parameter = word(&endpoint_parameter(cloud, store));
                line!(fetched, "{name}_host=$(parameter {parameter})");
            }
            _ => {
                let variable = names::variable(store.as_str());
                line!(fetched, "{name}_host=${{{variable}_HOST:-127.0.0.1}}");
            }
        }
    }
    for (name, default) in &operators {
        // The default of the file, where whoever starts the machine has set nothing.
        let variable = operator(name);
        line!(fetched, "{variable}=${{{name}:-}}");
        if !default.is_empty() {
            line!(
                fetched,
                "[[ -n ${variable} ]] || {variable}={}",
                word(default)
            );
        }
    }
    for secret in &secrets {
        fetched.push_str(&fetch(machine, from, secret));
    }
    template::fill(
        include_str!("environment.sh"),
        serde_json::json!({
            "header": header,
            "project": plan.name.as_str(),
            "run": machine.run_folder(),
            "aws": from == SecretsFrom::Aws,
            "region": plan.cloud.as_ref().map_or("", |cloud| cloud.region.as_str()),
            "fetched": fetched,
            "written": text,
            "escapes": text.contains("$(escape "),
            "encodes": text.contains("$(encode "),
        }),
    )
}

/// The lines that put a secret into its shell variable.
fn fetch(machine: &Machine<'_>, from: SecretsFrom, secret: &str) -> String {
    let plan = machine.plan;
    let variable = names::identifier(secret);
    let store = plan
        .stores
        .keys()
        .find(|store| values::store_password(store) == *secret);
    match (from, &plan.cloud, store, secret.parse::<Name>()) {
        (SecretsFrom::Aws, Some(cloud), Some(store), _) => format!(
            "{variable}=$(secret \"$(parameter {})\" | jq --raw-output .password)\n",
            word(&secret_parameter(cloud, store))
        ),
        (SecretsFrom::Aws, Some(_), None, Ok(name)) => {
            let meant = plan.secrets.get(&name);
            let key = word(meant.map_or(secret, |secret| secret.key.as_str()));
            match meant.and_then(|secret| secret.property.as_deref()) {
                Some(property) => {
                    format!("{variable}=$(secret {key} | jq --raw-output '.[\"{property}\"]')\n")
                }
                None => format!("{variable}=$(secret {key})\n"),
            }
        }
        _ => format!(
            "{variable}=${{{name}:?is not in the file}}\n",
            name = values::secret_variable(secret)
        ),
    }
}

/// The value as a line of an environment file: in double quotes, where systemd reads `\` as an escape. The text passes
/// through a here-document first, where `$`, backquotes and `\` mean something.
fn value(variable: &Variable) -> String {
    let mut written = String::from("\"");
    let is_url = variable
        .pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Text(text) if text.contains("://")));
    for piece in &variable.pieces {
        match piece {
            Piece::Text(text) => {
                for part in split_hosts(text) {
                    match part {
                        Part::Host(host) => written.push_str(host),
                        Part::Text(text) => {
                            for character in text.chars() {
                                match character {
                                    // Once for systemd, once for the here-document.
                                    '\\' | '"' => {
                                        written.push_str(if character == '"' {
                                            "\\\\\""
                                        } else {
                                            "\\\\\\\\"
                                        });
                                    }
                                    '$' | '`' => {
                                        written.push_str("\\\\\\");
                                        written.push(character);
                                    }
                                    other => written.push(other),
                                }
                            }
                        }
                    }
                }
            }
            Piece::Secret(name) => {
                let name = names::identifier(name);
                let way = if is_url { "encode" } else { "escape" };
                written.push_str(&format!("$({way} \"${name}\")"));
            }
            Piece::Operator { name, .. } => {
                written.push_str(&format!("$(escape \"${}\")", operator(name)));
            }
        }
    }
    written.push('"');
    written
}

/// The shell variable that holds an operator's variable.
fn operator(name: &str) -> String {
    names::identifier(name).to_ascii_lowercase()
}

enum Part<'a> {
    Host(&'a str),
    Text(&'a str),
}

/// Splits a text at the shell variables of stores' hosts, which [`Machine`] gives as addresses.
fn split_hosts(text: &str) -> Vec<Part<'_>> {
    let mut parts = vec![];
    let mut rest = text;
    while let Some(begin) = rest.find("${") {
        let Some(length) = rest[begin..].find("_host}") else {
            break;
        };
        let end = begin + length + "_host}".len();
        parts.push(Part::Text(&rest[..begin]));
        parts.push(Part::Host(&rest[begin..end]));
        rest = &rest[end..];
    }
    parts.push(Part::Text(rest));
    parts
}
