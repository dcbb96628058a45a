//! Valid files of every kind: names at their edges, texts that some format takes for its own, every part of the model that
//! has a name or a reference.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::sample::subsequence;

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
        "[a-zA-Z0-9][a-zA-Z0-9 ./_-]{0,19}",
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

/// What a service may have besides.
const SERVICE: &[&str] = &[
    "api",
    "bucket",
    "calls",
    "probe",
    "queue",
    "release",
    "scale",
    "schedule",
    "singleton",
    "static",
    "volume",
    "shared",
];

/// What a file may have besides.
const FILE: &[&str] = &[
    "alb",
    "configure",
    "host",
    "jobs",
    "monitoring",
    "names",
    "notify",
    "patch",
    "pipeline",
    "scan",
    "versions",
];

/// What an environment may have besides.
const ENVIRONMENT: &[&str] = &[
    "approval",
    "bastion",
    "cloud-names",
    "dns",
    "gitops",
    "recovery",
    "repository",
    "routes",
    "secret-store",
    "watched",
];

/// The features that are chosen.
type Features = BTreeSet<&'static str>;

fn features(all: &'static [&'static str]) -> impl Strategy<Value = Features> {
    subsequence(all, 0..=all.len()).prop_map(|some| some.into_iter().collect())
}

#[derive(Debug, Clone)]
struct Service {
    name: String,
    source: u8,
    port: Option<u16>,
    replicas: u8,
    value: String,
    volume: String,
    expose: u8,
    has: Features,
}

fn service() -> impl Strategy<Value = Service> {
    let port = proptest::option::weighted(0.7, 1024..65000u16);
    let parts = (
        name(),
        0..6u8,
        port,
        1..5u8,
        lines(),
        name(),
        0..4u8,
        features(SERVICE),
    );
    parts.prop_map(
        |(name, source, port, replicas, value, volume, expose, has)| Service {
            name,
            source,
            port,
            replicas,
            value,
            volume,
            expose,
            has,
        },
    )
}

impl Service {
    fn scales(&self) -> bool {
        self.has.contains("scale")
    }

    fn is_single(&self) -> bool {
        self.has.contains("singleton") && !self.scales()
    }

    fn is_scheduled(&self) -> bool {
        self.has.contains("schedule") && !self.is_single() && !self.scales()
    }

    /// The port, where it has one.
    fn served(&self) -> Option<u16> {
        self.port.filter(|_| !self.is_scheduled())
    }
}

#[derive(Debug, Clone)]
struct Environment {
    name: String,
    cloud: u8,
    other: String,
    has: Features,
}

fn environment() -> impl Strategy<Value = Environment> {
    (name(), 0..4u8, name(), features(ENVIRONMENT)).prop_map(|(name, cloud, other, has)| {
        Environment {
            name,
            cloud,
            other,
            has,
        }
    })
}

/// One `wharf.yaml`.
#[derive(Debug, Clone)]
pub(super) struct File {
    name: String,
    services: Vec<Service>,
    /// Name, whether it is PostgreSQL, whether it has backups.
    stores: Vec<(String, bool, bool)>,
    secrets: Vec<String>,
    environments: Vec<Environment>,
    /// A bucket, a receiver, an objective, a scenario, a ConfigMap.
    other: String,
    /// Jobs.
    jobs: Vec<String>,
    deploy: u8,
    summary: String,
    has: Features,
}

pub(super) fn file() -> impl Strategy<Value = File> {
    let parts = (
        name(),
        proptest::collection::vec(service(), 1..4),
        proptest::collection::vec((name(), any::<bool>(), any::<bool>()), 0..3),
        proptest::collection::vec(name(), 0..3),
        proptest::collection::vec(environment(), 1..3),
        (name(), proptest::collection::vec(name(), 3)),
        0..4u8,
        text(),
        features(FILE),
    );
    parts
        .prop_map(
            |(
                name,
                services,
                stores,
                secrets,
                environments,
                (other, jobs),
                deploy,
                summary,
                has,
            )| File {
                name,
                services,
                stores,
                secrets,
                environments,
                other,
                jobs,
                deploy,
                summary,
                has,
            },
        )
        .prop_filter("one name means one thing", |file| {
            let services = file.services.iter().map(|service| &service.name);
            let stores = file.stores.iter().map(|(name, ..)| name);
            let environments = file.environments.iter().map(|one| &one.name);
            unique(services.chain(stores))
                && unique(&file.secrets)
                && unique(&file.jobs)
                && unique(environments)
        })
}

