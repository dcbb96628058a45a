//! From releases and replicas to the ingress's configuration.
//!
//! The routes are those of the release that serves; the endpoints are the replicas that are ready, whatever release
//! they are of. Both change in one configuration, so no request meets a half. What a service serves as files, the ingress
//! answers from the folders of its releases.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use wharf_base::ids::{Name, ReleaseId, ReplicaId};
use wharf_ingress::config::{
    Action, Certificate, Config, Draining, Endpoint, Folder, Headers, HealthCheck, Limits,
    Listener, Revision, Route, Upstream,
};
use wharf_plan::images::is_static;
use wharf_plan::model::{Check, Plan, RouteAction, Service, Source, Tls};
use wharf_plan::template::{Reference, Template};

use crate::api::{ApiError, EventKind};
use crate::engine::Engine;
use crate::environment::changing_folder;
use crate::ports::bind;
use crate::release::Release;
use crate::saved::SavedRole;
use crate::state_dir::StateDir;

/// The listener of the routes.
pub(crate) const HTTP: &str = "http";
/// The listener of the routes over TLS.
pub(crate) const HTTPS: &str = "https";

/// The default addresses; where a port is taken, the next one that is free.
const DEFAULT_HTTP: u16 = 8_080;
const DEFAULT_HTTPS: u16 = 8_443;

/// Where the tools that build front ends put the files with a hash in their names, and the prefix that pages name them by:
/// Vite, Create React App.
const HASHED: [(&str, &str); 2] = [("/assets/", "dist/assets"), ("/static/", "build/static")];

/// The ingress looks at the replicas itself, should no engine do so: slowly, since usually one does.
const HEALTH_PERIOD: Duration = Duration::from_secs(5);

impl Engine {
    /// The internal ports of services that others refer to, by service.
    pub(crate) fn internal_ports(&self) -> BTreeMap<Name, u16> {
        let internal = self.saved.listeners.iter();
        internal
            .filter_map(|(name, address)| {
                Some((name.strip_prefix("svc-")?.parse().ok()?, address.port()))
            })
            .collect()
    }

    /// Binds what the plan listens on and is not bound yet.
    pub(crate) fn request_listeners(
        &mut self,
        plan: &Plan,
        http: Option<SocketAddr>,
        https: Option<SocketAddr>,
    ) -> Result<(), ApiError> {
        let saved = |name: &str| self.saved.listeners.get(name).copied();
        let mut wanted: Vec<(String, Option<SocketAddr>, u16)> =
            vec![(HTTP.to_owned(), http.or(saved(HTTP)), DEFAULT_HTTP)];
        if plan.routes.iter().any(|route| route.tls == Tls::Auto) {
            wanted.push((HTTPS.to_owned(), https.or(saved(HTTPS)), DEFAULT_HTTPS));
        }
        for service in referred_services(plan) {
            let name = format!("svc-{service}");
            wanted.push((name.clone(), saved(&name), 0));
        }
        let mut changed = false;
        for (name, address, default) in wanted {
            let bound = self.ingress.listeners().get(&name).copied();
            if bound.is_some() && (address.is_none() || address == bound) {
                continue;
            }
            let explicit = (name == HTTP && http.is_some()) || (name == HTTPS && https.is_some());
            let shown = address
                .map(|address| format!(" on {address}"))
                .unwrap_or_default();
            let listener = bind(address, explicit, default).map_err(|error| ApiError {
                message: format!("the ingress cannot listen for `{name}`{shown}: {error}"),
                hint: Some("free the address or choose another with --http or --https".to_owned()),
            })?;
            let local = listener
                .local_addr()
                .map_err(|error| crate::engine::api_error(&error))?;
            if let Some(wanted) = address.filter(|wanted| *wanted != local && default != 0) {
                let message = format!("{wanted} is taken, so the ingress listens on {local}");
                self.tell(None, EventKind::Notice { message });
            }
            self.saved.listeners.insert(name.clone(), local);
            self.ingress.add_listener(name, listener);
            changed = true;
        }
        if changed {
            self.effect(|engine| engine.ingress.use_listeners());
        }
        Ok(())
    }

