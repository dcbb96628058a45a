//! The AWS Load Balancer Controller, with certificates of ACM.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::IngressTLS;
use wharf_base::ids::Name;
use wharf_plan::model::{Cloud, Route, Tls};

use super::super::Made;
use super::super::cluster::Cluster;
use super::super::probes::seconds;
use super::{ingress, path, redirects, response_headers, service_paths};

/// TLS 1.2 and 1.3 with ciphers that are still good.
const SSL_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

pub(super) fn objects(
    cluster: &Cluster<'_>,
    route: &Route,
    index: usize,
    name: &str,
    made: &mut Made,
) {
    gaps(route, index, made);
    let cloud = cluster.plan.cloud.as_ref();
    let certificate = cloud.and_then(|cloud| cloud.load_balancer.certificate.as_ref());
    let https = route.tls == Tls::Auto && (certificate.is_some());
    let mut annotations = BTreeMap::new();
    let mut set = |key: &str, value: String| {
        annotations.insert(format!("alb.ingress.kubernetes.io/{key}"), value);
    };
    let public = cloud.is_none_or(|cloud| cloud.load_balancer.public);
    set(
        "scheme",
        if public {
            "internet-facing"
        } else {
            "internal"
        }
        .to_owned(),
    );
    set("target-type", "ip".to_owned());
    set("group.name", group(cluster));
    health(cluster, route, cloud, &mut set);
    set(
        "load-balancer-attributes",
        format!(
            "idle_timeout.timeout_seconds={},routing.http.drop_invalid_header_fields.enabled=true",
            seconds(route.limits.idle_timeout)
        ),
    );
    let drain = service_paths(route, false)
        .iter()
        .filter_map(|(_, service, _)| cluster.plan.services.get(*service))
        .map(|service| seconds(service.drain_timeout))
        .max()
        .unwrap_or(30);
    set(
        "target-group-attributes",
        format!("deregistration_delay.timeout_seconds={drain}"),
    );
    let listener = if https {
        set(
            "listen-ports",
            r#"[{"HTTP": 80}, {"HTTPS": 443}]"#.to_owned(),
        );
        set("ssl-redirect", "443".to_owned());
        set("ssl-policy", SSL_POLICY.to_owned());
        if let Some(arn) = certificate.filter(|certificate| certificate.starts_with("arn:")) {
            set("certificate-arn", arn.clone());
        }
        "HTTPS-443"
    } else {
        set("listen-ports", r#"[{"HTTP": 80}]"#.to_owned());
        "HTTP-80"
    };
    let mut headers = response_headers(route);
    if https && route.headers.security {
        let header = headers.entry("Strict-Transport-Security".to_owned());
        header.or_insert_with(|| "max-age=31536000; includeSubDomains".to_owned());
    }
    let attributes: Vec<String> = headers
        .into_iter()
        .filter_map(|(header, value)| {
            attribute(&header).map(|attribute| format!("{attribute}={value}"))
        })
        .collect();
    if !attributes.is_empty() {
        set(
            &format!("listener-attributes.{listener}"),
            attributes.join(","),
        );
    }
    // The controller looks for a certificate of the host.
    let tls = route
        .host
        .as_ref()
        .filter(|_| https)
        .map(|host| IngressTLS {
            hosts: Some(vec![host.clone()]),
            secret_name: None,
        });
    let paths: Vec<_> = service_paths(route, false)
        .into_iter()
        .map(|(prefix, service, port)| path(cluster, prefix, "Prefix", service, port))
        .collect();
    if paths.is_empty() {
        return;
    }
    let arn = certificate.is_some_and(|certificate| certificate.starts_with("arn:"));
    let object = ingress(cluster, route, name, annotations, tls, paths)
        .comment(
            "/metadata/annotations/alb.ingress.kubernetes.io~1target-group-attributes",
            "As long as a pod that leaves may finish its requests.",
        )
        .comment(
            "/spec/tls",
            if arn {
                ""
            } else {
                "The controller takes the certificate that ACM has for the host."
            },
        );
    made.add(object);
}

/// The attributes of a service's target group where clients come back to their pod; they stand for the Ingress's.
pub(super) fn service_annotations(cluster: &Cluster<'_>, name: &Name) -> BTreeMap<String, String> {
    let service = cluster.plan.services.get(name);
    let Some(service) = service.filter(|_| cluster.plan.is_sticky(name)) else {
        return BTreeMap::new();
    };
    let drain = seconds(service.drain_timeout);
    BTreeMap::from([(
        "alb.ingress.kubernetes.io/target-group-attributes".to_owned(),
        format!(
            "deregistration_delay.timeout_seconds={drain},stickiness.enabled=true,stickiness.type=lb_cookie"
        ),
    )])
}

fn group(cluster: &Cluster<'_>) -> String {
    // One load balancer for all routes of the environment.
    cluster.plan.kubernetes.namespace.clone()
}

fn health(
    cluster: &Cluster<'_>,
    route: &Route,
    cloud: Option<&Cloud>,
    set: &mut impl FnMut(&str, String),
) {
    let probed = service_paths(route, false)
        .into_iter()
        .filter_map(|(_, service, _)| cluster.plan.services.get(service))
        .find_map(|service| match &service.probes.readiness.as_ref()?.check {
            wharf_plan::model::Check::Http { path, .. } => Some(path.clone()),
            _ => None,
        });
    match cloud {
        Some(cloud) => {
            let health = &cloud.load_balancer.health;
            set("healthcheck-path", health.path.clone());
            set(
                "healthcheck-interval-seconds",
                seconds(health.interval).to_string(),
            );
            set(
                "healthcheck-timeout-seconds",
                seconds(health.timeout).to_string(),
            );
            set("healthy-threshold-count", health.healthy.to_string());
            set("unhealthy-threshold-count", health.unhealthy.to_string());
        }
        None => {
            if let Some(path) = probed {
                set("healthcheck-path", path);
            }
        }
    }
}

/// The attribute of a listener that sets a header of the answers.
fn attribute(header: &str) -> Option<String> {
    const KNOWN: [&str; 4] = [
        "strict-transport-security",
        "content-security-policy",
        "x-content-type-options",
        "x-frame-options",
    ];
    let header = header.to_ascii_lowercase();
    KNOWN.contains(&header.as_str()).then(|| {
        format!(
            "routing.http.response.{}.header_value",
            header.replace('-', "_")
        )
    })
}

fn gaps(route: &Route, index: usize, made: &mut Made) {
    let limits = &route.limits;
    let of = |what: &str| format!("routes[{index}].{what}");
    if limits.rate.is_some() {
        made.gap(
            of("limits.rate"),
            "an ALB limits no rates: the web application firewall before it does (target terraform)",
        );
    }
    if limits.body.is_some() {
        made.gap(
            of("limits.body"),
            "an ALB limits no bodies: the service has to refuse what is too large",
        );
    }
    if limits.connections.is_some() {
        made.gap(of("limits.connections"), "an ALB limits no connections");
    }
    if !route.headers.request.is_empty() {
        made.gap(of("headers.request"), "an ALB sets no headers of requests");
    }
    for header in response_headers(route).keys() {
        if attribute(header).is_none() {
            made.gap(
                of(&format!("headers.response.{header}")),
                "an ALB does not set this header: the service has to",
            );
        }
    }
    for (path, ..) in service_paths(route, true) {
        made.gap(
            of(&format!("paths.{path}.strip_prefix")),
            "an ALB changes no paths: the service has to answer below the prefix",
        );
    }
    for (path, ..) in redirects(route) {
        made.gap(
            of(&format!("paths.{path}")),
            "redirects are not rendered for an ALB",
        );
    }
}