fn unique<'a>(names: impl IntoIterator<Item = &'a String>) -> bool {
    let mut seen = BTreeSet::new();
    names.into_iter().all(|name| seen.insert(name))
}

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// For what may not begin with a digit.
fn lettered(name: &str) -> String {
    let name: String = name.chars().take(62).collect();
    json(&format!("n{}", name.trim_end_matches('-')))
}

/// A `$` of the text is no reference.
fn value(text: &str) -> String {
    json(&text.replace('$', "$$"))
}

impl File {
    fn has(&self, feature: &str) -> bool {
        self.has.contains(feature)
    }

    /// As a `wharf.yaml`. JSON is YAML, so texts are written as JSON.
    pub(super) fn yaml(&self) -> String {
        let mut out = format!("name: {}\nservices:\n", json(&self.name));
        for service in &self.services {
            writeln!(out, "  {}:", json(&service.name)).unwrap();
            for line in self.service(service) {
                writeln!(out, "    {line}").unwrap();
            }
        }
        for line in self.stores_and_secrets().into_iter().chain(self.rest()) {
            out.push_str(&line);
            out.push('\n');
        }
        out.push_str("environments:\n");
        for environment in &self.environments {
            writeln!(out, "  {}:", json(&environment.name)).unwrap();
            for line in self.environment(environment) {
                writeln!(out, "    {line}").unwrap();
            }
        }
        out
    }

    fn service(&self, service: &Service) -> Vec<String> {
        let has = |feature| service.has.contains(feature);
        let mut lines = vec![match service.source {
            0 => "build: { context: ., language: rust }".to_owned(),
            1 => "build: { context: ./a, language: python, framework: django }\n    command: gunicorn a.wsgi".to_owned(),
            2 => "build: { context: ./b, language: node, framework: react }".to_owned(),
            3 => "build: { context: ./c, language: go }".to_owned(),
            4 => "image: \"nginx:1.27\"".to_owned(),
            _ => format!("build: {{ context: ./d, dockerfile: Containerfile }}\n    command: {}", json(&format!("./run {}", self.summary))),
        }];
        if let Some(port) = service.served() {
            lines.push(format!("port: {port}"));
            if has("probe") {
                lines.push("probes: { http: /health }".to_owned());
                lines.push("metrics: /metrics".to_owned());
            }
            match service.expose {
                1 => lines.push("expose: { kind: load_balancer, port: 80 }".to_owned()),
                2 => lines.push("expose: { kind: node_port, port: 80 }".to_owned()),
                3 => lines.push(format!(
                    "expose: {{ name: {}, kind: cluster_ip, port: 81 }}",
                    lettered(&service.volume)
                )),
                _ => {}
            }
            if has("static") {
                lines.push("static_files: { /static/: staticfiles, /media/: media }".to_owned());
            }
            if has("api") {
                lines.push(format!("api: [{{ method: GET, path: /items, summary: {0} }}, {{ method: POST, path: /items, status: 201 }}, {{ method: GET, path: \"/items/{{id}}\" }}]", json(&self.summary)));
            }
        }
        let first = |other: &&Service| other.name != service.name && other.served().is_some();
        if let Some(other) = self.services.iter().find(first).filter(|_| has("calls")) {
            lines.push(format!("calls: [{}]", json(&other.name)));
        }
        if has("bucket") && self.has("names") {
            lines.push(format!("buckets: [{}]", json(&self.other)));
        }
        if service.is_scheduled() {
            lines.push("schedule: \"*/5 * * * *\"".to_owned());
        } else if service.is_single() {
            lines.push("singleton: true".to_owned());
        } else {
            lines.push(format!("replicas: {}", service.replicas));
        }
        if service.scales() {
            let redis = self.stores.iter().find(|(_, postgres, _)| !postgres);
            let queue = redis.filter(|_| has("queue")).map_or(String::new(), |(store, ..)| {
                format!(", metrics: [{{ name: waiting, queue: {{ store: {}, list: {} }}, target: 10 }}]", json(store), json(&self.summary))
            });
            lines.push(format!(
                "scale: {{ min: 1, max: 9, cpu: 70%, memory: 80%{queue} }}"
            ));
            lines.push("resources: { cpu: 100m..1, memory: 64Mi..1Gi }".to_owned());
        }
        if has("release") && !service.is_scheduled() {
            lines.push(format!("release: {}", json("./migrate --all 'x'")));
        }
        if has("volume") {
            let shared = has("shared");
            let source = json(&service.volume);
            lines.push(format!(
                "volumes: [{{ source: {source}, target: /data, size: 1Gi, shared: {shared} }}]"
            ));
        }
        lines.push("environment:".to_owned());
        lines.push(format!("  VALUE: {}", value(&service.value)));
        for (index, (store, ..)) in self.stores.iter().enumerate() {
            lines.push(format!(
                "  STORE_{index}: {}",
                json(&format!("${{{store}.url}}"))
            ));
        }
        for (index, secret) in self.secrets.iter().enumerate() {
            lines.push(format!(
                "  SECRET_{index}: {}",
                json(&format!("${{secret.{secret}}}"))
            ));
        }
        lines
    }

