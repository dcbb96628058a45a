//! `probes`.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_base::ids::Name;

use super::service::Command;
use crate::decode::{Count, FromText, HeaderName, Refusal, StatusRange, Table, UrlPath, record};

record! {
    /// Health checks. `http`, `tcp` or `exec` alone check readiness and liveness alike; the three probes of Kubernetes
    /// may be given one by one and win over it.
    pub struct Probes {
        /// An HTTP GET, for readiness and liveness: the path, or a map.
        [example "/health"]
        http: HttpCheck,
        /// A TCP connection, for readiness and liveness: the port.
        [example "6000"]
        tcp: TcpCheck,
        /// A command that has to exit with 0, for readiness and liveness.
        [example "[\"./healthy\"]"]
        exec: ExecCheck,
        /// Until it has passed once, the others do not run; when it fails for good the replica is restarted.
        [also "startupProbe"]
        startup: Probe,
        /// While it fails, the replica gets no traffic.
        [also "readinessProbe" "ready"]
        readiness: Probe,
        /// When it fails, the replica is restarted.
        [also "livenessProbe" "live"]
        liveness: Probe,
    }
    later { "grpc" }
}

record! {
    /// One probe: exactly one of `http`, `tcp` and `exec`, and how often.
    pub struct Probe {
        /// An HTTP GET: the path, or a map.
        [also "httpGet"]
        [example "/health"]
        http: HttpCheck,
        /// A TCP connection: the port.
        [also "tcpSocket"]
        [example "6000"]
        tcp: TcpCheck,
        /// A command that has to exit with 0.
        [example "[\"./healthy\"]"]
        exec: ExecCheck,
        /// How long after the start the first check is made.
        [default "0s"]
        [also "initialDelaySeconds" "start_period" "delay"]
        initial_delay: Duration,
        /// From check to check.
        [default "1s; 10s for liveness"]
        [also "periodSeconds" "interval"]
        period: Duration,
        /// When a check without an answer has failed.
        [default "1s"]
        [also "timeoutSeconds"]
        timeout: Duration,
        /// How many checks in a row have to pass. Always 1 for startup and liveness.
        [default "1"]
        [also "successThreshold"]
        success_threshold: Count<1, 1000>,
        /// How many checks in a row have to fail.
        [default "3; 60 for startup"]
        [also "failureThreshold" "retries"]
        failure_threshold: Count<1, 100_000>,
    }
    later { "grpc" }
}

record! {
    /// An HTTP GET.
    pub struct HttpCheck {
        /// Path and query.
        [required]
        [example "/health"]
        path: UrlPath,
        /// The port, by name or number.
        [default "the primary port"]
        port: PortReference,
        /// The `Host` header.
        [default "the address"]
        host: String,
        /// Further headers.
        headers: Table<HeaderName, String>,
        /// The status codes that pass, both ends included.
        [default "200..399"]
        status: StatusRange,
    }
    shorthand path
    later { "scheme", "body", "method" }
}

record! {
    /// A TCP connection.
    pub struct TcpCheck {
        /// The port, by name or number.
        [required]
        port: PortReference,
    }
    shorthand port
}

record! {
    /// A command in the replica's folder and environment.
    pub struct ExecCheck {
        /// The command.
        [required]
        command: Command,
    }
    shorthand command
}

/// A port of the service, by its name or its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortReference {
    /// By name.
    Name(Name),
    /// By number.
    Number(u16),
}

impl FromText for PortReference {
    fn wording() -> String {
        "a port of this service, by name or number".to_owned()
    }

    fn from_text(text: &str) -> Result<Self, Refusal> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        match text.parse::<u16>() {
            Ok(number) if number > 0 && digits => Ok(Self::Number(number)),
            _ if digits => Err(Refusal::unexpected()),
            _ => text
                .parse()
                .map(Self::Name)
                .map_err(|_| Refusal::unexpected()),
        }
    }

    fn text_schema() -> Value {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": 65535 },
            { "type": "string", "pattern": "^[a-z0-9-]+$" },
        ] })
    }
}
