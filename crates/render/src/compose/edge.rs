//! The way in: Traefik holds the certificates and ends TLS, Nginx does what the routes say.
//!
//! Traefik reads a file and no socket of Docker: who holds that socket is root on the server.

use std::collections::BTreeMap;

use wharf_plan::model::{Route, Tls};

use super::production::finish;
use super::stack::Stack;
use super::stores::PROCESSES;
use super::{parts, statics};
use crate::dockerfile::pinned;
use crate::nginx::{self, CONTAINER_PORT, Site, TlsAt};
use crate::yaml::{Map, Yaml};
use crate::{Rendered, list, map};

/// Docker's name server.
const RESOLVER: &str = "127.0.0.11";
/// Where Docker's networks are, and so Traefik.
const PRIVATE: [&str; 3] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/// Whether there are routes at all.
pub(super) fn is_there(stack: &Stack<'_>) -> bool {
    !stack.plan.routes.is_empty()
}

/// Whether a route names no host, so that whoever starts the stack has to.
pub(super) fn needs_domain(stack: &Stack<'_>) -> bool {
    stack.plan.routes.iter().any(|route| route.host.is_none())
}

/// Adds both, and the files that they read.
pub(super) fn make(stack: &Stack<'_>, services: &mut Map, configs: &mut Map, out: &mut Rendered) {
    if !is_there(stack) {
        return;
    }
    for route in &stack.plan.routes {
        if let (Some(host), Tls::Off) = (&route.host, route.tls) {
            out.gap(
                format!("routes.{host}.tls"),
                "in production every route has TLS",
            );
        }
        if let Some(host) = route.host.as_ref().filter(|host| host.starts_with("*.")) {
            out.gap(
                format!("routes.{host}.tls"),
                "a certificate for every name below a host needs Let's Encrypt's DNS challenge, which depends on who serves the zone",
            );
        }
    }
    for (name, service) in &stack.services {
        if stack.plan.is_sticky(name) && (service.replicas > 1 || service.scale.is_some()) {
            out.gap(
                format!("services.{name}.sticky"),
                "Nginx asks Docker for a container anew each time and cannot lead a client back to one: run one replica, or let every replica serve everybody",
            );
        }
    }
    services.set(stack.traefik.clone(), traefik(stack));
    services.set(stack.nginx.clone(), nginx_server(stack));
    for (name, copy) in &stack.copies {
        if let Some(image) = stack.image(name) {
            services.set(copy.clone(), copier(stack, name, image));
        }
    }
    configs.set("traefik", map! { "file" => "./traefik/dynamic.yml" });
    configs.set("nginx", map! { "file" => "./nginx/nginx.conf" });
    out.yaml(
        "traefik/dynamic.yml",
        &stack.header,
        vec![dynamic(stack).into()],
    );
    let folders = stack.statics.keys();
    let site = Site {
        plan: stack.plan,
        hosts: BTreeMap::new(),
        folders: folders.map(|name| (*name, statics::root(name))).collect(),
        tls: TlsAt::Elsewhere,
        trusted: PRIVATE.map(str::to_owned).to_vec(),
        resolver: Some(RESOLVER),
    };
    out.add(
        "nginx/nginx.conf",
        nginx::configuration(&site, &stack.header),
    );
}

/// The volumes of both.
pub(super) fn volumes(stack: &Stack<'_>) -> Map {
    let mut volumes = Map::new();
    if !is_there(stack) {
        return volumes;
    }
    volumes.set("certificates", Yaml::Null);
    for folder in stack.statics.values().flatten() {
        volumes.set(folder.volume.clone(), Yaml::Null);
    }
    volumes
}

fn traefik(stack: &Stack<'_>) -> Map {
    let version = version(stack, "traefik");
    let command = [
        "--providers.file.filename=/etc/traefik/dynamic.yml",
        "--entrypoints.web.address=:8000",
        // The port of the server, not that of the container.
        "--entrypoints.web.http.redirections.entrypoint.to=:443",
        "--entrypoints.web.http.redirections.entrypoint.scheme=https",
        "--entrypoints.websecure.address=:8443",
        "--certificatesresolvers.letsencrypt.acme.email=${ACME_EMAIL:?see env.example}",
        "--certificatesresolvers.letsencrypt.acme.storage=/certificates/acme.json",
        "--certificatesresolvers.letsencrypt.acme.tlschallenge=true",
        "--ping=true",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ];
    let mut made = map! { "image" => format!("traefik:{}", version) };
    made.set("command", command.map(Yaml::from).to_vec());
    made.set_with_comment(
        "It writes the certificates to a new volume, which belongs to root; it has none of root's capabilities.",
        "user",
        "0:0",
    );
    made.set("tmpfs", list!["/tmp"]);
    if needs_domain(stack) {
        made.set(
            "environment",
            map! { "DOMAIN" => "${DOMAIN:?see env.example}" },
        );
    }
    made.set(
        "configs",
        list![map! { "source" => "traefik", "target" => "/etc/traefik/dynamic.yml" }],
    );
    made.set("volumes", list!["certificates:/certificates"]);
    made.set("ports", list!["80:8000", "443:8443"]);
    made.set("networks", list![stack.edge.as_str()]);
    made.set(
        "depends_on",
        map! { stack.nginx.as_str() => map! { "condition" => "service_healthy" } },
    );
    let test = ["CMD", "traefik", "healthcheck", "--ping"].map(Yaml::from);
    made.set("healthcheck", healthcheck(test.to_vec()));
    made.set("deploy", limits("0.5", "256M"));
    finish(&mut made, "30s");
    made
}

