//! The configuration of an Nginx in front of the services: what the ingress of Wharf does, as far as Nginx has words for it.
//!
//! [`configuration`] serves the target of a machine (where services are on loopback), the user data and Compose.

mod locations;
mod log;
mod server;
mod writer;

use std::collections::BTreeSet;

use wharf_base::ids::Name;
use wharf_plan::images::is_static;
use wharf_plan::model::{Plan, RouteAction, Service, TargetKind, Tls};

use crate::machine::{self, Machine};
use crate::{Input, Rendered, Scope, Target, header};
use writer::Writer;

pub use server::own_port;
pub(crate) use writer::word;

/// The target.
pub const TARGET: Target = Target {
    name: "nginx",
    summary: "an Nginx in front of the services of a machine",
    scope: Scope::Environment,
    applies,
    make,
};

/// What an Nginx of a certain place is told.
#[derive(Debug, Clone)]
pub struct Site<'a> {
    /// Whose routes it serves.
    pub plan: &'a Plan,
    /// The host of each service, by name; a service without one is on loopback.
    pub hosts: std::collections::BTreeMap<&'a Name, String>,
    /// Where the folder of a service's static files is, by service; without one, the service itself serves them.
    pub folders: std::collections::BTreeMap<&'a Name, String>,
    /// Who ends TLS.
    pub tls: TlsAt,
    /// Networks whose `X-Forwarded-For` is believed, beside those of the routes.
    pub trusted: Vec<String>,
    /// Resolves hosts while it runs, for networks whose addresses change: `127.0.0.11` in Docker. Such an Nginx is in a
    /// container: without root, with one folder to write to.
    pub resolver: Option<&'a str>,
}

impl Site<'_> {
    fn in_container(&self) -> bool {
        self.resolver.is_some()
    }

    /// The port of plain HTTP.
    fn port(&self) -> u16 {
        if self.in_container() {
            CONTAINER_PORT
        } else {
            80
        }
    }
}

/// The port of an Nginx in a container, where it has no right to a lower one.
pub const CONTAINER_PORT: u16 = 8080;

/// Who ends TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsAt {
    /// Nginx, with certificates that certbot keeps below `/etc/letsencrypt`.
    Here,
    /// A load balancer before it, or nobody.
    Elsewhere,
}

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    if input.plan.target.kind == TargetKind::Kubernetes {
        return Err("this environment runs on Kubernetes, whose ingress serves the routes");
    }
    if input.plan.routes.is_empty() {
        return Err("there are no routes");
    }
    Ok(())
}

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.plan;
    out.add(
        "nginx.conf",
        configuration(&on_machine(plan), &header(plan)),
    );
    gaps(plan, out);
}

/// The Nginx of a machine that runs the services itself.
#[must_use]
pub fn on_machine(plan: &Plan) -> Site<'_> {
    let machine = Machine::new(plan);
    let folders = plan
        .services
        .iter()
        .map(|(name, service)| (name, machine.working_folder(service)))
        .collect();
    // A load balancer is in the public subnets.
    let group = machine::group(plan);
    let trusted = group.map_or_else(Vec::new, |cloud| {
        cloud
            .network
            .public
            .iter()
            .map(ToString::to_string)
            .collect()
    });
    Site {
        plan,
        hosts: std::collections::BTreeMap::new(),
        folders,
        tls: if group.is_some() {
            TlsAt::Elsewhere
        } else {
            TlsAt::Here
        },
        trusted,
        resolver: None,
    }
}

