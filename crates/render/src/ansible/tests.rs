use super::*;

const CHAT: &[u8] = include_bytes!("../../../../examples/chat/wharf.yaml");

#[test]
fn nodes_join_and_no_secret_is_in_a_file() {
    let resolve = |environment| {
        let (plan, diagnostics) = wharf_plan::resolve(CHAT, environment);
        plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
    };
    let (base, plan) = (resolve(None), resolve(Some("prod")));
    let input = Input {
        plan: &plan,
        base: &base,
        environments: &std::collections::BTreeMap::new(),
    };
    let rendered = TARGET.render(&input);
    let text = |path: &str| {
        &rendered
            .files
            .get(path)
            .unwrap_or_else(|| panic!("{path}"))
            .text
    };
    assert!(text("inventory/hosts.ini").contains("[workers]\nnode-2 "));
    assert!(text("roles/kubernetes/tasks/join.yml").contains("kubeadm join"));
    // Where the load balancer of the target terraform sends to.
    assert!(text("roles/kubernetes/defaults/main.yml").contains("kubernetes_ingress_port: 30080"));
    assert!(text("group_vars/all/main.yml").contains("kubernetes_ingress_chart: \"4.11.0\""));
    assert!(text("group_vars/all/main.yml").contains("jwt: \"{{ vault_secrets['jwt'] }}\""));
    assert!(text("group_vars/all/vault.yml.example").contains("jwt: \"\""));
}
