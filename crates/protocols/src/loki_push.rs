//! Loki's push API: `{"streams": [{"stream": {…}, "values": [["nanoseconds", "line", {…}]]}]}`, or `logproto.PushRequest`
//! packed with Snappy.
//!
//! What a stream lacks is not added here but by [`with_service_name`], as Loki does it for whoever sends none.

mod json;
mod labels;
mod message;

use wharf_signal::{Labels, LogEntry};

use crate::snappy::{self, UnpackError};

/// Entries by their stream, in the order in which they came; a stream may be there more than once.
pub type Streams = Vec<(Labels, Vec<LogEntry>)>;

/// Why a push was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// It cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// It would take too much memory.
    #[error("the entries would take more than {limit} bytes of memory; send smaller batches")]
    TooMany {
        /// What they may take.
        limit: usize,
    },
    /// It is neither.
    #[error("no push request: {0}")]
    Form(String),
    /// A stream's labels are none.
    #[error("error parsing labels {labels:?}: expected {expected} at byte {at}")]
    Labels {
        /// The beginning of what was sent.
        labels: String,
        /// What should be there.
        expected: &'static str,
        /// Where.
        at: usize,
    },
    /// A time that nanoseconds since 1970 cannot hold.
    #[error("an entry's time of {0} is out of range")]
    Time(String),
}

/// Reads a JSON body, already unpacked.
///
/// # Errors
/// It is no such JSON.
pub fn decode_json(body: &[u8]) -> Result<Streams, PushError> {
    json::decode(body)
}

/// Writes a JSON body.
#[must_use]
pub fn encode_json(streams: &Streams) -> Vec<u8> {
    json::encode(streams)
}

/// Reads a Protocol Buffers body that is packed with Snappy and unpacks to at most `limit` bytes.
///
/// # Errors
/// It is larger, not packed, or no such message.
pub fn decode_protobuf(body: &[u8], limit: usize) -> Result<Streams, PushError> {
    // Lines of forty bytes take so much more as entries.
    message::decode(&snappy::unpack(body, limit)?, limit.saturating_mul(4))
}

/// Writes a Protocol Buffers body, packed.
#[must_use]
pub fn encode_protobuf(streams: &Streams) -> Vec<u8> {
    snappy::pack(&message::encode(streams))
}

/// The label under which Grafana finds services.
pub const SERVICE_NAME: &str = "service_name";

/// What Loki calls a service that has no name.
pub const UNKNOWN_SERVICE: &str = "unknown_service";

/// The labels with `service_name`: if they have none, the first that says as much, as Loki looks for it.
#[must_use]
pub fn with_service_name(labels: &Labels) -> Labels {
    const SAY_AS_MUCH: [&str; 13] = [
        "service",
        "app",
        "application",
        "app_name",
        "name",
        "app_kubernetes_io_name",
        "container",
        "container_name",
        "k8s_container_name",
        "component",
        "workload",
        "job",
        "k8s_job_name",
    ];
    if labels.get(SERVICE_NAME).is_some() {
        return labels.clone();
    }
    let found = SAY_AS_MUCH.iter().find_map(|name| labels.get(name));
    let mut edited = labels.edit();
    edited.set(SERVICE_NAME, found.unwrap_or(UNKNOWN_SERVICE));
    edited.build()
}

#[cfg(test)]
mod tests;
