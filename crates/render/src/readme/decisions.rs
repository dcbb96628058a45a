//! What was chosen where something else would have been possible.

use serde::Serialize;
use wharf_plan::model::{
    Channel, Compute, Deploy, IngressClass, Nat, Plan, Provision, Scanner, SecretProvider,
    StoresBy, TargetKind,
};
use wharf_plan::pipeline;

/// A line of the table.
#[derive(Debug, Serialize)]
pub(super) struct Decision {
    what: String,
    why: String,
    instead: String,
}

/// What was chosen where something else would have been possible, as far as it is so in this environment.
pub(super) fn decisions(plan: &Plan) -> Vec<Decision> {
    let mut decisions = vec![];
    let mut decide = |what: &str, why: &str, instead: &str| {
        decisions.push(Decision {
            what: what.to_owned(),
            why: why.to_owned(),
            instead: instead.to_owned(),
        });
    };
    if plan.target.kind == TargetKind::Kubernetes {
        match plan.kubernetes.ingress {
            IngressClass::Nginx => decide(
                "ingress-nginx serves the routes",
                "the same on every cluster, limits of rate and body included",
                "`kubernetes.ingress: alb`: a load balancer of AWS, with its firewall and certificates",
            ),
            IngressClass::Alb => decide(
                "an Application Load Balancer serves the routes",
                "certificates and firewall come with it, and it outlives the nodes",
                "`kubernetes.ingress: nginx`: one less bill, and the same on every cluster",
            ),
        }
    }
    if let Some(cloud) = &plan.cloud {
        if cloud.stores == StoresBy::Managed {
            decide(
                "the cloud runs the stores",
                "backups, patches and failover are somebody's whole job",
                "`cloud.stores: cluster`: cheaper, and the same on every cluster",
            );
        }
        match cloud.network.nat {
            Nat::Single => decide(
                "one NAT gateway",
                "one bill, and one address that others may have to know",
                "`nat: per_zone`: the other zones keep their way out when its zone is gone",
            ),
            Nat::PerZone => decide(
                "a NAT gateway in each zone",
                "a zone that is gone takes no other's way out with it",
                "`nat: single`: one bill instead of one a zone",
            ),
            Nat::None => {}
        }
        if cloud.compute == Compute::Ec2 {
            decide(
                "machines are replaced, never changed",
                "what runs is what was set up, and the way back is the way there",
                "a cluster (`compute: eks`): denser, and faster to release to",
            );
        }
        if cloud.bastion.is_none() {
            decide(
                "no bastion",
                "Session Manager reaches every machine, and writes down who did what",
                "`cloud.bastion`: a machine to patch, reached by Session Manager as well",
            );
        }
    }
    if let Some(pipeline) = &plan.pipeline {
        match pipeline::method(plan) {
            Deploy::Canary => decide(
                "a canary before each release",
                "few users meet a fault, and figures decide, not hope",
                "`deploy: kustomize`: five minutes faster",
            ),
            Deploy::Helm => decide(
                "Helm releases",
                "one release is one thing: it goes back as a whole, and does so by itself when it fails",
                "`deploy: kustomize`: no template between the file and the cluster",
            ),
            Deploy::Kustomize => decide(
                "Kustomize releases",
                "what is applied can be read as it is",
                "`deploy: helm`: a history of releases that go back as a whole",
            ),
            Deploy::InstanceRefresh | Deploy::None => {}
        }
        if pipeline.provision == Some(Provision::Terraform) {
            decide(
                "Terraform makes the cloud's resources",
                "a plan is read before it is applied, and every resource has its line",
                "`provision: cloudformation`: no state to keep",
            );
        }
        if pipeline.scan.images.contains(&Scanner::Trivy) {
            decide(
                "an image is scanned before it is pushed",
                "nobody can pull what nobody has looked at",
                "scans by the registry, which come after",
            );
        }
        let by_mail = pipeline
            .notify
            .iter()
            .filter_map(|name| plan.notify.get(name))
            .any(|receiver| matches!(receiver.channel, Channel::Email { .. }));
        if by_mail {
            decide(
                "failures of the pipeline come by mail",
                "everybody has it",
                "`notify` with Slack: read sooner",
            );
        }
    }
    match plan.secret_store.provider {
        SecretProvider::AwsSecretsManager => decide(
            "secrets are in Secrets Manager",
            "rotated, audited, and in no file",
            "`secret_store: sealed_secrets`: encrypted in Git, without a bill",
        ),
        SecretProvider::SealedSecrets => decide(
            "secrets are sealed in Git",
            "a change of a secret is reviewed like any other, and the cluster alone can read it",
            "`secret_store: aws_secrets_manager`: rotation by itself",
        ),
        SecretProvider::Kubernetes | SecretProvider::Local => {}
    }
    decisions
}
