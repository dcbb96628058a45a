//! Who may do what: administrators of the cluster, developers of the namespace, the pipeline, and those who only look.
//! The groups are given by whatever signs people in (for EKS: access entries of the cluster).

use k8s_openapi::api::rbac::v1::{
    ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};

use wharf_plan::model::Deploy;
use wharf_plan::pipeline;

use super::cluster::Cluster;
use super::object::{Object, Stage};

const LOOK: &[&str] = &["get", "list", "watch"];
const CHANGE: &[&str] = &["get", "list", "watch", "create", "update", "patch"];

/// The four roles and their bindings.
pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    let mut objects = vec![admin(cluster)];
    objects.extend(role(
        cluster,
        "developer",
        "developers",
        developer(cluster),
        if cluster.plan.target.approval {
            "Looks at everything but secrets, reads logs; changes go through the pipeline here."
        } else {
            "Looks at everything but secrets, reads logs, opens shells, restarts and scales."
        },
    ));
    objects.extend(role(
        cluster,
        "deployer",
        "deployers",
        deployer(cluster),
        "The pipeline: applies what it renders. It reads no secret, opens no shell and gives no rights.",
    ));
    objects.extend(role(
        cluster,
        "viewer",
        "viewers",
        viewer(),
        "Looks at everything but secrets.",
    ));
    objects
}

fn group(cluster: &Cluster<'_>, people: &str) -> Subject {
    Subject {
        api_group: Some("rbac.authorization.k8s.io".to_owned()),
        kind: "Group".to_owned(),
        name: format!("{}-{people}", cluster.plan.name),
        namespace: None,
    }
}

fn admin(cluster: &Cluster<'_>) -> Object {
    let binding = ClusterRoleBinding {
        metadata: cluster.cluster_meta(&format!("{}-admin", cluster.plan.name)),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "ClusterRole".to_owned(),
            name: "cluster-admin".to_owned(),
        },
        subjects: Some(vec![group(cluster, "admins")]),
    };
    Object::typed(Stage::Policy, "rbac-admin", &binding).comment(
        "/roleRef",
        "The whole cluster: for people who sign in with a second factor.",
    )
}

fn role(
    cluster: &Cluster<'_>,
    name: &str,
    people: &str,
    rules: Vec<PolicyRule>,
    why: &str,
) -> [Object; 2] {
    let component = cluster.plan.name.as_str();
    let role = Role {
        metadata: cluster.meta(name, component),
        rules: Some(rules),
    };
    let binding = RoleBinding {
        metadata: cluster.meta(name, component),
        role_ref: RoleRef {
            api_group: "rbac.authorization.k8s.io".to_owned(),
            kind: "Role".to_owned(),
            name: name.to_owned(),
        },
        subjects: Some(vec![group(cluster, people)]),
    };
    let file = format!("rbac-{name}");
    [
        Object::typed(Stage::Policy, file.clone(), &role).comment("/rules", why),
        Object::typed(Stage::Policy, file, &binding),
    ]
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let texts = |texts: &[&str]| -> Vec<String> { texts.iter().map(|&t| t.to_owned()).collect() };
    PolicyRule {
        api_groups: Some(texts(groups)),
        resources: Some(texts(resources)),
        verbs: texts(verbs),
        ..PolicyRule::default()
    }
}

fn viewer() -> Vec<PolicyRule> {
    vec![
        rule(
            &[""],
            &[
                "configmaps",
                "endpoints",
                "events",
                "persistentvolumeclaims",
                "pods",
                "pods/log",
                "resourcequotas",
                "serviceaccounts",
                "services",
            ],
            LOOK,
        ),
        rule(
            &["apps"],
            &["daemonsets", "deployments", "replicasets", "statefulsets"],
            LOOK,
        ),
        rule(&["batch"], &["cronjobs", "jobs"], LOOK),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], LOOK),
        rule(
            &["networking.k8s.io"],
            &["ingresses", "networkpolicies"],
            LOOK,
        ),
        rule(&["policy"], &["poddisruptionbudgets"], LOOK),
        rule(&["metrics.k8s.io"], &["pods"], &["get", "list"]),
    ]
}

fn developer(cluster: &Cluster<'_>) -> Vec<PolicyRule> {
    let mut rules = viewer();
    if !cluster.plan.target.approval {
        rules.push(rule(&[""], &["pods/exec", "pods/portforward"], &["create"]));
        rules.push(rule(&[""], &["pods"], &["delete"]));
        rules.push(rule(
            &["apps"],
            &["deployments", "deployments/scale", "statefulsets"],
            &["patch", "update"],
        ));
    }
    rules
}

fn deployer(cluster: &Cluster<'_>) -> Vec<PolicyRule> {
    let mut rules = vec![
        rule(
            &[""],
            &[
                "configmaps",
                "persistentvolumeclaims",
                "serviceaccounts",
                "services",
            ],
            CHANGE,
        ),
        rule(&[""], &["events", "pods", "pods/log"], LOOK),
        rule(&["apps"], &["deployments", "statefulsets"], CHANGE),
        rule(&["apps"], &["replicasets"], LOOK),
        rule(
            &["batch"],
            &["cronjobs", "jobs"],
            &[
                "get", "list", "watch", "create", "update", "patch", "delete",
            ],
        ),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], CHANGE),
        rule(&["networking.k8s.io"], &["ingresses"], CHANGE),
        rule(&["policy"], &["poddisruptionbudgets"], CHANGE),
        rule(
            &["external-secrets.io"],
            &["externalsecrets", "secretstores"],
            CHANGE,
        ),
        rule(&["bitnami.com"], &["sealedsecrets"], CHANGE),
        rule(
            &["keda.sh"],
            &["scaledobjects", "triggerauthentications"],
            CHANGE,
        ),
        rule(&["cert-manager.io"], &["issuers"], CHANGE),
    ];
    if has_canary(cluster) {
        // It takes its canaries away again, and deletes nothing else that serves.
        let canaries = pipeline::deployments(cluster.plan).map(|name| format!("{name}-canary"));
        rules.push(PolicyRule {
            resource_names: Some(canaries.collect()),
            ..rule(&["apps"], &["deployments"], &["delete"])
        });
    }
    rules
}

fn has_canary(cluster: &Cluster<'_>) -> bool {
    pipeline::method(cluster.plan) == Deploy::Canary
}

/// What lets the pipeline ask Prometheus how a canary does; nothing where there are none.
pub(super) fn judge(cluster: &Cluster<'_>, namespace: &str) -> Vec<Object> {
    if !has_canary(cluster) {
        return vec![];
    }
    let rules = vec![
        rule(&[""], &["pods", "services"], &["get", "list"]),
        rule(&[""], &["pods/portforward"], &["create"]),
    ];
    let why = "The pipeline: asks Prometheus how a canary does.";
    let mut objects = role(cluster, "deployer", "deployers", rules, why);
    for object in &mut objects {
        if let Some(place) = object.yaml.at_mut("/metadata/namespace") {
            *place = namespace.into();
        }
    }
    objects.into()
}
