//! ingress-nginx, with certificates of Let's Encrypt by cert-manager.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::networking::v1::IngressTLS;
use wharf_base::ids::Name;
use wharf_base::units::{Bytes, RatePeriod};
use wharf_plan::model::{Channel, Route, RouteLimits, Tls};

use super::super::Made;
use super::super::cluster::Cluster;
use super::super::object::{Object, Stage};
use super::super::probes::seconds;
use super::{ingress, is_sticky, path, redirects, response_headers, service_paths};
use crate::{list, map};

/// The issuer of certificates.
const ISSUER: &str = "letsencrypt";

pub(super) fn objects(
    cluster: &Cluster<'_>,
    route: &Route,
    index: usize,
    name: &str,
    made: &mut Made,
) {
    let tls = tls(route, name);
    if tls.is_some() {
        made.add_once(issuer(cluster));
    }
    let mut annotations = limits(route, index, made);
    if tls.is_some() {
        annotate(&mut annotations, "cert-manager.io/issuer", ISSUER);
    }
    annotate(
        &mut annotations,
        "nginx.ingress.kubernetes.io/ssl-redirect",
        if tls.is_some() { "true" } else { "false" },
    );
    if let Some(headers) = headers(cluster, route, name) {
        let namespace = &cluster.plan.kubernetes.namespace;
        annotations.insert(
            "nginx.ingress.kubernetes.io/custom-headers".into(),
            format!("{namespace}/{}", headers.name()),
        );
        made.add(headers);
    }
    if !route.headers.request.is_empty() {
        made.gap(
            format!("routes[{index}].headers.request"),
            "ingress-nginx sets headers of requests for all Ingresses at once (proxy-set-headers of the controller)",
        );
    }
    let (sticky, whole): (Vec<_>, Vec<_>) = service_paths(route, false)
        .into_iter()
        .partition(|(prefix, ..)| is_sticky(route, prefix));
    let whole: Vec<_> = whole
        .into_iter()
        .map(|(prefix, service, port)| path(cluster, prefix, "Prefix", service, port))
        .collect();
    let comment = |object: Object| {
        object
            .comment(
                "/metadata/annotations/nginx.ingress.kubernetes.io~1proxy-read-timeout",
                "Long enough for WebSockets that are silent for a while.",
            )
            .comment(
                "/metadata/annotations/nginx.ingress.kubernetes.io~1limit-rps",
                "Of one client address.",
            )
            .comment(
                "/metadata/annotations/nginx.ingress.kubernetes.io~1custom-headers",
                "The controller has to allow them: global-allowed-response-headers (see README.md).",
            )
    };
    if !whole.is_empty() {
        let annotations = annotations.clone();
        let object = ingress(cluster, route, name, annotations, tls.clone(), whole);
        made.add(comment(object));
    }
    // Annotations are of a whole Ingress, and each cookie is of one service.
    for (number, (prefix, service, port)) in sticky.into_iter().enumerate() {
        let mut annotations = annotations.clone();
        affinity(&mut annotations, prefix, service, tls.is_some());
        let paths = vec![path(cluster, prefix, "Prefix", service, port)];
        let name = format!("{name}-sticky-{number}");
        let object = ingress(cluster, route, &name, annotations, tls.clone(), paths);
        made.add(comment(object));
    }
    for (number, (prefix, service, port)) in service_paths(route, true).into_iter().enumerate() {
        let mut annotations = annotations.clone();
        if is_sticky(route, prefix) {
            affinity(&mut annotations, prefix, service, tls.is_some());
        }
        annotate(
            &mut annotations,
            "nginx.ingress.kubernetes.io/use-regex",
            "true",
        );
        annotate(
            &mut annotations,
            "nginx.ingress.kubernetes.io/rewrite-target",
            "/$2",
        );
        let pattern = format!("{}(/|$)(.*)", prefix.trim_end_matches('/'));
        let paths = vec![path(
            cluster,
            &pattern,
            "ImplementationSpecific",
            service,
            port,
        )];
        let name = format!("{name}-stripped-{number}");
        let object = ingress(cluster, route, &name, annotations, tls.clone(), paths);
        made.add(comment(object));
    }
    redirected(cluster, route, index, name, &annotations, tls, made);
}

/// A cookie leads a client back to its pod, until the browser is closed.
fn affinity(
    annotations: &mut BTreeMap<String, String>,
    prefix: &str,
    service: &Name,
    secure: bool,
) {
    for (key, value) in [
        ("affinity", "cookie"),
        ("affinity-mode", "persistent"),
        ("session-cookie-name", &*format!("wharf-{service}")),
        ("session-cookie-path", prefix),
        ("session-cookie-samesite", "Lax"),
        ("session-cookie-change-on-failure", "true"),
    ] {
        annotate(
            annotations,
            &format!("nginx.ingress.kubernetes.io/{key}"),
            value,
        );
    }
    if secure {
        annotate(
            annotations,
            "nginx.ingress.kubernetes.io/session-cookie-secure",
            "true",
        );
    }
}

