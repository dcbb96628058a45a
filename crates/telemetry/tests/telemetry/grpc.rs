//! OpenTelemetry's own SDK sends over gRPC; and what no SDK sends.

use std::path::PathBuf;
use std::process::Command;

use wharf_telemetry::Mode;

use crate::ask::Server;
use crate::require::skip;

/// A Python that has OpenTelemetry's exporter: the machine's, or that of `.ci/run`.
fn python() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = cache
        .or(home)
        .map(|cache| cache.join("wharf-ci/bin/python3"));
    let mut all = cache.into_iter().chain([PathBuf::from("python3")]);
    let found = all.find(|python| {
        let mut asked = Command::new(python);
        asked.args(["-c", "import grpc, opentelemetry.exporter.otlp.proto.grpc"]);
        asked.output().is_ok_and(|done| done.status.success())
    });
    if found.is_none() {
        skip("no python3 has opentelemetry-exporter-otlp-proto-grpc");
    }
    found
}

#[test]
fn an_sdk_sends_over_grpc() {
    let Some(python) = python() else { return };
    let server = Server::start(Mode::Project);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/telemetry/otlp_grpc.py");
    let mut client = Command::new(python);
    client.arg(script).arg(format!("{}", server.address));
    // A proxy of this machine is not on the way to loopback.
    client.env_remove("http_proxy").env_remove("https_proxy");
    let done = client.output().unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}{errors}");
    let (trace, said) = said.split_once('\n').unwrap();
    let expected = "\
spans SUCCESS\n\
spans gzip SUCCESS\n\
logs SUCCESS\n\
metrics SUCCESS\n\
garbage INVALID_ARGUMENT\n\
deflate UNIMPLEMENTED\n\
too long RESOURCE_EXHAUSTED\n\
too long unpacked RESOURCE_EXHAUSTED\n\
two messages INVALID_ARGUMENT\n\
no method UNIMPLEMENTED\n\
other host refused\n\
part rejected 1\n";
    assert_eq!(said, expected, "{errors}");

    let found = server.json(&format!("/api/v2/traces/{trace}"), &[]);
    let found = found.to_string();
    assert!(
        found.contains("plain") && found.contains("packed"),
        "{found}"
    );
    let query = [("query", "{service_name=\"shop\"}")];
    let lines = server.json("/loki/api/v1/query_range", &query);
    let line = &lines["data"]["result"][0]["values"][0][1];
    assert_eq!(line, "over grpc", "{lines}");
    let metrics = server.json("/api/v1/query", &[("query", "sold_total")]);
    let value = &metrics["data"]["result"][0]["value"][1];
    assert_eq!(value, "3", "{metrics}");
    // The same address speaks HTTP/1.1, where gRPC is not to be had.
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    let answer = server.post(path, "Content-Type: application/grpc\r\n", b"\0\0\0\0\0");
    assert_eq!(answer.status, 505, "{}", answer.text());
    let answer = server.post(path, "Content-Type: application/json\r\n", b"{}");
    assert_eq!(answer.status, 415, "{}", answer.text());
}
