//! The [`Spec`]: what was typed, with the place of every part. What is missing stays missing; only `wharf_plan` knows
//! defaults.

mod probe;
mod project;
mod route;
mod service;
mod store;

pub use probe::{ExecCheck, HttpCheck, PortReference, Probe, Probes, TcpCheck};
pub use project::{Environment, Overlay, Patch, RECORDS, Spec, Target};
pub use route::{Headers, Limits, Route, RouteTarget, Tls};
pub use service::{
    ARGUMENT_MAX_BYTES, Build, Command, Metrics, Need, Needs, Release, Resources, Rollout,
    Schedule, Service, Strategy, Volume, VolumeMap,
};
pub use store::{Backups, Engine, Store};
