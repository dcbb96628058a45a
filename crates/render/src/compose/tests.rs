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

#[track_caller]
fn has(rendered: &Rendered, path: &str, lines: &[&str]) {
    let text = &rendered.files.get(path).unwrap().text;
    for line in lines {
        assert!(text.contains(line), "`{line}` is missing in {path}\n{text}");
    }
}

const PYTHON: &str = "
name: shop
secrets: { jwt: { generate: 48 }, key: { description: \"the provider's key\" } }
stores:
  db: { engine: postgres, version: \"16\" }
  cache: { engine: redis, version: \"7\" }
services:
  web:
    build: { context: ./app, language: python, framework: flask }
    port: 5000
    replicas: 2
    environment: { DATABASE_URL: \"${db.url}?a=$$1\", JWT: \"${secret.jwt}\", KEY: \"${secret.key}\", LEVEL: \"${env.LEVEL:-info}\", COST: \"$$5\" }
    release: python migrate.py
  worker:
    build: { context: ./app, language: python, framework: flask }
    command: celery -A shop worker
    environment: { REDIS_URL: \"${cache.url}\" }
routes: [{ paths: { /: web } }]
";

#[test]
fn secrets_are_files_that_a_script_puts_into_variables() {
    let rendered = render(PYTHON);
    has(
        &rendered,
        "entrypoints/web.sh",
        &[
            "db_password=$(cat /run/secrets/db-password)",
            "DATABASE_URL=\"postgresql://shop:${db_password}@db:5432/shop?a=\\$1\"",
            "export DATABASE_URL JWT KEY",
            "exec \"$@\"",
        ],
    );
    has(
        &rendered,
        "docker-compose.prod.yml",
        &[
            "entrypoint: [/bin/sh, /run/entrypoint.sh]",
            // The entry point hides the command of the image.
            "command: [gunicorn, app:app, --bind, \"0.0.0.0:5000\"]",
            "LEVEL: ${LEVEL:-info}",
            "COST: $$5",
            "POSTGRES_PASSWORD_FILE: /run/secrets/db-password",
            "file: ./secrets/jwt",
            "condition: service_completed_successfully",
            "internal: true",
        ],
    );
    has(
        &rendered,
        "make-secrets.sh",
        &[
            "random jwt 48",
            "random db-password 32",
            "given key 'the provider'\\''s key'",
        ],
    );
    let text = &rendered.files.get("docker-compose.prod.yml").unwrap().text;
    assert!(!text.contains("${JWT"), "{text}");
}

#[test]
fn an_image_without_a_shell_gets_them_from_who_starts_it() {
    let rendered = render(
        "
name: shop
stores: { cache: { engine: redis } }
services:
  api: { build: { context: ., language: rust }, port: 80, environment: { REDIS_URL: \"${cache.url}\" } }
",
    );
    has(
        &rendered,
        "docker-compose.prod.yml",
        &[
            "REDIS_URL: redis://:${CACHE_PASSWORD:?",
            "REDIS_PASSWORD: ${CACHE_PASSWORD:?",
        ],
    );
    has(&rendered, "env.example", &["CACHE_PASSWORD="]);
    assert!(rendered.files.get("make-secrets.sh").is_none());
}

#[test]
fn names_do_not_collide() {
    let rendered = render(
        "
name: shop
stores: { edge: { engine: redis } }
services:
  nginx: { build: { context: ., language: go }, port: 80, environment: { URL: \"${edge.url}\" }, release: ./migrate }
  nginx-release: { build: { context: ./b, language: go } }
routes: [{ host: a.example.com, paths: { /: nginx } }]
",
    );
    has(
        &rendered,
        "docker-compose.prod.yml",
        &["  nginx-2:", "  nginx-release-2:", "  edge-2:"],
    );
    has(
        &rendered,
        "traefik/dynamic.yml",
        &["url: http://nginx-2:8080", "rule: Host(`a.example.com`)"],
    );
    has(&rendered, "nginx/nginx.conf", &["set $upstream nginx:80;"]);
}

#[test]
fn development_mounts_the_source_and_reloads() {
    let rendered = render(PYTHON);
    has(
        &rendered,
        "docker-compose.yml",
        &[
            "command: [gunicorn, app:app, --bind, \"0.0.0.0:5000\", --reload]",
            "- ../../app:/app",
            "dockerfile: ../deploy/dockerfile/web/Dockerfile",
            "- \"127.0.0.1:5432:5432\"",
            "action: restart",
            "${DB_PASSWORD:-development}",
        ],
    );
}

#[test]
fn what_is_sticky_over_several_replicas_is_a_gap() {
    let file = |replicas: u32| {
        format!(
            "name: a\nservices: {{ web: {{ image: web:1, port: 80, replicas: {replicas} }} }}\nroutes: [{{ paths: {{ /: {{ service: web, sticky: true }} }} }}]\n"
        )
    };
    let gap = |replicas| {
        let gaps = render(&file(replicas)).gaps;
        gaps.iter().any(|gap| gap.what == "services.web.sticky")
    };
    assert!(gap(2) && !gap(1));
}
