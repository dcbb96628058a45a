//! What the engine tells the ingress: the whole configuration at once, as JSON, each with a generation.
//!
//! The ingress keeps the last one in a file, so that a new ingress serves at once, also while no engine runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use wharf_base::units::Percent;

/// Everything that the ingress serves. Swapped in as one; requests under way keep the one they began with.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Config {
    /// Counts up with each change; an older one is refused (409).
    pub generation: u64,
    /// The project's name, a label of every metric's `project`.
    pub project: String,
    /// What each listener serves, by the listener's name; a listener without an entry answers 404.
    pub listeners: BTreeMap<String, Listener>,
    /// What requests of an edge listener match against: by host, then by the longest path prefix.
    pub routes: Vec<Route>,
    /// Where requests go, by name (`web` or, for a further port, `web:admin`).
    pub upstreams: BTreeMap<String, Upstream>,
    /// PEM files of the certificates for TLS listeners; chosen by SNI.
    pub certificates: Vec<Certificate>,
    /// Which part of the traces that begin here is sampled; where a caller began one, it has decided.
    #[serde(default)]
    pub traces: Percent,
}

/// What a listener serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listener {
    /// The routes, over plain HTTP/1.1 and HTTP/2 with prior knowledge (h2c).
    Http,
    /// The routes, over TLS with ALPN `h2` and `http/1.1`.
    Https,
    /// One upstream, whatever the host and path: the stable internal address of a service.
    Upstream(String),
}

/// A certificate chain and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The names it is for: `app.localhost`, `*.app.localhost`.
    pub names: Vec<String>,
    /// The chain, leaf first.
    pub chain: std::path::PathBuf,
    /// The private key (PKCS #8), mode 0600.
    pub key: std::path::PathBuf,
}

/// What happens to the requests of some hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// A stable name, a label of metrics and log lines.
    pub name: String,
    /// `app.example.com` or `*.example.com`, lower case, without a port; empty: every host that no other route names.
    pub hosts: Vec<String>,
    /// Plain HTTP is redirected to HTTPS on this port (308), if any.
    pub https_redirect: Option<u16>,
    /// By path prefix, on segment borders: `/api` matches `/api` and `/api/x`, not `/apix`. The longest wins.
    pub paths: BTreeMap<String, Action>,
    /// What a client may ask for.
    pub limits: Limits,
    /// Headers set or removed.
    pub headers: Headers,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// To an upstream.
    Forward {
        /// Its name in [`Config::upstreams`].
        upstream: String,
        /// Whether the matched prefix is cut from the path first.
        strip_prefix: bool,
        /// Whether a cookie leads a client back to the replica that answered it first.
        #[serde(default)]
        sticky: bool,
    },
    /// Back to the client, with another address.
    Redirect {
        /// An absolute URL or a path; the rest of the path and the query are not added.
        to: String,
        /// 301, 302, 307 or 308.
        status: u16,
    },
    /// Answered with files of this machine.
    Files {
        /// The service whose files they are, a label of metrics and log lines.
        service: String,
        /// Where a file is looked for, one after the other; a folder may be missing.
        folders: Vec<Folder>,
    },
}

/// A folder of files that are served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// Absolute. No link in it leads a request out of it.
    pub path: std::path::PathBuf,
    /// Whether `app.js.br` and `app.js.gz` in it are `app.js`, packed: so in what was built, not among what users upload.
    pub packed: bool,
}

/// What a client may ask of a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests a second of one client address (a token bucket); above, 429 with `Retry-After`.
    pub rate_per_second: Option<f64>,
    /// How many requests above the rate are let through at once.
    pub burst: u32,
    /// The largest request body; above, 413.
    pub body_bytes: Option<u64>,
    /// Until the response's head has to be there; after, 504.
    #[serde(with = "wharf_base::duration")]
    pub request_timeout: Duration,
    /// How long a body, a stream or a WebSocket may be silent.
    #[serde(with = "wharf_base::duration")]
    pub idle_timeout: Duration,
    /// Requests of the route under way at once; above, 503 with `Retry-After`.
    pub connections: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rate_per_second: None,
            burst: 0,
            body_bytes: None,
            request_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(300),
            connections: None,
        }
    }
}

/// Headers that the ingress changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Headers {
    /// Add the usual security headers where the service does not set them.
    pub security: bool,
    /// Set on the request to the service.
    pub request: BTreeMap<String, String>,
    /// Set on the response; an empty value removes the header.
    pub response: BTreeMap<String, String>,
    /// Addresses whose `X-Forwarded-*` and `Forwarded` are believed; all others' are replaced.
    pub trusted_proxies: Vec<IpNet>,
}

/// The replicas behind one port of one service.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Upstream {
    /// The service, a label of metrics and log lines.
    pub service: String,
    /// Who may get requests: first a revision by weight, then the endpoint of it with the fewest requests that wait for an answer.
    pub revisions: Vec<Revision>,
    /// Endpoints that finish what they have and get nothing new; they leave the list when the engine stops them.
    pub draining: Vec<Draining>,
    /// The ingress's own health check of every endpoint; none: only failures of real requests count.
    pub health: Option<HealthCheck>,
}

/// The endpoints of one release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The release, `r12`: a label of metrics and log lines.
    pub release: String,
    /// Its share of new requests, against the other revisions' weights; 0 gets none.
    pub weight: u32,
    /// Its endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// One replica's port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The replica's id, a label of log lines; unique.
    pub id: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// An endpoint that leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// The replica's id.
    pub id: String,
    /// When what is still under way is cut: WebSockets get a close frame (1001), streams end. Unix milliseconds.
    pub deadline_millis: u64,
}

/// The ingress's own health check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Asked by GET; 200-399 is healthy.
    pub path: String,
    /// From check to check.
    #[serde(with = "wharf_base::duration")]
    pub period: Duration,
    /// When a check without an answer has failed.
    #[serde(with = "wharf_base::duration")]
    pub timeout: Duration,
    /// Failures in a row until it gets no requests; one success brings it back.
    pub failure_threshold: u32,
}

/// What the ingress tells of itself (`GET /status`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// The process.
    pub pid: u32,
    /// The version of the binary.
    pub version: String,
    /// The generation that is served.
    pub generation: u64,
    /// The addresses of the listeners by name.
    pub listeners: BTreeMap<String, SocketAddr>,
    /// Client connections that are open.
    pub connections: u64,
    /// What each endpoint is doing, by replica id; draining ones included until they are removed.
    pub endpoints: BTreeMap<String, EndpointStatus>,
    /// Whether this ingress has handed over and only finishes what it has.
    pub draining: bool,
}

/// What one endpoint is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EndpointStatus {
    /// Requests, streams and WebSockets under way.
    pub in_flight: u64,
    /// Whether it may get requests.
    pub healthy: bool,
}
