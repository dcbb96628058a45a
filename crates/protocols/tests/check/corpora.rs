//! The seeds of the fuzz targets, and what they found, again.

use std::path::Path;

use proptest::prelude::*;

use crate::invariants;

#[track_caller]
fn replay(target: &str, holds: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
        holds(&bytes);
        // Cut anywhere, and with one byte changed: near to what is right is where mistakes are.
        for at in 0..bytes.len().min(400) {
            holds(&bytes[..at]);
            let mut changed = bytes.clone();
            changed[at] ^= 0x11;
            holds(&changed);
        }
        count += 1;
    }
    assert!(count >= 4, "only {count} files in {}", folder.display());
}

#[test]
fn exposition_text() {
    replay("exposition_text", invariants::exposition_text);
}

#[test]
fn openmetrics() {
    replay("openmetrics", invariants::openmetrics);
}

#[test]
fn remote_write() {
    replay("remote_write", invariants::remote_write);
}

#[test]
fn loki_push() {
    replay("loki_push", invariants::loki_push);
}

#[test]
fn otlp() {
    replay("otlp", invariants::otlp);
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        invariants::exposition_text(&bytes);
        invariants::openmetrics(&bytes);
        invariants::remote_write(&bytes);
        invariants::loki_push(&bytes);
        invariants::otlp(&bytes);
    }
}
