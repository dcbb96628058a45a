//! Who hears of what: log groups, alarms, the topic and the budget.

use std::time::Duration;

use wharf_plan::model::StoreEngine;

use super::stack::{Stack, attribute, kept, reference};
use super::{Source, data};
use crate::machine;
use crate::yaml::Yaml;
use crate::{list, map};

/// The days that CloudWatch takes
/// (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html>).
const RETENTIONS: [u64; 14] = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 731];

pub(super) fn add(source: Source<'_>, stack: &mut Stack) {
    let own = machine::log_group(source.plan, source.cloud);
    log_group(source, stack, "LogGroup", &own);
    let mut others = 0;
    for name in &source.cloud.log_groups {
        let flow =
            source.cloud.protection.flow_logs && *name == super::network::flow_log_group(source);
        if *name != own && !flow {
            others += 1;
            log_group(source, stack, &format!("LogGroup{others}"), name);
        }
    }
    stack.output(
        "LogGroupName",
        "The logs of the machines",
        reference("LogGroup"),
    );
    stack.add(
        "Topic",
        "AWS::SNS::Topic",
        map! {
            "TopicName" => source.name("alarms"),
            "Subscription" => list![map! {
                "Protocol" => "email",
                "Endpoint" => reference("NotificationEmail"),
            }],
        },
    );
    stack.add(
        "TopicPolicy",
        "AWS::SNS::TopicPolicy",
        map! {
            "Topics" => list![reference("Topic")],
            "PolicyDocument" => super::stack::policy(vec![map! {
                "Sid" => "Publish",
                "Effect" => "Allow",
                "Principal" => map! {
                    "Service" => vec!["budgets.amazonaws.com", "cloudwatch.amazonaws.com"],
                },
                "Action" => "sns:Publish",
                "Resource" => reference("Topic"),
                "Condition" => map! {
                    "StringEquals" => map! { "aws:SourceAccount" => reference("AWS::AccountId") },
                },
            }]),
        },
    );
    alarms(source, stack);
    if let Some(budget) = source.cloud.budget {
        self::budget(source, stack, budget);
    }
}

/// Adds a log group that is kept for as long as the plan says.
pub(super) fn log_group(source: Source<'_>, stack: &mut Stack, id: &str, name: &str) {
    let days = source.cloud.log_retention.as_secs() / 86_400;
    let days = RETENTIONS
        .into_iter()
        .find(|allowed| *allowed >= days)
        .unwrap_or(731);
    stack.add_with(
        "",
        id,
        "AWS::Logs::LogGroup",
        kept(),
        map! {
            "LogGroupName" => name,
            "RetentionInDays" => i64::try_from(days).unwrap_or(30),
        },
    );
}

/// One alarm.
struct Alarm<'a> {
    id: &'a str,
    name: &'a str,
    what: &'a str,
    namespace: &'a str,
    metric: &'a str,
    statistic: &'a str,
    dimensions: Vec<(&'a str, Yaml)>,
    above: bool,
    threshold: Yaml,
    period: u32,
    periods: u32,
}

