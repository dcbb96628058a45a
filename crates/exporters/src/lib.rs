//! What the host, the replicas and the stores tell of themselves, under the names of the exporters that people know:
//! node_exporter, cAdvisor, postgres_exporter, redis_exporter and PgBouncer's.
//!
//! Dashboards and rules that were written for those work unchanged; where a name or label differs, the module that makes it
//! says so at its head. What cannot be known is left out, never made up. Reading is bounded in size and time: a dead server or
//! file system makes its own series absent and holds nothing else up.

mod families;
mod host;
pub mod pgbouncer;
pub mod postgres;
pub mod redis;
mod replicas;
mod root;

pub use families::{Families, Family};
pub use host::Host;
pub use replicas::{Replica, Replicas};
pub use root::Root;
