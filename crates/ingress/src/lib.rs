//! The data plane: a reverse proxy in a process of its own.
//!
//! The engine tells it what to serve through a Unix socket ([`client`], [`config`]) and keeps the listening sockets
//! open, so that the ingress can crash or be replaced without a refused connection. It serves while no engine runs.
//!
//! The way of a request: `worker` accepts, `serve` runs hyper on the connection with `guard` in front of it,
//! `service` finds the route, `forward` sends it through `upstream` to an endpoint that `balance` picks, or `files` answers it
//! from a folder, and `record` counts and logs it at its end.

mod access_log;
pub mod authority;
mod balance;
mod body;
pub mod client;
mod client_io;
pub mod config;
mod connection;
mod control;
mod endpoint;
mod exchange;
mod files;
mod forward;
mod guard;
mod handover;
mod headers;
mod health;
mod http1;
mod ids;
mod inherited;
mod metrics;
mod monotonic;
mod pool;
mod rate;
mod record;
mod refusal;
mod run;
mod serve;
mod service;
mod shared;
mod socket;
mod sticky;
mod table;
mod tls;
mod upstream;
mod websocket;
mod worker;

pub use inherited::{InheritError, inherited_listeners};
pub use run::{IngressError, Options, run};
pub use table::TableError;
pub use tls::TlsError;
