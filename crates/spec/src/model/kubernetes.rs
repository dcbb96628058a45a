//! `kubernetes`, and `expose` of a service.

use serde_json::Value;
use wharf_base::ids::Name;
use wharf_base::units::{Bytes, Millicores};

use crate::decode::{
    Count, Decode, Definitions, Folder, GitUrl, KubernetesVersion, Port, Word, record, words,
};
use crate::diagnostic::Findings;
use crate::yaml::{Kind, Node};

record! {
    /// What the cluster is to be like, where that does not follow from the application.
    pub struct Kubernetes {
        /// Major and minor version.
        [default "1.32"]
        [example "\"1.28\""]
        version: KubernetesVersion,
        /// The namespace.
        [default "the project and the environment"]
        [example "shop-prod"]
        namespace: Name,
        /// What serves the routes: ingress-nginx with cert-manager, or the AWS Load Balancer Controller with ACM.
        [default "nginx"]
        [also "ingress_class" "ingressClassName"]
        ingress: IngressClass,
        /// The class of volumes that one node mounts.
        [default "the cluster's"]
        [also "storageClassName"]
        [example "gp3"]
        storage_class: Word,
        /// The class of volumes that many nodes mount.
        [default "the cluster's"]
        [example "efs"]
        shared_storage_class: Word,
        /// The ConfigMap of the plain variables.
        [default "the project with `-config`"]
        [also "configmap"]
        [example "app-config"]
        config_map: Name,
        /// The Secret of the secret ones.
        [default "the project with `-secrets`"]
        [example "app-secrets"]
        secret: Name,
        /// What the namespace may use in all.
        [default "not limited"]
        [also "resource_quota"]
        [example "{ cpu: 16, memory: 32Gi, pods: 60 }"]
        quota: Quota,
        /// The Git repository that the cluster follows.
        [default "it follows none"]
        [also "argocd" "flux"]
        [example "{ repository: \"https://github.com/acme/shop.git\", path: deploy/overlays/prod }"]
        gitops: GitOps,
        /// Whether Prometheus, Grafana and Loki are rendered as workloads of a namespace `monitoring`.
        [default "false"]
        monitoring: bool,
    }
    later { "context", "mesh", "node_selector", "tolerations", "priority" }
}

words! {
    /// What serves an environment's routes.
    pub enum IngressClass: "an ingress class" {
        /// ingress-nginx, with certificates by cert-manager.
        Nginx = "nginx",
        /// The AWS Load Balancer Controller, with certificates by ACM.
        Alb = "alb",
    }
    later { "traefik", "gateway", "istio", "contour" }
}

record! {
    /// What a namespace may use.
    pub struct Quota {
        /// CPU requests.
        [required]
        [example "16"]
        cpu: Millicores,
        /// Memory requests.
        [required]
        [example "32Gi"]
        memory: Bytes,
        /// Pods.
        [required]
        [example "60"]
        pods: Count<1, 100_000>,
    }
}

record! {
    /// The repository that a cluster follows.
    pub struct GitOps {
        /// Its URL.
        [required]
        [also "repo" "repoURL" "url"]
        [example "https://github.com/acme/shop.git"]
        repository: GitUrl,
        /// The folder in it that holds the rendered kustomization or chart.
        [default "`.`"]
        [example "deploy/overlays/prod"]
        path: Folder,
        /// The branch or tag.
        [default "the environment's `branch`, else `HEAD`"]
        [also "branch" "targetRevision"]
        [example "main"]
        revision: Word,
    }
}

record! {
    /// A way into a service beside the routes.
    pub struct Expose {
        /// What the Kubernetes Service is called.
        [default "as the service"]
        [example "frontend-service"]
        name: Name,
        /// In which way.
        [default "cluster_ip"]
        [also "type"]
        kind: ExposeKind,
        /// The outer port.
        [default "the primary port"]
        [example "80"]
        port: Port,
        /// The port on every node, for `kind: node_port`.
        [default "the cluster picks one"]
        [also "nodePort"]
        [example "30080"]
        node_port: Count<30_000, 32_767>,
    }
}

words! {
    /// Ways into a service.
    pub enum ExposeKind: "a way in" {
        /// Inside of the cluster only.
        ClusterIp = "cluster_ip",
        /// A port of every node.
        NodePort = "node_port",
        /// A load balancer of its own.
        LoadBalancer = "load_balancer",
    }
}

/// `expose` of a service: a map. A list of ports is what Compose files have under this word.
#[derive(Debug, Clone, Default)]
pub struct Exposed(pub Expose);

impl Decode for Exposed {
    fn expected() -> String {
        "a map such as `{ kind: node_port, port: 80 }`".to_owned()
    }

    fn decode(node: &Node, findings: &mut Findings) -> Option<Self> {
        if matches!(node.kind, Kind::Map(_)) {
            return Expose::decode(node, findings).map(Self);
        }
        findings.report(
            crate::decode::wrong_shape::<Self>(node)
                .help("the ports that the program listens on stand in `port` or `ports`"),
        );
        None
    }

    fn schema(definitions: &mut Definitions) -> Value {
        Expose::schema(definitions)
    }
}
