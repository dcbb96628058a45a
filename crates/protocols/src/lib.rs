//! Foreign bytes to signals and back: Prometheus and OpenMetrics text, remote write, Loki push, OTLP.
//!
//! Pure: no I/O, no clock. Whatever comes is hostile: nothing panics, memory is bounded by the size of what came and by limits
//! that the caller gives, and what is refused is refused in one sentence.

pub mod exposition;
pub mod grpc;
mod label_pairs;
pub mod loki_push;
pub mod otlp;
pub mod remote_write;
mod snappy;
mod wire;

pub use snappy::UnpackError;
pub use wire::WireError;
