//! CloudFormation: one template with everything of an auto-scaling group's environment, the role that deploys it, the
//! parameters and a README with the commands.
//!
//! Facts of the plan stand in the template; what an operator chooses per stack is a parameter, and each is checked. What
//! holds data is retained when the stack goes. The machines of the group set themselves up ([`crate::userdata`]).

mod balancer;
mod compute;
mod data;
mod network;
mod role;
mod secrets;
mod security;
mod stack;
mod watch;

use serde_json::json;
use wharf_plan::model::{Cloud, Plan};

use crate::{Input, Rendered, Scope, Target, header, machine, map, template, userdata};
use stack::{Stack, reference, sub};

/// The target.
pub const TARGET: Target = Target {
    name: "cloudformation",
    summary: "the AWS stack of an auto-scaling group, and the role that deploys it",
    scope: Scope::Environment,
    applies,
    make,
};

/// Instance types that the parameter allows beside the plan's.
const INSTANCE_TYPES: [&str; 7] = [
    "t2.micro",
    "t2.small",
    "t2.medium",
    "t3.micro",
    "t3.small",
    "t3.medium",
    "t3.large",
];
/// Classes of databases that the parameter allows beside the plan's.
const DATABASE_CLASSES: [&str; 6] = [
    "db.t3.micro",
    "db.t3.small",
    "db.t3.medium",
    "db.t3.large",
    "db.m5.large",
    "db.m5.xlarge",
];

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    if machine::group(input.plan).is_some() {
        Ok(())
    } else {
        Err("the environment has no auto-scaling group; Terraform renders clusters")
    }
}

/// What every part of the template is made from.
#[derive(Clone, Copy)]
struct Source<'a> {
    plan: &'a Plan,
    cloud: &'a Cloud,
}

impl Source<'_> {
    /// `PREFIX-what`.
    fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.cloud.prefix)
    }

    /// The environment's name.
    fn environment(&self) -> &str {
        self.plan
            .environment
            .as_ref()
            .map_or("production", |name| name.as_str())
    }
}

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.plan;
    let Some(cloud) = machine::group(plan) else {
        return;
    };
    let source = Source { plan, cloud };
    let mut stack = Stack::new(&format!(
        "{} ({}): everything that it runs on",
        plan.name,
        source.environment()
    ));
    parameters(source, &mut stack);
    network::add(source, &mut stack);
    security::add(source, &mut stack);
    data::add(source, &mut stack);
    secrets::add(source, &mut stack);
    watch::add(source, &mut stack);
    balancer::add(source, &mut stack);
    compute::add(source, &mut stack);

    out.yaml("main-template.yaml", &header(plan), vec![stack.finish()]);
    out.yaml(
        "deployment-role.yaml",
        &header(plan),
        vec![role::template(source).finish()],
    );
    out.json("parameters.json", values(source));
    out.add("README.md", readme(source));
    gaps(source, out);
}

fn class(source: Source<'_>) -> Option<&str> {
    data::databases(source)
        .next()
        .map(|(_, database)| database.instance.as_str())
}

fn parameters(source: Source<'_>, stack: &mut Stack) {
    let cloud = source.cloud;
    stack.parameter(
        "Environment",
        map! {
            "Description" => "Part of names and tags; a stack of another environment is rendered from its own section of the file",
            "Type" => "String",
            "Default" => source.environment(),
            "AllowedValues" => vec![source.environment()],
        },
    );
    stack.parameter(
        "NotificationEmail",
        map! {
            "Description" => "Who hears of alarms and of scaling",
            "Type" => "String",
            "AllowedPattern" => r"[^@\s]+@[^@\s]+\.[^@\s]+",
            "ConstraintDescription" => "an e-mail address",
        },
    );
    stack.parameter(
        "InstanceType",
        map! {
            "Description" => "The machines of the group",
            "Type" => "String",
            "Default" => cloud.nodes.instance.as_str(),
            "AllowedValues" => with(&INSTANCE_TYPES, &cloud.nodes.instance),
        },
    );
    if let Some(class) = class(source) {
        stack.parameter(
            "DBInstanceClass",
            map! {
                "Description" => "The class of the database",
                "Type" => "String",
                "Default" => class,
                "AllowedValues" => with(&DATABASE_CLASSES, class),
            },
        );
    }
    stack.parameter(
        "Zones",
        map! {
            "Description" => "The availability zones, one for each subnet of a kind",
            "Type" => "List<AWS::EC2::AvailabilityZone::Name>",
            "Default" => cloud.network.zones.join(","),
        },
    );
    match &cloud.nodes.image {
        Some(image) => stack.parameter(
            "ImageId",
            map! {
                "Description" => "An Ubuntu 22.04 of the region; user data refuses any other system",
                "Type" => "AWS::EC2::Image::Id",
                "Default" => image.as_str(),
            },
        ),
        None => stack.parameter(
            "ImageId",
            map! {
                "Description" => "The newest Ubuntu 22.04",
                "Type" => "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
                "Default" => "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
            },
        ),
    }
    stack.parameter(
        "CertificateArn",
        map! {
            "Description" => "The ACM certificate of the load balancer; with it, HTTP leads to HTTPS. Empty: HTTP only",
            "Type" => "String",
            "Default" => certificate(cloud).unwrap_or_default(),
            "AllowedPattern" => r"(|arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[a-f0-9-]+)",
        },
    );
    stack.condition(
        "HasCertificate",
        crate::yaml::Yaml::Raw("!Not [!Equals [!Ref CertificateArn, \"\"]]".to_owned()),
    );
    stack.output("VPCId", "The network", reference("VPC"));
    stack.output(
        "EnvironmentName",
        "What is part of names",
        reference("Environment"),
    );
}

