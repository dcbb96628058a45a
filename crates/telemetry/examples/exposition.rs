//! Many targets for benchmarks: `exposition ADDRESS SERIES` answers `/targets/N/metrics` with so many series, whose values move as
//! those of a web application do: counters that grow by what was asked, gauges that wander, histograms.
//!
//! What is told depends on the target's number and on the time in steps of one second alone, so two who ask at the same second
//! are told the same.

#![expect(clippy::print_stdout, reason = "an instrument tells where it listens")]

#[path = "application/metrics.rs"]
mod metrics;

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments
        .next()
        .ok_or("where to listen is missing")?
        .parse()?;
    let series: usize = arguments
        .next()
        .ok_or("how many series is missing")?
        .parse()?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    let app = Router::new()
        .route("/targets/{target}/metrics", get(tell))
        .with_state(series);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn tell(
    State(series): State<usize>,
    Path(target): Path<u64>,
) -> impl axum::response::IntoResponse {
    let seconds = wharf_base::clock::now().0 / 1000;
    let body = metrics::exposition(target, series, seconds);
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        body,
    )
}
