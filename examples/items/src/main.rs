//! The items API on a file: `PORT=8000 ITEMS_FILE=/tmp/items.jsonl items`.

use std::process::ExitCode;

use items::{journal::Journal, observe, server};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(path) = std::env::var_os("ITEMS_FILE") else {
        return server::fail(
            &"ITEMS_FILE is not set: set it to the file that keeps the items, such as /tmp/items.jsonl",
        );
    };
    match Journal::open(path.as_ref()) {
        Ok(journal) => server::run(journal).await,
        Err(error) => server::fail(&observe::chain(&error)),
    }
}
