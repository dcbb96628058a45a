//! What the picture shows.

use std::collections::{BTreeMap, BTreeSet};

use wharf_base::ids::Name;
use wharf_plan::flows::{End, flows};
use wharf_plan::model::{
    Database, ExposeKind, IngressClass, Plan, RouteAction, Service, Store, StoreEngine, StoresBy,
    TargetKind, Tls,
};

use super::places::{asides, beside, frames, subtitle};
use crate::names;

/// The picture, before anything has a place.
#[derive(Debug)]
pub(crate) struct Diagram {
    /// What it is of.
    pub(crate) title: String,
    /// Where that runs.
    pub(crate) subtitle: String,
    /// Cards.
    pub(crate) nodes: Vec<Node>,
    /// Who calls whom, by the cards' places in `nodes`; always to a later column.
    pub(crate) edges: Vec<(usize, usize)>,
    /// Frames around columns, from left to right.
    pub(crate) frames: Vec<Frame>,
    /// What the outer frame is, if there is one.
    pub(crate) outer: Option<String>,
    /// What else belongs to it, each in a few words.
    pub(crate) beside: Vec<String>,
}

/// A card.
#[derive(Debug)]
pub(crate) struct Node {
    /// Unique, letters, digits and `_`.
    pub(crate) id: String,
    /// What it is.
    pub(crate) kind: Kind,
    /// Its name.
    pub(crate) title: String,
    /// What there is to say of it.
    pub(crate) lines: Vec<String>,
    /// Its column.
    pub(crate) column: usize,
}

/// Kinds of cards; each has its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Client,
    Entry,
    Service,
    Store,
    Aside,
}

/// A frame around columns.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    /// The first and the last column in it.
    pub(crate) columns: (usize, usize),
}

/// The column of the ways in.
pub(super) const ENTRY: usize = 1;

impl Diagram {
    /// The picture of an environment.
    pub(crate) fn of(plan: &Plan) -> Self {
        let depths = depths(plan);
        let last_service = ENTRY + 1 + depths.values().copied().max().unwrap_or(0);
        let store_column = last_service + 1;
        let mut nodes = vec![];
        let mut edges = vec![];
        let mut place: BTreeMap<End, usize> = BTreeMap::new();
        let mut services: Vec<usize> = vec![];
        for (name, service) in &plan.services {
            place.insert(End::Service(name.clone()), nodes.len());
            services.push(nodes.len());
            nodes.push(Node {
                id: names::identifier(&format!("service_{name}")),
                kind: Kind::Service,
                title: name.to_string(),
                lines: service_lines(plan, service),
                column: ENTRY + 1 + depths[name],
            });
        }
        for (name, store) in &plan.stores {
            place.insert(End::Store(name.clone()), nodes.len());
            nodes.push(Node {
                id: names::identifier(&format!("store_{name}")),
                kind: Kind::Store,
                title: name.to_string(),
                lines: store_lines(plan, name, store),
                column: store_column,
            });
        }
        for flow in flows(plan) {
            if let (Some(from), Some(to)) = (place.get(&flow.from), place.get(&flow.to))
                && nodes[*from].column < nodes[*to].column
            {
                edges.push((*from, *to));
            }
        }
        let ways_in = ways_in(plan);
        if !ways_in.is_empty() {
            let client = nodes.len();
            nodes.push(Node {
                id: "clients".to_owned(),
                kind: Kind::Client,
                title: "Clients".to_owned(),
                lines: vec!["browsers, apps".to_owned()],
                column: 0,
            });
            for (node, services) in ways_in {
                let entry = nodes.len();
                nodes.push(node);
                edges.push((client, entry));
                for service in services {
                    if let Some(to) = place.get(&End::Service(service)) {
                        edges.push((entry, *to));
                    }
                }
            }
        }
        if let Some(cloud) = &plan.cloud {
            asides(cloud, &mut nodes);
        }
        let (frames, outer) = frames(plan, last_service, store_column);
        Self {
            title: plan.environment.as_ref().map_or_else(
                || plan.name.to_string(),
                |environment| format!("{}, {environment}", plan.name),
            ),
            subtitle: subtitle(plan),
            nodes,
            edges,
            frames,
            outer,
            beside: plan.cloud.as_ref().map(beside).unwrap_or_default(),
        }
    }
}

/// How many services are called one through the other before each: the longest way, with circles cut open.
fn depths(plan: &Plan) -> BTreeMap<&Name, usize> {
    let calls: BTreeSet<(Name, Name)> = flows(plan)
        .into_iter()
        .filter_map(|flow| match (flow.from, flow.to) {
            (End::Service(from), End::Service(to)) => Some((from, to)),
            _ => None,
        })
        .collect();
    let mut depths: BTreeMap<&Name, usize> = plan.services.keys().map(|name| (name, 0)).collect();
    // Each round moves a service behind its callers; a circle would move for ever.
    for _ in 0..plan.services.len() {
        for (from, to) in &calls {
            let before = depths.get(from).copied().unwrap_or(0);
            if let Some(depth) = depths.get_mut(to)
                && *depth <= before
                && before + 1 < plan.services.len()
            {
                *depth = before + 1;
            }
        }
    }
    // What a circle has pushed away leaves no empty columns.
    let used: BTreeSet<usize> = depths.values().copied().collect();
    let rank: BTreeMap<usize, usize> = used.into_iter().zip(0..).collect();
    for depth in depths.values_mut() {
        *depth = rank[depth];
    }
    depths
}

