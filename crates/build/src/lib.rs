//! From a source folder to something that runs: detection, build, immutable artifacts; and the first `wharf.yaml`.
//!
//! Invariants: an artifact is whole or absent, is named by what is in it and never changes; the processes of a build die
//! with the build, with its cancellation and with this process, however that ends; builds of one folder never overlap.

pub mod init;

mod artifact;
mod builder;
mod detect;
mod error;
mod lock;
mod process;
mod snapshot;
mod sources;
mod tool;
pub mod toolchain;
mod tree;

pub use artifact::{Artifact, open, prune, prune_cache};
pub use builder::{Request, build};
pub use detect::{Cargo, Detected, Framework, Go, Kind, Manager, Node, Python, StoreNeed, detect};
pub use error::{BuildError, DetectError};
pub use process::{Progress, ProgressSink};
