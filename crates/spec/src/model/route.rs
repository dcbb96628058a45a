//! `routes`.

use std::time::Duration;

use wharf_base::ids::Name;
use wharf_base::units::{Bytes, Rate};

use super::probe::PortReference;
use crate::decode::{
    Cidr, Count, HeaderName, HostPattern, List, Table, Unlimited, UrlPath, record, words,
};

record! {
    /// What the ingress does with the requests of one host.
    pub struct Route {
        /// The host: `app.example.com`, or `*.example.com` for every name one level below. Default: every host that no
        /// other route names.
        [also "domain" "hostname" "hosts"]
        [example "app.example.com"]
        host: HostPattern,
        /// Where requests go, by path prefix on segment borders; the longest wins. To a service, by its name; or a map.
        [required]
        [also "path" "to"]
        [example "{ /: web, /api: backend }"]
        paths: Table<UrlPath, RouteTarget>,
        /// TLS: `auto` makes a certificate (by the local authority here, by Let's Encrypt or the cloud in production).
        [default "auto with a `host`, else off"]
        [also "https" "ssl"]
        tls: Tls,
        /// What a client may ask for.
        limits: Limits,
        /// Headers set or removed.
        headers: Headers,
    }
    later { "auth", "cache", "cors", "rewrite", "waf", "mirror", "weights" }
    extensible true
}

words! {
    /// Where a route's certificate comes from.
    pub enum Tls: "a word for TLS" {
        /// A certificate is made.
        Auto = "auto",
        /// Plain HTTP.
        Off = "off",
    }
}

record! {
    /// Where the requests of one path go: to a `service`, or back to the client with a `redirect`.
    pub struct RouteTarget {
        /// A service.
        [also "to" "upstream" "backend"]
        service: Name,
        /// Its port, by name or number.
        [default "the primary port"]
        port: PortReference,
        /// Whether the matched prefix is cut from the path before it is forwarded.
        [default "false"]
        [also "strip"]
        strip_prefix: bool,
        /// Whether a client comes back to the same replica for as long as that one serves: a cookie, `wharf-SERVICE`, says
        /// which.
        [default "false"]
        [also "affinity" "session_affinity" "stickiness"]
        sticky: bool,
        /// The other address: a URL or a path.
        [example "/new"]
        redirect: String,
        /// With which status: 301, 302, 307 or 308.
        [default "308"]
        [also "code"]
        status: Count<100, 599>,
    }
    shorthand service
    later { "static", "weight", "weights", "rewrite" }
}

record! {
    /// What a client may ask of a route.
    pub struct Limits {
        /// Requests of one client address; above, 429.
        [default "not limited"]
        [also "rps"]
        [example "100/s"]
        rate: Rate,
        /// How many requests above the rate are let through at once.
        [default "what the rate allows in a second"]
        burst: Count<0, 1_000_000>,
        /// The largest request body; above, 413. `unlimited` lifts it.
        [default "10Mi"]
        [also "max_body" "body_size" "client_max_body_size"]
        body: Unlimited<Bytes>,
        /// Until the response's head has to be there; after, 504.
        [default "60s"]
        [also "timeout"]
        request_timeout: Duration,
        /// How long a body, a stream or a WebSocket may be silent.
        [default "5m"]
        idle_timeout: Duration,
        /// Requests of the route at once; above, 503.
        [default "not limited"]
        [also "max_connections"]
        connections: Count<1, 1_000_000>,
    }
}

record! {
    /// Headers that the ingress changes.
    pub struct Headers {
        /// Whether the usual security headers are added where the service does not set them.
        [default "true"]
        security: bool,
        /// Set on the request to the service.
        request: Table<HeaderName, String>,
        /// Set on the response; an empty text removes the header.
        response: Table<HeaderName, String>,
        /// Addresses whose `X-Forwarded-*` and `Forwarded` are believed; all others' are replaced.
        [example "[10.0.0.0/8]"]
        trusted_proxies: List<Cidr>,
    }
}
