//! The load balancer, and the firewall before it.

use wharf_plan::model::RouteAction;

use super::network::subnet_references;
use super::stack::{Stack, attribute, choose, reference, sub};
use super::{Source, tag};
use crate::yaml::Yaml;
use crate::{list, map, names};

pub(super) fn add(source: Source<'_>, stack: &mut Stack) {
    let cloud = source.cloud;
    let balancer = &cloud.load_balancer;
    let (scheme, subnets) = if balancer.public {
        ("internet-facing", "Public")
    } else {
        ("internal", "Private")
    };
    let attribute_of = |key: &str, value: &str| map! { "Key" => key, "Value" => value };
    // Its name has at most 32 bytes.
    let name = names::dns_label(&source.name("alb"), 32);
    // As long as Nginx behind it waits.
    let routes = source.plan.routes.iter();
    let idle = routes
        .map(|route| route.limits.idle_timeout.as_secs())
        .max()
        .unwrap_or(60)
        .clamp(1, 4000);
    stack.add_with(
        "",
        "LoadBalancer",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        map! { "DependsOn" => "InternetGatewayAttachment" },
        map! {
            "Name" => name,
            "Type" => "application",
            "Scheme" => scheme,
            "Subnets" => subnet_references(source, subnets),
            "SecurityGroups" => list![reference("LoadBalancerSecurityGroup")],
            "LoadBalancerAttributes" => list![
                attribute_of("routing.http.drop_invalid_header_fields.enabled", "true"),
                attribute_of("idle_timeout.timeout_seconds", &idle.to_string()),
            ],
            "Tags" => tag(source, "alb"),
        },
    );
    let health = &balancer.health;
    let drain = source
        .plan
        .services
        .values()
        .map(|service| service.drain_timeout)
        .max();
    let seconds =
        |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    let mut attributes: Vec<Yaml> = vec![
        attribute_of(
            "deregistration_delay.timeout_seconds",
            &drain.map_or(30, seconds).clamp(0, 3600).to_string(),
        )
        .into(),
    ];
    let plan = source.plan;
    if plan.services.keys().any(|name| plan.is_sticky(name)) {
        // A client comes back to its machine.
        attributes.push(attribute_of("stickiness.enabled", "true").into());
        attributes.push(attribute_of("stickiness.type", "lb_cookie").into());
    }
    stack.add_with(
        &format!(
            "A machine is asked GET {} every {} s; {} good answers let it in, {} bad ones take it out.",
            health.path,
            health.interval.as_secs(),
            health.healthy,
            health.unhealthy
        ),
        "TargetGroup",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        map! {},
        map! {
            "Name" => names::dns_label(&source.name("app"), 32),
            "VpcId" => reference("VPC"),
            "TargetType" => "instance",
            "Protocol" => "HTTP",
            "Port" => 80,
            "HealthCheckPath" => health.path.as_str(),
            "HealthCheckIntervalSeconds" => seconds(health.interval).clamp(5, 300),
            "HealthCheckTimeoutSeconds" => seconds(health.timeout).clamp(2, 120),
            "HealthyThresholdCount" => health.healthy.clamp(2, 10),
            "UnhealthyThresholdCount" => health.unhealthy.clamp(2, 10),
            "Matcher" => map! { "HttpCode" => "200" },
            "TargetGroupAttributes" => attributes,
        },
    );
    listeners(stack);
    if cloud.protection.waf {
        firewall(source, stack);
    }
    stack.output(
        "ALBDNSName",
        "Where clients find the load balancer",
        attribute("LoadBalancer.DNSName"),
    );
    stack.output(
        "ApplicationURL",
        "Where clients find the application",
        choose(
            "HasCertificate",
            "!Sub \"https://${LoadBalancer.DNSName}\"",
            "!Sub \"http://${LoadBalancer.DNSName}\"",
        ),
    );
}

