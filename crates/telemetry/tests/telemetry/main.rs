//! A whole telemetry, asked over HTTP as its clients ask it.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod ask;
mod clients;
mod crash;
#[cfg(feature = "otlp-grpc")]
mod grpc;
mod interoperability;
mod promqltest;
mod require;
