//! Argo CD follows the repository: a project that bounds what it may do, and an application per environment.

use wharf_base::ids::Name;
use wharf_plan::model::{Channel, GitOps, Plan, Severity};

use crate::yaml::{Map, Yaml};
use crate::{Input, Rendered, Scope, Target, header, list, map};

/// The target.
pub const TARGET: Target = Target {
    name: "argocd",
    summary: "Argo CD: a project, an application per environment",
    scope: Scope::Project,
    applies,
    make,
};

const API: &str = "argoproj.io/v1alpha1";

/// The cluster that Argo CD runs on.
const CLUSTER: &str = "https://kubernetes.default.svc";

/// Where Argo CD runs.
const NAMESPACE: &str = "argocd";

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    if followed(input).next().is_none() {
        return Err("no environment has `kubernetes.gitops`");
    }
    Ok(())
}

/// The environments that follow a repository.
pub(crate) fn followed<'a>(
    input: &Input<'a>,
) -> impl Iterator<Item = (&'a Name, &'a Plan, &'a GitOps)> {
    input
        .environments
        .iter()
        .filter_map(|(name, plan)| Some((name, plan, plan.kubernetes.gitops.as_ref()?)))
}

fn make(input: &Input<'_>, rendered: &mut Rendered) {
    rendered.yaml("project.yaml", &header(input.base), vec![project(input)]);
    for (name, plan, gitops) in followed(input) {
        rendered.yaml(
            &format!("{name}-application.yaml"),
            &header(plan),
            vec![application(name, plan, gitops)],
        );
    }
}

fn project(input: &Input<'_>) -> Yaml {
    let mut repositories: Vec<Yaml> = vec![];
    let mut destinations: Vec<Yaml> = vec![];
    for (_, plan, gitops) in followed(input) {
        let repository = Yaml::from(&gitops.repository);
        if !repositories.contains(&repository) {
            repositories.push(repository);
        }
        let destination = |namespace: &str| -> Yaml {
            map! { "server" => CLUSTER, "namespace" => namespace }.into()
        };
        destinations.push(destination(&plan.kubernetes.namespace));
    }
    destinations.dedup();
    let kind = |group: &str, kind: &str| map! { "group" => group, "kind" => kind };
    let mut spec = map! {
        "description" => format!("GitOps of {}: what the cluster takes from its repository", input.base.name),
        "sourceRepos" => repositories,
        "destinations" => destinations,
    };
    spec.set_with_comment(
        "Of the whole cluster: the namespaces and the binding of their administrators, nothing else.",
        "clusterResourceWhitelist",
        list![
            kind("", "Namespace"),
            kind("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ],
    );
    spec.set_with_comment(
        "What nobody has declared is shown.",
        "orphanedResources",
        map! { "warn" => true },
    );
    map! {
        "apiVersion" => API,
        "kind" => "AppProject",
        "metadata" => map! { "name" => &input.base.name, "namespace" => NAMESPACE },
        "spec" => spec,
    }
    .into()
}

fn application(name: &Name, plan: &Plan, gitops: &GitOps) -> Yaml {
    let mut metadata = map! {
        "name" => format!("{}-{name}", plan.name),
        "namespace" => NAMESPACE,
        "labels" => map! {
            "app.kubernetes.io/environment" => name,
            "app.kubernetes.io/managed-by" => "wharf",
            "app.kubernetes.io/part-of" => &plan.name,
        },
    };
    metadata.set_full("annotations", subscriptions(plan));
    metadata.set_with_comment(
        "Deleting the application deletes what it has made.",
        "finalizers",
        list!["resources-finalizer.argocd.argoproj.io"],
    );
    let mut policy = Map::new();
    if plan.target.approval {
        policy.set_with_comment(
            "Not automated: somebody agrees to each release (argocd app sync).",
            "syncOptions",
            options(),
        );
    } else {
        policy.set_with_comment(
            "What is changed by hand goes back, what is no longer declared goes away.",
            "automated",
            map! { "prune" => true, "selfHeal" => true },
        );
        policy.set("syncOptions", options());
    }
    policy.set(
        "retry",
        map! {
            "limit" => 3,
            "backoff" => map! { "duration" => "10s", "factor" => 2, "maxDuration" => "3m" },
        },
    );
    map! {
        "apiVersion" => API,
        "kind" => "Application",
        "metadata" => metadata,
        "spec" => map! {
            "project" => &plan.name,
            "source" => map! {
                "repoURL" => &gitops.repository,
                "targetRevision" => &gitops.revision,
                "path" => &gitops.path,
            },
            "destination" => map! {
                "server" => CLUSTER,
                "namespace" => &plan.kubernetes.namespace,
            },
            "syncPolicy" => policy,
            "revisionHistoryLimit" => 10,
        },
    }
    .into()
}

fn options() -> Yaml {
    list![
        // Fields that others own (the count of an autoscaled service) stay theirs.
        "ServerSideApply=true",
        "ApplyOutOfSyncOnly=true",
        "PruneLast=true",
    ]
}

/// Who hears of what goes wrong, in the words of Argo CD's notifications.
fn subscriptions(plan: &Plan) -> Map {
    let mut annotations = Map::new();
    let warned = plan.notify.values().filter(|receiver| {
        let severities = &receiver.severities;
        severities.contains(&Severity::Warning) || severities.contains(&Severity::Critical)
    });
    let mut slack = vec![];
    let mut email = vec![];
    for receiver in warned {
        match &receiver.channel {
            Channel::Slack { channel, .. } => slack.push(channel.trim_start_matches('#')),
            Channel::Email { to, .. } => email.push(to.as_str()),
            Channel::Pagerduty { .. } | Channel::Webhook { .. } => {}
        }
    }
    for trigger in ["on-health-degraded", "on-sync-failed"] {
        for (service, to) in [("email", &email), ("slack", &slack)] {
            if !to.is_empty() {
                annotations.set(
                    format!("notifications.argoproj.io/subscribe.{trigger}.{service}"),
                    to.join(";"),
                );
            }
        }
    }
    annotations
}
