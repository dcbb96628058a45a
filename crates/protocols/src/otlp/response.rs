//! What is answered: what was rejected of a request, or why it was refused as a whole.

use prost::Message;
use serde_json::json;

use super::{Encoding, Rejected, Signal};

/// `Export…ServiceResponse`, which is the same for each signal but for the names in JSON.
#[derive(Clone, PartialEq, Message)]
struct Response {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    message: String,
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// The answer, of status 200, to a request of which something or all was taken.
#[must_use]
pub fn response(signal: Signal, rejected: &Rejected, encoding: Encoding) -> Vec<u8> {
    let partial = (rejected.count > 0 || !rejected.message.is_empty()).then(|| PartialSuccess {
        rejected: i64::try_from(rejected.count).unwrap_or(i64::MAX),
        message: rejected.message.clone(),
    });
    let of_what = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Logs => "rejectedLogRecords",
        Signal::Metrics => "rejectedDataPoints",
    };
    match (encoding, partial) {
        (Encoding::Protobuf, partial_success) => Response { partial_success }.encode_to_vec(),
        (Encoding::Json, None) => b"{}".to_vec(),
        (Encoding::Json, Some(partial)) => {
            let count = partial.rejected.to_string();
            json!({"partialSuccess": {of_what: count, "errorMessage": partial.message}})
                .to_string()
                .into_bytes()
        }
    }
}

/// The answer to a request that was refused: `google.rpc.Status`. `code` is gRPC's.
#[must_use]
pub fn error_body(code: i32, message: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => Status {
            code,
            message: message.to_owned(),
        }
        .encode_to_vec(),
        Encoding::Json => json!({"code": code, "message": message})
            .to_string()
            .into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_success_is_told() {
        let rejected = Rejected {
            count: 3,
            message: "old".to_owned(),
        };
        let json = response(Signal::Metrics, &rejected, Encoding::Json);
        let expected = r#"{"partialSuccess":{"errorMessage":"old","rejectedDataPoints":"3"}}"#;
        assert_eq!(String::from_utf8(json).unwrap(), expected);
        let protobuf = response(Signal::Traces, &rejected, Encoding::Protobuf);
        assert_eq!(protobuf, b"\x0a\x07\x08\x03\x12\x03old");
        let all = Rejected::default();
        assert_eq!(response(Signal::Logs, &all, Encoding::Protobuf), b"");
        assert_eq!(response(Signal::Logs, &all, Encoding::Json), b"{}");
        assert_eq!(error_body(3, "x", Encoding::Protobuf), b"\x08\x03\x12\x01x");
    }
}