/// What Nginx cannot do of the routes.
fn gaps(plan: &Plan, out: &mut Rendered) {
    for (index, route) in plan.routes.iter().enumerate() {
        let what = |field: &str| format!("routes[{index}].{field}");
        if route
            .host
            .as_deref()
            .is_some_and(|host| host.starts_with("*."))
            && route.tls == Tls::Auto
        {
            out.gap(
                what("tls"),
                "certbot needs the DNS challenge for a wildcard: choose the plugin of your DNS provider",
            );
        }
        if let Some(rate) = route.limits.rate
            && rate.per_second() * 60.0 < 1.0
        {
            out.gap(
                what("limits.rate"),
                "Nginx counts no slower than one a minute",
            );
        }
    }
    out.gap(
        "routes.limits.request_timeout",
        "Nginx has one time-out for the answer's head and for a silent body: the longer of the two is set",
    );
}

/// The whole `nginx.conf`; `header` is its first comment.
#[must_use]
pub fn configuration(site: &Site<'_>, header: &str) -> String {
    let mut out = Writer::new();
    out.comment(header);
    if site.in_container() {
        out.line("worker_processes auto;");
        out.line("pid /tmp/nginx.pid;");
    } else {
        out.line("user www-data;");
        out.line("worker_processes auto;");
        out.line("worker_rlimit_nofile 16384;");
        out.line("pid /run/nginx.pid;");
    }
    out.blank();
    out.open("events");
    // Two descriptors a request: the client's and the upstream's.
    out.line("worker_connections 8192;");
    out.close();
    out.blank();
    out.open("http");
    http(site, &mut out);
    out.close();
    out.finish()
}

fn http(site: &Site<'_>, out: &mut Writer) {
    out.line("include /etc/nginx/mime.types;");
    out.line("default_type application/octet-stream;");
    out.line("sendfile on;");
    out.line("tcp_nopush on;");
    out.line("server_tokens off;");
    out.line("client_header_timeout 15s;");
    out.line("client_body_timeout 30s;");
    out.line("gzip on;");
    out.line("gzip_vary on;");
    out.line("gzip_proxied any;");
    out.line("gzip_min_length 1024;");
    out.line(
        "gzip_types application/javascript application/json image/svg+xml text/css text/plain;",
    );
    if let Some(resolver) = site.resolver {
        out.blank();
        out.comment("Containers come and go with other addresses.");
        out.line(&format!("resolver {resolver} valid=10s ipv6=off;"));
        out.blank();
        out.comment("The only folder that may be written to.");
        for what in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            out.line(&format!("{what}_temp_path /tmp/{what};"));
        }
    }
    dollar(site, out);
    trusted(site, out);
    log::trace_and_log(site.in_container(), out);
    headers(site, out);
    limits(site, out);
    upstreams(site, out);
    for (index, route) in site.plan.routes.iter().enumerate() {
        server::add(site, index, route, out);
    }
    if site.plan.routes.iter().all(|route| route.host.is_some()) {
        out.blank();
        out.comment("A host that no route names.");
        out.open("server");
        out.line(&format!("listen {} default_server;", site.port()));
        out.line("return 404;");
        out.close();
    }
    server::own_health(site, out);
}

/// A variable that holds a dollar sign, where a text of the plan has one: Nginx cannot escape it.
fn dollar(site: &Site<'_>, out: &mut Writer) {
    let has = |text: &String| text.contains('$');
    let plan = site.plan;
    let routes = plan.routes.iter().any(|route| {
        let headers = route.headers.request.values();
        headers.chain(route.headers.response.values()).any(has)
            || route.paths.values().any(
                |action| matches!(action, RouteAction::Redirect { to, .. } if to.contains('$')),
            )
    });
    let folders = site.folders.values().any(has)
        || plan
            .services
            .values()
            .any(|service| service.static_files.values().any(has));
    if routes || folders {
        out.blank();
        out.open("geo $dollar");
        out.line("default \"$\";");
        out.close();
    }
}

