//! Bodies as they come: packed by gzip or not, JSON or Protocol Buffers.

use std::borrow::Cow;
use std::io::Read as _;

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use flate2::read::MultiGzDecoder;

use super::UNPACKED_MAX_BYTES;

/// Whether the body says that it is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    text(headers, &CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"))
}

/// The body, unpacked.
///
/// # Errors
/// It is packed in a way that is not known, broken, or too large.
pub(super) fn unpacked<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<Cow<'a, [u8]>, String> {
    match text(headers, &CONTENT_ENCODING) {
        None | Some("" | "identity") => Ok(Cow::Borrowed(body)),
        Some("gzip") => gunzip(body)
            .map(Cow::Owned)
            .map_err(|error| error.to_string()),
        Some(other) => Err(format!(
            "the content encoding `{other}` is not known: send gzip or nothing"
        )),
    }
}

/// Why a body is not unpacked.
#[derive(Debug, thiserror::Error)]
pub(super) enum GzipError {
    /// It is broken.
    #[error("the body is no gzip: {0}")]
    Broken(#[from] std::io::Error),
    /// There is more of it than is taken.
    #[error(
        "the body has more than {UNPACKED_MAX_BYTES} bytes when it is unpacked: send it in parts"
    )]
    TooLarge,
}

/// What was packed by gzip.
pub(super) fn gunzip(body: &[u8]) -> Result<Vec<u8>, GzipError> {
    let mut unpacked = vec![];
    let limit = UNPACKED_MAX_BYTES as u64;
    MultiGzDecoder::new(body)
        .take(limit + 1)
        .read_to_end(&mut unpacked)?;
    if unpacked.len() > UNPACKED_MAX_BYTES {
        return Err(GzipError::TooLarge);
    }
    Ok(unpacked)
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
