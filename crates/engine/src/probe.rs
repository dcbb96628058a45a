//! One check of one replica, made from outside of it.
//!
//! HTTP checks follow Kubernetes: a GET, redirects are not followed, the status decides. The failure texts are what
//! people read when a release is reverted: what was asked, what was expected, what was seen.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wharf_base::ids::Name;
use wharf_plan::model::{Check, Probe};
use wharf_process::User;

/// Where and as whom checks of a replica are made.
#[derive(Clone, Default)]
pub(crate) struct Target {
    pub(crate) ports: BTreeMap<Name, u16>,
    pub(crate) cwd: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) user: Option<User>,
}

/// Makes the check once.
///
/// # Errors
/// What was asked, expected and seen, as a lowercase fragment.
pub(crate) async fn check(probe: &Probe, target: &Target) -> Result<(), String> {
    let made = async {
        match &probe.check {
            Check::Http { path, port, host, headers, status } => {
                http(target.address(port)?, path, host.as_deref(), headers, *status).await
            }
            Check::Tcp { port } => {
                let address = target.address(port)?;
                let connected = TcpStream::connect(address).await;
                connected.map(drop).map_err(|error| format!("connecting to port {} failed: {error}", address.port()))
            }
            Check::Exec { command } => exec(&command.argv(), target).await,
        }
    };
    match tokio::time::timeout(probe.timeout, made).await {
        Ok(result) => result,
        Err(_) => {
            let limit = wharf_base::duration::format(probe.timeout);
            Err(format!("{} gave no answer within {limit}", describe(&probe.check)))
        }
    }
}

/// What the check asks, for messages: `GET /health`.
pub(crate) fn describe(check: &Check) -> String {
    match check {
        Check::Http { path, .. } => format!("GET {path}"),
        Check::Tcp { port } => format!("connecting to port `{port}`"),
        Check::Exec { command } => format!("`{command}`"),
    }
}

impl Target {
    fn address(&self, port: &Name) -> Result<SocketAddr, String> {
        let number = self.ports.get(port).ok_or_else(|| format!("there is no port `{port}`"))?;
        Ok((Ipv4Addr::LOCALHOST, *number).into())
    }
}

async fn http(
    address: SocketAddr,
    path: &str,
    host: Option<&str>,
    headers: &BTreeMap<String, String>,
    (lowest, highest): (u16, u16),
) -> Result<(), String> {
    let fail = |what: &dyn std::fmt::Display| format!("GET {path} on port {} failed: {what}", address.port());
    let stream = TcpStream::connect(address).await.map_err(|error| fail(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| fail(&error))?;
    let connection = tokio::spawn(connection);
    let default_host = address.to_string();
    let mut request = http::Request::get(path)
        .header(http::header::HOST, host.unwrap_or(&default_host))
        .header(http::header::USER_AGENT, "wharf-probe")
        .header(http::header::CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| fail(&error))?;
    let response = sender.send_request(request).await.map_err(|error| fail(&error));
    connection.abort();
    let status = response?.status().as_u16();
    if (lowest..=highest).contains(&status) {
        Ok(())
    } else {
        Err(format!("GET {path} expected a status of {lowest}-{highest}, saw {status}"))
    }
}

async fn exec(argv: &[String], target: &Target) -> Result<(), String> {
    let (program, arguments) = argv.split_first().ok_or("the command is empty")?;
    let shown = argv.last().map_or("", String::as_str);
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).current_dir(&target.cwd).env_clear().envs(&target.env);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::piped()).kill_on_drop(true);
    if let Some(user) = target.user {
        command.uid(user.uid).gid(user.gid);
    }
    let output = command.output().await.map_err(|error| format!("`{shown}` could not be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let last = errors.lines().last().unwrap_or_default();
    Err(format!("`{shown}` expected exit code 0, saw {}: {last}", output.status).trim_end_matches([':', ' ']).to_owned())
}

/// Waits between two checks while a replica starts: short at first, so that a fast service is ready at once, then the
/// probe's own period.
pub(crate) fn starting_pause(checks: u32, period: Duration) -> Duration {
    // 5 ms, doubled: a service that listens within 30 ms is found within 40.
    Duration::from_millis(5 << checks.min(8)).min(period)
}