fn trusted(site: &Site<'_>, out: &mut Writer) {
    let mut networks: BTreeSet<String> = site.trusted.iter().cloned().collect();
    for route in &site.plan.routes {
        networks.extend(
            route
                .headers
                .trusted_proxies
                .iter()
                .map(ToString::to_string),
        );
    }
    if !networks.is_empty() {
        out.blank();
        out.comment("The proxies before this one say whom they speak for.");
        for network in &networks {
            out.line(&format!("set_real_ip_from {network};"));
        }
        out.line("real_ip_header X-Forwarded-For;");
        out.line("real_ip_recursive on;");
    }
    out.blank();
    out.open("map $http_upgrade $connection_upgrade");
    out.line("default upgrade;");
    // An empty one keeps the connection to the upstream open.
    out.line("\"\" \"\";");
    out.close();
    out.open("map $http_x_forwarded_proto $forwarded_proto");
    out.line("default $scheme;");
    if !networks.is_empty() {
        out.line("https https;");
    }
    out.close();
}

fn headers(site: &Site<'_>, out: &mut Writer) {
    if !site.plan.routes.iter().any(|route| route.headers.security) {
        return;
    }
    out.blank();
    out.comment("Security headers, where the service sets none of its own.");
    for (_, name, value) in server::SECURITY {
        out.open(&format!("map $upstream_http_{name} ${name}"));
        out.line(&format!("\"\" {value};"));
        out.close();
    }
    out.open("map $forwarded_proto$upstream_http_strict_transport_security $hsts");
    out.line(&format!("https \"{}\";", server::HSTS));
    out.close();
}

fn limits(site: &Site<'_>, out: &mut Writer) {
    let limited = site
        .plan
        .routes
        .iter()
        .any(|route| route.limits.rate.is_some() || route.limits.connections.is_some());
    if !limited {
        return;
    }
    out.blank();
    for (index, route) in site.plan.routes.iter().enumerate() {
        if let Some(rate) = route.limits.rate {
            let rate = if rate.per_second().fract() == 0.0 {
                format!("{}r/s", rate.per_second())
            } else {
                format!("{}r/m", (rate.per_second() * 60.0).ceil().max(1.0))
            };
            // 10 MiB hold the state of 160,000 addresses.
            out.line(&format!(
                "limit_req_zone $binary_remote_addr zone=rate_{index}:10m rate={rate};"
            ));
        }
        if route.limits.connections.is_some() {
            out.line(&format!(
                "limit_conn_zone $server_name zone=connections_{index}:1m;"
            ));
        }
    }
    out.line("limit_req_status 429;");
    out.line("limit_conn_status 503;");
}

fn upstreams(site: &Site<'_>, out: &mut Writer) {
    // An upstream's address is looked up once.
    if site.in_container() {
        return;
    }
    let mut seen = BTreeSet::new();
    let actions = site
        .plan
        .routes
        .iter()
        .flat_map(|route| route.paths.values());
    for action in actions {
        let RouteAction::Service { service, port, .. } = action else {
            continue;
        };
        let Some(meant) = site.plan.services.get(service) else {
            continue;
        };
        if serves_files(site, service, meant) || !seen.insert((service, port)) {
            continue;
        }
        let number = meant.ports.get(port).copied().unwrap_or_default();
        let host = site.hosts.get(service).map_or("127.0.0.1", String::as_str);
        out.blank();
        out.open(&format!("upstream {}", upstream(meant, service, port)));
        // The only one is never taken out: a failed request is answered, not saved up.
        out.line(&format!("server {host}:{number} max_fails=0;"));
        out.line("keepalive 32;");
        out.close();
    }
}

/// The upstream of a port: the service's name, and the port's where it is not the primary one.
fn upstream(meant: &Service, service: &Name, port: &Name) -> String {
    if meant.primary_port.as_ref() == Some(port) {
        service.to_string()
    } else {
        format!("{service}-{port}")
    }
}

/// Whether Nginx itself hands out everything of a service.
fn serves_files(site: &Site<'_>, name: &Name, service: &Service) -> bool {
    is_static(service) && site.folders.contains_key(name)
}

#[cfg(test)]
mod tests;
