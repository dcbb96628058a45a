//! What machines of every kind have in common, and the parameters that say where stores are.

use super::facts::Facts;
use super::hcl::{Value, quote};
use super::shared::fill;
use super::stack::{Argument, Module, argument, output};
use super::stores::store_secret;
use crate::machine;

/// GiB of a disk.
pub(super) fn disk_gib(facts: &Facts<'_>) -> u64 {
    facts.cloud.nodes.disk.0.div_ceil(1 << 30)
}

pub(super) fn instance_type(facts: &Facts<'_>) -> Argument {
    argument("instance_type", "string", "Class of the machines.")
        .is(&facts.cloud.nodes.instance)
        .matches(
            "^[a-z0-9-]+\\.[a-z0-9]+$",
            "A class of EC2 such as t3.medium.",
        )
}

/// The size of a group: minimum, wish, maximum.
pub(super) fn sizes(facts: &Facts<'_>, names: [&'static str; 3], what: &str) -> [Argument; 3] {
    let nodes = &facts.cloud.nodes;
    [
        argument(names[0], "number", format!("Fewest {what}.")).is(nodes.min),
        argument(
            names[1],
            "number",
            format!("How many {what} at first; scaling decides from then on."),
        )
        .is(nodes.desired),
        argument(names[2], "number", format!("Most {what}.")).is(nodes.max),
    ]
}

/// Every secret that the application reads, as an expression.
pub(super) fn secret_arns(facts: &Facts<'_>) -> String {
    let mut parts = vec![];
    if facts.has.secrets {
        parts.push("values(module.secrets.secret_arns)".to_owned());
    }
    let stores: Vec<String> = facts
        .stores
        .iter()
        .map(|store| format!("module.{}.secret_arn", facts.module_of(store)))
        .collect();
    if !stores.is_empty() {
        parts.push(format!("[{}]", stores.join(", ")));
    }
    match parts.as_slice() {
        [one] => one.clone(),
        parts => format!("concat({})", parts.join(", ")),
    }
}

/// What the auto-scaling group is called.
pub(super) fn group_name(facts: &Facts<'_>) -> String {
    machine::group_name(facts.cloud)
}

/// The parameter with the commit that machines check out, which the pipeline writes.
pub(super) fn revision_parameter(facts: &Facts<'_>) -> String {
    format!("/{}/{}/revision", facts.plan.name, facts.environment())
}

/// The parameters that say where stores are: those of the file, and what machines look up when they boot.
pub(super) fn parameters(facts: &Facts<'_>) -> Option<Module> {
    use wharf_plan::model::ParameterValue;
    let mut lines: Vec<(String, String)> = vec![];
    for (name, value) in &facts.cloud.parameters {
        let value = match value {
            ParameterValue::StoreEndpoint(store) => {
                let store = facts.stores.iter().find(|managed| managed.name == store)?;
                format!("module.{}.address", facts.module_of(store))
            }
            ParameterValue::Text(text) => quote(text),
        };
        lines.push((name.clone(), value));
    }
    if facts.has.ec2 {
        for store in &facts.stores {
            let module = facts.module_of(store);
            let named = facts.cloud.parameters.values().any(
                |value| matches!(value, ParameterValue::StoreEndpoint(of) if of == store.name),
            );
            if !named {
                lines.push((
                    machine::endpoint_parameter(facts.cloud, store.name),
                    format!("module.{module}.address"),
                ));
            }
            lines.push((
                machine::secret_parameter(facts.cloud, store.name),
                format!("module.{module}.secret_arn"),
            ));
        }
    }
    if lines.is_empty() {
        return None;
    }
    lines.sort();
    let code: Vec<String> = lines
        .iter()
        .map(|(name, value)| format!("{} = {value}", quote(name)))
        .collect();
    let example = lines
        .iter()
        .take(1)
        .map(|(name, _)| (name.clone(), Value::from("db.example.internal")))
        .collect();
    Some(
        Module::new(
            "parameters",
            "SSM parameters: what machines and people look up.",
        )
        .file(
            "main.tf",
            fill(include_str!("modules/parameters.tf"), facts.has),
        )
        .takes([argument("parameters", "map(string)", "Values by name.")
            .code(format!("{{\n{}\n}}", code.join("\n")), Value::Map(example))])
        .gives([output(
            "arns",
            "The parameters.",
            "[for parameter in aws_ssm_parameter.this : parameter.arn]",
        )]),
    )
}

/// The secrets of stores, for the README.
pub(super) fn store_secrets(facts: &Facts<'_>) -> Vec<String> {
    facts
        .stores
        .iter()
        .map(|store| store_secret(facts, store.name))
        .collect()
}
