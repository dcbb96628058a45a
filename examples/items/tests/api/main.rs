//! The items API: its contract on the file store, and the program as a process.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod contract;
mod process;

use std::collections::BTreeSet;

use contract::Client;
use items::journal::Journal;
use serde_json::Value;

fn client(folder: &tempfile::TempDir) -> Client {
    Client::new(Journal::open(&folder.path().join("items.jsonl")).unwrap())
}

#[tokio::test]
async fn keeps_its_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract::holds(&client(&folder)).await;
}

#[tokio::test]
async fn refuses_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    contract::refuses_bad_input(&client(&folder)).await;
}

#[tokio::test]
async fn counts_and_traces() {
    let folder = tempfile::tempdir().unwrap();
    contract::counts_and_traces(&client(&folder)).await;
}

/// Every operation of the document answers with a status that the document lists.
#[tokio::test]
async fn the_document_tells_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(&folder);
    let document: Value = serde_json::from_str(items::api::OPENAPI).unwrap();
    let mut operations = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_uppercase();
            let answer = client
                .send(&method, &path.replace("{id}", "1"), &[], "")
                .await;
            let listed: Vec<_> = operation["responses"].as_object().unwrap().keys().collect();
            assert!(
                listed.contains(&&answer.status.to_string()),
                "{method} {path}: {} is not in {listed:?}",
                answer.status
            );
            operations.insert(format!("{method} {path}"));
        }
    }
    // A route without its entry here is one that nobody has documented.
    let routes = [
        "DELETE /items/{id}",
        "GET /echo",
        "GET /health",
        "GET /items",
        "GET /items/{id}",
        "GET /metrics",
        "GET /openapi.json",
        "GET /stream",
        "POST /items",
    ];
    assert_eq!(
        operations.iter().map(String::as_str).collect::<Vec<_>>(),
        routes
    );
}
