mod against_server;
mod of_intake;
mod server;
mod sink;

use std::time::Duration;

use super::target::{Source, Target};

/// A target of a URL with an interval in which a test can wait for several scrapes.
fn target(url: &str) -> Target {
    let source = Source::Url(url.parse().unwrap());
    Target::new("shop", source, Duration::from_millis(40))
}
