//! The program that asks a bare image for its health: nothing else is in there that could.
//!
//! It is written into the builder's stage line by line, because every builder understands that.

use wharf_plan::model::{Check, Language, Probe, Service};

use crate::machine::word;

/// The `RUN` that writes and compiles it to `/out/healthcheck`; none: the probe runs a program of the image itself.
pub(super) fn run(language: Language, service: &Service, probe: &Probe) -> Option<String> {
    let (port, request, status) = match &probe.check {
        Check::Exec { .. } => return None,
        Check::Tcp { port } => (service.ports.get(port)?, None, (0, 0)),
        Check::Http {
            path,
            port,
            host,
            headers,
            status,
        } => {
            let host = host.as_deref().unwrap_or("localhost");
            let mut request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n");
            for (name, value) in headers {
                request.push_str(&format!("{name}: {value}\r\n"));
            }
            request.push_str("\r\n");
            (service.ports.get(port)?, Some(request), *status)
        }
    };
    let seconds = probe.timeout.as_secs().max(1);
    let (file, source, compile) = match language {
        Language::Go => (
            "/tmp/healthcheck/main.go",
            go(*port, request.as_deref(), status, seconds),
            "CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /out/healthcheck /tmp/healthcheck/main.go",
        ),
        _ => (
            "/tmp/healthcheck.rs",
            rust(*port, request.as_deref(), status, seconds),
            "rustc --edition 2021 -C opt-level=z -C panic=abort -C strip=symbols -C target-feature=+crt-static \\\n        -o /out/healthcheck /tmp/healthcheck.rs",
        ),
    };
    let mut run = "RUN mkdir -p /out".to_owned();
    if language == Language::Go {
        run.push_str(" /tmp/healthcheck");
    }
    run.push_str(" \\\n    && printf '%s\\n' \\\n");
    for line in source.lines() {
        run.push_str(&format!("        {} \\\n", word(line)));
    }
    run.push_str(&format!("        > {file} \\\n    && {compile}"));
    Some(run)
}

fn rust(port: u16, request: Option<&str>, status: (u16, u16), seconds: u64) -> String {
    let Some(request) = request else {
        return format!(
            "\
fn main() {{
    let answer = std::net::TcpStream::connect((\"127.0.0.1\", {port}));
    std::process::exit(i32::from(answer.is_err()));
}}
"
        );
    };
    let (least, most) = status;
    format!(
        "\
use std::io::{{Read, Write}};
fn status() -> Option<u16> {{
    let mut stream = std::net::TcpStream::connect((\"127.0.0.1\", {port})).ok()?;
    let patience = std::time::Duration::from_secs({seconds});
    stream.set_read_timeout(Some(patience)).ok()?;
    stream.write_all({request:?}.as_bytes()).ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head[9..]).ok()?.parse().ok()
}}
fn main() {{
    let healthy = status().is_some_and(|status| ({least}..={most}).contains(&status));
    std::process::exit(i32::from(!healthy));
}}
"
    )
}

fn go(port: u16, request: Option<&str>, status: (u16, u16), seconds: u64) -> String {
    let connect = format!("net.DialTimeout(\"tcp\", \"127.0.0.1:{port}\", {seconds}*time.Second)");
    let Some(request) = request else {
        return format!(
            "\
package main
import (\"net\"; \"os\"; \"time\")
func main() {{
    if _, err := {connect}; err != nil {{
        os.Exit(1)
    }}
}}
"
        );
    };
    let (least, most) = status;
    let request = serde_json::Value::from(request);
    format!(
        "\
package main
import (\"fmt\"; \"io\"; \"net\"; \"os\"; \"time\")
func status() (code int) {{
    stream, err := {connect}
    if err != nil {{
        return 0
    }}
    stream.SetDeadline(time.Now().Add({seconds} * time.Second))
    io.WriteString(stream, {request})
    fmt.Fscanf(stream, \"HTTP/1.%1d %3d\", new(int), &code)
    return code
}}
func main() {{
    if code := status(); code < {least} || code > {most} {{
        os.Exit(1)
    }}
}}
"
    )
}