    fn stores_and_secrets(&self) -> Vec<String> {
        let mut lines = vec![];
        if !self.stores.is_empty() {
            lines.push("stores:".to_owned());
        }
        for (store, postgres, backups) in &self.stores {
            let engine = if *postgres { "postgres" } else { "redis" };
            let backups = if *backups {
                ", backups: { keep: 7d }"
            } else {
                ""
            };
            let pool = if *postgres && self.has("names") {
                ", pool: { size: 9 }"
            } else {
                ""
            };
            lines.push(format!(
                "  {}: {{ engine: {engine}, storage: 1Gi{backups}{pool} }}",
                json(store)
            ));
        }
        if !self.secrets.is_empty() {
            lines.push("secrets:".to_owned());
        }
        for secret in &self.secrets {
            lines.push(format!(
                "  {}: {{ description: {}, generate: 32, rotate: 90d }}",
                json(secret),
                json(&self.summary)
            ));
        }
        lines
    }

    fn rest(&self) -> Vec<String> {
        let mut lines = vec![];
        let summary = json(&self.summary);
        let other = json(&self.other);
        let served = self
            .services
            .iter()
            .find(|service| service.served().is_some());
        if let Some(service) = served {
            let name = json(&service.name);
            let host = if self.has("host") {
                "host: app.example.com, "
            } else {
                ""
            };
            lines.push(format!(
                "routes: [{{ {host}paths: {{ /: {name}, /x: {{ service: {name}, sticky: true }} }}, limits: {{ rate: 10/s }} }}]"
            ));
            lines.push(format!("objectives: [{{ name: {other}, service: {name}, target: 99.9%, window: 30d }}, {{ name: fast, service: {name}, target: 99%, latency: 200ms }}]"));
            lines.push(format!("load: {{ {other}: {{ service: {name}, users: 5, duration: 1m, requests: [{{ path: / }}, {{ path: \"/items?a=1\", method: POST, weight: 2, body: {{ a: {summary} }} }}] }} }}"));
        }
        lines.push(format!("alerts: [{{ name: Odd, query: \"up == 0\", for: 5m, severity: warning, summary: {summary} }}]"));
        let receiver = self.secrets.first().filter(|_| self.has("notify"));
        if let Some(secret) = receiver {
            let secret = json(&format!("${{secret.{secret}}}"));
            lines.push(format!("notify: {{ {other}: {{ slack: \"#alerts\", url: {secret}, severities: [critical] }}, pager: {{ pagerduty: {secret} }}, team: {{ email: ops@example.com, severities: [info] }} }}"));
        }
        if self.has("pipeline") {
            let mut pipeline = vec![
                format!(
                    "lint: {{ {}: {{ command: {}, folder: ., language: python }} }}",
                    json(&self.jobs[0]),
                    json(&format!("lint {}", self.summary))
                ),
                "smoke: \"true\"".to_owned(),
                "schedule: \"0 4 * * 1\"".to_owned(),
            ];
            let deploy = ["kustomize", "helm", "canary", "none"][usize::from(self.deploy)];
            if !self.environments.iter().any(|one| one.cloud == 2) {
                pipeline.push(format!("deploy: {deploy}"));
            }
            if self.has("jobs") {
                let stores: Vec<String> = self.stores.iter().map(|(name, ..)| json(name)).collect();
                let (test, job) = (json(&self.jobs[1]), json(&self.jobs[2]));
                let stores = stores.join(", ");
                pipeline.push(format!("tests: {{ {test}: {{ command: pytest, folder: ., language: python, coverage: 80%, versions: [\"3.11\", \"3.12\"], stores: [{stores}] }} }}"));
                pipeline.push(format!("jobs: {{ last: {{ command: make, needs: [{job}] }}, {job}: {{ command: make }} }}"));
                pipeline.push("integration: make e2e".to_owned());
            }
            if self.has("scan") {
                pipeline.push("scan: { code: [semgrep, bandit], secrets: [gitleaks], dependencies: [trivy, snyk], images: [trivy], infrastructure: [trivy], dynamic: [zap] }".to_owned());
                pipeline.push("updates: true".to_owned());
            }
            if served.is_some() {
                pipeline.push(format!("load: {other}"));
            }
            if receiver.is_some() {
                pipeline.push(format!("notify: [{other}, team]"));
            }
            if self.has("configure") {
                pipeline.push("provision: terraform".to_owned());
                pipeline.push("configure: true".to_owned());
            }
            lines.push(format!("pipeline:\n  {}", pipeline.join("\n  ")));
        }
        if self.has("versions") {
            lines.push("versions: { terraform: \"1.6.0\", helm: \"3\" }".to_owned());
        }
        if self.has("patch") {
            lines.push("patches: [{ target: kubernetes, path: \"00-namespace.yaml#/metadata/annotations\", value: { a: b } }]".to_owned());
        }
        let ingress = if self.has("alb") { "alb" } else { "nginx" };
        let names = if self.has("names") {
            format!(", config_map: {other}, secret: {other}")
        } else {
            String::new()
        };
        let monitoring = self.has("monitoring");
        lines.push(format!(
            "kubernetes: {{ ingress: {ingress}, monitoring: {monitoring}{names} }}"
        ));
        lines
    }

