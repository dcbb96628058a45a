//! The files of the roles and playbooks, as they are in this folder.

/// Which plans have a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    /// All.
    Every,
    /// Those whose machines are nodes of a cluster of their own.
    Nodes,
    /// Those of them whose manifests expect something of the cluster.
    Charts,
    /// Those of them that expect this chart.
    Chart(&'static str),
    /// Those whose cluster is the cloud's.
    Managed,
    /// Those whose secrets the Vault holds.
    Vault,
    /// Those whose secrets the cloud holds.
    Cloud,
}

macro_rules! file {
    ($of:ident, $path:literal) => {
        file!($of, $path, $path)
    };
    ($of:ident, $source:literal, $path:literal) => {
        (Of::$of, $path, include_str!($source))
    };
}

/// The values of a chart.
macro_rules! chart {
    ($name:literal) => {
        (
            Of::Chart($name),
            concat!("roles/kubernetes/templates/", $name, ".yaml.j2"),
            include_str!(concat!("roles/kubernetes/templates/", $name, ".yaml.j2")),
        )
    };
}

/// Path and template of each.
const FILES: &[(Of, &str, &str)] = &[
    file!(Every, "README.md"),
    file!(Every, "ansible.cfg"),
    file!(Every, "deploy.yml"),
    file!(Every, "hosts.ini", "inventory/hosts.ini"),
    file!(Every, "playbook.yml"),
    file!(Every, "roles/application/defaults/main.yml"),
    file!(Every, "roles/application/meta/main.yml"),
    file!(Every, "roles/application/tasks/config.yml"),
    file!(Every, "roles/application/tasks/main.yml"),
    file!(Every, "roles/application/tasks/manifests.yml"),
    file!(
        Cloud,
        "roles/application/tasks/secrets-aws.yml",
        "roles/application/tasks/secrets.yml"
    ),
    file!(
        Vault,
        "roles/application/tasks/secrets-vault.yml",
        "roles/application/tasks/secrets.yml"
    ),
    file!(Every, "roles/application/tasks/verify.yml"),
    file!(Vault, "roles/application/templates/secret.yaml.j2"),
    file!(Every, "roles/application/vars/main.yml"),
    file!(Every, "roles/docker/defaults/main.yml"),
    file!(Every, "roles/docker/handlers/main.yml"),
    file!(Every, "roles/docker/meta/main.yml"),
    file!(Every, "roles/docker/tasks/main.yml"),
    file!(Every, "roles/kubernetes/defaults/main.yml"),
    file!(Nodes, "roles/kubernetes/handlers/main.yml"),
    file!(Every, "roles/kubernetes/meta/main.yml"),
    file!(Managed, "roles/kubernetes/tasks/access.yml"),
    file!(Charts, "roles/kubernetes/tasks/charts.yml"),
    file!(Nodes, "roles/kubernetes/tasks/join.yml"),
    file!(Every, "roles/kubernetes/tasks/main.yml"),
    file!(Nodes, "roles/kubernetes/tasks/node.yml"),
    file!(Every, "roles/kubernetes/tasks/tools.yml"),
    file!(Nodes, "roles/kubernetes/templates/containerd.toml.j2"),
    file!(Nodes, "roles/kubernetes/templates/kubeadm.yaml.j2"),
    chart!("ingress-nginx"),
    chart!("cert-manager"),
    chart!("metrics-server"),
    chart!("aws-ebs-csi-driver"),
    file!(Every, "roles/kubernetes/vars/main.yml"),
    file!(Every, "roles/monitoring/defaults/main.yml"),
    file!(Every, "roles/monitoring/handlers/main.yml"),
    file!(Every, "roles/monitoring/meta/main.yml"),
    file!(Every, "roles/monitoring/tasks/alloy.yml"),
    file!(Every, "roles/monitoring/tasks/main.yml"),
    file!(Every, "roles/monitoring/tasks/node_exporter.yml"),
    file!(Every, "roles/monitoring/tasks/targets.yml"),
    file!(Every, "roles/monitoring/templates/config.alloy.j2"),
    file!(Every, "roles/monitoring/templates/node-exporter.service.j2"),
    file!(Every, "roles/monitoring/templates/targets.yml.j2"),
    file!(Every, "roles/monitoring/vars/main.yml"),
    file!(Every, "roles/system/defaults/main.yml"),
    file!(Every, "roles/system/files/20auto-upgrades"),
    file!(Every, "roles/system/handlers/main.yml"),
    file!(Every, "roles/system/meta/main.yml"),
    file!(Every, "roles/system/tasks/firewall.yml"),
    file!(Every, "roles/system/tasks/main.yml"),
    file!(Every, "roles/system/templates/chrony.conf.j2"),
];

/// The files of a plan, each with its path and its template.
pub(super) fn all(
    nodes: bool,
    charts: &[&str],
    vault: bool,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(of, path, source)| {
        let there = match of {
            Of::Every => true,
            Of::Nodes => nodes,
            Of::Charts => !charts.is_empty(),
            Of::Chart(name) => charts.contains(name),
            Of::Managed => !nodes,
            Of::Vault => vault,
            Of::Cloud => !vault,
        };
        there.then_some((*path, *source))
    })
}
