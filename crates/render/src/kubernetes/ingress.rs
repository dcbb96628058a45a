//! The way in: an Ingress for each route, for ingress-nginx or for the AWS Load Balancer Controller.

mod alb;
mod nginx;

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule,
    IngressServiceBackend, IngressSpec, IngressTLS, ServiceBackendPort,
};
use wharf_base::ids::Name;
use wharf_plan::model::{IngressClass, Route, RouteAction};

use super::Made;
use super::cluster::Cluster;
use super::object::{Object, Stage};
use super::pods::port_name;
use crate::names;

/// The port on which ingress-nginx listens on every node of a cluster of machines, for the load balancer before it.
pub(crate) const NODE_PORT: u16 = 30080;

/// What ingress-nginx answers there by itself, whatever the host is called.
pub(crate) const NODE_HEALTH: &str = "/healthz";

/// The Ingresses of all routes.
pub(super) fn objects(cluster: &Cluster<'_>, made: &mut Made) {
    let routes = &cluster.plan.routes;
    for (index, route) in routes.iter().enumerate() {
        let name = name(cluster, route, routes.len());
        match cluster.plan.kubernetes.ingress {
            IngressClass::Nginx => nginx::objects(cluster, route, index, &name, made),
            IngressClass::Alb => alb::objects(cluster, route, index, &name, made),
        }
    }
}

/// The project's name where there is one route, else with the host.
fn name(cluster: &Cluster<'_>, route: &Route, routes: usize) -> String {
    let project = &cluster.plan.name;
    match &route.host {
        Some(host) if routes > 1 => {
            let host = host.replace('*', "any");
            names::dns_label(&format!("{project}-{host}"), 63)
        }
        _ => project.to_string(),
    }
}

/// The paths of a route that lead to a service, by whether their prefix is cut off.
fn service_paths(route: &Route, stripped: bool) -> Vec<(&String, &Name, &Name)> {
    route
        .paths
        .iter()
        .filter_map(|(path, action)| match action {
            RouteAction::Service {
                service,
                port,
                strip_prefix,
                ..
            } if *strip_prefix == stripped => Some((path, service, port)),
            _ => None,
        })
        .collect()
}

/// Whether a path leads clients back to the same pod.
fn is_sticky(route: &Route, path: &str) -> bool {
    matches!(
        route.paths.get(path),
        Some(RouteAction::Service { sticky: true, .. })
    )
}

/// What a Service says to the load balancer controller: an Ingress can say it of all its services only.
pub(super) fn service_annotations(cluster: &Cluster<'_>, name: &Name) -> BTreeMap<String, String> {
    match cluster.plan.kubernetes.ingress {
        IngressClass::Nginx => BTreeMap::new(),
        IngressClass::Alb => alb::service_annotations(cluster, name),
    }
}

/// The paths of a route that lead elsewhere: path, address, status.
fn redirects(route: &Route) -> Vec<(&String, &String, u16)> {
    route
        .paths
        .iter()
        .filter_map(|(path, action)| match action {
            RouteAction::Redirect { to, status } => Some((path, to, *status)),
            RouteAction::Service { .. } => None,
        })
        .collect()
}

/// One path to a port of a service.
fn path(
    cluster: &Cluster<'_>,
    path: &str,
    path_type: &str,
    service: &Name,
    port: &Name,
) -> HTTPIngressPath {
    HTTPIngressPath {
        path: Some(path.to_owned()),
        path_type: path_type.to_owned(),
        backend: IngressBackend {
            service: Some(IngressServiceBackend {
                name: cluster.service_name(service),
                port: Some(ServiceBackendPort {
                    name: Some(port_name(port.as_str())),
                    number: None,
                }),
            }),
            resource: None,
        },
    }
}

/// The Ingress of a route.
fn ingress(
    cluster: &Cluster<'_>,
    route: &Route,
    name: &str,
    annotations: BTreeMap<String, String>,
    tls: Option<IngressTLS>,
    paths: Vec<HTTPIngressPath>,
) -> Object {
    let class = match cluster.plan.kubernetes.ingress {
        IngressClass::Nginx => "nginx",
        IngressClass::Alb => "alb",
    };
    let mut metadata = cluster.meta(name, cluster.plan.name.as_str());
    metadata.annotations = (!annotations.is_empty()).then_some(annotations);
    let ingress = Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: Some(class.to_owned()),
            tls: tls.map(|tls| vec![tls]),
            rules: Some(vec![IngressRule {
                host: route.host.clone(),
                http: Some(HTTPIngressRuleValue { paths }),
            }]),
            ..IngressSpec::default()
        }),
        ..Ingress::default()
    };
    Object::typed(Stage::Edge, "ingress", &ingress)
}

/// The headers that a route adds to each answer.
fn response_headers(route: &Route) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    if route.headers.security {
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "SAMEORIGIN"),
            ("Referrer-Policy", "strict-origin-when-cross-origin"),
        ] {
            headers.insert(name.to_owned(), value.to_owned());
        }
    }
    for (name, value) in &route.headers.response {
        headers.insert(name.clone(), value.clone());
    }
    headers
}
