//! What has to hold of every rendered configuration, and facts of the examples.

use std::collections::{BTreeMap, BTreeSet};

use wharf_base::ids::Name;
use wharf_plan::model::Plan;

use super::TARGET;
use crate::{Input, Rendered};

const DJANGO_EC2: &[u8] = include_bytes!("../../../../examples/django-ec2/wharf.yaml");
const DJANGO_EKS: &[u8] = include_bytes!("../../../../examples/django-eks/wharf.yaml");
const CHAT: &[u8] = include_bytes!("../../../../examples/chat/wharf.yaml");
const ITEMS_REDIS: &[u8] = include_bytes!("../../../../examples/items-redis/wharf.yaml");

const ALL: [(&[u8], &str); 7] = [
    (DJANGO_EC2, "production"),
    (DJANGO_EC2, "eks"),
    (DJANGO_EKS, "dev"),
    (DJANGO_EKS, "staging"),
    (DJANGO_EKS, "prod"),
    (CHAT, "prod"),
    (ITEMS_REDIS, "prod"),
];

fn plan(file: &[u8], environment: &str) -> Plan {
    let (plan, diagnostics) = wharf_plan::resolve(file, Some(environment));
    plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

fn rendered(plan: &Plan) -> Rendered {
    let environments: BTreeMap<Name, Plan> = BTreeMap::new();
    TARGET.render(&Input {
        plan,
        base: plan,
        environments: &environments,
    })
}

#[track_caller]
fn text(rendered: &Rendered, path: &str) -> String {
    let file = rendered.files.get(path);
    file.unwrap_or_else(|| panic!("{path} is not rendered"))
        .text
        .clone()
}

#[track_caller]
fn contains(rendered: &Rendered, path: &str, expected: &[&str]) {
    let text = text(rendered, path);
    for line in expected {
        assert!(text.contains(line), "{path} has no `{line}`:\n{text}");
    }
}

/// Words that follow `marker` in the configuration of a folder: `var.` gives the variables that it uses.
fn words(rendered: &Rendered, folder: &str, marker: &str, end: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for (path, file) in &rendered.files {
        let here = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let of_variables = path.ends_with("variables.tf");
        if here != folder || !path.ends_with(".tf") || (of_variables && marker == "var.") {
            continue;
        }
        for part in file.text.split(marker).skip(1) {
            let word = part
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_');
            words.insert(word.collect());
        }
    }
    words.remove(end);
    words
}

#[test]
fn every_variable_is_used_and_every_used_one_declared() {
    for (file, environment) in ALL {
        let rendered = rendered(&plan(file, environment));
        let folders: BTreeSet<&str> = rendered
            .files
            .iter()
            .filter(|(path, _)| path.ends_with("variables.tf"))
            .map(|(path, _)| path.rsplit_once('/').map_or("", |(folder, _)| folder))
            .collect();
        assert!(folders.len() > 8, "{environment}: {folders:?}");
        for folder in folders {
            let declared = words(&rendered, folder, "variable \"", "");
            let used = words(&rendered, folder, "var.", "");
            assert_eq!(declared, used, "{environment}: {folder}");
        }
    }
}

#[test]
fn every_module_gives_something_and_says_what_its_variables_are() {
    for (file, environment) in ALL {
        let rendered = rendered(&plan(file, environment));
        for (path, file) in &rendered.files {
            if path.ends_with("outputs.tf") {
                assert!(file.text.contains("output \""), "{path}");
            }
            if path.ends_with("variables.tf") {
                let variables = file.text.matches("variable \"").count();
                assert_eq!(
                    file.text.matches("\n  description = ").count(),
                    variables,
                    "{path}"
                );
            }
        }
    }
}

#[test]
fn the_text_is_in_the_style_of_terraform_fmt() {
    for (file, environment) in ALL {
        for (path, file) in &rendered(&plan(file, environment)).files {
            if path.ends_with(".tf") || path.ends_with("tfvars.example") {
                assert_eq!(super::hcl::format(&file.text), file.text, "{path}");
            }
        }
    }
}

#[test]
fn stores_are_reached_by_those_who_use_them_only() {
    let mut chat = plan(CHAT, "prod");
    let reached = "resource \"aws_vpc_security_group_ingress_rule\" \"redis_app\"";
    contains(
        &rendered(&chat),
        "modules/networking/main.tf",
        &[reached, "\"Redis from backend and websocket\""],
    );
    for service in chat.services.values_mut() {
        service.environment.clear();
        service.needs.clear();
        service.calls.clear();
    }
    assert!(!text(&rendered(&chat), "modules/networking/main.tf").contains(reached));
}

#[test]
fn the_group_of_machines_is_as_the_file_says() {
    let rendered = rendered(&plan(DJANGO_EC2, "production"));
    contains(
        &rendered,
        "terraform.tfvars.example",
        &[
            "ami_id                    = \"ami-0c02fb55956c7d316\"",
            "instance_type             = \"t2.micro\"",
            "health_check_grace_period = 300",
            "db_identifier            = \"production-django-postgres\"",
            "private_subnet_cidrs  = [\"10.0.10.0/24\", \"10.0.11.0/24\"]",
        ],
    );
    contains(
        &rendered,
        "main.tf",
        &[
            "\"${var.environment}-django-static-${data.aws_caller_identity.current.account_id}\"",
            "\"/DjangoApp/rds_endpoint\"",
        ],
    );
    contains(&rendered, "modules/asg/user_data.sh", &["#!"]);
}

#[test]
fn secrets_are_made_up_there_and_never_here() {
    let rendered = rendered(&plan(DJANGO_EKS, "prod"));
    contains(
        &rendered,
        "terraform.tfvars.example",
        &[
            "  django-app-prod = {",
            "secret_key = 50",
            "rotate_days = 90",
        ],
    );
    contains(
        &rendered,
        "README.md",
        &["--secret-id django-app/prod/slack-webhook --secret-string '…'"],
    );
}

#[test]
fn what_a_plan_can_switch_off_is_off() {
    let mut plan = plan(DJANGO_EC2, "production");
    if let Some(cloud) = &mut plan.cloud {
        cloud.protection.waf = false;
        cloud.protection.flow_logs = false;
    }
    contains(
        &rendered(&plan),
        "terraform.tfvars.example",
        &["enable_waf = false", "enable_flow_logs      = false"],
    );
}

#[test]
fn without_a_cloud_there_is_nothing() {
    let plan = plan(DJANGO_EC2, "dev");
    let environments = BTreeMap::new();
    let input = Input {
        plan: &plan,
        base: &plan,
        environments: &environments,
    };
    assert!((TARGET.applies)(&input).is_err());
}

#[test]
fn what_watches_the_cluster_reads_its_secrets_and_keeps_its_logs() {
    let logs = String::from_utf8_lossy(ITEMS_REDIS).replace(
        "      compute: eks\n",
        "      compute: eks\n      buckets: { logs: {} }\n",
    );
    for (file, role) in [(ITEMS_REDIS, false), (logs.as_bytes(), true)] {
        let rendered = rendered(&plan(file, "prod"));
        let roles = text(&rendered, "modules/eks/roles.tf");
        let both = "[\"${var.namespace}:external-secrets\", \"monitoring:external-secrets\"]";
        assert!(roles.contains(both), "{roles}");
        assert_eq!(roles.contains("[\"monitoring:loki\"]"), role, "{roles}");
        contains(&rendered, "variables.tf", &["items-redis/prod/grafana"]);
    }
}

#[test]
fn a_sticky_path_is_sticky_to_a_machine() {
    let text = std::str::from_utf8(DJANGO_EC2).expect("text");
    let sticky = text.replace(
        "paths: { /: web }",
        "paths: { /: { service: web, sticky: true } }",
    );
    assert!(sticky != text);
    let rendered = rendered(&plan(sticky.as_bytes(), "production"));
    contains(
        &rendered,
        "modules/alb/main.tf",
        &["  stickiness {\n    type            = \"lb_cookie\""],
    );
}
