//! The local engine: keeps a project running on this machine, and takes it from release to release.
//!
//! Invariants:
//! - one engine a state directory (it holds `engine.lock`);
//! - what it runs outlives it: replicas under their shims, the ingress, the stores. The next engine adopts them;
//! - the state is committed before an effect is carried out;
//! - no secret is in the state database, a log, a message or a process list.

pub mod api;
mod builds;
pub mod client;
mod engine;
mod environment;
mod external;
mod facts;
mod ingress_link;
mod jobs;
mod journal;
mod live;
mod logs;
mod operations;
mod pools;
mod ports;
mod probe;
mod reconcile;
mod release;
mod releasing;
mod replica;
mod replicas;
mod rollout;
mod routing;
mod run;
mod saved;
mod secret_values;
mod secrets;
mod server;
mod shutdown;
pub mod state_dir;
mod status;
mod store_process;
mod store_task;
mod stores;
mod telemetry;

pub use run::{RunError, is_running, run};
pub use saved::StateError;
pub use secret_values::{SecretError, secret_variable};
pub use secrets::EnvFileError;
