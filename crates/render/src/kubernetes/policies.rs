//! Network policies: nothing is allowed but what the flow graph says.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use wharf_base::ids::Name;
use wharf_plan::flows::{End, Flow, flows};
use wharf_plan::model::{IngressClass, RouteAction, ScaleSource, StoreEngine, Tls};

use super::cluster::{Cluster, POOL_PORT};
use super::config::traced;
use super::monitoring;
use super::object::{Object, Stage};
use super::services::release_name;
use super::stores::{POOL_EXPORTER_PORT, backup_name, exporter_name, exporter_port, has_backup};
use crate::otel_collector::{COLLECTOR, OTLP_PORTS};
use crate::prometheus::{self, MONITORING};

const FILE: &str = "network-policies";

/// Every policy, in one file.
pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    let mut objects = vec![deny(cluster), name_service(cluster)];
    objects.extend(solver(cluster));
    let mut book = Book {
        cluster,
        pages: BTreeMap::new(),
    };
    book.write();
    let pages = std::mem::take(&mut book.pages);
    objects.extend(
        pages.into_iter().map(|(component, page)| {
            policy(cluster, &component, cluster.selector(&component), page)
        }),
    );
    objects
}

/// Who reaches what watches the cluster: itself, the services with their spans, and whoever scales by what Prometheus knows.
pub(super) fn watchers(cluster: &Cluster<'_>) -> Vec<Object> {
    let plan = cluster.plan;
    let policy = |name: &str, selector: LabelSelector, from: NetworkPolicyPeer, ports: &[u16]| {
        let policy = NetworkPolicy {
            metadata: monitoring::meta(cluster, name, MONITORING),
            spec: Some(NetworkPolicySpec {
                pod_selector: Some(selector),
                policy_types: Some(vec!["Ingress".to_owned()]),
                ingress: Some(vec![NetworkPolicyIngressRule {
                    from: Some(vec![from]),
                    ports: (!ports.is_empty()).then(|| ports.iter().copied().map(tcp).collect()),
                }]),
                egress: None,
            }),
        };
        Object::typed(Stage::Policy, "network-policy", &policy)
    };
    let everybody = NetworkPolicyPeer {
        pod_selector: Some(LabelSelector::default()),
        ..NetworkPolicyPeer::default()
    };
    let mut objects = vec![
        policy("same-namespace", LabelSelector::default(), everybody, &[]).comment(
            "/spec",
            "Nobody else asks for what is collected here; people come through kubectl port-forward.",
        ),
        policy(
            COLLECTOR,
            cluster.selector(COLLECTOR),
            namespace(&plan.kubernetes.namespace),
            &[OTLP_PORTS.0, OTLP_PORTS.1],
        )
        .comment("/spec", "The services send their spans."),
    ];
    let asks = plan.services.values().flat_map(|service| &service.scale);
    let mut metrics = asks.flat_map(|scale| &scale.metrics);
    if metrics.any(|metric| matches!(metric.source, ScaleSource::Query(_))) {
        objects.push(
            policy(
                "prometheus",
                cluster.selector("prometheus"),
                namespace("keda"),
                &[prometheus::PORT],
            )
            .comment("/spec", "KEDA scales by what Prometheus knows."),
        );
    }
    objects
}

/// What one component accepts and opens.
#[derive(Debug, Default)]
struct Page {
    ingress: Vec<NetworkPolicyIngressRule>,
    egress: Vec<NetworkPolicyEgressRule>,
}

/// The pages of all components.
struct Book<'a, 'b> {
    cluster: &'a Cluster<'b>,
    pages: BTreeMap<String, Page>,
}

impl Book<'_, '_> {
    fn write(&mut self) {
        let cluster = self.cluster;
        for (name, service) in &cluster.plan.services {
            let page = self.page(name.as_str());
            if !service.buckets.is_empty() {
                page.egress.push(https());
            }
            if traced(cluster, service) {
                page.egress.push(spans(cluster));
            }
        }
        for flow in flows(cluster.plan) {
            self.flow(&flow);
        }
        for (name, store) in cluster.stores() {
            let pooled = store.pool.is_some();
            let pool = Cluster::pool_name(name);
            if pooled {
                self.reach_store(&pool, name);
                self.accept(&pool, monitors(), POOL_EXPORTER_PORT);
            }
            let exporter = exporter_name(name);
            self.reach_store(&exporter, name);
            let port = exporter_port(store.engine);
            self.accept(&exporter, monitors(), port);
            if has_backup(cluster, name, store) {
                self.reach_store(&backup_name(name), name);
                if store.backup_volume.is_none() {
                    self.page(&backup_name(name)).egress.push(https());
                }
            }
        }
        self.scalers();
    }

    fn page(&mut self, component: &str) -> &mut Page {
        self.pages.entry(component.to_owned()).or_default()
    }

