//! The configuration of the Nginx behind Traefik: paths, limits, headers, static files.

use std::fmt::Write as _;
use std::time::Duration;

use wharf_base::units::{Rate, RatePeriod};
use wharf_plan::model::{Route, RouteAction};

use super::edge::{NGINX_HEALTH_PORT, NGINX_PORT};
use super::stack::Stack;

/// The security headers that Wharf's own ingress adds where a service does not set them, and their Nginx variables.
const SECURITY: [(&str, &str, &str); 4] = [
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
    (
        "Strict-Transport-Security",
        "strict_transport_security",
        "max-age=31536000",
    ),
];

/// The whole file.
pub(super) fn configuration(stack: &Stack<'_>) -> String {
    let mut writer = Writer::default();
    for (index, route) in stack.plan.routes.iter().enumerate() {
        writer.server(stack, index + 1, route);
    }
    let has_default = stack.plan.routes.iter().any(|route| route.host.is_none());
    if !has_default {
        let _ = write!(
            writer.servers,
            "\n    # Whoever asks for another host.\n    server {{\n        listen {NGINX_PORT} default_server;\n        return 404;\n    }}\n"
        );
    }
    let mut zones = writer.zones;
    if stack.plan.routes.iter().any(|route| route.headers.security) {
        zones.push_str("\n    # Security headers, where the service sets none itself.\n");
        for (_, variable, value) in SECURITY {
            let _ = writeln!(
                zones,
                "    map $upstream_http_{variable} ${variable} {{\n        \"\" \"{value}\";\n    }}"
            );
        }
    }
    if writer.dollar {
        zones.push_str("\n    # A dollar sign cannot be written in any other way.\n    geo $dollar {\n        default \"$\";\n    }\n");
    }
    crate::template::fill(
        include_str!("nginx.conf"),
        serde_json::json!({
            "header": stack.header, "zones": zones, "servers": writer.servers, "health": NGINX_HEALTH_PORT,
        }),
    )
}

#[derive(Default)]
struct Writer {
    /// What stands before the servers.
    zones: String,
    servers: String,
    /// Whether a text has a dollar sign.
    dollar: bool,
}

impl Writer {
    fn server(&mut self, stack: &Stack<'_>, number: usize, route: &Route) {
        let mut lines = vec![];
        let mut line = |text: String| lines.push(text);
        match &route.host {
            Some(host) => {
                line(format!("listen {NGINX_PORT};"));
                line(format!("server_name {host};"));
            }
            None => {
                line(format!("listen {NGINX_PORT} default_server;"));
                line("server_name _;".to_owned());
            }
        }
        let limits = &route.limits;
        line(match limits.body {
            Some(body) => format!("client_max_body_size {};", body.0),
            None => "client_max_body_size 0;".to_owned(),
        });
        if let Some(rate) = limits.rate {
            let zone = format!("rate_{number}");
            let _ = writeln!(
                self.zones,
                "\n    # A client of route {number} may ask {rate}.\n    limit_req_zone $binary_remote_addr zone={zone}:10m rate={};",
                nginx_rate(rate)
            );
            let burst = if limits.burst > 0 {
                format!(" burst={} nodelay", limits.burst)
            } else {
                String::new()
            };
            line(format!("limit_req zone={zone}{burst};"));
        }
        if let Some(connections) = limits.connections {
            let zone = format!("connections_{number}");
            let _ = writeln!(
                self.zones,
                "\n    # Route {number} has so many connections at once.\n    limit_conn_zone $server_port zone={zone}:1m;"
            );
            line(format!("limit_conn {zone} {connections};"));
        }
        // Nginx has one time for both: the answer's head, and a stream that is silent.
        let patience = limits.request_timeout.max(limits.idle_timeout);
        line(format!("proxy_read_timeout {};", seconds(patience)));
        line(format!(
            "proxy_send_timeout {};",
            seconds(limits.idle_timeout)
        ));
        let headers = &route.headers;
        for (name, value) in &headers.response {
            line(if value.is_empty() {
                format!("proxy_hide_header {name};")
            } else {
                format!("add_header {name} {} always;", self.text(value))
            });
        }
        if headers.security {
            for (name, variable, _) in SECURITY {
                line(format!("add_header {name} ${variable} always;"));
            }
        }
        let mut server = "\n    server {\n".to_owned();
        for line in lines {
            let _ = writeln!(server, "        {line}");
        }
        for (path, action) in &route.paths {
            self.location(stack, route, path, action, &mut server);
        }
        server.push_str("    }\n");
        self.servers.push_str(&server);
    }

