//! The server of a route: its TLS, its headers, how requests are passed on.

use std::collections::BTreeSet;

use wharf_plan::model::{Plan, Route, Tls};

use super::writer::{Writer, quoted};
use super::{Site, TlsAt, locations};

/// The security headers, each only where the service does not set it itself.
pub(super) const SECURITY: [(&str, &str, &str); 3] = [
    (
        "X-Content-Type-Options",
        "x_content_type_options",
        "nosniff",
    ),
    ("X-Frame-Options", "x_frame_options", "SAMEORIGIN"),
    (
        "Referrer-Policy",
        "referrer_policy",
        "strict-origin-when-cross-origin",
    ),
];
/// What browsers remember of a host that has TLS.
pub(super) const HSTS: &str = "max-age=31536000; includeSubDomains";

/// Adds the server of a route.
pub(super) fn add(site: &Site<'_>, index: usize, route: &Route, out: &mut Writer) {
    let tls = match (&route.host, route.tls, site.tls) {
        (Some(host), Tls::Auto, TlsAt::Here) => Some(host),
        _ => None,
    };
    let name = route.host.as_deref().unwrap_or("_");
    let default = if route.host.is_none() {
        " default_server"
    } else {
        ""
    };
    out.blank();
    if tls.is_some() {
        out.comment("Plain HTTP answers the challenges of Let's Encrypt and leads to HTTPS.");
        out.open("server");
        out.line("listen 80;");
        out.line(&format!("server_name {name};"));
        out.open("location ^~ /.well-known/acme-challenge/");
        out.line("root /var/www/certbot;");
        out.close();
        out.open("location /");
        out.line("return 301 https://$host$request_uri;");
        out.close();
        out.close();
        out.blank();
    }
    out.open("server");
    match tls {
        Some(host) => {
            let folder = format!("/etc/letsencrypt/live/{}", host.trim_start_matches("*."));
            out.line("listen 443 ssl http2;");
            out.line(&format!("server_name {name};"));
            out.line(&format!("ssl_certificate {folder}/fullchain.pem;"));
            out.line(&format!("ssl_certificate_key {folder}/privkey.pem;"));
            out.comment("TLS 1.2 and 1.3, with ciphers that keep what was recorded secret.");
            out.line("ssl_protocols TLSv1.2 TLSv1.3;");
            out.line(
                "ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:\
                 ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:\
                 ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;",
            );
            out.line("ssl_prefer_server_ciphers off;");
            out.line("ssl_session_cache shared:tls:10m;");
            out.line("ssl_session_timeout 1d;");
            out.line("ssl_session_tickets off;");
        }
        None => {
            out.line(&format!("listen {}{default};", site.port()));
            out.line(&format!("server_name {name};"));
        }
    }
    out.blank();
    match route.limits.body {
        Some(body) => out.line(&format!("client_max_body_size {};", body.0)),
        None => out.line("client_max_body_size 0;"),
    }
    if route.limits.rate.is_some() {
        let burst = match route.limits.burst {
            0 => String::new(),
            burst => format!(" burst={burst} nodelay"),
        };
        out.line(&format!("limit_req zone=rate_{index}{burst};"));
    }
    if let Some(connections) = route.limits.connections {
        out.line(&format!("limit_conn connections_{index} {connections};"));
    }
    added_headers(route, out);
    forwarding(route, out);
    locations::all(site, route, out);
    out.close();
}

fn added_headers(route: &Route, out: &mut Writer) {
    let set = |name: &str| {
        let mut own = route.headers.response.keys();
        own.any(|own| own.eq_ignore_ascii_case(name))
    };
    // A service that answers with one of its own would make it two.
    for (name, value) in [
        ("X-Trace-ID", "$trace_uuid"),
        ("X-Request-ID", "$request_id"),
    ] {
        if !set(name) {
            out.line(&format!("proxy_hide_header {name};"));
            out.line(&format!("add_header {name} {value} always;"));
        }
    }
    if route.headers.security {
        for (header, name, _) in SECURITY {
            if !set(header) {
                out.line(&format!("add_header {header} ${name} always;"));
            }
        }
        if !set("Strict-Transport-Security") {
            out.line("add_header Strict-Transport-Security $hsts always;");
        }
    }
    for (name, value) in &route.headers.response {
        // The service's own is replaced; an empty value removes it.
        out.line(&format!("proxy_hide_header {name};"));
        if !value.is_empty() {
            out.line(&format!("add_header {name} {} always;", quoted(value)));
        }
    }
}

/// How requests are passed on.
fn forwarding(route: &Route, out: &mut Writer) {
    out.blank();
    out.line("proxy_http_version 1.1;");
    // What was sent is never sent again.
    out.line("proxy_next_upstream off;");
    out.line("proxy_connect_timeout 5s;");
    let silent = route.limits.request_timeout.max(route.limits.idle_timeout);
    out.line(&format!("proxy_read_timeout {}s;", silent.as_secs().max(1)));
    for (name, value) in [
        ("Host", "$host"),
        ("Upgrade", "$http_upgrade"),
        ("Connection", "$connection_upgrade"),
        ("X-Forwarded-For", "$remote_addr"),
        ("X-Forwarded-Proto", "$forwarded_proto"),
        ("X-Forwarded-Host", "$host"),
        ("X-Request-ID", "$request_id"),
        ("traceparent", "$traceparent"),
    ] {
        let mut own = route.headers.request.keys();
        if !own.any(|own| own.eq_ignore_ascii_case(name)) {
            out.line(&format!("proxy_set_header {name} {value};"));
        }
    }
    for (name, value) in &route.headers.request {
        out.line(&format!("proxy_set_header {name} {};", quoted(value)));
    }
}

/// The port of loopback on which Nginx tells its own figures.
#[must_use]
pub fn own_port(plan: &Plan) -> u16 {
    let taken: BTreeSet<u16> = plan
        .services
        .values()
        .flat_map(|service| service.ports.values().copied())
        .collect();
    (8081..u16::MAX)
        .find(|port| !taken.contains(port))
        .unwrap_or(8081)
}

/// A server on loopback for the exporter of Nginx and whoever asks whether Nginx itself is up.
pub(super) fn own_health(site: &Site<'_>, out: &mut Writer) {
    let port = own_port(site.plan);
    out.blank();
    out.comment("Nginx's own figures, for its exporter.");
    out.open("server");
    out.line(&format!("listen 127.0.0.1:{port};"));
    out.line("access_log off;");
    out.open("location = /stub_status");
    out.line("stub_status;");
    out.close();
    out.close();
}
