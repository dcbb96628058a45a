//! Snappy's block format, with a bound on what comes out.

/// Why something was not unpacked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// It would be too large.
    #[error(
        "the body unpacks to {size} bytes, more than the {limit} that are taken; send smaller batches"
    )]
    TooLarge {
        /// What it would take.
        size: usize,
        /// What may be taken.
        limit: usize,
    },
    /// It is not packed in this way.
    #[error("the body is not packed in Snappy's block format: {0}")]
    Broken(String),
}

/// Unpacks a block of at most `limit` bytes.
///
/// # Errors
/// It would be larger, or is none.
pub(crate) fn unpack(body: &[u8], limit: usize) -> Result<Vec<u8>, UnpackError> {
    let broken = |error: snap::Error| UnpackError::Broken(error.to_string());
    let size = snap::raw::decompress_len(body).map_err(broken)?;
    if size > limit {
        return Err(UnpackError::TooLarge { size, limit });
    }
    // One element of the format copies at most 64 bytes and takes two or more: what claims more is no block, and gets no memory.
    if size / 64 > body.len() {
        return Err(UnpackError::Broken(format!(
            "{} bytes cannot hold {size}",
            body.len()
        )));
    }
    snap::raw::Decoder::new()
        .decompress_vec(body)
        .map_err(broken)
}

/// Packs a block.
///
/// # Panics
/// Never: only blocks of 4 GiB cannot be packed, and nothing here makes such.
#[must_use]
pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new()
        .compress_vec(bytes)
        .expect("a block is shorter than 4 GiB")
}
