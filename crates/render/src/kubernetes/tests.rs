use std::collections::BTreeSet;

use super::*;

const DJANGO: &[u8] = include_bytes!("../../../../examples/django-eks/wharf.yaml");
const CHAT: &[u8] = include_bytes!("../../../../examples/chat/wharf.yaml");
const ITEMS: &[u8] = include_bytes!("../../../../examples/items/wharf.yaml");
const ITEMS_REDIS: &[u8] = include_bytes!("../../../../examples/items-redis/wharf.yaml");
const DJANGO_EC2: &[u8] = include_bytes!("../../../../examples/django-ec2/wharf.yaml");

fn plan(file: &[u8], environment: Option<&str>) -> Plan {
    let (plan, diagnostics) = wharf_plan::resolve(file, environment);
    plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

fn find<'a>(objects: &'a [Object], kind: &str, name: &str) -> &'a Yaml {
    let found = objects
        .iter()
        .find(|object| object.kind() == kind && object.name() == name);
    &found
        .unwrap_or_else(|| panic!("there is no {kind} {name}"))
        .yaml
}

/// Each pointer leads to the value.
#[track_caller]
fn check(yaml: &Yaml, expected: &[(&str, Option<serde_json::Value>)]) {
    for (pointer, value) in expected {
        let found = yaml.at(pointer).cloned().map(Yaml::into_json);
        assert_eq!(&found, value, "{pointer}");
    }
}

fn is(value: impl Into<serde_json::Value>) -> Option<serde_json::Value> {
    Some(value.into())
}

#[test]
fn the_shop_scales_by_load_and_by_its_queue() {
    let objects = objects(&plan(DJANGO, Some("dev")));
    check(
        find(&objects, "HorizontalPodAutoscaler", "web"),
        &[
            ("/metadata/namespace", is("django-app-dev")),
            ("/spec/minReplicas", is(2)),
            ("/spec/maxReplicas", is(10)),
            ("/spec/metrics/0/resource/target/averageUtilization", is(70)),
            ("/spec/metrics/1/resource/target/averageUtilization", is(80)),
        ],
    );
    let container = "/spec/template/spec/containers/0";
    check(
        find(&objects, "Deployment", "web"),
        &[
            ("/spec/replicas", None),
            (&format!("{container}/resources/limits/cpu"), is("1000m")),
            (
                &format!("{container}/resources/requests/memory"),
                is("512Mi"),
            ),
            (&format!("{container}/command/0"), is("gunicorn")),
        ],
    );
    check(
        find(&objects, "ScaledObject", "worker"),
        &[
            ("/spec/maxReplicaCount", is(8)),
            ("/spec/triggers/1/metadata/listName", is("celery")),
            // The broker's database, not the cache's.
            ("/spec/triggers/1/metadata/databaseIndex", is("1")),
        ],
    );
    check(
        find(&objects, "Deployment", "beat"),
        &[
            ("/spec/replicas", is(1)),
            ("/spec/strategy/type", is("Recreate")),
        ],
    );
    check(
        find(&objects, "ExternalSecret", "django-secrets"),
        &[
            ("/spec/secretStoreRef/name", is("aws-secrets-manager")),
            ("/spec/data/4/remoteRef/key", is("django-app-dev")),
            ("/spec/data/4/remoteRef/property", is("secret_key")),
        ],
    );
}

#[test]
fn a_managed_store_is_reached_by_what_the_secret_says() {
    let plan = plan(DJANGO, Some("dev"));
    let objects = objects(&plan);
    assert!(!objects.iter().any(|object| object.kind() == "StatefulSet"));
    let web = find(&objects, "Deployment", "web");
    let Some(Yaml::List(env)) = web.at("/spec/template/spec/containers/0/env") else {
        panic!("the container has no variables");
    };
    let place = |name: &str| {
        let is_it = |item: &Yaml| item.at("/name") == Some(&Yaml::from(name));
        env.iter()
            .position(is_it)
            .unwrap_or_else(|| panic!("{name} is not there"))
    };
    // `$(NAME)` is filled in only where NAME stands above.
    assert!(place("CACHE_HOST") < place("CACHE_URL"));
    assert!(place("CACHE_PASSWORD") < place("CACHE_URL"));
    check(
        &env[place("CACHE_URL")],
        &[(
            "/value",
            is("rediss://:$(CACHE_PASSWORD)@$(CACHE_HOST):6379/0"),
        )],
    );
    // Through the pool; a migration asks the server itself.
    check(
        &env[place("DATABASE_URL")],
        &[(
            "/value",
            is("postgresql://wharf:$(DB_PASSWORD)@db-pool:6432/django_app"),
        )],
    );
    let job = find(&objects, "Job", "web-release")
        .clone()
        .into_json()
        .to_string();
    assert!(
        job.contains("$(DB_HOST):5432/django_app?sslmode=require"),
        "{job}"
    );
}

