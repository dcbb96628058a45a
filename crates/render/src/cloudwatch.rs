//! CloudWatch: alarms and a dashboard as files of the AWS command line, for whoever has neither Terraform nor
//! CloudFormation make them. Both make the same alarms, under the same names.
//!
//! ```text
//! alarms/NAME.json   one alarm each, for `aws cloudwatch put-metric-alarm --cli-input-json`
//! dashboard.json     for `aws cloudwatch put-dashboard`
//! apply.sh           looks up what is not known before, and puts them
//! README.md
//! ```
//!
//! What AWS names only when it makes something (a load balancer's and a target group's identifier, the group behind an EKS
//! node group, the topic's ARN) stands as `${NAME}` in alarms; `apply.sh` fills it in. The dashboard searches instead.

mod dashboard;

use serde_json::{Value, json};
use wharf_plan::model::{Cloud, Compute, Plan, StoreEngine, StoresBy};

use crate::{Input, Rendered, Scope, Target, header, machine, template};

/// The target.
pub const TARGET: Target = Target {
    name: "cloudwatch",
    summary: "CloudWatch: alarms and a dashboard, for the AWS command line",
    scope: Scope::Environment,
    applies: |input| match input.plan.cloud {
        Some(_) => Ok(()),
        None => Err("the environment has no `cloud`"),
    },
    make,
};

/// Alarms count in the five minutes in which EC2 measures without detailed monitoring.
const PERIOD: u64 = 300;

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.plan;
    let Some(cloud) = &plan.cloud else {
        return;
    };
    let alarms = alarms(plan, cloud);
    for alarm in &alarms {
        let path = format!("alarms/{}.json", alarm.name);
        out.json(&path, alarm.json(plan, cloud));
    }
    out.json("dashboard.json", dashboard::body(plan, cloud));
    let context = json!({
        "header": header(plan),
        "prefix": cloud.prefix,
        "region": cloud.region,
        "email": cloud.alarms.email,
        "cluster": cloud.nodes.cluster,
        "nodes": cloud.nodes.name,
        "group": machine::group_name(cloud),
        "eks": cloud.compute == Compute::Eks,
        "ec2": cloud.compute == Compute::Ec2,
        "balancer": balancer(cloud),
        "project": plan.name,
        "environment": plan.environment,
        "cpu": cloud.alarms.cpu.to_string(),
        "minutes": cloud.alarms.cpu_hold.as_secs() / 60,
        "alarms": alarms.iter().map(|alarm| json!({ "name": format!("{}-{}", cloud.prefix, alarm.name), "what": alarm.what })).collect::<Vec<_>>(),
    });
    out.add_program(
        "apply.sh",
        template::fill(include_str!("cloudwatch/apply.sh"), &context),
    );
    out.add(
        "README.md",
        template::fill(include_str!("cloudwatch/README.md.in"), &context),
    );
    if cloud.alarms.email.is_none() {
        out.gap(
            "cloud.alarms.email",
            "the topic of the alarms has no subscriber: nobody hears of them",
        );
    }
    if cloud.compute == Compute::Nodes {
        out.gap(
            "cloud.alarms.cpu",
            "nodes without a group have an alarm each, by an identifier that only Terraform knows: it makes them",
        );
    }
    if cloud.compute != Compute::Ec2 {
        out.gap(
            "cloud.load_balancer",
            "on a cluster the load balancer is made by its controller under a name of its own: Prometheus watches the services behind it",
        );
    }
}

/// Whether the load balancer has a name that is known before.
fn balancer(cloud: &Cloud) -> bool {
    cloud.compute == Compute::Ec2
}