    /// Makes the configuration and, if it is another than before, has the ingress take it over.
    pub(crate) fn publish_routes(&mut self) {
        let Some(release) = self.serving().or_else(|| self.target()) else {
            return;
        };
        if self.ingress.listeners().is_empty() {
            return;
        }
        let plan = release.plan.clone();
        let mut config = Config {
            generation: self.saved.generation,
            project: plan.name.to_string(),
            listeners: self.listeners(),
            routes: self.routes(&plan),
            upstreams: self.upstreams(),
            certificates: vec![],
            traces: plan.telemetry.traces,
        };
        if config.listeners.contains_key(HTTPS) {
            config.certificates = self.certificates(&plan);
        }
        if self
            .ingress
            .wanted()
            .is_some_and(|wanted| *wanted == config)
        {
            return;
        }
        self.saved.generation += 1;
        config.generation = self.saved.generation;
        self.ingress.set_wanted(config);
        self.effect(|engine| engine.ingress.send_wanted());
    }

    fn listeners(&self) -> BTreeMap<String, Listener> {
        let kind = |name: &str| match name {
            HTTP => Listener::Http,
            HTTPS => Listener::Https,
            internal => Listener::Upstream(internal.trim_start_matches("svc-").to_owned()),
        };
        self.ingress
            .listeners()
            .keys()
            .map(|name| (name.clone(), kind(name)))
            .collect()
    }

    fn routes(&self, plan: &Plan) -> Vec<Route> {
        let route = |(index, route): (usize, &wharf_plan::model::Route)| Route {
            name: route.host.clone().unwrap_or_else(|| "default".to_owned()),
            // The first route answers on the plain address too: locally nobody has its host in the DNS.
            hosts: match &route.host {
                Some(host) if index > 0 => vec![host.clone(), format!("{host}.localhost")],
                _ => vec![],
            },
            // Opt-in on this machine: nobody has the local authority in their browser at first.
            https_redirect: None,
            paths: self.paths(plan, route),
            limits: Limits {
                rate_per_second: route.limits.rate.map(wharf_base::units::Rate::per_second),
                burst: route.limits.burst,
                body_bytes: route.limits.body.map(|bytes| bytes.0),
                request_timeout: route.limits.request_timeout,
                idle_timeout: route.limits.idle_timeout,
                connections: route.limits.connections,
            },
            headers: Headers {
                security: route.headers.security,
                request: route.headers.request.clone(),
                response: route.headers.response.clone(),
                trusted_proxies: route.headers.trusted_proxies.clone(),
            },
        };
        plan.routes.iter().enumerate().map(route).collect()
    }

    fn paths(&self, plan: &Plan, route: &wharf_plan::model::Route) -> BTreeMap<String, Action> {
        let actions = route.paths.iter();
        let mut paths: BTreeMap<_, _> = actions
            .map(|(path, action)| (path.clone(), route_action(plan, action)))
            .collect();
        for (prefix, name) in static_prefixes(plan, route) {
            let folders = self.static_folders(name, prefix);
            let named = plan.services.get(name);
            let named = named.is_some_and(|service| service.static_files.contains_key(prefix));
            if folders.is_empty() && !named {
                continue;
            }
            let files = Action::Files {
                service: name.to_string(),
                folders,
            };
            let path = prefix.trim_end_matches('/');
            let path = if path.is_empty() { "/" } else { path };
            paths.insert(path.to_owned(), files);
        }
        paths
    }

    /// Where the files of a prefix lie: in what is to serve, in what serves, and, the newest first, in what still runs, so
    /// that pages of every release that somebody may have open find their files.
    fn static_folders(&self, name: &Name, prefix: &str) -> Vec<Folder> {
        let running = self.saved.replicas.values();
        let running = running.filter(|replica| {
            replica.service == *name && !matches!(replica.role, SavedRole::Stopping)
        });
        let running: BTreeSet<ReleaseId> = running.map(|replica| replica.release).collect();
        let running = running.iter().rev().filter_map(|id| self.releases.get(id));
        let releases = [self.target(), self.serving()];
        let mut folders = vec![];
        for release in releases.into_iter().flatten().chain(running) {
            let folder = static_folder(&self.state, release, name, prefix);
            folders.extend(folder.filter(|folder| !folders.contains(folder)));
        }
        folders
    }

    fn upstreams(&self) -> BTreeMap<String, Upstream> {
        let mut upstreams = BTreeMap::new();
        for release in [self.serving(), self.target()].into_iter().flatten() {
            for (name, service) in &release.plan.services {
                for port in service.ports.keys() {
                    let primary = service.primary_port.as_ref() == Some(port);
                    let key = upstream_name(name, port, primary);
                    upstreams
                        .entry(key)
                        .or_insert_with(|| self.upstream(name, port, primary));
                }
            }
        }
        upstreams
    }