#[test]
fn the_file_as_it_stands_keeps_its_stores_on_the_cluster() {
    let objects = objects(&plan(DJANGO, None));
    let claim = "/spec/volumeClaimTemplates/0/spec";
    for (store, size) in [("db", "10Gi"), ("cache", "5Gi")] {
        check(
            find(&objects, "StatefulSet", store),
            &[
                (&format!("{claim}/resources/requests/storage"), is(size)),
                (&format!("{claim}/storageClassName"), is("gp2")),
            ],
        );
    }
    let modes = |mode: &str| is(vec![mode]);
    check(
        find(&objects, "PersistentVolumeClaim", "media"),
        &[
            ("/spec/accessModes", modes("ReadWriteMany")),
            ("/spec/storageClassName", is("efs")),
        ],
    );
    check(
        find(&objects, "PersistentVolumeClaim", "backups"),
        &[("/spec/resources/requests/storage", is("20Gi"))],
    );
}

#[test]
fn services_are_exposed_as_the_file_says() {
    let chat = objects(&plan(CHAT, Some("prod")));
    check(
        find(&chat, "Service", "frontend-service"),
        &[
            ("/spec/type", is("LoadBalancer")),
            ("/spec/ports/0/port", is(80)),
        ],
    );
    check(
        find(&chat, "Deployment", "frontend"),
        &[(
            "/spec/template/spec/containers/0/ports/0/containerPort",
            is(3000),
        )],
    );
    let items = objects(&plan(ITEMS, Some("prod")));
    check(
        find(&items, "Service", "api"),
        &[
            ("/spec/type", is("NodePort")),
            ("/spec/ports/0/nodePort", is(30080)),
        ],
    );
}

#[test]
fn only_declared_flows_are_allowed() {
    let objects = objects(&plan(CHAT, Some("dev")));
    let text = |name: &str| {
        let policy = find(&objects, "NetworkPolicy", name);
        policy.clone().into_json().to_string()
    };
    let websocket = text("websocket");
    assert!(websocket.contains(r#""app.kubernetes.io/name":"cache""#));
    assert!(!websocket.contains(r#""app.kubernetes.io/name":"db""#));
    assert!(text("db").contains(r#""app.kubernetes.io/name":"backend""#));
    check(
        find(&objects, "NetworkPolicy", "default-deny"),
        &[("/spec/ingress", None), ("/spec/egress", None)],
    );
}

#[test]
fn every_object_has_a_name_of_its_own_and_no_secret_has_a_value() {
    for file in [DJANGO, CHAT, ITEMS, ITEMS_REDIS, DJANGO_EC2] {
        let environments = wharf_plan::environments(file);
        let names = environments.iter().map(|name| Some(name.as_str()));
        for environment in names.chain([None]) {
            let plan = plan(file, environment);
            let mut seen = BTreeSet::new();
            for object in objects(&plan) {
                let key = [object.kind(), object.namespace(), object.name()];
                assert!(seen.insert(key.map(str::to_owned)), "{key:?} twice");
                assert_ne!(object.kind(), "Secret");
                assert!(object.name().len() <= 63, "{key:?}");
            }
        }
    }
}

/// A route whose `/ws` is sticky, in a cluster with this ingress.
fn sticky(ingress: &str) -> Vec<Object> {
    let text = format!(
        "name: a\nkubernetes: {{ ingress: {ingress} }}\nservices:\n  web: {{ image: web:1, port: 80 }}\n  socket: {{ image: socket:1, port: 81, drain_timeout: 40s }}\nroutes: [{{ host: a.example.com, paths: {{ /: web, /ws: {{ service: socket, sticky: true }}, /cut: {{ service: socket, sticky: true, strip_prefix: true }} }} }}]\nenvironments: {{ prod: {{ target: kubernetes }} }}\n"
    );
    objects(&plan(text.as_bytes(), Some("prod")))
}

#[test]
fn a_sticky_path_has_an_ingress_with_a_cookie() {
    let objects = sticky("nginx");
    let of = |key: &str| format!("/metadata/annotations/nginx.ingress.kubernetes.io~1{key}");
    let paths = "/spec/rules/0/http/paths";
    check(
        find(&objects, "Ingress", "a"),
        &[
            (&of("affinity"), None),
            (&format!("{paths}/0/path"), is("/")),
            (&format!("{paths}/1/path"), None),
        ],
    );
    for (name, path) in [("a-sticky-0", "/ws"), ("a-stripped-0", "/cut")] {
        check(
            find(&objects, "Ingress", name),
            &[
                (&of("affinity"), is("cookie")),
                (&of("affinity-mode"), is("persistent")),
                (&of("session-cookie-name"), is("wharf-socket")),
                (&of("session-cookie-path"), is(path)),
                (&of("session-cookie-samesite"), is("Lax")),
                (&of("session-cookie-secure"), is("true")),
            ],
        );
    }
}

#[test]
fn a_sticky_service_has_a_target_group_with_a_cookie() {
    let objects = sticky("alb");
    let key = "/metadata/annotations/alb.ingress.kubernetes.io~1target-group-attributes";
    let attributes =
        "deregistration_delay.timeout_seconds=40,stickiness.enabled=true,stickiness.type=lb_cookie";
    check(
        find(&objects, "Service", "socket"),
        &[(key, is(attributes))],
    );
    check(
        find(&objects, "Service", "web"),
        &[("/metadata/annotations", None)],
    );
}