fn nginx_server(stack: &Stack<'_>) -> Map {
    let version = stack.plan.versions.get("nginx").map(String::as_str);
    let image = pinned("nginxinc/nginx-unprivileged", version, "alpine");
    let mut made = map! {
        "image" => parts::literal(&image),
        "tmpfs" => list!["/tmp"],
        "configs" => list![map! { "source" => "nginx", "target" => "/etc/nginx/nginx.conf" }],
    };
    let folders = stack.statics.values().flatten();
    let mounts: Vec<String> = folders
        .map(|folder| format!("{}:{}:ro", folder.volume, parts::literal(&folder.mount)))
        .collect();
    made.set_full("volumes", mounts);
    made.set("networks", list![stack.edge.as_str(), stack.app.as_str()]);
    let mut depends = Map::new();
    for copy in stack.copies.values() {
        depends.set(
            copy.clone(),
            map! { "condition" => "service_completed_successfully" },
        );
    }
    made.set_full("depends_on", depends);
    let port = nginx::own_port(stack.plan);
    let url = format!("http://127.0.0.1:{port}/stub_status");
    let test = ["CMD", "wget", "-q", "-O", "/dev/null", &url].map(Yaml::from);
    made.set("healthcheck", healthcheck(test.to_vec()));
    made.set("deploy", limits("0.5", "128M"));
    finish(&mut made, "30s");
    made
}

/// Copies the static files of an image to the volumes that Nginx reads.
fn copier(stack: &Stack<'_>, service: &wharf_base::ids::Name, image: &str) -> Map {
    let folders = stack.statics.get(service).into_iter().flatten();
    let copied: Vec<_> = folders.filter(|folder| folder.copied).collect();
    let steps: Vec<String> = copied
        .iter()
        .map(|folder| {
            let from = crate::machine::word(&format!("{}/.", folder.folder));
            let to = crate::machine::word(&folder.mount);
            format!("rm -rf {to}/* && cp -R {from} {to}/")
        })
        .collect();
    let tag = parts::operator("TAG", Some(&stack.plan.images.tag));
    let mut made = map! { "image" => format!("{}:{tag}", parts::literal(image)) };
    if stack.plan.images.registry.is_none() {
        made.set_some(
            "build",
            parts::build(stack, service, parts::Mode::Production),
        );
    }
    made.set(
        "entrypoint",
        Yaml::Inline(vec!["/bin/sh".into(), "-euc".into()]),
    );
    made.set("command", list![parts::literal(&steps.join(" && "))]);
    made.set_with_comment(
        "A new volume belongs to root; this container has none of root's capabilities and no network.",
        "user",
        "0:0",
    );
    let mounts: Vec<String> = copied
        .iter()
        .map(|folder| format!("{}:{}", folder.volume, parts::literal(&folder.mount)))
        .collect();
    made.set("volumes", mounts);
    made.set("network_mode", "none");
    made.set("healthcheck", map! { "disable" => true });
    made.set("deploy", limits("0.5", "64M"));
    finish(&mut made, "10s");
    made.set("restart", "no");
    made
}

/// What Traefik serves: each host with a certificate, all of it to Nginx.
fn dynamic(stack: &Stack<'_>) -> Map {
    let mut routers = Map::new();
    for (index, route) in stack.plan.routes.iter().enumerate() {
        let mut tls = Map::new();
        if !route
            .host
            .as_ref()
            .is_some_and(|host| host.starts_with("*."))
        {
            tls.set("certResolver", "letsencrypt");
        }
        routers.set(
            format!("route-{}", index + 1),
            map! {
                "rule" => rule(route),
                "entryPoints" => Yaml::Inline(vec!["websecure".into()]),
                "service" => "nginx",
                "tls" => tls,
            },
        );
    }
    let server = map! { "url" => format!("http://{}:{CONTAINER_PORT}", stack.nginx) };
    map! {
        "http" => map! {
            "routers" => routers,
            "services" => map! { "nginx" => map! { "loadBalancer" => map! { "servers" => list![server] } } },
        },
        "tls" => map! { "options" => map! { "default" => map! { "minVersion" => "VersionTLS12" } } },
    }
}

fn rule(route: &Route) -> String {
    match route.host.as_deref() {
        // Traefik reads the file as a Go template before it reads it as YAML.
        None => "Host(`{{ env `DOMAIN` }}`)".to_owned(),
        Some(host) => match host.strip_prefix("*.") {
            Some(parent) => format!("HostRegexp(`^[^.]+\\.{}$`)", parent.replace('.', "\\.")),
            None => format!("Host(`{host}`)"),
        },
    }
}

fn healthcheck(test: Vec<Yaml>) -> Map {
    map! {
        "test" => Yaml::Inline(test),
        "interval" => "10s",
        "timeout" => "5s",
        "retries" => 3,
        "start_period" => "10s",
    }
}

fn version(stack: &Stack<'_>, tool: &str) -> String {
    let version = stack.plan.versions.get(tool);
    parts::literal(version.map_or("latest", String::as_str))
}

fn limits(cpus: &str, memory: &str) -> Map {
    let limits = map! { "cpus" => cpus, "memory" => memory, "pids" => PROCESSES };
    map! { "resources" => map! { "limits" => limits } }
}