fn listeners(stack: &mut Stack) {
    // One listener for both: of two, the new one would find the port taken by the old.
    stack.add_with(
        "With a certificate, HTTP only says where HTTPS is.",
        "HttpListener",
        "AWS::ElasticLoadBalancingV2::Listener",
        map! {},
        map! {
            "LoadBalancerArn" => reference("LoadBalancer"),
            "Port" => 80,
            "Protocol" => "HTTP",
            "DefaultActions" => list![map! {
                "Type" => choose("HasCertificate", "redirect", "forward"),
                "TargetGroupArn" => choose("HasCertificate", "!Ref AWS::NoValue", "!Ref TargetGroup"),
                "RedirectConfig" => choose(
                    "HasCertificate",
                    "{Protocol: HTTPS, Port: \"443\", StatusCode: HTTP_301}",
                    "!Ref AWS::NoValue",
                ),
            }],
        },
    );
    stack.add_with(
        "",
        "HttpsListener",
        "AWS::ElasticLoadBalancingV2::Listener",
        map! { "Condition" => "HasCertificate" },
        map! {
            "LoadBalancerArn" => reference("LoadBalancer"),
            "Port" => 443,
            "Protocol" => "HTTPS",
            // TLS 1.2 and 1.3.
            "SslPolicy" => "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "Certificates" => list![map! { "CertificateArn" => reference("CertificateArn") }],
            "DefaultActions" => list![map! { "Type" => "forward", "TargetGroupArn" => reference("TargetGroup") }],
        },
    );
}

/// Requests of one address in five minutes, where no route says.
const RATE: f64 = 10_000.0;

fn firewall(source: Source<'_>, stack: &mut Stack) {
    let visibility = |name: &str| {
        map! {
            "SampledRequestsEnabled" => true,
            "CloudWatchMetricsEnabled" => true,
            "MetricName" => name,
        }
    };
    let managed = |priority: u32, name: &str| {
        let mut group = map! { "VendorName" => "AWS", "Name" => name };
        if name == "AWSManagedRulesCommonRuleSet" {
            group.set_with_comment(
                "Bodies above 8 KB are counted, not refused: uploads are larger.",
                "RuleActionOverrides",
                list![map! {
                    "Name" => "SizeRestrictions_BODY",
                    "ActionToUse" => map! { "Count" => map! {} },
                }],
            );
        }
        map! {
            "Name" => name,
            "Priority" => priority,
            "OverrideAction" => map! { "None" => map! {} },
            "Statement" => map! { "ManagedRuleGroupStatement" => group },
            "VisibilityConfig" => visibility(name),
        }
    };
    let routes = source.plan.routes.iter().filter(|route| {
        route
            .paths
            .values()
            .any(|action| matches!(action, RouteAction::Service { .. }))
    });
    let rate = routes
        .filter_map(|route| route.limits.rate)
        .map(|rate| rate.per_second() * 300.0)
        .reduce(f64::max)
        .unwrap_or(RATE);
    // The firewall counts from 10 to two thousand million.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "clamped to what the firewall takes"
    )]
    let rate = rate.clamp(10.0, 2_000_000_000.0) as i64;
    stack.add(
        "WebAcl",
        "AWS::WAFv2::WebACL",
        map! {
            "Name" => source.name("waf"),
            "Scope" => "REGIONAL",
            "DefaultAction" => map! { "Allow" => map! {} },
            "Rules" => list![
                map! {
                    "Name" => "rate",
                    "Priority" => 0,
                    "Action" => map! { "Block" => map! {} },
                    "Statement" => map! {
                        "RateBasedStatement" => map! {
                            "AggregateKeyType" => "IP",
                            "Limit" => rate,
                        },
                    },
                    "VisibilityConfig" => visibility("rate"),
                },
                managed(1, "AWSManagedRulesAmazonIpReputationList"),
                managed(2, "AWSManagedRulesCommonRuleSet"),
                managed(3, "AWSManagedRulesKnownBadInputsRuleSet"),
                managed(4, "AWSManagedRulesSQLiRuleSet"),
            ],
            "VisibilityConfig" => visibility(&source.name("waf")),
        },
    );
    stack.add(
        "WebAclAssociation",
        "AWS::WAFv2::WebACLAssociation",
        map! {
            "ResourceArn" => reference("LoadBalancer"),
            "WebACLArn" => attribute("WebAcl.Arn"),
        },
    );
    stack.output("WebAclArn", "The firewall", sub("${WebAcl.Arn}"));
}
