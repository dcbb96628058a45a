//! HTTP/1.1 framing as RFC 9112 has it, strictly: what two programs could read in two ways is refused.

pub(crate) mod chunked;
pub(crate) mod head;
pub(crate) mod response;