    fn upstream(&self, service: &Name, port: &Name, primary: bool) -> Upstream {
        let mut revisions: BTreeMap<ReleaseId, Vec<Endpoint>> = BTreeMap::new();
        let mut draining = vec![];
        for (id, replica) in self
            .saved
            .replicas
            .iter()
            .filter(|(_, replica)| replica.service == *service)
        {
            let Some(number) = replica.ports.get(port) else {
                continue;
            };
            match replica.role {
                SavedRole::Serving if self.is_ready(id) => {
                    let address = (Ipv4Addr::LOCALHOST, *number).into();
                    let endpoint = Endpoint {
                        id: id.to_string(),
                        address,
                    };
                    revisions.entry(replica.release).or_default().push(endpoint);
                }
                SavedRole::Leaving { deadline, .. } => {
                    draining.push(Draining {
                        id: id.to_string(),
                        deadline_millis: deadline.0,
                    });
                }
                _ => {}
            }
        }
        let revision = |(release, endpoints): (ReleaseId, Vec<Endpoint>)| Revision {
            release: release.to_string(),
            weight: u32::try_from(endpoints.len()).unwrap_or(u32::MAX),
            endpoints,
        };
        Upstream {
            service: service.to_string(),
            revisions: revisions.into_iter().map(revision).collect(),
            draining,
            health: if primary { self.health(service) } else { None },
        }
    }

    /// The check of every replica that serves. While they are of releases that differ in it there is none: the new release's
    /// would take the old replicas away, and a release that fails would leave nobody to answer.
    fn health(&self, service: &Name) -> Option<HealthCheck> {
        let serving = self.saved.replicas.iter().filter(|(id, replica)| {
            replica.service == *service
                && matches!(replica.role, SavedRole::Serving)
                && self.is_ready(id)
        });
        let releases: BTreeSet<ReleaseId> = serving.map(|(_, replica)| replica.release).collect();
        let mut checks = releases.iter().map(|id| {
            let service = self.releases.get(id)?.plan.services.get(service)?;
            service.probes.readiness.as_ref().and_then(health_check)
        });
        let first = checks.next()??;
        checks
            .all(|other| other.as_ref() == Some(&first))
            .then_some(first)
    }

    fn is_ready(&self, id: &ReplicaId) -> bool {
        self.live
            .get(id)
            .is_some_and(|live| live.ready_since().is_some())
    }

    /// Certificates of the local authority for every host that is served.
    fn certificates(&mut self, plan: &Plan) -> Vec<Certificate> {
        let mut names = vec![
            "localhost".to_owned(),
            format!("{}.localhost", plan.name),
            "127.0.0.1".to_owned(),
        ];
        names.extend(plan.routes.iter().filter_map(|route| route.host.clone()));
        let now = self.now();
        match self.ingress.certificate(&self.state.tls(), &names, now) {
            Ok(certificate) => vec![certificate],
            Err(message) => {
                self.tell(None, EventKind::Notice { message });
                vec![]
            }
        }
    }

    /// The addresses under which people reach the project, the plain one first.
    pub(crate) fn urls(&self) -> Vec<String> {
        let mut urls = vec![];
        let listeners = self.ingress.listeners();
        if let Some(http) = listeners.get(HTTP) {
            urls.push(format!("http://{http}"));
            if let Some(project) = &self.saved.project {
                urls.push(format!("http://{project}.localhost:{}", http.port()));
            }
        }
        if let Some(https) = listeners.get(HTTPS) {
            urls.push(format!("https://{https}"));
        }
        urls
    }
}

fn upstream_name(service: &Name, port: &Name, primary: bool) -> String {
    if primary {
        service.to_string()
    } else {
        format!("{service}:{port}")
    }
}

