//! The values of a plan's `${secret.…}` on this machine.
//!
//! A value comes from the variable `WHARF_SECRET_NAME` of whoever makes the release, else from the project's `.env`, else,
//! for a secret with `generate`, it is drawn once and kept for ever in `secrets/secret-NAME` (mode 0600), as the passwords
//! of stores are. No message has a value in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use wharf_base::ids::Name;
use wharf_plan::model::{Channel, LogArchive, Plan};
use wharf_plan::template::{Reference, Template};

use crate::secrets::{EnvFileError, read_env_file};
use crate::state_dir::{StateDir, random_text, write_secret};

/// The file of a project that holds values for one machine, and that no repository has.
const ENV_FILE: &str = ".env";

/// Why a secret has no value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Nobody has set it.
    #[error(
        "{services} the secret `{name}`, which has no value here: set the variable {variable}, write `{variable}=…` into {ENV_FILE} beside wharf.yaml, or let one be made by `generate: 32` under `secrets.{name}`"
    )]
    Missing {
        /// Which.
        name: Name,
        /// The services that refer to it, with their verb.
        services: String,
        /// The variable that is looked for.
        variable: String,
    },
    /// The `.env` cannot be used.
    #[error(transparent)]
    File(#[from] EnvFileError),
    /// What was drawn cannot be kept or read.
    #[error("cannot keep the secret `{name}`")]
    Kept {
        /// Which.
        name: Name,
        /// Why not.
        source: io::Error,
    },
}

/// The variable that a secret's value is taken from: `api-key` is `WHARF_SECRET_API_KEY`.
#[must_use]
pub fn secret_variable(name: &Name) -> String {
    format!(
        "WHARF_SECRET_{}",
        name.as_str().to_uppercase().replace('-', "_")
    )
}

/// The values of every secret that a service of `plan` refers to; `given` are those of whoever asks.
pub(crate) fn secret_values(
    plan: &Plan,
    given: &BTreeMap<Name, String>,
    base_dir: &Path,
    state: &StateDir,
) -> Result<BTreeMap<Name, String>, SecretError> {
    let mut users: BTreeMap<&Name, BTreeSet<&Name>> = BTreeMap::new();
    for (service, meant) in &plan.services {
        for reference in meant.environment.values().flat_map(Template::references) {
            if let Reference::Secret(name) = reference {
                users.entry(name).or_default().insert(service);
            }
        }
    }
    let told: BTreeSet<&Name> = telemetry_secrets(plan).collect();
    if users.is_empty() && told.is_empty() {
        return Ok(BTreeMap::new());
    }
    let file = base_dir.join(ENV_FILE);
    let written = if file.is_file() {
        read_env_file(&file)?
    } else {
        BTreeMap::new()
    };
    let mut values = BTreeMap::new();
    for (name, services) in users {
        let variable = secret_variable(name);
        let generate = plan.secrets.get(name).and_then(|secret| secret.generate);
        let known = given.get(name).or_else(|| written.get(&variable));
        let value = match (known.filter(|value| !value.is_empty()), generate) {
            (Some(value), _) => value.clone(),
            (None, Some(length)) => drawn(name, length, state).map_err(|source| {
                let name = name.clone();
                SecretError::Kept { name, source }
            })?,
            (None, None) => {
                return Err(SecretError::Missing {
                    name: name.clone(),
                    services: needing(&services),
                    variable,
                });
            }
        };
        values.insert(name.clone(), value);
    }
    // A receiver of alerts without its secret is told of nothing, and lines stay where they are, which `wharf doctor` says; everything else runs.
    for name in told {
        let known = given
            .get(name)
            .or_else(|| written.get(&secret_variable(name)));
        if let Some(value) = known.filter(|value| !value.is_empty()) {
            values.insert(name.clone(), value.clone());
        }
    }
    Ok(values)
}

/// The secrets of those who hear of alerts, and of where old lines go.
fn telemetry_secrets(plan: &Plan) -> impl Iterator<Item = &Name> {
    let templates = plan
        .notify
        .values()
        .flat_map(|receiver| match &receiver.channel {
            Channel::Slack { url, .. } | Channel::Webhook { url } => vec![url],
            Channel::Pagerduty { key, .. } => vec![key],
            Channel::Email { smtp, .. } => {
                let account = smtp.as_ref().and_then(|smtp| smtp.account.as_ref());
                account.map(|(_, password)| password).into_iter().collect()
            }
        });
    let keys = match &plan.telemetry.logs_archive_to {
        Some(LogArchive::Bucket {
            access_key,
            secret_key,
            ..
        }) => vec![access_key, secret_key],
        _ => vec![],
    };
    templates
        .chain(keys)
        .flat_map(Template::references)
        .filter_map(|reference| match reference {
            Reference::Secret(name) => Some(name),
            _ => None,
        })
}

/// The value that was drawn for this secret; now, if there is none yet.
fn drawn(name: &Name, length: u32, state: &StateDir) -> io::Result<String> {
    let path = state.secret(&format!("secret-{name}"));
    match std::fs::read_to_string(&path) {
        Ok(value) if !value.is_empty() => Ok(value),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(_) | Err(_) => {
            let value = random_text(length as usize)?;
            write_secret(&path, value.as_bytes())?;
            Ok(value)
        }
    }
}

fn needing(services: &BTreeSet<&Name>) -> String {
    let names: Vec<String> = services.iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [one] => format!("{one} needs"),
        many => format!("{} need", many.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
name: shop
services:
  web: { command: ./web, environment: { A: \"${secret.given}\", B: \"${secret.made}\" } }
secrets: { given: {}, made: { generate: 24 }, unused: {} }
";

    fn plan(text: &str) -> Plan {
        wharf_plan::resolve(text.as_bytes(), None).0.unwrap()
    }

    #[test]
    fn a_value_is_given_written_or_drawn_once() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::locate(dir.path(), Some(dir.path().join("state")));
        std::fs::create_dir_all(state.secret("x").parent().unwrap()).unwrap();
        let plan = plan(FILE);
        let name = |text: &str| text.parse::<Name>().unwrap();

        let missing = secret_values(&plan, &BTreeMap::new(), dir.path(), &state).unwrap_err();
        let message = missing.to_string();
        for part in ["`web` needs", "WHARF_SECRET_GIVEN", ".env", "generate"] {
            assert!(message.contains(part), "{message}");
        }

        std::fs::write(dir.path().join(".env"), "WHARF_SECRET_GIVEN=written\n").unwrap();
        let first = secret_values(&plan, &BTreeMap::new(), dir.path(), &state).unwrap();
        assert_eq!(first[&name("given")], "written");
        assert_eq!(first[&name("made")].len(), 24);
        assert!(!first.contains_key(&name("unused")));

        let given = BTreeMap::from([(name("given"), "given".to_owned())]);
        let second = secret_values(&plan, &given, dir.path(), &state).unwrap();
        assert_eq!(second[&name("given")], "given");
        assert_eq!(second[&name("made")], first[&name("made")]);
    }

    #[test]
    fn the_archive_of_logs_has_its_keys() {
        let plan = plan(
            "name: shop\nservices: { web: { build: ., port: 8000 } }\nsecrets: { key: {}, secret: {} }\n\
             telemetry: { logs: { archive_to: { bucket: shop-logs, access_key: \"${secret.key}\", secret_key: \"${secret.secret}\" } } }\n",
        );
        let names: Vec<&str> = telemetry_secrets(&plan).map(Name::as_str).collect();
        assert_eq!(names, ["key", "secret"]);
    }
}
