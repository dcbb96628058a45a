//! How secrets get into containers: as files under `/run/secrets`, and from there into the variables that a program reads
//! by a script that the program then replaces. An image without a shell cannot do that: its secrets are variables of
//! whoever starts the stack.

use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use wharf_base::ids::Name;
use wharf_plan::model::{Service, StoreEngine};

use super::addresses::host_variable;
use super::parts;
use super::stack::{Stack, can_be_wrapped};
use crate::Rendered;
use crate::names;
use crate::template::fill;
use crate::values::{Piece, Variable, secret_variable, store_password, variables};

/// The length of a generated password: 32 letters and digits are 190 bits.
const PASSWORD: u32 = 32;

/// Which secrets are files and which are variables.
#[derive(Debug, Default)]
pub(super) struct Carried {
    by_variable: BTreeSet<String>,
    by_file: BTreeSet<String>,
    /// The scripts, by the service that each is called after, and who uses them.
    scripts: BTreeMap<Name, String>,
    users: BTreeMap<Name, Name>,
}

impl Carried {
    pub(super) fn new(stack: &Stack<'_>) -> Self {
        let all: Vec<(&Name, &Service, Vec<Variable>)> = stack
            .services
            .iter()
            .map(|(name, service)| {
                (
                    *name,
                    *service,
                    variables(stack.plan, name, &stack.addresses()),
                )
            })
            .collect();
        let mut by_variable = BTreeSet::new();
        loop {
            let before = by_variable.len();
            for (name, service, variables) in &all {
                let wrapped = can_be_wrapped(stack, name, service);
                for variable in variables {
                    let written = wrapped && names::identifier(&variable.name) == variable.name;
                    // A value is either written by Compose or by the script.
                    if !written
                        || variable
                            .secrets()
                            .any(|secret| by_variable.contains(secret))
                    {
                        by_variable.extend(variable.secrets().map(str::to_owned));
                    }
                }
            }
            if by_variable.len() == before {
                break;
            }
        }
        let used = all
            .iter()
            .flat_map(|(_, _, variables)| variables.iter().flat_map(Variable::secrets))
            .map(str::to_owned);
        let stores = stack.plan.stores.iter();
        let passwords = stores
            .filter(|(_, store)| store.external_url.is_none())
            .map(|(name, _)| store_password(name));
        let by_file = used
            .chain(passwords)
            .filter(|secret| !by_variable.contains(secret))
            .collect();
        let mut carried = Self {
            by_variable,
            by_file,
            ..Self::default()
        };
        // The service that an image is called after comes first: it gives the script its name.
        let mut all = all;
        all.sort_by_key(|(name, _, _)| stack.built(name).is_none_or(|image| image.name != *name));
        for (name, _, variables) in &all {
            let Some(script) = carried.script_of(stack, variables) else {
                continue;
            };
            let same = carried.scripts.iter().find(|(_, text)| **text == script);
            let called = same.map_or_else(|| (*name).clone(), |(called, _)| called.clone());
            carried.scripts.insert(called.clone(), script);
            carried.users.insert((*name).clone(), called);
        }
        carried
    }

    /// Whether a secret is a file.
    pub(super) fn is_file(&self, secret: &str) -> bool {
        self.by_file.contains(secret)
    }

    /// The secrets that are files, in order.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.by_file.iter().map(String::as_str)
    }

    /// The script that starts a service, by the service that it is called after.
    pub(super) fn script(&self, service: &Name) -> Option<&Name> {
        self.users.get(service)
    }

    /// Whether Compose writes a variable, and not the script.
    pub(super) fn is_written(&self, variable: &Variable) -> bool {
        !variable.secrets().any(|secret| self.is_file(secret))
    }

    /// The scripts and what they are called after.
    pub(super) fn scripts(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.scripts
            .iter()
            .map(|(name, text)| (name, text.as_str()))
    }

    fn script_of(&self, stack: &Stack<'_>, variables: &[Variable]) -> Option<String> {
        let written: Vec<&Variable> = variables
            .iter()
            .filter(|variable| !self.is_written(variable))
            .collect();
        if written.is_empty() {
            return None;
        }
        let mut secrets: Vec<&str> = written.iter().flat_map(|v| v.secrets()).collect();
        secrets.sort_unstable();
        secrets.dedup();
        let mut script = format!(
            "#!/bin/sh\n# {}\n#\n# Puts secrets into the variables that the program reads; then the program takes the place of this shell.\nset -eu\n\n",
            stack.header
        );
        for secret in secrets {
            script.push_str(&format!(
                "{}=$(cat /run/secrets/{secret})\n",
                names::identifier(secret)
            ));
        }
        script.push('\n');
        let mut exported = vec![];
        for variable in written {
            let value: String = variable.pieces.iter().map(piece_in_shell).collect();
            script.push_str(&format!("{}=\"{value}\"\n", variable.name));
            exported.push(variable.name.as_str());
        }
        script.push_str(&format!("export {}\n\nexec \"$@\"\n", exported.join(" ")));
        Some(script)
    }
}