    fn location(
        &mut self,
        stack: &Stack<'_>,
        route: &Route,
        path: &str,
        action: &RouteAction,
        server: &mut String,
    ) {
        let mut body = vec![];
        match action {
            RouteAction::Redirect { to, status } => {
                body.push(format!("return {status} {};", self.text(to)));
            }
            RouteAction::Service {
                service,
                port,
                strip_prefix,
            } => {
                let meant = stack.plan.services.get(service);
                let number = meant.and_then(|meant| meant.ports.get(port)).copied();
                // Asked for anew all the time: containers come and go with other addresses.
                body.push(format!(
                    "set $upstream {service}:{};",
                    number.unwrap_or_default()
                ));
                if *strip_prefix && path != "/" {
                    let pattern = format!("^{}/?(.*)$", regex(path.trim_end_matches('/')));
                    body.push(format!("rewrite {} /$1 break;", plain(&pattern)));
                }
                // A block that sets one header of its own inherits none.
                if !route.headers.request.is_empty() {
                    for (name, value) in PROXY_HEADERS {
                        let set = &route.headers.request;
                        if !set.keys().any(|other| other.eq_ignore_ascii_case(name)) {
                            body.push(format!("proxy_set_header {name} {value};"));
                        }
                    }
                }
                for (name, value) in &route.headers.request {
                    let value = self.text(value);
                    body.push(format!("proxy_set_header {name} {value};"));
                }
                body.push("proxy_pass http://$upstream;".to_owned());
                for folder in stack.statics.get(service).into_iter().flatten() {
                    // The prefix is one of the service, which sees the path without what is stripped.
                    let client = if *strip_prefix && path != "/" {
                        format!("{}{}", path.trim_end_matches('/'), folder.prefix)
                    } else {
                        folder.prefix.clone()
                    };
                    let root = path.trim_end_matches('/');
                    if client.starts_with(&format!("{root}/")) && client != "/" {
                        block(
                            server,
                            &plain(&client),
                            &[format!("alias {}/;", folder.mount)],
                        );
                    }
                }
            }
        }
        let root = path.trim_end_matches('/');
        if root.is_empty() {
            block(server, "/", &body);
        } else {
            // On segment borders: `/api` and `/api/…`, but not `/apis`.
            block(server, &format!("= {}", plain(root)), &body);
            block(server, &plain(&format!("{root}/")), &body);
        }
    }

    /// A text in which Nginx replaces nothing.
    fn text(&mut self, text: &str) -> String {
        let mut quoted = plain(text);
        if quoted.contains('$') {
            self.dollar = true;
            quoted = quoted.replace('$', "${dollar}");
        }
        quoted
    }
}

/// What Nginx tells a service of the client, as the template has it for all.
const PROXY_HEADERS: [(&str, &str); 7] = [
    ("Host", "$host"),
    ("X-Real-IP", "$remote_addr"),
    ("X-Forwarded-For", "$proxy_add_x_forwarded_for"),
    ("X-Forwarded-Proto", "$http_x_forwarded_proto"),
    ("X-Request-ID", "$request_id"),
    ("Upgrade", "$http_upgrade"),
    ("Connection", "$connection_upgrade"),
];

fn block(server: &mut String, place: &str, body: &[String]) {
    let _ = writeln!(server, "\n        location {place} {{");
    for line in body {
        let _ = writeln!(server, "            {line}");
    }
    server.push_str("        }\n");
}

/// A word of Nginx's language, quoted where it has to be.
fn plain(text: &str) -> String {
    let special = |c: char| c.is_whitespace() || c.is_control() || "\"'\\;{}#$".contains(c);
    if !text.is_empty() && !text.contains(special) {
        return text.to_owned();
    }
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn regex(text: &str) -> String {
    let special = |c: char| "\\.+*?()|[]{}^$".contains(c);
    text.chars()
        .flat_map(|c| special(c).then_some('\\').into_iter().chain([c]))
        .collect()
}

/// Nginx knows seconds and minutes only.
fn nginx_rate(rate: Rate) -> String {
    match rate.per {
        RatePeriod::Second => format!("{}r/s", rate.count),
        RatePeriod::Minute => format!("{}r/m", rate.count),
        RatePeriod::Hour => format!("{}r/m", rate.count.get().div_ceil(60)),
    }
}

fn seconds(duration: Duration) -> String {
    crate::dockerfile::seconds(duration)
}
