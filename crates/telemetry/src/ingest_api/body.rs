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
        Some("gzip") => {
            let mut unpacked = vec![];
            let limit = UNPACKED_MAX_BYTES as u64;
            MultiGzDecoder::new(body)
                .take(limit + 1)
                .read_to_end(&mut unpacked)
                .map_err(|error| format!("the body is no gzip: {error}"))?;
            if unpacked.len() > UNPACKED_MAX_BYTES {
                return Err(format!(
                    "the body has more than {UNPACKED_MAX_BYTES} bytes when it is unpacked: send it in parts"
                ));
            }
            Ok(Cow::Owned(unpacked))
        }
        Some(other) => Err(format!(
            "the content encoding `{other}` is not known: send gzip or nothing"
        )),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
