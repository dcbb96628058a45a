//! The [`Spec`]: what was typed, with the place of every part. What is missing stays missing; only `wharf_plan` knows
//! defaults.

mod build;
mod cloud;
mod delivery;
mod kubernetes;
mod load;
mod network;
mod observe;
mod probe;
mod project;
mod route;
mod scale;
mod scraped;
mod secret;
mod service;
mod store;
mod volume;

pub use build::{Build, Framework, Language};
pub use cloud::{
    Alarms, Bastion, Bucket, Cloud, Compute, Database, LoadBalancer, Nodes, Protection, Provider,
    Stacks, State, StorageType, StoresBy, TargetHealth,
};
pub use delivery::{
    CheckJob, Deploy, Gate, Goals, Images, Job, Pipeline, Platform, Provision, Scan, Scanner,
    TestJob,
};
pub use kubernetes::{Expose, ExposeKind, Exposed, GitOps, IngressClass, Kubernetes, Quota};
pub use load::{LoadRequest, LoadThresholds, Method, Operation, Scenario};
pub use network::{Nat, Network};
pub use observe::{
    Alert, AlertName, AlertTexts, ArchiveTo, Channel, Logs, Notifications, Objective, Receiver,
    Severity, Smtp, SmtpTls, Telemetry, Thresholds,
};
pub use probe::{ExecCheck, HttpCheck, PortReference, Probe, Probes, TcpCheck};
pub use project::{Environment, Overlay, Patch, RECORDS, Spec, Target};
pub use route::{Headers, Limits, Route, RouteTarget, Tls};
pub use scale::{Queue, Scale, ScaleMetric, ScalePace};
pub use scraped::{LabelName, MetricsUrl, ScrapeTarget};
pub use secret::{Secret, SecretProvider, SecretStore};
pub use service::{
    ARGUMENT_MAX_BYTES, Command, Metrics, Need, Needs, Release, Resources, Rollout, Schedule,
    Service, Strategy,
};
pub use store::{Backups, Engine, Pool, PoolMode, Store};
pub use volume::{Volume, VolumeMap};
