//! What a plan decides: `group_vars/all/main.yml`, and the names in the Vault.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_plan::model::{Cloud, Compute, Plan};

use crate::kubernetes::cluster::Cluster;
use crate::kubernetes::{self, scripts, secrets};
use crate::yaml::{Map, Yaml};
use crate::{Rendered, header, images, list, map};

/// Adds the variables and the example of the Vault.
pub(super) fn add(plan: &Plan, cloud: &Cloud, vault: bool, out: &mut Rendered) {
    let names = vault_names(plan, vault);
    let mut all = Map::new();
    system(cloud, &mut all);
    docker(plan, &mut all);
    cluster(plan, cloud, &mut all);
    monitoring(plan, &mut all);
    application(plan, cloud, vault, &names, &mut all);
    out.yaml("group_vars/all/main.yml", &header(plan), vec![all.into()]);
    out.add(
        "group_vars/all/vault.yml.example",
        example(plan, cloud, &names),
    );
}

/// A text in which Ansible finds no expression.
fn text(text: &str) -> Yaml {
    if text.contains("{{") || text.contains("{%") || text.contains("{#") {
        let quoted = serde_json::to_string(text).unwrap_or_default();
        Yaml::Raw(format!("!unsafe {quoted}"))
    } else {
        text.into()
    }
}

fn system(cloud: &Cloud, all: &mut Map) {
    let network = cloud.network.cidr.to_string();
    all.set_with_comment(
        "Amazon's own, in every network of it; the pool where that fails.",
        "system_ntp_servers",
        vec!["169.254.169.123", "0.pool.ntp.org", "1.pool.ntp.org"],
    );
    all.set("system_ssh_sources", vec![network.clone()]);
    let rule = |port: &str, proto: &str, comment: &str| {
        map! {
            "port" => port,
            "proto" => proto,
            "source" => network.as_str(),
            "comment" => comment,
        }
    };
    let mut rules = vec![];
    if cloud.compute == Compute::Nodes {
        rules.push(rule("6443", "tcp", "Kubernetes API"));
        rules.push(rule("10250", "tcp", "Kubelet"));
        rules.push(rule("179", "tcp", "Routes of the pods"));
        rules.push(rule("4789", "udp", "Packets of the pods"));
        rules.push(rule(
            "30000:32767",
            "tcp",
            "Node ports, for the load balancer",
        ));
    }
    rules.push(rule("9100", "tcp", "Node exporter"));
    all.set("system_firewall_rules", rules);
}

fn docker(plan: &Plan, all: &mut Map) {
    if let Some(version) = plan.versions.get("docker") {
        all.set_with_comment("\n", "docker_version", version.as_str());
    }
    all.set("docker_users", vec!["ubuntu"]);
}

fn cluster(plan: &Plan, cloud: &Cloud, all: &mut Map) {
    all.set_with_comment("\n", "kubernetes_version", plan.kubernetes.version.as_str());
    // A version of the file that names the major one alone leaves the role's.
    if let Some(version) = plan
        .versions
        .get("helm")
        .filter(|version| version.matches('.').count() == 2)
    {
        all.set("kubernetes_helm_version", version.as_str());
    }
    if super::has_ingress(plan, cloud) {
        if let Some(chart) = plan
            .versions
            .get("ingress_nginx")
            .and_then(|own| chart(own))
        {
            all.set("kubernetes_ingress_chart", chart);
        }
        let headers = scripts::added_headers(&kubernetes::objects(plan));
        all.set("kubernetes_ingress_headers", text(&headers));
    }
    if cloud.compute != Compute::Nodes {
        all.set("kubernetes_cluster", text(&cloud.nodes.cluster));
        all.set("kubernetes_region", text(&cloud.region));
    }
}

/// The chart of a version of ingress-nginx: since 1.10 they are counted alike, from 4 on.
fn chart(version: &str) -> Option<String> {
    let rest = version.strip_prefix("1.")?;
    let (minor, patch) = rest.split_once('.')?;
    let whole = patch.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok_and(|minor| minor >= 10);
    whole.then(|| format!("4.{rest}"))
}

