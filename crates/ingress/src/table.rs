//! A configuration made ready for look-ups: hosts in maps, paths sorted by length, headers parsed.
//!
//! A table never changes. A request keeps the one that it began with.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::balance::{RevisionTable, UpstreamTable};
use crate::config::{self, Action, Config};
use crate::endpoint::EndpointState;
use crate::files::FilesTable;
use crate::ids::Sampling;
use crate::metrics::{LabelId, Labels};
use crate::rate::RouteCounter;
use crate::sticky::Sticky;
use crate::tls::{self, TlsError};

/// Why a configuration cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Two entries for what has to be one.
    #[error("{0}")]
    Invalid(String),
    /// A certificate or key cannot be used.
    #[error("the certificates cannot be used")]
    Tls(#[from] TlsError),
}

/// A configuration, ready to serve.
pub(crate) struct Table {
    pub(crate) generation: u64,
    pub(crate) project: Arc<str>,
    pub(crate) sampling: Sampling,
    pub(crate) listeners: HashMap<String, ListenerTable>,
    exact: HashMap<String, Vec<PathEntry>>,
    /// By the part behind the `*`: `.example.com`.
    wildcard: HashMap<String, Vec<PathEntry>>,
    other: Vec<PathEntry>,
    pub(crate) upstreams: HashMap<String, Arc<UpstreamTable>>,
    pub(crate) health: Vec<(config::HealthCheck, Arc<EndpointState>)>,
    pub(crate) tls: Option<Arc<tokio_rustls::rustls::ServerConfig>>,
}

/// What a listener serves.
#[derive(Clone)]
pub(crate) enum ListenerTable {
    Routes { tls: bool },
    Upstream(PathEntry),
}

/// One path of one route.
#[derive(Clone)]
pub(crate) struct PathEntry {
    /// Without a slash at its end; empty: everything. That of files has one: only what lies below it is theirs.
    prefix: Arc<str>,
    pub(crate) route: Arc<RouteTable>,
    pub(crate) action: ActionTable,
}

/// What happens to a request.
#[derive(Clone)]
pub(crate) enum ActionTable {
    Forward {
        upstream: Arc<str>,
        strip: usize,
        sticky: Option<Arc<Sticky>>,
    },
    Redirect {
        to: HeaderValue,
        status: http::StatusCode,
    },
    Files(Arc<FilesTable>),
}

/// What all paths of a route share.
pub(crate) struct RouteTable {
    pub(crate) name: Arc<str>,
    pub(crate) label: LabelId,
    pub(crate) https_redirect: Option<u16>,
    pub(crate) limits: config::Limits,
    pub(crate) counter: Arc<RouteCounter>,
    pub(crate) security: bool,
    pub(crate) request_headers: Vec<(HeaderName, HeaderValue)>,
    /// None: removed.
    pub(crate) response_headers: Vec<(HeaderName, Option<HeaderValue>)>,
    pub(crate) trusted: Vec<IpNet>,
}

/// What outlives a configuration.
pub(crate) struct Kept<'a> {
    pub(crate) endpoints: &'a HashMap<String, Arc<EndpointState>>,
    pub(crate) counters: &'a HashMap<String, Arc<RouteCounter>>,
    pub(crate) labels: &'a Labels,
}

impl Table {
    /// Makes `config` ready. `kept` has the states of all its endpoints and the counters of all its routes.
    pub(crate) fn new(config: &Config, kept: &Kept<'_>) -> Result<Self, TableError> {
        let mut table = Self {
            generation: config.generation,
            project: config.project.as_str().into(),
            sampling: Sampling::of(config.traces),
            listeners: HashMap::new(),
            exact: HashMap::new(),
            wildcard: HashMap::new(),
            other: Vec::new(),
            upstreams: HashMap::new(),
            health: Vec::new(),
            tls: None,
        };
        for (name, upstream) in &config.upstreams {
            table.add_upstream(name, upstream, kept);
        }
        for route in &config.routes {
            table.add_route(route, kept)?;
        }
        for paths in table
            .exact
            .values_mut()
            .chain(table.wildcard.values_mut())
            .chain([&mut table.other])
        {
            // Stable: of two routes with the same host and path the first wins.
            paths.sort_by_key(|entry| std::cmp::Reverse(entry.prefix.len()));
        }
        for (name, listener) in &config.listeners {
            let entry = match listener {
                config::Listener::Http => ListenerTable::Routes { tls: false },
                config::Listener::Https => ListenerTable::Routes { tls: true },
                config::Listener::Upstream(upstream) => {
                    ListenerTable::Upstream(internal(upstream, kept))
                }
            };
            table.listeners.insert(name.clone(), entry);
        }
        if !config.certificates.is_empty() {
            table.tls = Some(tls::server_config(&config.certificates)?);
        }
        Ok(table)
    }

