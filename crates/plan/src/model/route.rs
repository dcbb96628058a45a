//! What the ingress does with requests: hosts, paths, limits, headers.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use wharf_base::ids::Name;
use wharf_base::units::{Bytes, Rate};

use super::Plan;

impl Plan {
    /// Whether a route leads clients of a service back to the same replica.
    #[must_use]
    pub fn is_sticky(&self, name: &Name) -> bool {
        let actions = self.routes.iter().flat_map(|route| route.paths.values());
        actions.into_iter().any(|action| {
            matches!(action, RouteAction::Service { service, sticky: true, .. } if service == name)
        })
    }
}

/// What the ingress does with the requests of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// `app.example.com`, `*.example.com`; none: every host that no other route names.
    pub host: Option<String>,
    /// How TLS is served.
    pub tls: Tls,
    /// What happens to each path, by prefix; the longest that matches wins.
    pub paths: BTreeMap<String, RouteAction>,
    /// What a client may ask for.
    pub limits: RouteLimits,
    /// Headers set or removed.
    pub headers: RouteHeaders,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteAction {
    /// To a replica of a service.
    Service {
        /// Which service.
        service: Name,
        /// Which of its ports.
        port: Name,
        /// Whether the matched prefix is cut from the path before it is forwarded.
        strip_prefix: bool,
        /// Whether a client comes back to the same replica for as long as that one serves.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        sticky: bool,
    },
    /// Back to the client, with another address.
    Redirect {
        /// An absolute URL or a path.
        to: String,
        /// 301, 302, 307 or 308.
        status: u16,
    },
}

/// Where a route's certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Plain HTTP.
    Off,
    /// A certificate is made: by the local authority here, by Let's Encrypt or the cloud in production.
    Auto,
}

/// What a client may ask of a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RouteLimits {
    /// Requests of one client address; none: not limited.
    pub rate: Option<Rate>,
    /// How many requests above the rate are let through at once.
    pub burst: u32,
    /// The largest request body; none: not limited.
    pub body: Option<Bytes>,
    /// Until the response's head has to be there.
    #[serde(with = "wharf_base::duration")]
    pub request_timeout: Duration,
    /// How long a body, a stream or a WebSocket may be silent.
    #[serde(with = "wharf_base::duration")]
    pub idle_timeout: Duration,
    /// Connections to the route at once; above, 503; none: not limited.
    pub connections: Option<u32>,
}

/// Headers that the ingress changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteHeaders {
    /// Whether the usual security headers are added where the service does not set them.
    pub security: bool,
    /// Set on the request to the service.
    pub request: BTreeMap<String, String>,
    /// Set on the response; an empty value removes the header.
    pub response: BTreeMap<String, String>,
    /// Addresses whose `X-Forwarded-For` and `Forwarded` are believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl RouteHeaders {
    /// Whether `address` may say whom it speaks for.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|net| net.contains(&address))
    }
}
