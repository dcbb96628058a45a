//! The locations of a route.

use wharf_base::ids::Name;
use wharf_plan::model::{Route, RouteAction, Service};

use super::writer::{Writer, quoted, word};
use super::{Site, serves_files, upstream};

/// Every location, the longest path first: Nginx takes the first regular expression that matches.
pub(super) fn all(site: &Site<'_>, route: &Route, out: &mut Writer) {
    files(site, route, out);
    metrics(site, route, out);
    let mut paths: Vec<_> = route.paths.iter().collect();
    paths.sort_by_key(|(path, _)| (std::cmp::Reverse(path.len()), path.as_str()));
    for (path, action) in paths {
        out.blank();
        let location = if path == "/" {
            "location /".to_owned()
        } else {
            // A prefix ends where a segment does: `/api` is not `/apix`.
            let path = regex(path.trim_end_matches('/'));
            format!("location ~ {}", word(&format!("^{path}(?:/|$)")))
        };
        out.open(&location);
        match action {
            RouteAction::Redirect { to, status } => {
                out.line(&format!("return {status} {};", quoted(to)));
            }
            RouteAction::Service {
                service,
                port,
                strip_prefix,
                ..
            } => {
                if let Some(meant) = site.plan.services.get(service) {
                    if *strip_prefix && path != "/" {
                        let path = regex(path.trim_end_matches('/'));
                        let pattern = word(&format!("^{path}/?(.*)$"));
                        out.line(&format!("rewrite {pattern} /$1 break;"));
                    }
                    if serves_files(site, service, meant) {
                        built_files(site, service, out);
                    } else if site.in_container() {
                        let host = site.hosts.get(service);
                        let host = host.map_or(service.as_str(), String::as_str);
                        let number = meant.ports.get(port).copied().unwrap_or_default();
                        out.line(&format!("set $upstream {host}:{number};"));
                        out.line("proxy_pass http://$upstream;");
                    } else {
                        let upstream = upstream(meant, service, port);
                        out.line(&format!("proxy_pass http://{upstream};"));
                    }
                }
            }
        }
        out.close();
    }
}

/// Files that Nginx answers by itself.
fn files(site: &Site<'_>, route: &Route, out: &mut Writer) {
    for (name, service) in services(site, route) {
        let Some(folder) = site.folders.get(name) else {
            continue;
        };
        for (prefix, files) in &service.static_files {
            let prefix = format!("/{}/", prefix.trim_matches('/'));
            let files = files.trim_start_matches("./").trim_end_matches('/');
            out.blank();
            out.open(&format!("location ^~ {}", word(&prefix)));
            out.line(&format!("alias {};", path(&format!("{folder}/{files}/"))));
            out.line("expires 1d;");
            out.close();
        }
    }
}

/// Figures are for the monitoring, which asks the service itself.
fn metrics(site: &Site<'_>, route: &Route, out: &mut Writer) {
    let mut hidden: Vec<&str> = services(site, route)
        .filter(|(_, service)| {
            let metrics = service.metrics.as_ref();
            metrics.is_some_and(|metrics| Some(&metrics.port) == service.primary_port.as_ref())
        })
        .filter_map(|(_, service)| Some(service.metrics.as_ref()?.path.as_str()))
        .collect();
    hidden.sort_unstable();
    hidden.dedup();
    for path in hidden {
        out.blank();
        out.comment("For the monitoring, which asks the service itself.");
        out.open(&format!("location = {}", word(path)));
        out.line("return 404;");
        out.close();
    }
}

/// The services that a route leads to, each once.
fn services<'a>(
    site: &Site<'a>,
    route: &'a Route,
) -> impl Iterator<Item = (&'a Name, &'a Service)> {
    let mut names: Vec<&Name> = route
        .paths
        .values()
        .filter_map(|action| match action {
            RouteAction::Service { service, .. } => Some(service),
            RouteAction::Redirect { .. } => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    let plan = site.plan;
    names
        .into_iter()
        .filter_map(move |name| plan.services.get_key_value(name))
}

/// What a front end was built to; the program in it knows its own paths.
fn built_files(site: &Site<'_>, service: &Name, out: &mut Writer) {
    if let Some(folder) = site.folders.get(service) {
        out.line(&format!("root {};", path(&format!("{folder}/dist"))));
        out.line("try_files $uri /index.html;");
    }
}

/// A folder, in which a variable's name means nothing.
fn path(path: &str) -> String {
    if path.contains('$') {
        quoted(path)
    } else {
        word(path)
    }
}

/// A text as a regular expression that matches it alone.
fn regex(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let special = "\\.+*?()[]{}|^$".contains(c);
            special.then_some('\\').into_iter().chain([c])
        })
        .collect()
}
