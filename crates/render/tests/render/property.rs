//! Any valid plan renders: without a panic, the same twice, with legal and unique names, and no reference into nothing.

mod kubernetes;

use std::fmt::Write as _;

use proptest::prelude::*;

use crate::examples::Plans;

/// A name at the edges of what is allowed: short, long, beginning with a digit.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z][a-z0-9]{0,8}",
        1 => "[0-9][a-z0-9-]{0,10}[a-z0-9]",
        1 => "[a-z][a-z0-9-]{61}[a-z0-9]",
    ]
    .prop_filter("reserved", |name| {
        !["env", "secret", "self", "volume", "wharf"].contains(&name.as_str())
    })
}

/// Texts that some target's language would take for its own.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9 ./_-]{1,20}",
        Just("it's \"quoted\" \\ $HOME $$ ${X} %h %{y} #z".to_owned()),
        Just("{{ .Values.x }} ${{ secrets.X }} <% a %> << b >>".to_owned()),
        Just("yes".to_owned()),
        Just("0123".to_owned()),
        Just("ünïcödé — 日本".to_owned()),
    ]
}

/// As [`text`], for where several lines are allowed.
fn lines() -> impl Strategy<Value = String> {
    prop_oneof![4 => text(), 1 => Just("two\nlines: 1".to_owned())]
}

#[derive(Debug, Clone)]
struct Service {
    name: String,
    source: u8,
    port: Option<u16>,
    replicas: u8,
    value: String,
    scale: bool,
    volume: Option<(String, bool)>,
    probe: bool,
    expose: u8,
    singleton: bool,
    release: bool,
    schedule: bool,
}

fn service() -> impl Strategy<Value = Service> {
    (
        (
            name(),
            0..6u8,
            proptest::option::of(1024..65000u16),
            1..5u8,
            lines(),
            any::<bool>(),
        ),
        (
            proptest::option::of((name(), any::<bool>())),
            any::<bool>(),
            0..4u8,
        ),
        (any::<bool>(), any::<bool>(), proptest::bool::weighted(0.2)),
    )
        .prop_map(
            |(
                (name, source, port, replicas, value, scale),
                (volume, probe, expose),
                (singleton, release, schedule),
            )| Service {
                name,
                source,
                port,
                replicas,
                value,
                scale,
                volume,
                probe,
                expose,
                singleton,
                release,
                schedule,
            },
        )
}

#[derive(Debug, Clone)]
struct File {
    name: String,
    services: Vec<Service>,
    stores: Vec<(String, bool, bool)>,
    secrets: Vec<String>,
    environment: String,
    cloud: u8,
    ingress: bool,
    host: bool,
    summary: String,
    pipeline: bool,
}

fn file() -> impl Strategy<Value = File> {
    let parts = (
        name(),
        proptest::collection::vec(service(), 1..4),
        proptest::collection::vec((name(), any::<bool>(), any::<bool>()), 0..3),
        proptest::collection::vec(name(), 0..3),
        name(),
        0..4u8,
        (any::<bool>(), any::<bool>(), text(), any::<bool>()),
    );
    parts
        .prop_map(
            |(
                name,
                services,
                stores,
                secrets,
                environment,
                cloud,
                (ingress, host, summary, pipeline),
            )| File {
                name,
                services,
                stores,
                secrets,
                environment,
                cloud,
                ingress,
                host,
                summary,
                pipeline,
            },
        )
        .prop_filter("one name means one thing", |file| {
            let mut names: Vec<&String> =
                file.services.iter().map(|service| &service.name).collect();
            names.extend(file.stores.iter().map(|(name, ..)| name));
            let mut secrets: Vec<&String> = file.secrets.iter().collect();
            let unique = |names: &mut Vec<&String>| {
                let all = names.len();
                names.sort();
                names.dedup();
                names.len() == all
            };
            unique(&mut names) && unique(&mut secrets)
        })
}