fn monitoring(plan: &Plan, all: &mut Map) {
    if let Some(version) = plan.versions.get("node_exporter") {
        all.set_with_comment("\n", "monitoring_node_exporter_version", version.as_str());
    }
    all.set(
        "monitoring_loki_url",
        "{{ lookup('ansible.builtin.env', 'LOKI_URL') }}",
    );
}

/// What the Vault holds: the name of each value, and what it is.
fn vault_names(plan: &Plan, vault: bool) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    if !vault {
        // What nobody generates; the rest is Terraform's.
        for (name, secret) in plan
            .secrets
            .iter()
            .filter(|(_, secret)| secret.generate.is_none())
        {
            let what = secret
                .description
                .clone()
                .unwrap_or_else(|| format!("`{name}`"));
            names.insert(name.to_string(), what);
        }
        return names;
    }
    for key in secrets::keys(&Cluster { plan, waves: false }) {
        names.insert(key.name, key.what);
    }
    names
}

fn application(
    plan: &Plan,
    cloud: &Cloud,
    vault: bool,
    names: &BTreeMap<String, String>,
    all: &mut Map,
) {
    all.set_with_comment(
        "\n",
        "application_namespace",
        text(&plan.kubernetes.namespace),
    );
    all.set("application_folder", format!("/opt/{}", plan.name));
    let repositories: Vec<Yaml> = images::built(plan)
        .iter()
        .map(|image| {
            // The registry may be the account's own, which the manifests do not name.
            let registry = plan.images.registry.as_deref().unwrap_or_default();
            let own = image
                .repository
                .strip_prefix(registry)
                .unwrap_or(&image.repository);
            text(own.trim_start_matches('/'))
        })
        .collect();
    all.set("application_repositories", repositories);
    let waited: Vec<String> = kubernetes::objects(plan)
        .iter()
        .filter(|object| {
            object.kind() == "Deployment" && object.namespace() == plan.kubernetes.namespace
        })
        .map(|object| format!("deployment/{}", object.name()))
        .collect();
    all.set("application_deployments", waited);
    let deadline = plan
        .services
        .values()
        .map(|service| service.rollout.progress_deadline.as_secs())
        .max()
        .unwrap_or(600);
    all.set("application_timeout", format!("{}s", deadline.max(1)));
    let value = |name: &str| format!("{{{{ vault_secrets['{name}'] }}}}");
    if vault {
        all.set("application_secret", text(&plan.kubernetes.secret));
        let mut values = Map::new();
        for name in names.keys() {
            values.set(name.as_str(), value(name));
        }
        all.set("application_secrets", values);
        return;
    }
    all.set("application_region", text(&cloud.region));
    let mut values = list![];
    if let Yaml::List(items) = &mut values {
        for name in names.keys() {
            let meant = name
                .parse::<Name>()
                .ok()
                .and_then(|name| plan.secrets.get(&name));
            let key = meant.map_or(name.as_str(), |secret| secret.key.as_str());
            items.push(map! { "key" => text(key), "value" => value(name) }.into());
        }
    }
    all.set("application_secrets", values);
}

/// The Vault, with nothing in it.
fn example(plan: &Plan, cloud: &Cloud, names: &BTreeMap<String, String>) -> String {
    let mut vault = Map::new();
    if cloud.compute == Compute::Nodes {
        vault.set_with_comment(
            "With which machines join the cluster: `kubeadm token generate` makes one.",
            "vault_kubeadm_token",
            "",
        );
    }
    let mut values = Map::new();
    for (name, what) in names {
        values.set_with_comment(what.replace('\n', " "), name.as_str(), "");
    }
    vault.set_with_comment("\n", "vault_secrets", values);
    let head = format!(
        "{}\nCopy to vault.yml, fill in, and encrypt: ansible-vault encrypt group_vars/all/vault.yml\n",
        header(plan)
    );
    crate::yaml::to_text(&head, &[vault.into()])
}
