//! The ingress as its clients and its engine see it: a process of its own, real sockets, replicas in this process.

mod files;
mod forwarding;
mod harness;
mod http2_and_tls;
mod lifecycle;
mod limits;
mod malformed;
mod replica;
mod retries;
mod routes;
mod slow_clients;
mod sticky;
mod telemetry;
mod websockets;
mod wire;

/// Not a test of its own: the other tests start this binary with only this one as the ingress's process.
#[test]
fn ingress_process() {
    harness::become_ingress();
}
