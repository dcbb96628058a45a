//! The id of a trace as people have it at hand.

use wharf_signal::TraceId;

use crate::exit::{Code, failure};

/// Reads an `X-Trace-ID` (a UUID), hexadecimal digits, or a whole `traceparent`.
pub(crate) fn parse(text: &str) -> anyhow::Result<TraceId> {
    let trimmed = text.trim();
    let parts: Vec<&str> = trimmed.split('-').collect();
    let found = match parts.as_slice() {
        [version, trace, parent, _, ..]
            if (version.len(), trace.len(), parent.len()) == (2, 32, 16) =>
        {
            TraceId::parse(trace)
        }
        _ => TraceId::parse(trimmed),
    };
    found.ok_or_else(|| {
        failure(
            Code::Usage,
            format!("`{text}` is no trace id"),
            "give the X-Trace-ID of an answer, 32 hexadecimal digits, or a traceparent",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_every_header_writes_it() {
        for text in [
            "0af7651916cd43dd8448eb211c80319c",
            "0af76519-16cd-43dd-8448-eb211c80319c",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "AF7651916CD43DD8448EB211C80319C",
        ] {
            let id = parse(text).expect("an id");
            assert_eq!(id.to_string(), "0af7651916cd43dd8448eb211c80319c", "{text}");
        }
        for text in ["", "xyz", "0", &"1".repeat(33)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
