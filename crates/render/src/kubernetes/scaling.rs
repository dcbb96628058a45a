//! How many pods: HorizontalPodAutoscalers, KEDA's ScaledObjects where a queue or a query decides, and
//! PodDisruptionBudgets.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler,
    HorizontalPodAutoscalerBehavior, HorizontalPodAutoscalerSpec, MetricSpec, MetricTarget,
    ResourceMetricSource,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use wharf_base::ids::Name;
use wharf_base::units::{Percent, Share};
use wharf_plan::model::{Scale, ScalePace, ScaleSource, Service};
use wharf_plan::template::{Field, Part, Reference};

use super::cluster::{Cluster, host_secret};
use super::object::{Object, Stage};
use super::order::ordered;
use crate::map;
use crate::values::store_password;
use crate::yaml::{Map, Yaml};

/// What scales a service and what keeps it up.
pub(super) fn objects(cluster: &Cluster<'_>, name: &Name, service: &Service) -> Vec<Object> {
    let mut objects = vec![];
    if let Some(scale) = &service.scale {
        if scale.metrics.is_empty() {
            objects.push(autoscaler(cluster, name, scale));
        } else {
            objects.extend(authentication(cluster, name, scale));
            objects.push(scaled_object(cluster, name, service, scale));
        }
    }
    objects.extend(budget(cluster, name, service));
    objects
}

fn budget(cluster: &Cluster<'_>, name: &Name, service: &Service) -> Option<Object> {
    let least = service.scale.as_ref().map_or(service.replicas, |s| s.min);
    // With one pod a budget would only keep a node from being drained.
    if least < 2 || service.singleton {
        return None;
    }
    let budget = PodDisruptionBudget {
        metadata: cluster.meta(name.as_str(), name.as_str()),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            selector: Some(cluster.selector(name.as_str())),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    };
    Some(
        Object::typed(Stage::Services, format!("{name}-pdb"), &budget).comment(
            "/spec/unhealthyPodEvictionPolicy",
            "A pod that does not work anyway keeps no node from being drained.",
        ),
    )
}

fn autoscaler(cluster: &Cluster<'_>, name: &Name, scale: &Scale) -> Object {
    let metrics: Vec<MetricSpec> = [("cpu", scale.cpu), ("memory", scale.memory)]
        .into_iter()
        .filter_map(|(resource, percent)| Some(utilization(resource, percent?)))
        .collect();
    let scaler = HorizontalPodAutoscaler {
        metadata: cluster.meta(name.as_str(), name.as_str()),
        spec: Some(HorizontalPodAutoscalerSpec {
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: name.to_string(),
            },
            min_replicas: i32::try_from(scale.min).ok(),
            max_replicas: i32::try_from(scale.max).unwrap_or(i32::MAX),
            metrics: (!metrics.is_empty()).then_some(metrics),
            behavior: Some(behavior(scale)),
        }),
        ..HorizontalPodAutoscaler::default()
    };
    Object::typed(Stage::Services, format!("{name}-hpa"), &scaler)
}

fn utilization(resource: &str, percent: Percent) -> MetricSpec {
    MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(ResourceMetricSource {
            name: resource.to_owned(),
            target: MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: i32::try_from(percent.floor().max(1)).ok(),
                ..MetricTarget::default()
            },
        }),
        ..MetricSpec::default()
    }
}

fn behavior(scale: &Scale) -> HorizontalPodAutoscalerBehavior {
    HorizontalPodAutoscalerBehavior {
        scale_up: Some(rules(
            &scale.up,
            Share::Count(scale.max.saturating_sub(scale.min).max(1)),
        )),
        scale_down: Some(rules(&scale.down, Share::Percent(100))),
    }
}

/// `any` stands for a pace without a bound, which the API has no word for.
fn rules(pace: &ScalePace, any: Share) -> HPAScalingRules {
    let seconds = |duration: std::time::Duration, most: u64| {
        i32::try_from(duration.as_secs().min(most)).unwrap_or(i32::MAX)
    };
    let (kind, value) = match pace.step.unwrap_or(any) {
        Share::Count(count) => ("Pods", count),
        Share::Percent(percent) => ("Percent", percent),
    };
    HPAScalingRules {
        stabilization_window_seconds: Some(seconds(pace.window, 3600)),
        policies: Some(vec![HPAScalingPolicy {
            type_: kind.to_owned(),
            value: i32::try_from(value.max(1)).unwrap_or(i32::MAX),
            period_seconds: seconds(pace.period, 1800).max(1),
        }]),
        ..HPAScalingRules::default()
    }
}