fn alarms(source: Source<'_>, stack: &mut Stack) {
    let cloud = source.cloud;
    // Metrics of EC2 come every five minutes.
    let hold = cloud
        .alarms
        .cpu_hold
        .max(Duration::from_secs(300))
        .as_secs();
    alarm(
        source,
        stack,
        Alarm {
            id: "CpuAlarm",
            name: "cpu",
            what: "The machines of the group are busy",
            namespace: "AWS/EC2",
            metric: "CPUUtilization",
            statistic: "Average",
            dimensions: vec![("AutoScalingGroupName", reference("AutoScalingGroup"))],
            above: true,
            threshold: Yaml::Float(cloud.alarms.cpu.fraction() * 100.0),
            period: 300,
            periods: u32::try_from(hold / 300).unwrap_or(2),
        },
    );
    alarm(
        source,
        stack,
        Alarm {
            id: "UnhealthyTargetsAlarm",
            name: "unhealthy-targets",
            what: "The load balancer takes a machine for broken",
            namespace: "AWS/ApplicationELB",
            metric: "UnHealthyHostCount",
            statistic: "Maximum",
            dimensions: targets(),
            above: true,
            threshold: Yaml::Int(0),
            period: 60,
            periods: 2,
        },
    );
    alarm(
        source,
        stack,
        Alarm {
            id: "ServerErrorsAlarm",
            name: "5xx",
            what: "The application answers with errors",
            namespace: "AWS/ApplicationELB",
            metric: "HTTPCode_Target_5XX_Count",
            statistic: "Sum",
            dimensions: targets(),
            above: true,
            threshold: Yaml::Int(10),
            period: 60,
            periods: 5,
        },
    );
    for (name, database) in data::databases(source) {
        let server = data::server_id(name, StoreEngine::Postgres);
        alarm(
            source,
            stack,
            Alarm {
                id: &format!("{server}StorageAlarm"),
                name: &format!("{name}-storage"),
                what: "Less than a tenth of the database's disk is free",
                namespace: "AWS/RDS",
                metric: "FreeStorageSpace",
                statistic: "Minimum",
                dimensions: vec![("DBInstanceIdentifier", reference(&server))],
                above: false,
                threshold: Yaml::Int(i64::from(database.storage_gib) * (1 << 30) / 10),
                period: 300,
                periods: 1,
            },
        );
    }
}

fn targets<'a>() -> Vec<(&'a str, Yaml)> {
    vec![
        (
            "LoadBalancer",
            attribute("LoadBalancer.LoadBalancerFullName"),
        ),
        ("TargetGroup", attribute("TargetGroup.TargetGroupFullName")),
    ]
}

fn alarm(source: Source<'_>, stack: &mut Stack, alarm: Alarm<'_>) {
    let dimensions: Vec<_> = alarm
        .dimensions
        .into_iter()
        .map(|(name, value)| map! { "Name" => name, "Value" => value })
        .collect();
    let comparison = if alarm.above {
        "GreaterThanThreshold"
    } else {
        "LessThanThreshold"
    };
    stack.add(
        alarm.id,
        "AWS::CloudWatch::Alarm",
        map! {
            "AlarmName" => source.name(alarm.name),
            "AlarmDescription" => alarm.what,
            "Namespace" => alarm.namespace,
            "MetricName" => alarm.metric,
            "Dimensions" => dimensions,
            "Statistic" => alarm.statistic,
            "Period" => alarm.period,
            "EvaluationPeriods" => alarm.periods,
            "ComparisonOperator" => comparison,
            "Threshold" => alarm.threshold,
            // Nobody asks while there is no traffic.
            "TreatMissingData" => "notBreaching",
            "AlarmActions" => list![reference("Topic")],
            "OKActions" => list![reference("Topic")],
        },
    );
}

fn budget(source: Source<'_>, stack: &mut Stack, amount: u32) {
    let notify = |kind: &str, threshold: u32| {
        map! {
            "Notification" => map! {
                "NotificationType" => kind,
                "ComparisonOperator" => "GREATER_THAN",
                "Threshold" => threshold,
                "ThresholdType" => "PERCENTAGE",
            },
            "Subscribers" => list![map! {
                "SubscriptionType" => "EMAIL",
                "Address" => reference("NotificationEmail"),
            }],
        }
    };
    stack.add(
        "Budget",
        "AWS::Budgets::Budget",
        map! {
            "Budget" => map! {
                "BudgetName" => source.name("monthly"),
                "BudgetType" => "COST",
                "TimeUnit" => "MONTHLY",
                "BudgetLimit" => map! { "Amount" => amount, "Unit" => "USD" },
                "CostFilters" => map! {
                    "TagKeyValue" => list![format!("user:Project${}", source.plan.name)],
                },
            },
            "NotificationsWithSubscribers" => list![notify("ACTUAL", 80), notify("FORECASTED", 100)],
        },
    );
}
