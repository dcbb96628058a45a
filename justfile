# The menu. `just` alone lists it.

_list:
    @{{just_executable()}} --list --unsorted

# Formatting, lints, documentation and tidiness: what CI asks before it runs a test.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet
    cargo xtask tidy
    cargo xtask docs --check
    shellcheck .ci/run .ci/render-all .ci/examples .ci/rootfs .ci/rootfs.d/inside

# Every test. What needs a server that is not installed says so and is skipped.
test *ARGS:
    cargo test --workspace {{ARGS}}

# Every applicable target of every example, for the whole file and for each environment.
render-all DIR="target/rendered":
    .ci/render-all {{DIR}}

# Every example rendered, and each file fed to the program that would read it. `.ci/run` installs those.
readers DIR="target/rendered":
    rm -rf {{DIR}}
    .ci/render-all {{DIR}}
    python3 .ci/readers {{DIR}}

# The measuring instruments themselves.
test-benches:
    python3 -m unittest discover benches
    cargo test --manifest-path benches/chat/load/Cargo.toml --locked

# The binary and the examples, optimized.
build:
    cargo build --release -p wharf -p items -p items-redis

# Command to first answer, and memory at rest.
bench-up *ARGS: build
    python3 benches/up.py {{ARGS}}

# What the telemetry costs while nothing happens: memory and CPU with it and without it.
bench-idle *ARGS: build
    python3 benches/idle.py {{ARGS}}

# Every target of the largest example, beside `helm template` of its chart.
bench-render *ARGS: build
    python3 benches/render.py {{ARGS}}

# A hundred releases under load; `just bench-release --kill-engine` kills the engine all the while.
bench-release *ARGS: build
    python3 benches/release.py {{ARGS}}

# The ingress beside nginx and haproxy.
bench-ingress *ARGS: build
    python3 benches/ingress.py {{ARGS}}

# The chat beside a Starlette server: fan-out at a fixed rate, the knee, and what kills do.
bench-chat *ARGS: build
    python3 benches/chat.py {{ARGS}}

# The store of log lines, 1 GiB of them, beside zstd, grep and jq; and beside Loki: `just bench-logs --loki PROGRAM`.
bench-logs *ARGS:
    cargo build --release -p wharf-logs --example logs_load
    python3 benches/logs.py {{ARGS}}

# The telemetry beside Debian's Prometheus, or another one: `just bench-tsdb --prometheus PROGRAM`; parts of it: `just bench-tsdb query`.
bench-tsdb *ARGS:
    cargo build --release -p wharf-telemetry --examples
    python3 benches/tsdb.py {{ARGS}}

# The references of `wharf.yaml` and of the command line, written anew.
docs:
    cargo xtask docs

# The controllers' simulation: many seeds, or one (`just sim 42`) that a failure has printed.
sim SEED="":
    {{ if SEED == "" { "" } else { "env WHARF_SIM_SEED=" + SEED } }} cargo test -p wharf-control sim

# Feeds a parser with mutated input until it is stopped, or for a while: `just fuzz otlp -- -max_total_time=600`. Targets: wharf_yaml,
# exposition_text, openmetrics, remote_write, loki_push, otlp, promql, logql. Needs the nightly toolchain and cargo-fuzz.
fuzz TARGET="wharf_yaml" *ARGS:
    cargo +nightly fuzz run {{TARGET}} {{ARGS}}

# Licences, sources and known vulnerabilities of the dependencies. Needs cargo-deny.
deny:
    cargo deny check

# What CI does, here.
ci:
    .ci/run