fn piece_in_shell(piece: &Piece) -> String {
    match piece {
        Piece::Text(text) => text
            .chars()
            .flat_map(|c| {
                let special = matches!(c, '"' | '\\' | '$' | '`');
                special.then_some('\\').into_iter().chain([c])
            })
            .collect(),
        Piece::Secret(secret) => format!("${{{}}}", names::identifier(secret)),
        Piece::Operator { name, .. } => format!("${{{name}}}"),
    }
}

/// The program that makes the files, and tells those that only a person can write.
pub(super) fn make_script(stack: &Stack<'_>, out: &mut Rendered) {
    let mut random = vec![];
    let mut given = vec![];
    for secret in stack.carried.files() {
        let store = stack
            .plan
            .stores
            .keys()
            .find(|store| store_password(store) == secret);
        let meant = stack
            .plan
            .secrets
            .iter()
            .find(|(name, _)| name.as_str() == secret)
            .map(|(_, secret)| secret);
        let described = meant.and_then(|secret| secret.description.clone());
        let length = meant.and_then(|secret| secret.generate);
        let external = store.is_some_and(|store| {
            let store = stack.plan.stores.get(store);
            store.is_some_and(|store| store.external_url.is_some())
        });
        match (store, length) {
            (Some(_), _) if !external => random.push(json!({"name": secret, "length": PASSWORD})),
            (_, Some(length)) => random.push(json!({"name": secret, "length": length})),
            _ => given.push(json!({
                "name": secret,
                "what": crate::machine::word(&described.unwrap_or_default().replace('\n', " ")),
            })),
        }
    }
    if random.is_empty() && given.is_empty() {
        return;
    }
    let text = fill(
        include_str!("secrets.sh"),
        json!({ "header": stack.header, "random": random, "given": given }),
    );
    out.add_program("make-secrets.sh", text);
}

/// `env.example`: the variables of both files, for `.env`.
pub(super) fn env_example(stack: &Stack<'_>, out: &mut Rendered) {
    let mut text = format!(
        "# {}\n#\n# Copy it to .env, which no repository holds, and fill it in.\n",
        stack.header
    );
    let mut entry = |why: &str, name: &str, value: &str| {
        text.push('\n');
        for line in why.lines() {
            text.push_str(&format!("# {line}\n"));
        }
        // A `.env` file keeps single-quoted values as they are.
        let plain = value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./:@+,".contains(c));
        if plain {
            text.push_str(&format!("{name}={value}\n"));
        } else {
            let value = value.replace('\'', "\\'").replace('\n', " ");
            text.push_str(&format!("{name}='{value}'\n"));
        }
    };
    entry(
        "Production: the version of the project's images that runs.",
        "TAG",
        &stack.plan.images.tag,
    );
    if !stack.plan.routes.is_empty() {
        if super::edge::needs_domain(stack) {
            entry(
                "Production: the host name of the site; its DNS record leads to this server.",
                "DOMAIN",
                "",
            );
        }
        entry(
            "Production: whom Let's Encrypt tells about its certificates.",
            "ACME_EMAIL",
            "",
        );
    }
    let mut operator = BTreeMap::new();
    for (name, _) in &stack.services {
        for variable in variables(stack.plan, name, &stack.addresses()) {
            for piece in variable.pieces {
                if let Piece::Operator { name, default } = piece {
                    operator.insert(name, default.unwrap_or_default());
                }
            }
        }
    }
    for (name, default) in operator {
        entry("Read by the services.", &name, &default);
    }
    for (name, store) in &stack.plan.stores {
        if store.external_url.is_some() {
            entry(
                &format!("Where the store `{name}` is."),
                &host_variable(name),
                "",
            );
        }
    }
    for secret in &stack.carried.by_variable {
        let described = stack
            .plan
            .secrets
            .iter()
            .find(|(name, _)| name.as_str() == secret)
            .and_then(|(_, secret)| secret.description.clone());
        let why = described.map_or_else(
            || format!("Production: the secret `{secret}`."),
            |described| format!("Production: the secret `{secret}`. {described}."),
        );
        entry(
            &format!("{why}\nLetters and digits only: it becomes part of addresses."),
            &secret_variable(secret),
            "",
        );
    }
    for secret in stack.carried.files() {
        let redis = stack.plan.stores.iter().any(|(name, store)| {
            store_password(name) == secret && store.engine == StoreEngine::Redis
        });
        // Only production gives a Redis a password; there it is a file.
        if !redis {
            entry(
                "Development only; in production it is a file of ./secrets.",
                &secret_variable(secret),
                parts::DEVELOPMENT,
            );
        }
    }
    out.add("env.example", text);
}
