//! The files of the root: what every module shares, their calls, variables, outputs, the state.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::hcl::{Value, format, quote};
use super::shared::{environment, name_prefix, replica_region};
use super::stack::{Argument, Module, Output, Source, Variable, argument, output_source};

/// Versions of the providers that the configuration is written for.
pub(super) const PROVIDERS: [(&str, &str); 4] = [
    ("archive", "~> 2.4"),
    ("aws", "~> 6.25"),
    ("random", "~> 3.6"),
    ("tls", "~> 4.0"),
];

/// The oldest Terraform that knows `check` blocks.
const OLDEST: (u32, u32) = (1, 5);

/// A version that this configuration can be applied with: the plan's, unless it is too old.
pub(super) fn required_version(facts: &Facts<'_>) -> String {
    let wanted = facts
        .plan
        .versions
        .get("terraform")
        .map_or("1.6.0", String::as_str);
    let mut numbers = wanted.split('.').map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => format!(">= {wanted}"),
        _ => format!(">= {}.{}.0", OLDEST.0, OLDEST.1),
    }
}

/// `terraform { required_version … }` for these providers.
pub(super) fn versions(facts: &Facts<'_>, providers: &BTreeSet<&str>) -> String {
    let mut text = format!(
        "terraform {{\nrequired_version = {}\n\nrequired_providers {{\n",
        quote(&required_version(facts))
    );
    for (name, version) in PROVIDERS
        .iter()
        .filter(|(name, _)| providers.contains(name))
    {
        text.push_str(&format!(
            "{name} = {{\nsource = \"hashicorp/{name}\"\nversion = {}\n}}\n",
            quote(version)
        ));
    }
    format(&(text + "}\n}\n"))
}

pub(super) fn backend(facts: &Facts<'_>) -> String {
    let cloud = facts.cloud;
    format(&format!(
        "# Made once for the account, by ../bootstrap or by hand. A backend takes no variables.\n\
         terraform {{\nbackend \"s3\" {{\nbucket = {}\nkey = {}\nregion = {}\nencrypt = true\n\
         # Two people, or two jobs, never apply at once. Terraform 1.10 and later can do without the table: use_lockfile = true.\n\
         dynamodb_table = {}\n}}\n}}\n",
        quote(&cloud.state.bucket),
        quote(&format!("{}/{}/terraform.tfstate", facts.plan.name, facts.environment())),
        quote(&cloud.region),
        quote(&cloud.state.lock_table),
    ).replace("../bootstrap", "./bootstrap"))
}

pub(super) fn providers(facts: &Facts<'_>) -> String {
    let mut text = String::from(
        "locals {\n# On everything: whose it is, and who may change it.\ntags = merge(\n{\n\
         Project = var.project\nEnvironment = var.environment\nManagedBy = \"wharf\"\n},\nvar.tags,\n)\n}\n\n\
         provider \"aws\" {\nregion = var.aws_region\n\ndefault_tags {\ntags = local.tags\n}\n}\n",
    );
    if facts.has.recovery {
        text.push_str(
            "\n# Where copies are kept, and where everything can be started \
 again.\nprovider \"aws\" {\nalias = \"recovery\"\nregion = \
 var.recovery_region\n\ndefault_tags {\ntags = local.tags\n}\n}\n",
        );
    }
    format(&text)
}

pub(super) fn main(facts: &Facts<'_>, modules: &[Module]) -> String {
    let mut text = String::new();
    if facts.has.buckets {
        text.push_str(
            "# Buckets carry the account's number, since their names are one for all of \
 AWS.\ndata \"aws_caller_identity\" \"current\" {}\n\n",
        );
    }
    for module in modules {
        text.push_str(&module.call());
    }
    format(&text)
}

/// What every root has, before the knobs of its modules.
fn general(facts: &Facts<'_>) -> Vec<Argument> {
    const REGION: &str = "^[a-z]{2}(-[a-z]+)+-[0-9]$";
    let tags = facts
        .cloud
        .tags
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value)))
        .collect();
    let mut general = vec![
        argument("aws_region", "string", "The region.")
            .is(&facts.cloud.region)
            .matches(REGION, "A region of AWS such as us-east-1."),
        environment(facts),
        argument("project", "string", "The project: a tag of everything.")
            .is(facts.plan.name.as_str()),
        argument("tags", "map(string)", "Further tags of everything.").is(Value::Map(tags)),
        name_prefix(facts),
    ];
    general.extend(replica_region(facts));
    if facts.has.eks {
        general.push(
            argument(
                "kubernetes_namespace",
                "string",
                "Namespace of the application.",
            )
            .is(&facts.plan.kubernetes.namespace),
        );
    }
    general
}

/// Every variable of the root with its default, each once: general ones, switches, knobs; grouped by module.
pub(super) fn knobs(facts: &Facts<'_>, modules: &[Module]) -> Vec<(&'static str, Vec<Argument>)> {
    let mut seen = BTreeSet::new();
    let mut groups = vec![("", general(facts))];
    for module in modules {
        let mut group = vec![];
        if let Some(switch) = &module.switch {
            group.push(argument(switch.name, "bool", switch.about).is(switch.on));
        }
        group.extend(module.arguments.iter().cloned());
        groups.push((module.about, group));
    }
    for (_, group) in &mut groups {
        group.retain(|argument| match &argument.source {
            Source::Knob { variable, .. } => seen.insert(variable.clone()),
            Source::Code { .. } => false,
        });
    }
    groups.retain(|(_, group)| !group.is_empty());
    groups
}

pub(super) fn variables(facts: &Facts<'_>, modules: &[Module]) -> String {
    let mut text = String::new();
    for (about, group) in knobs(facts, modules) {
        if !about.is_empty() {
            text.push_str(&format!("# {about}\n\n"));
        }
        for argument in &group {
            if let Source::Knob { variable, default } = &argument.source {
                let variable = Variable {
                    name: variable,
                    kind: argument.kind,
                    about: &argument.about,
                    default: Some(default),
                    check: argument.check.as_ref(),
                };
                text.push_str(&variable.source());
            }
        }
    }
    format(&text)
}

pub(super) fn example(facts: &Facts<'_>, modules: &[Module]) -> String {
    let mut text = String::from(
        "# Every variable with its default, which is what wharf.yaml says. Copy to \
 terraform.tfvars the lines that differ.\n",
    );
    for (about, group) in knobs(facts, modules) {
        text.push('\n');
        if !about.is_empty() {
            text.push_str(&format!("# {about}\n"));
        }
        for argument in &group {
            if let Source::Knob { variable, default } = &argument.source {
                text.push_str(&format!("{variable} = {}\n", default.source()));
            }
        }
    }
    format(&text)
}

/// Outputs of modules that the root gives out, with the names that they have there.
pub(super) fn public_outputs(modules: &[Module]) -> Vec<(String, &Module, &Output)> {
    let mut outputs: Vec<(String, &Module, &Output)> = modules
        .iter()
        .flat_map(|module| module.outputs.iter().map(move |output| (module, output)))
        .filter_map(|(module, output)| Some((output.public.clone()?, module, output)))
        .collect();
    outputs.sort_by(|a, b| a.0.cmp(&b.0));
    outputs
}

pub(super) fn outputs(modules: &[Module]) -> String {
    let mut text = String::new();
    for (name, module, output) in public_outputs(modules) {
        let code = match module.switch {
            Some(_) => format!("one(module.{}[*].{})", module.name, output.name),
            None => format!("module.{}.{}", module.name, output.name),
        };
        text.push_str(&output_source(&name, &output.about, &code, &[]));
    }
    format(&text)
}
