use std::collections::BTreeMap;

use super::TARGET;
use crate::{Input, Rendered};

fn render(text: &str) -> Rendered {
    let (plan, diagnostics) = wharf_plan::resolve(text.as_bytes(), None);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let environments = BTreeMap::new();
    TARGET.render(&Input {
        plan: &plan,
        base: &plan,
        environments: &environments,
    })
}

#[test]
fn paths_are_those_of_clients() {
    let rendered = render(
        "
name: shop
services:
  api:
    build: { context: ., language: go }
    port: 8000
    api:
      - { method: GET, path: \"/items/{id}\", summary: \"One item\" }
      - { method: POST, path: /items, status: 201, request: { type: object } }
  old:
    build: { context: ., language: go }
    port: 8001
    api:
      - { method: GET, path: /v1/items }
      - { method: GET, path: /hidden }
routes:
  - host: shop.example.com
    limits: { rate: 10/s, body: 1Mi }
    paths:
      /api: { service: api, strip_prefix: true }
      /v1: old
",
    );
    let text = &rendered.files.get("openapi.yaml").unwrap().text;
    for line in [
        "url: https://shop.example.com",
        "  \"/api/items/{id}\":",
        "  /api/items:",
        "  /v1/items:",
        "operationId: get-api-items-id",
        "name: id",
        "$ref: \"#/components/responses/BadRequest\"",
        "$ref: \"#/components/responses/NotFound\"",
        "$ref: \"#/components/responses/TooLarge\"",
        "$ref: \"#/components/responses/TooManyRequests\"",
        "X-Trace-ID:",
    ] {
        assert!(text.contains(line), "`{line}` is missing in\n{text}");
    }
    assert!(!text.contains("/hidden"), "{text}");
    let gaps: Vec<&str> = rendered.gaps.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(gaps, ["services.old.api `GET /hidden`"]);
}