    fn add_upstream(&mut self, name: &str, upstream: &config::Upstream, kept: &Kept<'_>) {
        let find = |endpoint: &config::Endpoint| kept.endpoints.get(&endpoint.id).map(Arc::clone);
        let revisions: Vec<_> = upstream
            .revisions
            .iter()
            .map(|revision| RevisionTable {
                release: revision.release.as_str().into(),
                release_label: kept.labels.id(&revision.release),
                weight: revision.weight,
                endpoints: revision.endpoints.iter().filter_map(find).collect(),
            })
            .collect();
        if let Some(health) = &upstream.health {
            let endpoints = revisions.iter().flat_map(|revision| &revision.endpoints);
            self.health
                .extend(endpoints.map(|endpoint| (health.clone(), Arc::clone(endpoint))));
        }
        let upstream = UpstreamTable {
            name: name.into(),
            service: upstream.service.as_str().into(),
            service_label: kept.labels.id(&upstream.service),
            revisions,
        };
        self.upstreams.insert(name.to_owned(), Arc::new(upstream));
    }

    fn add_route(&mut self, route: &config::Route, kept: &Kept<'_>) -> Result<(), TableError> {
        let shared = Arc::new(RouteTable::new(route, kept)?);
        let mut entries = Vec::new();
        for (path, action) in &route.paths {
            let prefix = path.trim_end_matches('/');
            entries.push(PathEntry {
                prefix: match action {
                    Action::Files { .. } => format!("{prefix}/").into(),
                    _ => prefix.into(),
                },
                route: Arc::clone(&shared),
                action: ActionTable::new(action, prefix, &route.name, kept)?,
            });
        }
        if route.hosts.is_empty() {
            self.other.extend(entries.iter().cloned());
        }
        for host in &route.hosts {
            let host = host.to_ascii_lowercase();
            let paths = match host.strip_prefix('*') {
                Some(suffix) => self.wildcard.entry(suffix.to_owned()).or_default(),
                None => self.exact.entry(host).or_default(),
            };
            paths.extend(entries.iter().cloned());
        }
        Ok(())
    }

    /// What serves a request to `host` (lower case, without a port) and `path`. A host that a route names is served
    /// by that host's routes alone.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<&PathEntry> {
        let paths = self
            .exact
            .get(host)
            .or_else(|| self.find_wildcard(host))
            .unwrap_or(&self.other);
        paths.iter().find(|entry| entry.matches(path))
    }

    fn find_wildcard(&self, host: &str) -> Option<&Vec<PathEntry>> {
        // As in certificates, the `*` is one label.
        let dot = host.find('.')?;
        (dot > 0).then(|| self.wildcard.get(&host[dot..])).flatten()
    }
}

impl PathEntry {
    fn matches(&self, path: &str) -> bool {
        let prefix = &*self.prefix;
        path.strip_prefix(prefix).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || prefix.is_empty() || prefix.ends_with('/')
        })
    }
}

impl ActionTable {
    fn new(
        action: &Action,
        prefix: &str,
        route: &str,
        kept: &Kept<'_>,
    ) -> Result<Self, TableError> {
        match action {
            Action::Forward {
                upstream,
                strip_prefix,
                sticky,
            } => Ok(Self::Forward {
                upstream: upstream.as_str().into(),
                strip: if *strip_prefix { prefix.len() } else { 0 },
                sticky: sticky.then(|| Arc::new(Sticky::new(upstream, prefix))),
            }),
            Action::Redirect { to, status } => {
                let invalid =
                    |what: &str| TableError::Invalid(format!("route `{route}` redirects {what}"));
                let status = http::StatusCode::from_u16(*status)
                    .ok()
                    .filter(|status| status.is_redirection());
                Ok(Self::Redirect {
                    to: HeaderValue::from_str(to).map_err(|_| invalid("to what is no URL"))?,
                    status: status
                        .ok_or_else(|| invalid("with a status that is not 301, 302, 307 or 308"))?,
                })
            }
            Action::Files { service, folders } => Ok(Self::Files(Arc::new(FilesTable {
                service: service.as_str().into(),
                label: kept.labels.id(service),
                cut: prefix.len(),
                folders: folders.clone(),
            }))),
        }
    }
}

