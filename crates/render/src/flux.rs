//! Flux follows the repository: a source and a kustomization per environment, and who hears of what goes wrong.

use wharf_plan::model::{Channel, GitOps, Plan, Severity};
use wharf_plan::template::{Part, Reference, Template};

use crate::argocd::followed;
use crate::names::dns_label;
use crate::yaml::{Map, Yaml};
use crate::{Input, Rendered, Scope, Target, header, list, map};

/// The target.
pub const TARGET: Target = Target {
    name: "flux",
    summary: "Flux: a source, a kustomization and alerts per environment",
    scope: Scope::Project,
    applies,
    make,
};

/// Where Flux runs.
const NAMESPACE: &str = "flux-system";

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    if followed(input).next().is_none() {
        return Err("no environment has `kubernetes.gitops`");
    }
    Ok(())
}

fn make(input: &Input<'_>, rendered: &mut Rendered) {
    for (name, plan, gitops) in followed(input) {
        let head = header(plan);
        let called = dns_label(&format!("{}-{name}", plan.name), 63);
        rendered.yaml(
            &format!("{name}-source.yaml"),
            &head,
            vec![source(&called, plan, gitops)],
        );
        rendered.yaml(
            &format!("{name}-kustomization.yaml"),
            &head,
            vec![kustomization(&called, plan, gitops)],
        );
        let notifications = notifications(&called, plan);
        if !notifications.is_empty() {
            rendered.yaml(&format!("{name}-notifications.yaml"), &head, notifications);
        }
        for (receiver, meant) in &plan.notify {
            let why = match meant.channel {
                Channel::Email { .. } => {
                    "Flux sends no mail: the alerts of the cluster do (target alertmanager)"
                }
                Channel::Pagerduty { .. } => {
                    "Flux takes the key of PagerDuty from the file alone, where a secret has no place: the alerts of the cluster page (target alertmanager)"
                }
                Channel::Slack { .. } | Channel::Webhook { .. } => continue,
            };
            rendered.gap(format!("notify.{receiver}"), why);
        }
        for (service, meant) in &plan.services {
            if meant.release.is_some() {
                rendered.gap(
                    format!("services.{service}.release"),
                    "Flux applies an overlay at once: new replicas start while the release's command runs, so both have to work with the schema before and after it",
                );
            }
        }
    }
}

fn metadata(name: &str, plan: &Plan) -> Map {
    map! {
        "name" => name,
        "namespace" => NAMESPACE,
        "labels" => map! {
            "app.kubernetes.io/managed-by" => "wharf",
            "app.kubernetes.io/part-of" => &plan.name,
        },
    }
}

fn source(name: &str, plan: &Plan, gitops: &GitOps) -> Yaml {
    // A version is a tag, anything else a branch.
    let digits = gitops
        .revision
        .strip_prefix('v')
        .unwrap_or(&gitops.revision);
    let is_tag = digits.starts_with(|c: char| c.is_ascii_digit()) && digits.contains('.');
    let reference = map! { if is_tag { "tag" } else { "branch" } => &gitops.revision };
    map! {
        "apiVersion" => "source.toolkit.fluxcd.io/v1",
        "kind" => "GitRepository",
        "metadata" => metadata(name, plan),
        "spec" => map! {
            "interval" => "1m",
            "url" => &gitops.repository,
            "ref" => reference,
            "timeout" => "60s",
        },
    }
    .into()
}

fn kustomization(name: &str, plan: &Plan, gitops: &GitOps) -> Yaml {
    let path = gitops.path.trim_start_matches("./");
    let deadline = plan
        .services
        .values()
        .map(|service| service.rollout.progress_deadline)
        .max()
        .unwrap_or_default();
    let mut spec = map! {
        "interval" => "10m",
        "retryInterval" => "2m",
        "sourceRef" => map! { "kind" => "GitRepository", "name" => name },
        "path" => format!("./{path}"),
    };
    spec.set_with_comment("What is no longer declared goes away.", "prune", true);
    spec.set_with_comment(
        "Done once every workload is ready, failed when one is not in time.",
        "wait",
        true,
    );
    spec.set("timeout", format!("{}s", deadline.as_secs().max(60)));
    map! {
        "apiVersion" => "kustomize.toolkit.fluxcd.io/v1",
        "kind" => "Kustomization",
        "metadata" => metadata(name, plan),
        "spec" => spec,
    }
    .into()
}

/// A provider for each receiver that Flux can talk to, and an alert that names it.
fn notifications(name: &str, plan: &Plan) -> Vec<Yaml> {
    let mut documents = vec![];
    for (receiver, meant) in &plan.notify {
        let warned = [Severity::Warning, Severity::Critical]
            .iter()
            .any(|severity| meant.severities.contains(severity));
        let (kind, channel, secret) = match &meant.channel {
            Channel::Slack { channel, url } => {
                ("slack", Some(channel.trim_start_matches('#')), secret(url))
            }
            Channel::Webhook { url } => ("generic", None, secret(url)),
            Channel::Email { .. } | Channel::Pagerduty { .. } => continue,
        };
        if !warned {
            continue;
        }
        let called = dns_label(&format!("{name}-{receiver}"), 63);
        let mut spec = map! { "type" => kind };
        spec.set_some("channel", channel);
        let Some(secret) = secret else { continue };
        let by_hand = format!(
            "kubectl --namespace {NAMESPACE} create secret generic {secret} --from-file=address=FILE"
        );
        spec.set_with_comment(by_hand, "secretRef", map! { "name" => secret });
        documents.push(
            map! {
                "apiVersion" => "notification.toolkit.fluxcd.io/v1beta3",
                "kind" => "Provider",
                "metadata" => metadata(&called, plan),
                "spec" => spec,
            }
            .into(),
        );
        documents.push(
            map! {
                "apiVersion" => "notification.toolkit.fluxcd.io/v1beta3",
                "kind" => "Alert",
                "metadata" => metadata(&called, plan),
                "spec" => map! {
                    "providerRef" => map! { "name" => &called },
                    "eventSeverity" => "error",
                    "eventSources" => list![
                        map! { "kind" => "GitRepository", "name" => name },
                        map! { "kind" => "Kustomization", "name" => name },
                    ],
                },
            }
            .into(),
        );
    }
    documents
}

/// The secret that a template is.
fn secret(template: &Template) -> Option<String> {
    template.parts.iter().find_map(|part| match part {
        Part::Reference(Reference::Secret(name)) => Some(name.to_string()),
        _ => None,
    })
}
