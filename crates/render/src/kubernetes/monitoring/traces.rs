//! The OpenTelemetry collector, and Jaeger behind it.

use k8s_openapi::api::core::v1::{
    Container, PodSpec, Service as ApiService, ServicePort, ServiceSpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use wharf_base::units::Bytes;

use super::super::cluster::{Cluster, small};
use super::super::config::value;
use super::super::object::{Object, Stage};
use super::super::pods::{claim as claimed, container_port, container_security, mount};
use super::super::pods::{pod_security, simple_pod};
use super::super::probes::http_probe;
use super::super::stores::claim;
use super::{account, config_map, data, deployment, meta, mounted};
use crate::names;
use crate::otel_collector::{self, COLLECTOR, JAEGER};

/// The user of both images.
const USER: i64 = 10001;

/// A week of sampled traces of a small project.
const SPANS: Bytes = Bytes(10 << 30);

pub(super) fn objects(cluster: &Cluster<'_>) -> Vec<Object> {
    let mut objects = collector(cluster);
    objects.extend(jaeger(cluster));
    objects
}

fn collector(cluster: &Cluster<'_>) -> Vec<Object> {
    const CONFIG: &str = "otel-collector-config";
    let files = otel_collector::files(cluster.plan);
    let data = data(&files, |_| true);
    let text: String = data.values().map(String::as_str).collect();
    let (grpc, http) = otel_collector::OTLP_PORTS;
    let container = Container {
        name: COLLECTOR.to_owned(),
        image: Some(format!(
            "otel/opentelemetry-collector-contrib:{}",
            cluster.version("otel_collector")
        )),
        args: Some(vec!["--config=/etc/otelcol/otel-collector.yml".to_owned()]),
        ports: Some(vec![
            container_port("otlp-grpc", grpc),
            container_port("otlp-http", http),
            container_port("metrics", otel_collector::METRICS_PORT),
            container_port("health", otel_collector::HEALTH_PORT),
        ]),
        resources: small((50, 500), (128, 512)),
        readiness_probe: Some(http_probe("/", "health", 10, 3)),
        liveness_probe: Some(http_probe("/", "health", 20, 3)),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![mount("config", "/etc/otelcol")]),
        ..Container::default()
    };
    let pod = PodSpec {
        volumes: Some(vec![mounted("config", CONFIG, &files, |_| true)]),
        ..simple_pod(COLLECTOR, USER, container)
    };
    vec![
        account(cluster, COLLECTOR, false),
        config_map(cluster, CONFIG, COLLECTOR, data),
        deployment(cluster, COLLECTOR, pod, &text).comment(
            "/spec/replicas",
            "One: it decides about a trace once it has all of its spans.",
        ),
        service(
            cluster,
            COLLECTOR,
            &[("otlp-grpc", grpc), ("otlp-http", http)],
        ),
    ]
}

fn jaeger(cluster: &Cluster<'_>) -> Vec<Object> {
    let (grpc, _) = otel_collector::OTLP_PORTS;
    let container = Container {
        name: JAEGER.to_owned(),
        image: Some(format!(
            "jaegertracing/all-in-one:{}",
            cluster.version(JAEGER)
        )),
        env: Some(
            otel_collector::JAEGER_STORAGE
                .map(|(variable, text)| value(variable, text))
                .into(),
        ),
        ports: Some(vec![
            container_port("otlp-grpc", grpc),
            container_port("web", otel_collector::JAEGER_PORT),
            container_port("admin", 14269),
        ]),
        resources: small((50, 500), (128, 512)),
        startup_probe: Some(http_probe("/", "admin", 5, 60)),
        readiness_probe: Some(http_probe("/", "admin", 10, 3)),
        liveness_probe: Some(http_probe("/", "admin", 20, 3)),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![mount("data", "/badger")]),
        ..Container::default()
    };
    let pod = PodSpec {
        security_context: Some(pod_security(USER, true)),
        volumes: Some(vec![claimed("data", JAEGER)]),
        ..simple_pod(JAEGER, USER, container)
    };
    let mut volume = claim(cluster, JAEGER, JAEGER, "ReadWriteOnce", None, SPANS);
    volume.metadata = meta(cluster, JAEGER, JAEGER);
    vec![
        account(cluster, JAEGER, false),
        Object::typed(Stage::Config, "jaeger-pvc", &volume),
        deployment(cluster, JAEGER, pod, "").comment(
            "/spec/template/spec/containers/0/startupProbe",
            "Five minutes to read the log of a crash again.",
        ),
        service(
            cluster,
            JAEGER,
            &[("otlp-grpc", grpc), ("web", otel_collector::JAEGER_PORT)],
        ),
    ]
}

fn service(cluster: &Cluster<'_>, name: &str, ports: &[(&str, u16)]) -> Object {
    let ports = ports.iter().map(|(port, number)| ServicePort {
        name: Some((*port).to_owned()),
        port: i32::from(*number),
        target_port: Some(IntOrString::String((*port).to_owned())),
        ..ServicePort::default()
    });
    let service = ApiService {
        metadata: meta(cluster, name, name),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(names::selector(cluster.plan, name)),
            ports: Some(ports.collect()),
            ..ServiceSpec::default()
        }),
        ..ApiService::default()
    };
    Object::typed(Stage::Services, format!("{name}-service"), &service)
}
