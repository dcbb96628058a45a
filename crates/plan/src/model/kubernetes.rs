//! What the cluster is to be like, where the plan does not follow from the application.

use serde::{Deserialize, Serialize};
use wharf_base::units::{Bytes, Millicores};

/// The cluster's side of an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kubernetes {
    /// Major and minor version, `1.28` to `1.32`.
    pub version: String,
    /// The namespace; the project and the environment if not said.
    pub namespace: String,
    /// What serves the routes.
    pub ingress: IngressClass,
    /// The class of volumes that one node mounts; none: the cluster's default.
    pub storage_class: Option<String>,
    /// The class of volumes that many nodes mount.
    pub shared_storage_class: Option<String>,
    /// The ConfigMap of the plain variables.
    pub config_map: String,
    /// The Secret of the secret ones.
    pub secret: String,
    /// What the namespace may use in all; none: not limited.
    pub quota: Option<Quota>,
    /// How a Git repository is followed; none: it is not.
    pub gitops: Option<GitOps>,
    /// Whether Prometheus, Grafana and Loki are rendered as workloads of a namespace `monitoring`.
    pub monitoring: bool,
}

/// What serves an environment's routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngressClass {
    /// ingress-nginx, with certificates by cert-manager.
    Nginx,
    /// The AWS Load Balancer Controller, with certificates by ACM.
    Alb,
}

/// What a namespace may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// CPU requests.
    pub cpu: Millicores,
    /// Memory requests.
    pub memory: Bytes,
    /// Pods.
    pub pods: u32,
}

/// The repository that a cluster follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitOps {
    /// Its URL.
    pub repository: String,
    /// The folder in it that holds the rendered kustomization or chart.
    pub path: String,
    /// The branch or tag.
    pub revision: String,
}

/// A way into a service beside the routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expose {
    /// What the Kubernetes Service is called; none: as the service.
    pub name: Option<String>,
    /// In which way.
    pub kind: ExposeKind,
    /// The outer port.
    pub port: u16,
    /// The port on every node, for a node port; 30000 to 32767; none: the cluster picks one.
    pub node_port: Option<u16>,
}

/// Ways into a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExposeKind {
    /// Inside of the cluster only.
    ClusterIp,
    /// A port of every node.
    NodePort,
    /// A load balancer of its own.
    LoadBalancer,
}
