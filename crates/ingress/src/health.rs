//! The ingress's own health checks: a GET of every endpoint from outside, as a client would see it.
//!
//! They run beside the control API, not in the workers, so that a slow replica delays no request.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::config::HealthCheck;
use crate::endpoint::EndpointState;
use crate::http1::response;
use crate::monotonic;
use crate::shared::Shared;

/// How often it is looked which checks are due, and whether the configuration has changed.
const TURN: Duration = Duration::from_millis(100);

/// Runs the checks of the configuration that is served, for ever.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut due: HashMap<Arc<str>, u64> = HashMap::new();
    let mut turns = tokio::time::interval(TURN);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        let (_, table) = shared.table();
        if table.health.is_empty() && due.is_empty() {
            continue;
        }
        let known: HashSet<&Arc<str>> = table
            .health
            .iter()
            .map(|(_, endpoint)| &endpoint.id)
            .collect();
        due.retain(|id, _| known.contains(id));
        let now = monotonic::millis();
        for (check, endpoint) in &table.health {
            let due = due.entry(Arc::clone(&endpoint.id)).or_insert(0);
            if *due <= now {
                *due = monotonic::millis_after(check.period.max(check.timeout));
                tokio::spawn(check_once(check.clone(), Arc::clone(endpoint)));
            }
        }
    }
}

async fn check_once(check: HealthCheck, endpoint: Arc<EndpointState>) {
    let answer = tokio::time::timeout(check.timeout, ask(endpoint.address, &check.path)).await;
    let healthy = matches!(answer, Ok(Some(200..=399)));
    if healthy {
        endpoint.check_failures.store(0, Ordering::Relaxed);
        endpoint.set_checked(true);
    } else if endpoint.check_failures.fetch_add(1, Ordering::Relaxed) + 1 >= check.failure_threshold
    {
        endpoint.set_checked(false);
    }
}

/// The status of the answer, if there is one.
async fn ask(address: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nuser-agent: wharf-ingress\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut buffer = BytesMut::with_capacity(1024);
    loop {
        if stream.read_buf(&mut buffer).await.ok()? == 0 {
            return None;
        }
        if let Some(head) = response::take(&mut buffer, &Method::GET, &mut HeaderMap::new()).ok()? {
            return Some(head.status.as_u16());
        }
    }
}