/// The certificate's ARN, where the file gives one.
fn certificate(cloud: &Cloud) -> Option<&str> {
    let certificate = cloud.load_balancer.certificate.as_deref()?;
    certificate.starts_with("arn:").then_some(certificate)
}

fn with<'a>(known: &[&'a str], own: &'a str) -> Vec<&'a str> {
    let mut values = known.to_vec();
    if !values.contains(&own) {
        values.push(own);
    }
    values
}

/// The values of `parameters.json`, as `aws cloudformation create-stack --parameters` takes them.
fn values(source: Source<'_>) -> serde_json::Value {
    let mut values = vec![
        ("Environment", source.environment()),
        (
            "NotificationEmail",
            source
                .cloud
                .alarms
                .email
                .as_deref()
                .unwrap_or("ops@example.com"),
        ),
        ("InstanceType", source.cloud.nodes.instance.as_str()),
    ];
    values.extend(class(source).map(|class| ("DBInstanceClass", class)));
    values
        .into_iter()
        .map(|(key, value)| json!({ "ParameterKey": key, "ParameterValue": value }))
        .collect()
}

fn readme(source: Source<'_>) -> String {
    let Source { plan, cloud } = source;
    let manual: Vec<_> = plan
        .secrets
        .values()
        .filter(|secret| secret.generate.is_none())
        .map(|secret| json!({ "key": machine::word(&secret.key), "what": secret.description.as_deref().unwrap_or("set by hand") }))
        .collect();
    let databases: Vec<&str> = data::databases(source)
        .map(|(_, database)| database.identifier.as_str())
        .collect();
    let buckets: Vec<String> = cloud
        .buckets
        .values()
        .map(|bucket| {
            data::bucket_name(source, bucket)
                .replace("${AWS::AccountId}", "ACCOUNT")
                .replace("${Environment}", source.environment())
        })
        .collect();
    template::fill(
        include_str!("cloudformation/README.md.in"),
        json!({
            "header": header(plan),
            "project": plan.name.as_str(),
            "environment": source.environment(),
            "region": cloud.region,
            "prefix": cloud.prefix,
            "role_stack": cloud.stacks.role,
            "stack": cloud.stacks.infrastructure,
            "state": cloud.state.bucket,
            "group": machine::group_name(cloud),
            "log_group": machine::log_group(plan, cloud),
            "certificate": cloud.load_balancer.certificate,
            "revision": machine::revision_parameter(plan),
            "bastion": cloud.bastion.is_some(),
            "manual": manual,
            "databases": databases,
            "buckets": buckets,
            "health": cloud.load_balancer.health.path,
            "image": cloud.nodes.image,
        }),
    )
}

fn gaps(source: Source<'_>, out: &mut Rendered) {
    let Source { plan, cloud } = source;
    if userdata::script(plan).is_none() {
        out.gap(
            "cloud.nodes.source",
            "not said: the machines of the group start without an application",
        );
    }
    if cloud.load_balancer.certificate.is_some() && certificate(cloud).is_none() {
        out.gap(
            "cloud.load_balancer.certificate",
            "a name: request its certificate in ACM, which asks for a DNS record, and give the ARN as the parameter CertificateArn",
        );
    }
    if cloud.dns_zone.is_some() {
        out.gap(
            "cloud.dns_zone",
            "the zone is not in this stack: point its alias record at the output ALBDNSName",
        );
    }
    if cloud.recovery_region.is_some() {
        out.gap(
            "cloud.recovery_region",
            "a stack has one region; Terraform renders both",
        );
    }
    for (name, database) in data::databases(source) {
        if let (true, Some(_)) = (database.multi_az, &database.zone) {
            out.gap(
                format!("cloud.databases.{name}.zone"),
                "RDS itself chooses the primary's zone of a Multi-AZ database",
            );
        }
    }
    if cloud.nodes.spot {
        out.gap(
            "cloud.nodes.spot",
            "the group buys on-demand capacity; Terraform renders a mixed group",
        );
    }
    let mut keys = std::collections::BTreeSet::new();
    for (name, secret) in &plan.secrets {
        if !keys.insert(&secret.key) && secret.generate.is_some() {
            out.gap(
                format!("secrets.{name}.generate"),
                "CloudFormation makes one value of a key; add this property by hand",
            );
        }
    }
}

/// The tags of every resource: a stack hands them on to all that takes tags.
fn tag(source: Source<'_>, what: &str) -> crate::yaml::Yaml {
    crate::list![map! { "Key" => "Name", "Value" => source.name(what) }]
}

/// A name with the environment of the parameter in it.
fn parametrised(text: &str) -> crate::yaml::Yaml {
    if text.contains("${") {
        sub(text)
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests;
