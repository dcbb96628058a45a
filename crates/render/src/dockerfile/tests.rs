use std::collections::BTreeMap;

use wharf_plan::model::Plan;

use super::TARGET;
use crate::{Input, Rendered};

fn plan(text: &str) -> Plan {
    let (plan, diagnostics) = wharf_plan::resolve(text.as_bytes(), None);
    plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

fn render(text: &str) -> Rendered {
    let plan = plan(text);
    let environments = BTreeMap::new();
    TARGET.render(&Input {
        plan: &plan,
        base: &plan,
        environments: &environments,
    })
}

#[track_caller]
fn dockerfile(text: &str, service: &str) -> String {
    let rendered = render(text);
    let path = format!("{service}/Dockerfile");
    rendered.files.get(&path).unwrap().text.clone()
}

#[track_caller]
fn check(text: &str, has: &[&str], has_not: &[&str]) {
    for line in has {
        assert!(text.contains(line), "`{line}` is missing in\n{text}");
    }
    for line in has_not {
        assert!(!text.contains(line), "`{line}` is in\n{text}");
    }
}

#[test]
fn a_rust_image_holds_the_program_alone() {
    let text = dockerfile(
        "
name: shop
versions: { rust: \"1.90@sha256:0123\" }
services:
  api:
    build: { context: ., language: rust, version: \"1.90\" }
    port: 8000
    volumes: [{ source: items, target: data }]
    probes: { http: { path: \"/it's\", headers: { X-A: \"b\" } } }
",
        "api",
    );
    check(
        &text,
        &[
            "FROM rust:1.90-slim-bookworm@sha256:0123 AS builder",
            "+crt-static",
            "FROM scratch",
            "USER 1000:1000",
            "CMD [\"/app/api\"]",
            "HEALTHCHECK --interval=30s",
            "CMD [\"/usr/local/bin/healthcheck\"]",
            // A quote of the path ends no quote of the shell.
            r"GET /it'\''s HTTP/1.0\r\nHost: localhost\r\nX-A: b\r\n\r\n",
            "RUN mkdir -p /folders/app/data",
            "COPY --from=builder --chown=1000:1000 /folders/ /",
        ],
        &["apt-get", "<<", "%>"],
    );
}

#[test]
fn one_program_of_several_is_in_an_image() {
    let file = |language: &str| {
        format!(
            "
name: chat
services:
  backend:
    build: {{ context: ., language: {language}, program: api }}
    port: 8000
"
        )
    };
    let rust = dockerfile(&file("rust"), "backend");
    check(
        &rust,
        &[
            "cargo install --path . --bin api --locked",
            "CMD [\"/app/api\"]",
        ],
        &["test \"$#\" -eq 1"],
    );
    let go = dockerfile(&file("go"), "backend");
    check(
        &go,
        &[
            "\n    && find /out/bin -type f ! -name api -delete",
            "CMD [\"/app/api\"]",
        ],
        &["test \"$#\" -eq 1"],
    );
}

#[test]
fn a_django_image_collects_its_files_without_secrets() {
    let text = dockerfile(
        "
name: shop
secrets: { key: { generate: 50 } }
stores: { db: { engine: postgres, version: \"16\" } }
services:
  web:
    build: { context: ./app, language: python, version: \"3.11\", framework: django, packages: [libpq5] }
    command: gunicorn shop.wsgi:application --bind 0.0.0.0:8000
    port: 8000
    environment: { SECRET_KEY: \"${secret.key}\", DATABASE_URL: \"${db.url}\", TITLE: \"it's $$5\" }
    probes: { http: /health }
",
        "web",
    );
    check(
        &text,
        &[
            "FROM python:3.11-slim AS builder",
            "SECRET_KEY=unused",
            "DATABASE_URL=postgresql://unused@127.0.0.1:5432/unused",
            r"TITLE='it'\''s $5'",
            "python manage.py collectstatic --noinput",
            "apt-get install --yes --no-install-recommends libpq5",
            "CMD [\"gunicorn\", \"shop.wsgi:application\", \"--bind\", \"0.0.0.0:8000\"]",
        ],
        &["build-essential"],
    );
}

#[test]
fn a_front_end_is_served_without_node() {
    let text = dockerfile(
        "
name: shop
services:
  front:
    build: { context: ., language: node, version: \"20\", framework: react, args: { VITE_TITLE: \"a \\\"b\\\" $c\" } }
    port: 3000
    probes: { http: /health }
",
        "front",
    );
    check(
        &text,
        &[
            "FROM node:20-slim AS builder",
            "FROM nginxinc/nginx-unprivileged:",
            "listen 3000;",
            "location = /health {",
            "try_files $uri /index.html;",
            "STOPSIGNAL SIGQUIT",
            "ARG VITE_TITLE=\"a \\\"b\\\" \\$c\"",
        ],
        &[],
    );
}

#[test]
fn services_with_one_build_share_an_image() {
    let rendered = render(
        "
name: shop
services:
  worker: { build: { context: ., language: go }, command: ./worker }
  web: { build: { context: ., language: go }, command: ./web, port: 80 }
",
    );
    let paths: Vec<&String> = rendered.files.iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["web/Dockerfile", "web/Dockerfile.dockerignore"]);
    let text = &rendered.files.get("web/Dockerfile").unwrap().text;
    check(text, &["CMD [\"./web\"]", "go mod download"], &["ln -s"]);
}

#[test]
fn what_is_not_rendered_is_told() {
    let rendered = render(
        "
name: shop
services:
  own: { build: { context: a, dockerfile: Dockerfile }, port: 80 }
  unknown: { build: b, port: 81 }
",
    );
    assert_eq!(rendered.files.len(), 0);
    let gaps: Vec<&str> = rendered.gaps.iter().map(|gap| gap.what.as_str()).collect();
    assert_eq!(
        gaps,
        ["services.own.build.dockerfile", "services.unknown.build"]
    );
}