impl RouteTable {
    fn new(route: &config::Route, kept: &Kept<'_>) -> Result<Self, TableError> {
        let header = |name: &str, value: &str| -> Result<(HeaderName, HeaderValue), TableError> {
            let invalid = |what| {
                TableError::Invalid(format!(
                    "route `{}` sets a header with an invalid {what}",
                    route.name
                ))
            };
            let name = HeaderName::try_from(name).map_err(|_| invalid("name"))?;
            Ok((
                name,
                HeaderValue::try_from(value).map_err(|_| invalid("value"))?,
            ))
        };
        let set = |headers: &BTreeMap<String, String>| -> Result<Vec<_>, TableError> {
            headers
                .iter()
                .map(|(name, value)| header(name, value))
                .collect()
        };
        let response = set(&route.headers.response)?;
        Ok(Self {
            name: route.name.as_str().into(),
            label: kept.labels.id(&route.name),
            https_redirect: route.https_redirect,
            limits: route.limits.clone(),
            counter: kept
                .counters
                .get(&route.name)
                .map(Arc::clone)
                .unwrap_or_default(),
            security: route.headers.security,
            request_headers: set(&route.headers.request)?,
            response_headers: response
                .into_iter()
                .map(|(name, value)| (name, (!value.is_empty()).then_some(value)))
                .collect(),
            trusted: route.headers.trusted_proxies.clone(),
        })
    }
}

/// The one path of a listener that belongs to an upstream. Its clients are the project's own services, so it adds no
/// security headers, and believes what an edge route has set: they come through the loopback interface.
fn internal(upstream: &str, kept: &Kept<'_>) -> PathEntry {
    let route = RouteTable {
        name: "internal".into(),
        label: kept.labels.id("internal"),
        https_redirect: None,
        limits: config::Limits::default(),
        counter: Arc::default(),
        security: false,
        request_headers: Vec::new(),
        response_headers: Vec::new(),
        trusted: vec![
            IpNet::from(IpAddr::from(Ipv4Addr::LOCALHOST)),
            IpNet::from(IpAddr::from(Ipv6Addr::LOCALHOST)),
        ],
    };
    PathEntry {
        prefix: "".into(),
        route: Arc::new(route),
        action: ActionTable::Forward {
            upstream: upstream.into(),
            strip: 0,
            sticky: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut config = Config::default();
        for (name, hosts, paths) in [
            (
                "app",
                vec!["app.example.com"],
                vec!["/", "/api", "/api/v2/"],
            ),
            ("wild", vec!["*.example.com"], vec!["/"]),
            ("any", vec![], vec!["/only"]),
        ] {
            let forward = |path: &str| Action::Forward {
                upstream: format!("{name}{path}"),
                strip_prefix: false,
                sticky: false,
            };
            config.routes.push(config::Route {
                name: name.to_owned(),
                hosts: hosts.into_iter().map(str::to_owned).collect(),
                https_redirect: None,
                paths: paths
                    .into_iter()
                    .map(|path| (path.to_owned(), forward(path)))
                    .collect(),
                limits: config::Limits::default(),
                headers: config::Headers::default(),
            });
        }
        let files = Action::Files {
            service: "web".parse().expect("a name"),
            folders: vec![],
        };
        let paths = &mut config.routes[0].paths;
        paths.insert("/api/v2/static/".to_owned(), files.clone());
        paths.insert("/api/".to_owned(), files);
        let kept = Kept {
            endpoints: &HashMap::new(),
            counters: &HashMap::new(),
            labels: &Labels::default(),
        };
        Table::new(&config, &kept).expect("a valid configuration")
    }

    #[track_caller]
    fn check(host: &str, path: &str, expected: Option<&str>) {
        let table = table();
        let found = table.find(host, path).map(|entry| match &entry.action {
            ActionTable::Forward { upstream, .. } => upstream.to_string(),
            ActionTable::Files(files) => format!("files {}", &path[files.cut..]),
            ActionTable::Redirect { .. } => "elsewhere".to_owned(),
        });
        assert_eq!(found.as_deref(), expected, "{host}{path}");
    }

    #[test]
    fn the_longest_prefix_on_a_segment_border_wins() {
        check("app.example.com", "/", Some("app/"));
        check("app.example.com", "/api", Some("app/api"));
        check("app.example.com", "/apix", Some("app/"));
        check("app.example.com", "/api/v2", Some("app/api/v2/"));
        check("app.example.com", "/api/v2/x", Some("app/api/v2/"));
    }

    #[test]
    fn files_have_only_what_lies_below_their_prefix() {
        // Nginx passes `/static` on where `/static/` are files.
        check("app.example.com", "/api/x", Some("files /x"));
        check("app.example.com", "/api/v22", Some("files /v22"));
        check("app.example.com", "/api/v2/static", Some("app/api/v2/"));
        check("app.example.com", "/api/v2/static/", Some("files /"));
        check("app.example.com", "/api/v2/static/x", Some("files /x"));
    }

    #[test]
    fn hosts_are_exact_then_wildcard_then_any() {
        check("x.example.com", "/api", Some("wild/"));
        check("x.y.example.com", "/only", Some("any/only"));
        check("example.com", "/only/x", Some("any/only"));
        check("other", "/", None);
        check(".example.com", "/", None);
    }
}