/// One alarm.
struct Alarm {
    /// Its name behind the prefix.
    name: String,
    /// What it means.
    what: String,
    /// Namespace, metric, statistic.
    metric: (&'static str, &'static str, &'static str),
    dimensions: Vec<(&'static str, String)>,
    /// Whether above or below.
    above: bool,
    threshold: f64,
    /// Seconds, and how many of these periods.
    period: u64,
    periods: u64,
    /// A metric expression instead: label, and the metrics that it names.
    expression: Option<(&'static str, Vec<(&'static str, &'static str)>)>,
}

impl Alarm {
    fn json(&self, plan: &Plan, cloud: &Cloud) -> Value {
        let dimensions: Vec<Value> = self
            .dimensions
            .iter()
            .map(|(name, value)| json!({ "Name": name, "Value": value }))
            .collect();
        let mut tags = vec![
            json!({ "Key": "Project", "Value": plan.name }),
            json!({ "Key": "ManagedBy", "Value": "wharf" }),
        ];
        if let Some(environment) = &plan.environment {
            tags.insert(1, json!({ "Key": "Environment", "Value": environment }));
        }
        let mut alarm = json!({
            "AlarmName": format!("{}-{}", cloud.prefix, self.name),
            "AlarmDescription": self.what,
            "ActionsEnabled": true,
            "AlarmActions": ["${TOPIC}"],
            "OKActions": ["${TOPIC}"],
            "EvaluationPeriods": self.periods,
            "DatapointsToAlarm": self.periods,
            "Threshold": self.threshold,
            "ComparisonOperator": if self.above { "GreaterThanThreshold" } else { "LessThanThreshold" },
            // No sample is no trouble: nothing was asked, or a group is empty.
            "TreatMissingData": "notBreaching",
            "Tags": tags,
        });
        let (namespace, metric, statistic) = self.metric;
        match &self.expression {
            None => {
                alarm["Namespace"] = json!(namespace);
                alarm["MetricName"] = json!(metric);
                // A percentile is an extended statistic.
                let kind = if statistic.starts_with('p') {
                    "ExtendedStatistic"
                } else {
                    "Statistic"
                };
                alarm[kind] = json!(statistic);
                alarm["Dimensions"] = json!(dimensions);
                alarm["Period"] = json!(self.period);
            }
            Some((expression, metrics)) => {
                let mut queries = vec![json!({
                    "Id": "result", "Expression": expression, "Label": self.what, "ReturnData": true,
                })];
                queries.extend(metrics.iter().map(|(id, name)| {
                    json!({
                        "Id": id,
                        "ReturnData": false,
                        "MetricStat": {
                            "Metric": { "Namespace": namespace, "MetricName": name, "Dimensions": dimensions },
                            "Period": self.period,
                            "Stat": statistic,
                        },
                    })
                }));
                alarm["Metrics"] = json!(queries);
            }
        }
        alarm
    }
}

fn alarms(plan: &Plan, cloud: &Cloud) -> Vec<Alarm> {
    let mut alarms = vec![];
    let cpu = cloud.alarms.cpu.fraction() * 100.0;
    let minutes = cloud.alarms.cpu_hold.as_secs() / 60;
    let periods = cloud.alarms.cpu_hold.as_secs().div_ceil(PERIOD).max(1);
    let plain = |name: &str, what: String, metric, dimensions, above, threshold| Alarm {
        name: name.to_owned(),
        what,
        metric,
        dimensions,
        above,
        threshold,
        period: PERIOD,
        periods: 1,
        expression: None,
    };
    let group = match cloud.compute {
        Compute::Ec2 => Some(machine::group_name(cloud)),
        Compute::Eks => Some("${GROUP}".to_owned()),
        Compute::Nodes => None,
    };
    if let Some(group) = group {
        alarms.push(Alarm {
            periods,
            ..plain(
                "cpu-high",
                format!(
                    "The machines need more CPU than they have: CPU above {} for {minutes} minutes",
                    cloud.alarms.cpu
                ),
                ("AWS/EC2", "CPUUtilization", "Average"),
                vec![("AutoScalingGroupName", group)],
                true,
                cpu,
            )
        });
    }
    if balancer(cloud) {
        let of = || ("LoadBalancer", "${LOAD_BALANCER}".to_owned());
        alarms.push(Alarm {
            period: 60,
            periods: 5,
            ..plain(
                "unhealthy-targets",
                "A machine does not answer its health check; the target group says why".to_owned(),
                ("AWS/ApplicationELB", "UnHealthyHostCount", "Maximum"),
                vec![of(), ("TargetGroup", "${TARGET_GROUP}".to_owned())],
                true,
                0.0,
            )
        });
        let limit = plan.telemetry.thresholds.error_rate;
        alarms.push(Alarm {
            expression: Some((
                "100 * FILL(errors, 0) / requests",
                vec![
                    ("errors", "HTTPCode_Target_5XX_Count"),
                    ("requests", "RequestCount"),
                ],
            )),
            ..plain(
                "errors",
                format!("More than {limit} of the requests fail"),
                ("AWS/ApplicationELB", "", "Sum"),
                vec![of()],
                true,
                limit.fraction() * 100.0,
            )
        });
        let slow = plan.telemetry.thresholds.latency;
        alarms.push(plain(
            "latency",
            format!(
                "The slowest 5% of the requests take longer than {}",
                wharf_base::duration::format(slow)
            ),
            ("AWS/ApplicationELB", "TargetResponseTime", "p95"),
            vec![of()],
            true,
            slow.as_secs_f64(),
        ));
    }
    if cloud.stores == StoresBy::Managed {
        for (name, store) in &plan.stores {
            let Some(database) = cloud.databases.get(name) else {
                continue;
            };
            let server = &database.identifier;
            match store.engine {
                StoreEngine::Postgres => {
                    let of = || vec![("DBInstanceIdentifier", server.clone())];
                    alarms.push(Alarm {
                        periods,
                        ..plain(
                            &format!("{name}-cpu-high"),
                            format!("The database {server} needs more CPU than it has: CPU above {} for {minutes} minutes", cloud.alarms.cpu),
                            ("AWS/RDS", "CPUUtilization", "Average"),
                            of(),
                            true,
                            cpu,
                        )
                    });
                    let gib = f64::from(database.storage_gib)
                        * plan.telemetry.thresholds.disk_free.fraction();
                    alarms.push(plain(
                        &format!("{name}-storage-low"),
                        format!("The database {server} has less than {gib} GiB of storage left"),
                        ("AWS/RDS", "FreeStorageSpace", "Minimum"),
                        of(),
                        false,
                        gib * 1024.0 * 1024.0 * 1024.0,
                    ));
                }
                StoreEngine::Redis => {
                    alarms.push(plain(
                        &format!("{name}-memory-high"),
                        format!(
                            "{server} uses more than {} of its memory",
                            plan.telemetry.thresholds.memory
                        ),
                        (
                            "AWS/ElastiCache",
                            "DatabaseMemoryUsagePercentage",
                            "Maximum",
                        ),
                        vec![("ReplicationGroupId", server.clone())],
                        true,
                        plan.telemetry.thresholds.memory.fraction() * 100.0,
                    ));
                }
            }
        }
    }
    alarms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(file: &[u8], environment: &str) -> Plan {
        let (plan, diagnostics) = wharf_plan::resolve(file, Some(environment));
        plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
    }

    #[test]
    fn cpu_is_watched_as_the_file_says() {
        let plan = plan(
            include_bytes!("../../../examples/django-ec2/wharf.yaml"),
            "production",
        );
        let cloud = plan.cloud.as_ref().expect("it has one");
        let alarms = alarms(&plan, cloud);
        let json = alarms[0].json(&plan, cloud);
        assert_eq!(json["AlarmName"], "production-django-cpu-high");
        assert_eq!(json["Threshold"], 80.0);
        let seconds =
            json["Period"].as_u64().unwrap_or(0) * json["EvaluationPeriods"].as_u64().unwrap_or(0);
        assert_eq!(seconds, 600);
        assert!(alarms.iter().any(|alarm| alarm.name == "unhealthy-targets"));
    }

    #[test]
    fn names_are_legal_and_unique() {
        let plan = plan(
            include_bytes!("../../../examples/django-eks/wharf.yaml"),
            "prod",
        );
        let cloud = plan.cloud.as_ref().expect("it has one");
        let mut names: Vec<String> = alarms(&plan, cloud)
            .into_iter()
            .map(|alarm| alarm.name)
            .collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count >= 4, "{names:?}");
    }
}