    fn environment(&self, environment: &Environment) -> Vec<String> {
        let has = |feature| environment.has.contains(feature);
        let other = json(&environment.other);
        let (target, compute) = match environment.cloud {
            0 => ("kubernetes", None),
            1 => ("kubernetes", Some("eks")),
            2 => ("ec2", Some("ec2")),
            _ => ("kubernetes", Some("nodes")),
        };
        let mut lines = vec![format!("target: {target}"), format!("branch: {other}")];
        if has("approval") {
            lines.push("approval: true".to_owned());
        }
        let mut kubernetes = vec![];
        if target == "kubernetes" {
            if has("gitops") {
                kubernetes.push(
                    "gitops: { repository: \"https://github.com/example/app.git\" }".to_owned(),
                );
                kubernetes.push(format!("namespace: {other}"));
            }
            if has("routes") {
                kubernetes.push("quota: { cpu: 16, memory: 32Gi, pods: 60 }".to_owned());
            }
            lines.push(format!("kubernetes: {{ {} }}", kubernetes.join(", ")));
        }
        let served = self
            .services
            .iter()
            .find(|service| service.served().is_some());
        if let Some(service) = served.filter(|_| has("routes")) {
            lines.push(format!(
                "routes: [{{ host: shop.example.com, paths: {{ /: {} }} }}]",
                json(&service.name)
            ));
        }
        let Some(compute) = compute else {
            if has("secret-store") && !self.secrets.is_empty() {
                lines.push("secret_store: { provider: sealed_secrets }".to_owned());
            }
            return lines;
        };
        if has("secret-store") && target == "kubernetes" {
            lines.push(format!(
                "secret_store: {{ provider: aws_secrets_manager, name: {other} }}"
            ));
        }
        let mut cloud = vec![format!(
            "provider: aws, region: eu-west-1, compute: {compute}, stores: managed"
        )];
        if self.has("names") {
            cloud.push(format!(
                "buckets: {{ {}: {{}}, backups: {{ expire_after: 90d }} }}",
                json(&self.other)
            ));
        }
        if has("bastion") {
            cloud.push("bastion: { instance: t3.micro }, network: { nat: per_zone }".to_owned());
        }
        if has("cloud-names") {
            let prefix: String = environment
                .other
                .replace("--", "-x")
                .chars()
                .take(40)
                .collect();
            let prefix = json(prefix.trim_end_matches('-'));
            let (group, team) = (lettered(&environment.other), json(&self.summary));
            cloud.push(format!("prefix: {prefix}, nodes: {{ name: {other}, cluster: {other}, instance: t3.large, min: 1, max: 4 }}, stacks: {{ role: {group}, infrastructure: infra }}, tags: {{ Team: {team} }}"));
        }
        if has("dns") {
            cloud.push("dns_zone: example.com".to_owned());
        }
        if has("recovery") {
            cloud.push("recovery_region: us-west-2".to_owned());
        }
        if has("repository") {
            cloud.push("repository: example/app".to_owned());
        }
        if has("watched") {
            cloud.push(
                "alarms: { email: ops@example.com }, budget: 400/month, log_groups: [/aws/ec2/app]"
                    .to_owned(),
            );
        }
        lines.push(format!("cloud: {{ {} }}", cloud.join(", ")));
        lines
    }
}