    fn flow(&mut self, flow: &Flow) {
        let cluster = self.cluster;
        match (&flow.from, &flow.to) {
            (End::Ingress, End::Service(service)) => self.let_in(service),
            (End::Monitoring, End::Service(service)) => {
                let Some(meant) = cluster.plan.services.get(service) else {
                    return;
                };
                let metrics = meant.metrics.as_ref();
                if let Some(port) = metrics.and_then(|metrics| meant.ports.get(&metrics.port)) {
                    self.accept(service.as_str(), monitors(), *port);
                }
            }
            (End::Service(from), End::Service(to)) => {
                let ports: Vec<u16> = cluster
                    .plan
                    .services
                    .get(to)
                    .map(|service| service.ports.values().copied().collect())
                    .unwrap_or_default();
                self.connect(from.as_str(), to.as_str(), &ports);
            }
            (End::Service(from), End::Store(store)) => {
                let meant = cluster.plan.services.get(from);
                let pooled = cluster
                    .plan
                    .stores
                    .get(store)
                    .is_some_and(|s| s.pool.is_some());
                if pooled {
                    self.connect(from.as_str(), &Cluster::pool_name(store), &[POOL_PORT]);
                } else {
                    self.reach_store(from.as_str(), store);
                }
                if meant.is_some_and(|service| service.release.is_some()) {
                    self.reach_store(&release_name(from), store);
                }
            }
            // Stores are asked by their exporters.
            (End::Monitoring, _)
            | (End::Ingress | End::Store(_), _)
            | (_, End::Ingress | End::Monitoring) => {}
        }
    }

    /// From one component of the cluster to another.
    fn connect(&mut self, from: &str, to: &str, ports: &[u16]) {
        let cluster = self.cluster;
        let ports = Some(ports.iter().map(|port| tcp(*port)).collect());
        self.page(from).egress.push(NetworkPolicyEgressRule {
            to: Some(vec![component(cluster, to)]),
            ports: ports.clone(),
        });
        self.page(to).ingress.push(NetworkPolicyIngressRule {
            from: Some(vec![component(cluster, from)]),
            ports,
        });
    }

    /// From a component to a store, wherever it runs.
    fn reach_store(&mut self, from: &str, store: &Name) {
        let cluster = self.cluster;
        let port = cluster.server(store).port;
        if !cluster.is_outside(store) {
            self.connect(from, store.as_str(), &[port]);
            return;
        }
        let subnets = cluster.plan.cloud.as_ref().map(|cloud| {
            let network = &cloud.network;
            let subnets = if network.database.is_empty() {
                &network.private
            } else {
                &network.database
            };
            subnets
                .iter()
                .map(|subnet| block(subnet.to_string()))
                .collect::<Vec<_>>()
        });
        self.page(from).egress.push(NetworkPolicyEgressRule {
            to: Some(
                subnets
                    .filter(|subnets| !subnets.is_empty())
                    .unwrap_or_else(|| vec![block("0.0.0.0/0".to_owned())]),
            ),
            ports: Some(vec![tcp(port)]),
        });
    }

    fn accept(&mut self, component: &str, from: NetworkPolicyPeer, port: u16) {
        self.page(component).ingress.push(NetworkPolicyIngressRule {
            from: Some(vec![from]),
            ports: Some(vec![tcp(port)]),
        });
    }

    /// What comes through the routes, and past them where a service is exposed.
    fn let_in(&mut self, name: &Name) {
        let cluster = self.cluster;
        let Some(service) = cluster.plan.services.get(name) else {
            return;
        };
        let mut routed: Vec<u16> = vec![];
        for action in cluster.plan.routes.iter().flat_map(|r| r.paths.values()) {
            if let RouteAction::Service {
                service: to, port, ..
            } = action
                && to == name
            {
                routed.extend(service.ports.get(port));
            }
        }
        routed.sort_unstable();
        routed.dedup();
        // Beside the rule for routes: some network plugins take no pod for an address of a block.
        if service.expose.is_some()
            && let Some(port) = service.primary_port_number()
        {
            self.page(name.as_str())
                .ingress
                .push(NetworkPolicyIngressRule {
                    from: Some(vec![block("0.0.0.0/0".to_owned())]),
                    ports: Some(vec![tcp(port)]),
                });
        }
        if routed.is_empty() {
            return;
        }
        let from = match cluster.plan.kubernetes.ingress {
            IngressClass::Nginx => Some(vec![namespace("ingress-nginx")]),
            // The load balancer sends from its own subnets to the pods.
            IngressClass::Alb => cluster.plan.cloud.as_ref().map(|cloud| {
                let public = &cloud.network.public;
                public.iter().map(|net| block(net.to_string())).collect()
            }),
        };
        self.page(name.as_str())
            .ingress
            .push(NetworkPolicyIngressRule {
                from: from.filter(|from: &Vec<_>| !from.is_empty()),
                ports: Some(routed.into_iter().map(tcp).collect()),
            });
    }