/// The prefixes of a route that its services answer with files, each with its service: those below a path that leads to the
/// service, where no other path of the route is more specific.
fn static_prefixes<'a>(
    plan: &'a Plan,
    route: &'a wharf_plan::model::Route,
) -> Vec<(&'a str, &'a Name)> {
    let below = |prefix: &str, path: &str| {
        let (prefix, path) = (prefix.trim_end_matches('/'), path.trim_end_matches('/'));
        let rest = prefix.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let mut found = vec![];
    for (path, action) in &route.paths {
        let RouteAction::Service { service: name, .. } = action else {
            continue;
        };
        let files = plan.services.get(name).into_iter();
        for (prefix, _) in files.flat_map(files_of) {
            let others = route.paths.keys();
            let longest = others
                .filter(|other| below(prefix, other))
                .max_by_key(|other| other.len());
            if longest == Some(path) {
                found.push((prefix, name));
            }
        }
    }
    found
}

/// The prefixes of a service that are answered with files, and their folders: those that it names, and the hashed files of a
/// front end. Its pages ask for those of their own release, whichever release answers next.
fn files_of(service: &Service) -> BTreeMap<&str, &str> {
    let hashed = HASHED.iter().filter(|_| is_static(service)).copied();
    let named = service.static_files.iter();
    hashed
        .chain(named.map(|(prefix, folder)| (prefix.as_str(), folder.as_str())))
        .collect()
}

/// Where the files of a service's prefix lie in one release; none: it has no such prefix, or is not built.
fn static_folder(state: &StateDir, release: &Release, name: &Name, prefix: &str) -> Option<Folder> {
    let (service, revision) = release.service(name)?;
    let folder = *files_of(service).get(prefix)?;
    let changing = changing_folder(state, &release.base_dir, name, service, folder);
    if let Some(path) = changing {
        return Some(Folder {
            path,
            packed: false,
        });
    }
    let artifact = revision.artifact.as_ref();
    let base = match (&service.source, artifact) {
        (Source::Command, _) => &release.base_dir,
        (_, artifact) => &artifact?.dir,
    };
    let path = base.join(folder);
    // Only one of the tools has built a front end.
    if !service.static_files.contains_key(prefix) && !path.is_dir() {
        return None;
    }
    Some(Folder {
        path,
        packed: artifact.is_some(),
    })
}

fn route_action(plan: &Plan, action: &RouteAction) -> Action {
    match action {
        RouteAction::Service {
            service,
            port,
            strip_prefix,
            sticky,
        } => {
            let primary = plan
                .services
                .get(service)
                .and_then(|s| s.primary_port.as_ref())
                == Some(port);
            Action::Forward {
                upstream: upstream_name(service, port, primary),
                strip_prefix: *strip_prefix,
                sticky: *sticky,
            }
        }
        RouteAction::Redirect { to, status } => Action::Redirect {
            to: to.clone(),
            status: *status,
        },
    }
}

fn health_check(probe: &wharf_plan::model::Probe) -> Option<HealthCheck> {
    match &probe.check {
        Check::Http {
            path,
            headers,
            host: None,
            status: (200, 399),
            ..
        } if headers.is_empty() => Some(HealthCheck {
            path: path.clone(),
            period: probe.period.max(HEALTH_PERIOD),
            timeout: probe.timeout,
            failure_threshold: probe.failure_threshold,
        }),
        _ => None,
    }
}

/// Services that another service refers to by `${name.url}` and the like.
fn referred_services(plan: &Plan) -> Vec<Name> {
    let templates = plan
        .services
        .values()
        .flat_map(|service| service.environment.values());
    let mut referred: Vec<Name> = templates
        .flat_map(Template::references)
        .filter_map(|reference| match reference {
            Reference::Field { of, .. } if plan.services.contains_key(of) => Some(of.clone()),
            _ => None,
        })
        .collect();
    referred.sort();
    referred.dedup();
    referred
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(paths: &str, expected: &[(&str, &str)]) {
        let text = format!(
            "name: a\nservices:\n  web: {{ build: ., port: 1, static_files: {{ /static/: s, /app/media/: m }} }}\n  api: {{ build: ., port: 2 }}\nroutes: [{{ paths: {paths} }}]\n"
        );
        let (plan, diagnostics) = wharf_plan::resolve(text.as_bytes(), None);
        let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let found = static_prefixes(&plan, &plan.routes[0]);
        let found: Vec<_> = found
            .iter()
            .map(|(prefix, name)| (*prefix, name.as_str()))
            .collect();
        assert_eq!(found, expected, "{paths}");
    }

    #[test]
    fn the_hashed_files_of_a_front_end_are_found_without_being_named() {
        let text = "name: a\nservices:\n  web: { build: { context: ., language: node, framework: react }, port: 1, static_files: { /assets/: other } }\n";
        let (plan, diagnostics) = wharf_plan::resolve(text.as_bytes(), None);
        let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let files: Vec<_> = plan.services.values().flat_map(files_of).collect();
        assert_eq!(files, [("/assets/", "other"), ("/static/", "build/static")]);
    }

    #[test]
    fn the_most_specific_path_decides_who_serves_files() {
        let both = [("/app/media/", "web"), ("/static/", "web")];
        check("{ /: web }", &both);
        check("{ /: web, /api: api }", &both);
        check("{ /: web, /static: web }", &both);
        check("{ /: web, /static: api }", &both[..1]);
        check("{ /: web, /app: api, /static/x: api }", &both[1..]);
        check("{ /app: web, /stat: web }", &both[..1]);
        check("{ /: api }", &[]);
    }
}
