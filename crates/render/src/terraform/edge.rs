//! What stands between the internet and the services: load balancer, firewall, names and certificates.

use serde_json::json;

use super::data::protection;
use super::facts::{Facts, Https};
use super::shared::{
    CERTIFICATE, LOAD_BALANCER, fill, kms_key_arn, log_retention_days, name_prefix, prefixed,
    security_group_id, vpc_id,
};
use super::stack::{Argument, Module, argument, output};

pub(super) fn alb(facts: &Facts<'_>) -> Module {
    let balancer = &facts.cloud.load_balancer;
    let health = &balancer.health;
    let subnets = if facts.has.public {
        "module.vpc.public_subnet_ids"
    } else {
        "module.vpc.private_subnet_ids"
    };
    Module::new(
        "alb",
        "The load balancer, its target group and its access log.",
    )
    .file("main.tf", fill(include_str!("modules/alb.tf"), facts.has))
    .file(
        "logs.tf",
        fill(include_str!("modules/alb_logs.tf"), facts.has),
    )
    .takes([
        name_prefix(facts),
        prefixed(
            facts,
            "name",
            "What the load balancer is called.",
            "alb",
            32,
        )
        .check("length(<it>) <= 32", "At most 32 characters."),
        prefixed(
            facts,
            "target_group_name",
            "What the target group is called.",
            "app",
            32,
        )
        .check("length(<it>) <= 32", "At most 32 characters."),
        argument(
            "internet_facing",
            "bool",
            "Whether the internet reaches it.",
        )
        .is(balancer.public),
        vpc_id(),
        argument(
            "subnet_ids",
            "list(string)",
            "Where it stands: one subnet in each zone.",
        )
        .code(
            subnets,
            vec!["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
        ),
        security_group_id("Its group.", "module.networking.alb_security_group_id"),
        argument("app_port", "number", "Where the machines take requests.").is(facts.app_port()),
        argument("health_check_path", "string", "What each machine is asked.").is(&health.path),
        argument(
            "health_check_interval",
            "number",
            "From check to check, in seconds.",
        )
        .is(health.interval.as_secs())
        .between(5, 300),
        argument(
            "health_check_timeout",
            "number",
            "When a check without an answer has failed, in seconds.",
        )
        .is(health.timeout.as_secs())
        .between(2, 120),
        argument(
            "healthy_threshold",
            "number",
            "Checks in a row that have to pass.",
        )
        .is(health.healthy)
        .between(2, 10),
        argument(
            "unhealthy_threshold",
            "number",
            "Checks in a row that have to fail.",
        )
        .is(health.unhealthy)
        .between(2, 10),
        argument(
            "deregistration_delay",
            "number",
            "How long a machine that leaves may finish its requests, in seconds.",
        )
        .is(facts.drain_seconds().min(3600))
        .between(0, 3600),
        argument(
            "idle_timeout",
            "number",
            "How long a connection may be silent, in seconds.",
        )
        .is(facts.idle_seconds())
        .between(1, 4000),
        https_argument(facts),
        certificate(facts),
        protection(facts, "Refuse to be deleted."),
        log_retention_days(facts),
    ])
    .gives([
        output(
            "dns_name",
            "Where the application is reached.",
            "aws_lb.this.dns_name",
        )
        .public_as("alb_dns_name"),
        output(
            "zone_id",
            "The zone of that name, for alias records.",
            "aws_lb.this.zone_id",
        ),
        output("arn", "The load balancer.", "aws_lb.this.arn"),
        output(
            "arn_suffix",
            "The load balancer, as CloudWatch knows it.",
            "aws_lb.this.arn_suffix",
        ),
        output(
            "target_group_arn",
            "Where machines register.",
            "aws_lb_target_group.app.arn",
        ),
        output(
            "target_group_arn_suffix",
            "The target group, as CloudWatch knows it.",
            "aws_lb_target_group.app.arn_suffix",
        ),
    ])
}

/// Whether there is a certificate: known before anything is made, unlike the certificate.
fn https_argument(facts: &Facts<'_>) -> Argument {
    let about = "Serve HTTPS, and redirect HTTP to it.";
    match &facts.https {
        Https::Requested(_) => argument("enable_https", "bool", about).code("true", true),
        Https::Given(_) | Https::Open => {
            argument("enable_https", "bool", about).code("var.certificate_arn != null", false)
        }
    }
}

fn certificate(facts: &Facts<'_>) -> Argument {
    let about = "The certificate of ACM; null: HTTP only.";
    let argument = argument("certificate_arn", "string", about);
    match &facts.https {
        Https::Requested(_) => argument.code("module.dns.certificate_arn", CERTIFICATE),
        Https::Given(arn) => argument
            .is(arn)
            .matches_or_null("^arn:aws[a-z-]*:acm:", "The ARN of a certificate, or null."),
        Https::Open => argument
            .is(super::hcl::Value::Null)
            .matches_or_null("^arn:aws[a-z-]*:acm:", "The ARN of a certificate, or null."),
    }
}

pub(super) fn waf(facts: &Facts<'_>) -> Module {
    let mut module = Module::new("waf", "The firewall before the load balancer.")
        .switch(
            "enable_waf",
            "Put a web application firewall before the load balancer.",
            facts.cloud.protection.waf,
        )
        .file("main.tf", fill(include_str!("modules/waf.tf"), facts.has))
        .takes([
            name_prefix(facts),
            argument(
                "rate_limit",
                "number",
                "Requests of one address within five minutes; more are refused.",
            )
            .is(facts.rate_limit())
            .between(10, 2_000_000_000),
            log_retention_days(facts),
            kms_key_arn(),
        ]);
    let arn = output("arn", "The firewall.", "aws_wafv2_web_acl.this.arn");
    module = if facts.has.alb {
        module
            .takes([argument(
                "load_balancer_arn",
                "string",
                "The load balancer that it stands before.",
            )
            .code("module.alb.arn", LOAD_BALANCER)])
            .gives([arn])
    } else {
        // For the annotation `alb.ingress.kubernetes.io/wafv2-acl-arn`.
        module.gives([arn.public_as("web_acl_arn")])
    };
    module
}

pub(super) fn dns(facts: &Facts<'_>) -> Option<Module> {
    let zone = facts.cloud.dns_zone.as_ref().filter(|_| facts.has.dns)?;
    let requested = match &facts.https {
        Https::Requested(names) => names.as_slice(),
        Https::Given(_) | Https::Open => &[],
    };
    let records = facts.has.alb || facts.has.ingress_alb;
    let context =
        json!({ "certificate": !requested.is_empty(), "records": records, "eks": facts.has.eks });
    let mut module = Module::new("dns", "Names and certificates, in Route 53 and ACM.")
        .file("main.tf", fill(include_str!("modules/dns.tf"), context))
        .takes([argument(
            "zone_name",
            "string",
            "The hosted zone; it is there already.",
        )
        .knob("dns_zone", zone)]);
    if let [first, others @ ..] = requested {
        module = module
            .takes([
                argument(
                    "domain_name",
                    "string",
                    "The host that the certificate is for.",
                )
                .is(first),
                argument(
                    "alternative_names",
                    "list(string)",
                    "Further hosts that it is for.",
                )
                .is(others.to_vec()),
            ])
            .gives([output(
                "certificate_arn",
                "The certificate, once it is proven.",
                "aws_acm_certificate_validation.this.certificate_arn",
            )
            .public()]);
    }
    if records {
        module = module.takes([
            argument("hosts", "list(string)", "Hosts of the application.").is(facts.hosts.clone()),
        ]);
    }
    if records && facts.has.eks {
        module = module.takes([argument(
            "load_balancer_name",
            "string",
            "The load balancer that the cluster's controller has made: set it after the \
 first deployment; null: no records yet.",
        )
        .knob("ingress_load_balancer_name", super::hcl::Value::Null)]);
    } else if records {
        module = module.takes([
            argument("load_balancer_dns_name", "string", "Where the hosts lead.").code(
                "module.alb.dns_name",
                "app-0123456789.us-east-1.elb.amazonaws.com",
            ),
            argument("load_balancer_zone_id", "string", "The zone of that name.")
                .code("module.alb.zone_id", "Z35SXDOTRQ7X7K"),
        ]);
    }
    if records {
        module = module.gives([output(
            "hosts",
            "Hosts that lead to the load balancer.",
            "[for record in aws_route53_record.host : record.fqdn]",
        )]);
    }
    Some(module)
}