fn service_lines(plan: &Plan, service: &Service) -> Vec<String> {
    let mut lines = vec![];
    let count = match &service.scale {
        _ if service.schedule.is_some() => None,
        _ if plan.target.kind == TargetKind::Ec2 => Some("on each machine".to_owned()),
        Some(scale) => Some(format!("{} to {} replicas", scale.min, scale.max)),
        None if service.singleton => Some("1 replica, never two".to_owned()),
        None if service.replicas == 1 => Some("1 replica".to_owned()),
        None => Some(format!("{} replicas", service.replicas)),
    };
    let port = service
        .primary_port_number()
        .map(|port| format!("port {port}"));
    let both: Vec<String> = count.into_iter().chain(port).collect();
    if !both.is_empty() {
        lines.push(both.join(", "));
    }
    if let Some(schedule) = &service.schedule {
        lines.push(format!("at {}", schedule.cron));
    }
    if service.release.is_some() {
        lines.push("migrates before a release".to_owned());
    }
    lines
}

fn store_lines(plan: &Plan, name: &Name, store: &Store) -> Vec<String> {
    let engine = match store.engine {
        StoreEngine::Postgres => "PostgreSQL",
        StoreEngine::Redis => "Redis",
    };
    let managed = plan
        .cloud
        .as_ref()
        .filter(|cloud| cloud.stores == StoresBy::Managed)
        .and_then(|cloud| cloud.databases.get(name));
    let mut lines = match managed {
        Some(database) => managed_lines(engine, store.engine, database),
        None => {
            let version = store.version.as_deref().unwrap_or_default();
            let mut lines = vec![format!("{engine} {version}").trim_end().to_owned()];
            lines.extend(store.storage.map(|storage| format!("{storage} volume")));
            lines
        }
    };
    if let Some(pool) = store.pool {
        lines.push(format!("behind PgBouncer, {} connections", pool.size));
    }
    lines
}

fn managed_lines(engine: &str, kind: StoreEngine, database: &Database) -> Vec<String> {
    let service = match kind {
        StoreEngine::Postgres => "RDS",
        StoreEngine::Redis => "ElastiCache",
    };
    let mut lines = vec![
        format!("{engine} {}", database.version),
        format!("{service} {}", database.instance),
    ];
    match kind {
        StoreEngine::Postgres if database.multi_az => {
            lines.push("standby in another zone".to_owned())
        }
        StoreEngine::Postgres => {}
        StoreEngine::Redis if database.nodes > 1 => lines.push(format!("{} nodes", database.nodes)),
        StoreEngine::Redis => {}
    }
    if let Some(zone) = &database.replica_zone {
        lines.push(format!("read replica in {zone}"));
    }
    lines
}

/// The ways in, each with the services that it leads to.
fn ways_in(plan: &Plan) -> Vec<(Node, Vec<Name>)> {
    let mut ways = vec![];
    let routed: BTreeSet<Name> = plan
        .routes
        .iter()
        .flat_map(|route| route.paths.values())
        .filter_map(|action| match action {
            RouteAction::Service { service, .. } => Some(service.clone()),
            RouteAction::Redirect { .. } => None,
        })
        .collect();
    if !routed.is_empty() {
        let certificate = plan
            .cloud
            .as_ref()
            .is_some_and(|cloud| cloud.load_balancer.certificate.is_some());
        let mut lines: Vec<String> = plan
            .routes
            .iter()
            .filter_map(|route| route.host.clone())
            .collect();
        let tls = certificate || plan.routes.iter().any(|route| route.tls == Tls::Auto);
        lines.push(if tls { "HTTPS" } else { "HTTP" }.to_owned());
        ways.push((
            Node {
                id: "ingress".to_owned(),
                kind: Kind::Entry,
                title: way_in(plan).to_owned(),
                lines,
                column: ENTRY,
            },
            routed.into_iter().collect(),
        ));
    }
    for (name, service) in &plan.services {
        let Some(expose) = &service.expose else {
            continue;
        };
        let line = match (expose.kind, expose.node_port) {
            (ExposeKind::ClusterIp, _) => continue,
            (ExposeKind::NodePort, Some(port)) => format!("node port {port}"),
            (ExposeKind::NodePort, None) => "node port".to_owned(),
            (ExposeKind::LoadBalancer, _) => format!("load balancer, port {}", expose.port),
        };
        ways.push((
            Node {
                id: names::identifier(&format!("expose_{name}")),
                kind: Kind::Entry,
                title: expose.name.clone().unwrap_or_else(|| name.to_string()),
                lines: vec![line],
                column: ENTRY,
            },
            vec![name.clone()],
        ));
    }
    ways
}

fn way_in(plan: &Plan) -> &'static str {
    match plan.target.kind {
        TargetKind::Local => "Wharf's ingress",
        TargetKind::Compose => "Reverse proxy",
        TargetKind::Kubernetes if plan.kubernetes.ingress == IngressClass::Nginx => "ingress-nginx",
        TargetKind::Kubernetes | TargetKind::Ec2 => "Application Load Balancer",
    }
}