/// How KEDA gets at the stores whose queues decide.
fn authentication(cluster: &Cluster<'_>, name: &Name, scale: &Scale) -> Vec<Object> {
    let mut stores: Vec<&Name> = scale
        .metrics
        .iter()
        .filter_map(|metric| match &metric.source {
            ScaleSource::Queue { store, .. } => Some(store),
            ScaleSource::Query(_) => None,
        })
        .collect();
    stores.sort();
    stores.dedup();
    stores
        .into_iter()
        .map(|store| {
            let secret = &cluster.plan.kubernetes.secret;
            let reference = |parameter: &str, key: String| -> Yaml {
                map! { "parameter" => parameter, "name" => secret, "key" => key }.into()
            };
            let mut references = vec![reference("password", store_password(store))];
            if cluster.is_outside(store) {
                references.insert(0, reference("host", host_secret(store)));
            }
            let called = trigger_name(name, store);
            Object::custom(
                Stage::Services,
                format!("{name}-scaledobject"),
                "keda.sh/v1alpha1",
                "TriggerAuthentication",
                &cluster.meta(&called, name.as_str()),
                map! { "secretTargetRef" => references },
            )
        })
        .collect()
}

fn trigger_name(service: &Name, store: &Name) -> String {
    format!("{service}-{store}")
}

fn scaled_object(cluster: &Cluster<'_>, name: &Name, service: &Service, scale: &Scale) -> Object {
    let mut triggers = vec![];
    for (resource, percent) in [("cpu", scale.cpu), ("memory", scale.memory)] {
        if let Some(percent) = percent {
            let value = percent.floor().to_string();
            triggers.push(map! {
                "type" => resource,
                "metricType" => "Utilization",
                "metadata" => map! { "value" => value },
            });
        }
    }
    for metric in &scale.metrics {
        let target = number(metric.target);
        triggers.push(match &metric.source {
            ScaleSource::Query(query) => map! {
                "type" => "prometheus",
                "name" => &metric.name,
                "metadata" => map! {
                    "serverAddress" => "http://prometheus.monitoring.svc.cluster.local:9090",
                    "query" => query,
                    "threshold" => target,
                },
            },
            ScaleSource::Queue { store, list } => {
                let outside = cluster.is_outside(store);
                let mut metadata = Map::new();
                if outside {
                    // The host comes with the password.
                    metadata.set("port", cluster.server(store).port.to_string());
                    metadata.set("enableTLS", "true");
                } else {
                    let namespace = &cluster.plan.kubernetes.namespace;
                    let port = cluster.server(store).port;
                    let address = format!(
                        "{}.{namespace}.svc.cluster.local:{port}",
                        cluster.server(store).host
                    );
                    metadata.set("address", address);
                }
                if let Some((index, variable)) = database(service, store) {
                    metadata.set_with_comment(
                        format!("The one of {variable}."),
                        "databaseIndex",
                        index,
                    );
                }
                metadata.set("listName", list);
                metadata.set("listLength", target);
                map! {
                    "type" => "redis",
                    "name" => &metric.name,
                    "metadata" => metadata,
                    "authenticationRef" => map! { "name" => trigger_name(name, store) },
                }
            }
        });
    }
    let behavior = ordered(serde_json::to_value(behavior(scale)).unwrap_or_default());
    let spec = map! {
        "scaleTargetRef" => map! { "name" => name },
        "minReplicaCount" => scale.min,
        "maxReplicaCount" => scale.max,
        "pollingInterval" => 15,
        "advanced" => map! {
            "horizontalPodAutoscalerConfig" => map! { "behavior" => behavior },
        },
        "triggers" => triggers,
    };
    Object::custom(
        Stage::Services,
        format!("{name}-scaledobject"),
        "keda.sh/v1alpha1",
        "ScaledObject",
        &cluster.meta(name.as_str(), name.as_str()),
        spec,
    )
}

/// Which database of a Redis holds the queue, and which variable says so: the one of a broker or a queue that has a number
/// behind its address.
pub(super) fn database(service: &Service, store: &Name) -> Option<(String, String)> {
    let mut found: Vec<(bool, String, String)> = vec![];
    for (variable, template) in &service.environment {
        let [
            Part::Reference(Reference::Field {
                of,
                field: Field::Url,
            }),
            Part::Text(path),
        ] = template.parts.as_slice()
        else {
            continue;
        };
        let index = path.strip_prefix('/').unwrap_or_default();
        let is_index = !index.is_empty() && index.chars().all(|c| c.is_ascii_digit());
        if of == store && is_index {
            let queue = ["BROKER", "QUEUE", "JOBS"];
            let queue = queue.iter().any(|word| variable.contains(word));
            found.push((!queue, index.to_owned(), variable.clone()));
        }
    }
    found.sort();
    let (_, index, variable) = found.into_iter().next()?;
    Some((index, variable))
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        value.to_string()
    }
}