impl File {
    /// As a `wharf.yaml`. JSON is YAML, so texts are written as JSON.
    fn yaml(&self) -> String {
        let json = |text: &str| serde_json::to_string(text).unwrap();
        // A `$` of the text is no reference.
        let value = |text: &str| json(&text.replace('$', "$$"));
        let mut out = format!("name: {}\nservices:\n", json(&self.name));
        for service in &self.services {
            writeln!(out, "  {}:", json(&service.name)).unwrap();
            let source = match service.source {
                0 => "build: { context: ., language: rust }".to_owned(),
                1 => "build: { context: ./a, language: python, framework: django }\n    command: gunicorn a.wsgi".to_owned(),
                2 => "build: { context: ./b, language: node, framework: react }".to_owned(),
                3 => "build: { context: ./c, language: go }".to_owned(),
                4 => "image: \"nginx:1.27\"".to_owned(),
                _ => format!("build: ./d\n    command: {}", json(&format!("./run {}", self.summary))),
            };
            writeln!(out, "    {source}").unwrap();
            let singleton = service.singleton && !service.scale;
            let schedule = service.schedule && !singleton && !service.scale;
            if let Some(port) = service.port.filter(|_| !schedule) {
                writeln!(out, "    port: {port}").unwrap();
                if service.probe {
                    writeln!(
                        out,
                        "    probes: {{ http: /health }}\n    metrics: /metrics"
                    )
                    .unwrap();
                }
                match service.expose {
                    1 => writeln!(out, "    expose: {{ kind: load_balancer, port: 80 }}").unwrap(),
                    2 => writeln!(out, "    expose: {{ kind: node_port, port: 80 }}").unwrap(),
                    _ => {}
                }
            }
            if schedule {
                writeln!(out, "    schedule: \"*/5 * * * *\"").unwrap();
            } else if singleton {
                writeln!(out, "    singleton: true").unwrap();
            } else {
                writeln!(out, "    replicas: {}", service.replicas).unwrap();
            }
            if service.scale {
                writeln!(out, "    scale: {{ min: 1, max: 9, cpu: 70%, memory: 80% }}\n    resources: {{ cpu: 100m..1, memory: 64Mi..1Gi }}").unwrap();
            }
            if service.release && !schedule {
                writeln!(out, "    release: {}", json("./migrate --all 'x'")).unwrap();
            }
            if let Some((volume, shared)) = &service.volume {
                writeln!(
                    out,
                    "    volumes: [{{ source: {}, target: /data, size: 1Gi, shared: {shared} }}]",
                    json(volume)
                )
                .unwrap();
            }
            writeln!(
                out,
                "    environment:\n      VALUE: {}",
                value(&service.value)
            )
            .unwrap();
            for (index, (store, ..)) in self.stores.iter().enumerate() {
                writeln!(
                    out,
                    "      STORE_{index}: {}",
                    json(&format!("${{{store}.url}}"))
                )
                .unwrap();
            }
            for (index, secret) in self.secrets.iter().enumerate() {
                writeln!(
                    out,
                    "      SECRET_{index}: {}",
                    json(&format!("${{secret.{secret}}}"))
                )
                .unwrap();
            }
        }
        if !self.stores.is_empty() {
            out.push_str("stores:\n");
        }
        for (store, postgres, backups) in &self.stores {
            let engine = if *postgres { "postgres" } else { "redis" };
            let backups = if *backups {
                ", backups: { keep: 7d }"
            } else {
                ""
            };
            writeln!(
                out,
                "  {}: {{ engine: {engine}, storage: 1Gi{backups} }}",
                json(store)
            )
            .unwrap();
        }
        if !self.secrets.is_empty() {
            out.push_str("secrets:\n");
        }
        for secret in &self.secrets {
            writeln!(
                out,
                "  {}: {{ description: {}, generate: 32, rotate: 90d }}",
                json(secret),
                json(&self.summary)
            )
            .unwrap();
        }
        let served = self.services.iter().find(|service| {
            service.port.is_some() && !(service.schedule && !service.singleton && !service.scale)
        });
        if let Some(service) = served {
            let host = if self.host {
                "host: app.example.com, "
            } else {
                ""
            };
            writeln!(
                out,
                "routes: [{{ {host}paths: {{ /: {0}, /x: {0} }}, limits: {{ rate: 10/s }} }}]",
                json(&service.name)
            )
            .unwrap();
            writeln!(
                out,
                "objectives: [{{ name: up, service: {}, target: 99.9%, window: 30d }}]",
                json(&service.name)
            )
            .unwrap();
            writeln!(out, "load: {{ peak: {{ service: {}, users: 5, duration: 1m, requests: [{{ path: / }}] }} }}", json(&service.name)).unwrap();
        }
        writeln!(out, "alerts: [{{ name: Odd, query: \"up == 0\", for: 5m, severity: warning, summary: {} }}]", json(&self.summary)).unwrap();
        if self.pipeline {
            writeln!(out, "pipeline: {{ lint: {{ all: {{ command: {}, folder: ., language: python }} }}, deploy: kustomize, smoke: \"true\" }}", json(&format!("lint {}", self.summary))).unwrap();
        }
        let ingress = if self.ingress { "nginx" } else { "alb" };
        writeln!(
            out,
            "kubernetes: {{ ingress: {ingress}, monitoring: true }}\nenvironments:\n  {}:",
            json(&self.environment)
        )
        .unwrap();
        let (target, compute) = match self.cloud {
            0 => ("kubernetes", None),
            1 => ("kubernetes", Some("eks")),
            2 => ("ec2", Some("ec2")),
            _ => ("kubernetes", Some("nodes")),
        };
        writeln!(out, "    target: {target}\n    branch: main").unwrap();
        if let Some(compute) = compute {
            writeln!(out, "    cloud: {{ provider: aws, region: eu-west-1, compute: {compute}, stores: managed }}").unwrap();
        }
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_valid_plan_renders(file in file()) {
        let yaml = file.yaml();
        let plans = match Plans::of(yaml.as_bytes()) {
            Ok(plans) => plans,
            Err(problems) => panic!("the file is not valid: {problems}\n{yaml}"),
        };
        let once = plans.render_all();
        let twice = plans.render_all();
        for ((folder, target, one), (_, _, other)) in once.iter().zip(&twice) {
            prop_assert_eq!(&one.files, &other.files, "{}/{}", folder, target.name);
            if matches!(target.name, "kubernetes" | "argocd" | "flux") {
                kubernetes::check(&one.files).map_err(|problem| {
                    TestCaseError::fail(format!("{folder}/{}: {problem}\n{yaml}", target.name))
                })?;
            }
        }
    }
}