fn annotate(annotations: &mut BTreeMap<String, String>, key: &str, value: &str) {
    annotations.insert(key.to_owned(), value.to_owned());
}

fn tls(route: &Route, name: &str) -> Option<IngressTLS> {
    let host = route.host.as_ref().filter(|_| route.tls == Tls::Auto)?;
    Some(IngressTLS {
        hosts: Some(vec![host.clone()]),
        secret_name: Some(format!("{name}-tls")),
    })
}

/// Let's Encrypt, for this namespace.
fn issuer(cluster: &Cluster<'_>) -> Object {
    let email = cluster
        .plan
        .notify
        .values()
        .find_map(|receiver| match &receiver.channel {
            Channel::Email { to, .. } => Some(to.clone()),
            _ => None,
        });
    let mut acme = map! { "server" => "https://acme-v02.api.letsencrypt.org/directory" };
    acme.set_some("email", email);
    acme.set(
        "privateKeySecretRef",
        map! { "name" => "letsencrypt-account" },
    );
    acme.set(
        "solvers",
        list![map! { "http01" => map! { "ingress" => map! { "ingressClassName" => "nginx" } } }],
    );
    Object::custom(
        Stage::Config,
        "issuer",
        "cert-manager.io/v1",
        "Issuer",
        &cluster.meta(ISSUER, cluster.plan.name.as_str()),
        map! { "acme" => acme },
    )
}

fn limits(route: &Route, index: usize, made: &mut Made) -> BTreeMap<String, String> {
    let limits = &route.limits;
    let mut annotations = BTreeMap::new();
    let mut set = |key: &str, value: String| {
        annotations.insert(format!("nginx.ingress.kubernetes.io/{key}"), value);
    };
    set("proxy-body-size", limits.body.map_or("0".to_owned(), size));
    let read = limits.request_timeout.max(limits.idle_timeout);
    set("proxy-read-timeout", seconds(read).to_string());
    set(
        "proxy-send-timeout",
        seconds(limits.idle_timeout).to_string(),
    );
    if let Some((key, count)) = rate(limits) {
        set(key, count.to_string());
        // nginx lets through a multiple of the rate at once.
        let multiplier = limits.burst.div_ceil(count).max(1);
        set("limit-burst-multiplier", multiplier.to_string());
    }
    if limits.request_timeout < limits.idle_timeout {
        made.gap(
            format!("routes[{index}].limits.request_timeout"),
            "nginx has one timeout for the head and for the body of an answer: idle_timeout stands for both",
        );
    }
    if limits.connections.is_some() {
        made.gap(
            format!("routes[{index}].limits.connections"),
            "ingress-nginx limits the connections of one address, not those of a route",
        );
    }
    annotations
}

fn rate(limits: &RouteLimits) -> Option<(&'static str, u32)> {
    let rate = limits.rate?;
    let count = rate.count.get();
    Some(match rate.per {
        RatePeriod::Second => ("limit-rps", count),
        RatePeriod::Minute => ("limit-rpm", count),
        RatePeriod::Hour => ("limit-rpm", count.div_ceil(60)),
    })
}

/// As nginx writes sizes: `10m`.
fn size(bytes: Bytes) -> String {
    let kibi = bytes.0.div_ceil(1024);
    if kibi.is_multiple_of(1024) {
        format!("{}m", kibi / 1024)
    } else {
        format!("{kibi}k")
    }
}

fn headers(cluster: &Cluster<'_>, route: &Route, name: &str) -> Option<Object> {
    let headers = response_headers(route);
    if headers.is_empty() {
        return None;
    }
    let map = ConfigMap {
        metadata: cluster.meta(&format!("{name}-headers"), cluster.plan.name.as_str()),
        data: Some(headers),
        ..ConfigMap::default()
    };
    Some(Object::typed(Stage::Edge, "ingress-headers", &map))
}

fn redirected(
    cluster: &Cluster<'_>,
    route: &Route,
    index: usize,
    name: &str,
    annotations: &BTreeMap<String, String>,
    tls: Option<IngressTLS>,
    made: &mut Made,
) {
    let any = service_paths(route, false)
        .into_iter()
        .chain(service_paths(route, true))
        .next();
    for (number, (prefix, to, status)) in redirects(route).into_iter().enumerate() {
        let Some((_, service, port)) = any else {
            made.gap(
                format!("routes[{index}].paths.{prefix}"),
                "an Ingress cannot redirect without a service beside it",
            );
            continue;
        };
        let mut annotations = annotations.clone();
        annotate(
            &mut annotations,
            "nginx.ingress.kubernetes.io/permanent-redirect",
            to,
        );
        annotations.insert(
            "nginx.ingress.kubernetes.io/permanent-redirect-code".into(),
            status.to_string(),
        );
        let paths = vec![path(cluster, prefix, "Prefix", service, port)];
        let name = format!("{name}-redirect-{number}");
        made.add(
            ingress(cluster, route, &name, annotations, tls.clone(), paths)
                .comment("/spec/rules", "No request reaches the service."),
        );
    }
}
