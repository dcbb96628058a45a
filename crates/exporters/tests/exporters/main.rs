//! Beside the real things of this machine: node_exporter, PostgreSQL, PgBouncer, Redis. Without one its tests are skipped with
//! a printed reason, or fail under `WHARF_TEST_REQUIRE=all`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod host;
mod stores;

use std::net::TcpListener;
use std::time::{Duration, Instant};

/// Far above what anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// That something is not there, which is a failure where all is required.
fn skip(reason: &str) {
    assert!(
        std::env::var("WHARF_TEST_REQUIRE").as_deref() != Ok("all"),
        "{reason}"
    );
    eprintln!("skipped: {reason}");
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

async fn until<F: Future<Output = bool>>(condition: impl Fn() -> F) {
    let begin = Instant::now();
    while !condition().await {
        assert!(begin.elapsed() < DEADLINE, "waited in vain");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