    /// KEDA asks the stores of the cluster how long their queues are.
    fn scalers(&mut self) {
        let cluster = self.cluster;
        let mut asked: Vec<&Name> = vec![];
        for service in cluster.plan.services.values() {
            for metric in service.scale.iter().flat_map(|scale| &scale.metrics) {
                if let ScaleSource::Queue { store, .. } = &metric.source
                    && !cluster.is_outside(store)
                    && !asked.contains(&store)
                {
                    asked.push(store);
                }
            }
        }
        for store in asked {
            let engine = cluster.plan.stores.get(store).map(|store| store.engine);
            if engine == Some(StoreEngine::Redis) {
                let port = cluster.server(store).port;
                self.accept(store.as_str(), namespace("keda"), port);
            }
        }
    }
}

fn deny(cluster: &Cluster<'_>) -> Object {
    policy(
        cluster,
        "default-deny",
        LabelSelector::default(),
        Page::default(),
    )
    .comment(
        "/spec",
        "Nothing comes in and nothing goes out, unless another policy allows it.",
    )
}

fn name_service(cluster: &Cluster<'_>) -> Object {
    let mut peer = namespace("kube-system");
    peer.pod_selector = Some(LabelSelector {
        match_labels: Some(BTreeMap::from([(
            "k8s-app".to_owned(),
            "kube-dns".to_owned(),
        )])),
        ..LabelSelector::default()
    });
    let port = |protocol: &str| NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(53)),
        end_port: None,
    };
    let rule = NetworkPolicyEgressRule {
        to: Some(vec![peer]),
        ports: Some(vec![port("UDP"), port("TCP")]),
    };
    let page = Page {
        ingress: vec![],
        egress: vec![rule],
    };
    let mut made = network_policy(cluster, "allow-dns", LabelSelector::default(), page);
    if let Some(spec) = &mut made.spec {
        spec.policy_types = Some(vec!["Egress".to_owned()]);
    }
    Object::typed(Stage::Policy, FILE, &made)
        .comment("/spec", "Everybody may ask what a name stands for.")
}

/// cert-manager answers for a certificate with a pod of its own.
fn solver(cluster: &Cluster<'_>) -> Option<Object> {
    let plan = cluster.plan;
    let certificates = plan.kubernetes.ingress == IngressClass::Nginx
        && plan
            .routes
            .iter()
            .any(|route| route.host.is_some() && route.tls == Tls::Auto);
    if !certificates {
        return None;
    }
    let selector = LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: "acme.cert-manager.io/http01-solver".to_owned(),
            operator: "Exists".to_owned(),
            values: None,
        }]),
        ..LabelSelector::default()
    };
    let page = Page {
        ingress: vec![NetworkPolicyIngressRule {
            from: Some(vec![namespace("ingress-nginx")]),
            ports: Some(vec![tcp(8089)]),
        }],
        egress: vec![],
    };
    Some(
        policy(cluster, "allow-acme-solver", selector, page).comment(
            "/spec",
            "cert-manager proves with a pod of its own that the host is ours.",
        ),
    )
}

fn policy(cluster: &Cluster<'_>, name: &str, selector: LabelSelector, page: Page) -> Object {
    Object::typed(
        Stage::Policy,
        FILE,
        &network_policy(cluster, name, selector, page),
    )
}

fn network_policy(
    cluster: &Cluster<'_>,
    name: &str,
    selector: LabelSelector,
    page: Page,
) -> NetworkPolicy {
    NetworkPolicy {
        metadata: cluster.meta(name, name),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(selector),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: (!page.ingress.is_empty()).then_some(page.ingress),
            egress: (!page.egress.is_empty()).then_some(page.egress),
        }),
    }
}

fn tcp(port: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some("TCP".to_owned()),
        port: Some(IntOrString::Int(i32::from(port))),
        end_port: None,
    }
}

/// AWS's own interfaces, for roles and buckets; never the metadata of the node.
fn https() -> NetworkPolicyEgressRule {
    let mut peer = block("0.0.0.0/0".to_owned());
    if let Some(block) = &mut peer.ip_block {
        block.except = Some(vec!["169.254.169.254/32".to_owned()]);
    }
    NetworkPolicyEgressRule {
        to: Some(vec![peer]),
        ports: Some(vec![tcp(443)]),
    }
}

/// Spans, to the collector beside Prometheus.
fn spans(cluster: &Cluster<'_>) -> NetworkPolicyEgressRule {
    let collector = NetworkPolicyPeer {
        pod_selector: Some(cluster.selector(COLLECTOR)),
        ..namespace(MONITORING)
    };
    NetworkPolicyEgressRule {
        to: Some(vec![collector]),
        ports: Some(vec![tcp(OTLP_PORTS.0), tcp(OTLP_PORTS.1)]),
    }
}

fn block(cidr: String) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr, except: None }),
        ..NetworkPolicyPeer::default()
    }
}

fn namespace(name: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector {
            match_labels: Some(BTreeMap::from([(
                "kubernetes.io/metadata.name".to_owned(),
                name.to_owned(),
            )])),
            ..LabelSelector::default()
        }),
        ..NetworkPolicyPeer::default()
    }
}

fn monitors() -> NetworkPolicyPeer {
    namespace(MONITORING)
}

fn component(cluster: &Cluster<'_>, name: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(cluster.selector(name)),
        ..NetworkPolicyPeer::default()
    }
}
