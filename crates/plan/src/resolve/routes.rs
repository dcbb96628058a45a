//! `routes`.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_base::units::{Bytes, Rate};
use wharf_spec::diagnostic::{Code, Diagnostic, excerpt};
use wharf_spec::model as spec;
use wharf_spec::span::{Span, Spanned};

use super::Resolver;
use super::services::suggested;
use crate::model::{Route, RouteAction, RouteHeaders, RouteLimits, Tls};

/// Enough for a form with pictures; more should be asked for.
const BODY: Bytes = Bytes(10 << 20);
/// As nginx's `proxy_read_timeout`.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// WebSocket libraries send a ping at least every few minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);
/// Keeps method and body, and may be remembered.
const REDIRECT_STATUS: u16 = 308;
/// The services that are most likely what a browser should see.
const FRONTS: [&str; 2] = ["web", "frontend"];

impl Resolver<'_> {
    pub(super) fn routes(&mut self) -> Vec<Route> {
        let spec = self.spec;
        if spec.routes.is_absent() {
            return self.default_route().into_iter().collect();
        }
        let list = spec
            .routes
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let mut seen = BTreeMap::new();
        list.iter()
            .map(|route| self.route(&route.value, &mut seen))
            .collect()
    }

    /// Without routes the first service with a port is served, or the one whose name says that it is the front.
    fn default_route(&mut self) -> Option<Route> {
        let table = self.spec.services.value()?;
        let with_port = |name: &&Name| {
            self.ports
                .get(*name)
                .is_some_and(|ports| ports.primary.is_some())
        };
        let mut names = table
            .entries
            .iter()
            .map(|entry| &entry.key.value)
            .filter(with_port);
        let service = FRONTS
            .iter()
            .find_map(|front| names.clone().find(|name| name.as_str() == *front))
            .or_else(|| names.next())?;
        let action = RouteAction::Service {
            service: service.clone(),
            port: self.ports.get(service)?.primary.clone()?,
            strip_prefix: false,
            sticky: false,
        };
        Some(Route {
            host: None,
            tls: Tls::Off,
            paths: BTreeMap::from([("/".to_owned(), action)]),
            limits: limits(&spec::Limits::default()),
            headers: self.route_headers(&spec::Headers::default()),
        })
    }

    fn route(
        &mut self,
        typed: &spec::Route,
        seen: &mut BTreeMap<(Option<String>, String), Span>,
    ) -> Route {
        let host = typed.host.value().map(|host| host.0.clone());
        let mut paths = BTreeMap::new();
        let entries = typed
            .paths
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        if let (Some(paths), true) = (typed.paths.get(), entries.is_empty())
            && typed
                .paths
                .value()
                .is_some_and(|table| table.refused.is_empty())
        {
            let message = "the route has no path";
            self.report(
                Diagnostic::error(Code::MISSING_KEY, paths.span.clone(), message)
                    .help("for example `/: web`"),
            );
        }
        for entry in entries {
            let key = &entry.key;
            let trimmed = key.value.0.trim_end_matches('/');
            let path = if trimmed.is_empty() { "/" } else { trimmed }.to_owned();
            // A host that could not be read might be any.
            let known = typed.host.is_absent() || host.is_some();
            let place = (host.clone(), path.clone());
            if let Some(first) = known.then(|| seen.get(&place).cloned()).flatten() {
                let of = host.as_deref().unwrap_or("any host");
                let message = format!("the path `{}` of {of} is routed twice", excerpt(&path));
                self.report(
                    Diagnostic::error(Code::DUPLICATE_ROUTE, key.span.clone(), message)
                        .label("the second one")
                        .related(first, "the first one"),
                );
            } else if known {
                seen.insert(place, key.span.clone());
            }
            let action = entry.value.as_ref().and_then(|target| self.action(target));
            paths.extend(action.map(|action| (path, action)));
        }
        self.check_limits(typed.limits.value());
        let tls = match typed.tls.value() {
            Some(spec::Tls::Auto) => Tls::Auto,
            Some(spec::Tls::Off) => Tls::Off,
            None if host.is_some() => Tls::Auto,
            None => Tls::Off,
        };
        let none = spec::Limits::default();
        let no_headers = spec::Headers::default();
        Route {
            host,
            tls,
            paths,
            limits: limits(typed.limits.value().unwrap_or(&none)),
            headers: self.route_headers(typed.headers.value().unwrap_or(&no_headers)),
        }
    }

    fn action(&mut self, target: &Spanned<spec::RouteTarget>) -> Option<RouteAction> {
        let typed = &target.value;
        if let (Some(service), Some(redirect)) =
            (typed.service.key_span(), typed.redirect.key_span())
        {
            let message = "a path leads to a `service` or is a `redirect`, not both";
            self.report(
                Diagnostic::error(Code::EXCLUSIVE, redirect.clone(), message)
                    .related(service.clone(), "the other one"),
            );
            return None;
        }
        if !typed.redirect.is_absent() {
            let of_services = [
                ("port", typed.port.key_span()),
                ("strip_prefix", typed.strip_prefix.key_span()),
                ("sticky", typed.sticky.key_span()),
            ];
            self.not_with(&of_services, "a redirect");
            return self.redirect(typed);
        }
        if typed.service.is_absent() {
            let message = "the path leads nowhere";
            self.report(
                Diagnostic::error(Code::MISSING_KEY, target.span.clone(), message)
                    .help("give it a `service` or a `redirect`"),
            );
            return None;
        }
        self.not_with(&[("status", typed.status.key_span())], "a service");
        let service = typed.service.get()?;
        if !self.has_service(service.value.as_str()) {
            let (code, message) = if self.has_store(service.value.as_str()) {
                (
                    Code::NOT_HERE,
                    format!(
                        "`{}` is a store; the ingress serves services",
                        service.value
                    ),
                )
            } else {
                (
                    Code::UNKNOWN_NAME,
                    format!("there is no service `{}`", service.value),
                )
            };
            let names = self.service_names();
            let diagnostic = Diagnostic::error(code, service.span.clone(), message);
            self.report(suggested(
                diagnostic,
                service.value.as_str(),
                names.into_iter(),
            ));
            return None;
        }
        let ports = self.ports.get(&service.value)?.clone();
        let port = ports.find(&service.value, &typed.port, &service.span, self.findings)?;
        Some(RouteAction::Service {
            service: service.value.clone(),
            port,
            strip_prefix: typed.strip_prefix.value().copied().unwrap_or(false),
            sticky: typed.sticky.value().copied().unwrap_or(false),
        })
    }

    fn redirect(&mut self, typed: &spec::RouteTarget) -> Option<RouteAction> {
        let to = typed.redirect.get()?;
        let absolute = to.value.starts_with("https://") || to.value.starts_with("http://");
        let path = to.value.starts_with('/') && !to.value.starts_with("//");
        let printable = to.value.bytes().all(|b| b.is_ascii_graphic());
        if !(absolute || path) || !printable || to.value.len() > 2048 {
            let message = format!(
                "expected a path or a URL with http:// or https://, found `{}`",
                excerpt(&to.value)
            );
            self.report(Diagnostic::error(Code::BAD_VALUE, to.span.clone(), message));
            return None;
        }
        let mut status = REDIRECT_STATUS;
        if let Some(typed) = typed.status.get() {
            match typed.value.0 {
                301 => status = 301,
                302 => status = 302,
                307 => status = 307,
                308 => {}
                other => {
                    let message =
                        format!("a redirect has the status 301, 302, 307 or 308, not {other}");
                    self.report(Diagnostic::error(
                        Code::BAD_VALUE,
                        typed.span.clone(),
                        message,
                    ));
                }
            }
        }
        Some(RouteAction::Redirect {
            to: to.value.clone(),
            status,
        })
    }

    fn not_with(&mut self, keys: &[(&str, Option<&Span>)], what: &str) {
        for (key, span) in keys {
            if let Some(span) = span {
                let message = format!("`{key}` has no meaning for {what}");
                self.report(Diagnostic::error(Code::NOT_HERE, (*span).clone(), message));
            }
        }
    }

    fn check_limits(&mut self, limits: Option<&spec::Limits>) {
        let Some(limits) = limits else { return };
        if let (Some(burst), true) = (limits.burst.key_span(), limits.rate.is_absent()) {
            let message = "`burst` has no effect without a `rate`";
            self.report(
                Diagnostic::error(Code::NOT_HERE, burst.clone(), message)
                    .help("add one, such as `rate: 100/s`"),
            );
        }
        for timeout in [limits.request_timeout.get(), limits.idle_timeout.get()]
            .into_iter()
            .flatten()
        {
            if timeout.value.is_zero() {
                let message = "expected a duration above zero";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    timeout.span.clone(),
                    message,
                ));
            }
        }
    }

    fn route_headers(&mut self, typed: &spec::Headers) -> RouteHeaders {
        let proxies = typed
            .trusted_proxies
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        RouteHeaders {
            security: typed.security.value().copied().unwrap_or(true),
            request: self.headers(&typed.request),
            response: self.headers(&typed.response),
            trusted_proxies: proxies.iter().map(|proxy| proxy.value.0).collect(),
        }
    }
}

fn limits(typed: &spec::Limits) -> RouteLimits {
    let rate = typed.rate.value().copied();
    RouteLimits {
        rate,
        burst: typed
            .burst
            .value()
            .map_or_else(|| rate.map_or(0, a_seconds_worth), |burst| burst.0),
        body: typed.body.value().map_or(Some(BODY), |body| body.0),
        request_timeout: typed
            .request_timeout
            .value()
            .copied()
            .unwrap_or(REQUEST_TIMEOUT),
        idle_timeout: typed.idle_timeout.value().copied().unwrap_or(IDLE_TIMEOUT),
        connections: typed.connections.value().map(|connections| connections.0),
    }
}

/// A browser asks for many things at once: without any burst a second's worth of requests would be refused.
fn a_seconds_worth(rate: Rate) -> u32 {
    use wharf_base::units::RatePeriod;
    let seconds = match rate.per {
        RatePeriod::Second => 1,
        RatePeriod::Minute => 60,
        RatePeriod::Hour => 3600,
    };
    rate.count.get().div_ceil(seconds)
}
