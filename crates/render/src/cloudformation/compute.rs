//! The auto-scaling group, what its machines are, and the bastion.

use super::network::{subnet_references, ways_out};
use super::stack::{Stack, allow, attribute, policy, reference, sub, trusts};
use super::{Source, data, secrets, tag};
use crate::machine::{group_name, ready_hook};
use crate::yaml::Yaml;
use crate::{list, map, names, userdata};

pub(super) fn add(source: Source<'_>, stack: &mut Stack) {
    role(source, stack);
    template(source, stack);
    group(source, stack);
    if let Some(bastion) = &source.cloud.bastion {
        self::bastion(source, stack, &bastion.instance, &bastion.zone);
    }
}

const SESSION_MANAGER: &str = "arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore";

fn role(source: Source<'_>, stack: &mut Stack) {
    let cloud = source.cloud;
    let mut statements = secrets::statements(source);
    statements.extend(data::bucket_statements(source));
    statements.push(allow(
        "WriteLogs",
        &[
            "logs:CreateLogStream",
            "logs:DescribeLogStreams",
            "logs:PutLogEvents",
        ],
        list![attribute("LogGroup.Arn")],
    ));
    let mut metrics = allow("WriteMetrics", &["cloudwatch:PutMetricData"], "*");
    metrics.set(
        "Condition",
        map! { "StringEquals" => map! { "cloudwatch:namespace" => "CWAgent" } },
    );
    statements.push(metrics);
    // The agent finds out its group; the action knows no narrower resource.
    statements.push(allow("FindGroup", &["ec2:DescribeTags"], "*"));
    statements.push(allow(
        "SayReady",
        &["autoscaling:CompleteLifecycleAction"],
        list![sub(&format!(
            "arn:${{AWS::Partition}}:autoscaling:${{AWS::Region}}:${{AWS::AccountId}}:autoScalingGroup:*:autoScalingGroupName/{}",
            group_name(cloud)
        ))],
    ));
    stack.add(
        "InstanceRole",
        "AWS::IAM::Role",
        map! {
            "RoleName" => names::dns_label(&source.name("app"), 64),
            "AssumeRolePolicyDocument" => trusts("ec2.amazonaws.com"),
            "ManagedPolicyArns" => list![sub(SESSION_MANAGER)],
            "Policies" => list![map! {
                "PolicyName" => "app",
                "PolicyDocument" => policy(statements),
            }],
        },
    );
    stack.add(
        "InstanceProfile",
        "AWS::IAM::InstanceProfile",
        map! { "Roles" => list![reference("InstanceRole")] },
    );
}

fn template(source: Source<'_>, stack: &mut Stack) {
    let cloud = source.cloud;
    let disk = (cloud.nodes.disk.0 >> 30).max(8);
    let mut machine = map! {
        "ImageId" => reference("ImageId"),
        "InstanceType" => reference("InstanceType"),
        "IamInstanceProfile" => map! { "Arn" => attribute("InstanceProfile.Arn") },
        "SecurityGroupIds" => list![reference("InstanceSecurityGroup")],
    };
    machine.set_some("KeyName", cloud.key_name.as_deref());
    machine.set("MetadataOptions", imds());
    machine.set("Monitoring", map! { "Enabled" => false });
    machine.set(
        "BlockDeviceMappings",
        list![map! {
            "DeviceName" => "/dev/sda1",
            "Ebs" => map! {
                "VolumeType" => "gp3",
                "VolumeSize" => i64::try_from(disk).unwrap_or(8),
                "Encrypted" => cloud.protection.encryption,
                "DeleteOnTermination" => true,
            },
        }],
    );
    machine.set(
        "TagSpecifications",
        list![
            map! { "ResourceType" => "instance", "Tags" => tag(source, "app") },
            map! { "ResourceType" => "volume", "Tags" => tag(source, "app") },
        ],
    );
    if let Some(script) = userdata::script(source.plan) {
        machine.set_with_comment(
            "The file user-data.sh of the target userdata.",
            "UserData",
            map! { "Fn::Base64" => script },
        );
    }
    stack.add(
        "LaunchTemplate",
        "AWS::EC2::LaunchTemplate",
        map! {
            "LaunchTemplateName" => source.name("app"),
            "LaunchTemplateData" => machine,
        },
    );
}

/// Instance metadata with a session token only, and not from containers.
fn imds() -> crate::yaml::Map {
    map! { "HttpTokens" => "required", "HttpPutResponseHopLimit" => 1 }
}

fn group(source: Source<'_>, stack: &mut Stack) {
    let cloud = source.cloud;
    let nodes = &cloud.nodes;
    let mut waits = ways_out(source);
    waits.extend(listener_waits());
    let grace = i64::try_from(nodes.grace.as_secs()).unwrap_or(300);
    let mut attributes = map! {};
    if !waits.is_empty() {
        attributes.set_with_comment(
            "A machine needs the way to the internet as soon as it boots.",
            "DependsOn",
            waits,
        );
    }
    attributes.set(
        "UpdatePolicy",
        map! {
            "AutoScalingRollingUpdate" => map! {
                "MinInstancesInService" => nodes.min.min(nodes.max.saturating_sub(1)),
                "MaxBatchSize" => 1,
                "PauseTime" => format!("PT{}S", grace.clamp(0, 3600)),
                "SuspendProcesses" => vec![
                    "AlarmNotification",
                    "AZRebalance",
                    "ReplaceUnhealthy",
                    "ScheduledActions",
                ],
            },
            // The count is the autoscaler's once the group is there.
            "AutoScalingScheduledAction" => map! { "IgnoreUnmodifiedGroupSizeProperties" => true },
        },
    );
    let tags: Vec<_> = [("Name", source.name("app"))]
        .into_iter()
        .map(|(key, value)| {
            map! { "Key" => key, "Value" => value, "PropagateAtLaunch" => true }
        })
        .collect();
    stack.add_with(
        "",
        "AutoScalingGroup",
        "AWS::AutoScaling::AutoScalingGroup",
        attributes,
        map! {
            "AutoScalingGroupName" => group_name(cloud),
            "VPCZoneIdentifier" => subnet_references(source, "Private"),
            "MinSize" => nodes.min.to_string(),
            "DesiredCapacity" => nodes.desired.to_string(),
            "MaxSize" => nodes.max.to_string(),
            "LaunchTemplate" => map! {
                "LaunchTemplateId" => reference("LaunchTemplate"),
                "Version" => attribute("LaunchTemplate.LatestVersionNumber"),
            },
            "TargetGroupARNs" => list![reference("TargetGroup")],
            "HealthCheckType" => "ELB",
            "HealthCheckGracePeriod" => grace,
            "LifecycleHookSpecificationList" => list![map! {
                "LifecycleHookName" => ready_hook(cloud),
                "LifecycleTransition" => "autoscaling:EC2_INSTANCE_LAUNCHING",
                // What has not said that it is ready by then is replaced.
                "HeartbeatTimeout" => 900,
                "DefaultResult" => "ABANDON",
            }],
            "NotificationConfigurations" => list![map! {
                "TopicARN" => reference("Topic"),
                "NotificationTypes" => vec![
                    "autoscaling:EC2_INSTANCE_LAUNCH",
                    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
                    "autoscaling:EC2_INSTANCE_TERMINATE",
                    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
                ],
            }],
            "Tags" => Yaml::from(tags),
        },
    );
    stack.add(
        "CpuPolicy",
        "AWS::AutoScaling::ScalingPolicy",
        map! {
            "AutoScalingGroupName" => reference("AutoScalingGroup"),
            "PolicyType" => "TargetTrackingScaling",
            "EstimatedInstanceWarmup" => grace,
            "TargetTrackingConfiguration" => map! {
                "PredefinedMetricSpecification" => map! {
                    "PredefinedMetricType" => "ASGAverageCPUUtilization",
                },
                "TargetValue" => Yaml::Float(nodes.cpu.fraction() * 100.0),
            },
        },
    );
    stack.output(
        "AutoScalingGroupName",
        "The group",
        reference("AutoScalingGroup"),
    );
}

/// The parameters that machines ask for have to be there before the first boots; the topic needs its policy.
fn listener_waits() -> Vec<String> {
    vec!["TopicPolicy".to_owned()]
}

fn bastion(source: Source<'_>, stack: &mut Stack, instance: &str, zone: &str) {
    let zones = &source.cloud.network.zones;
    let index = zones.iter().position(|other| other == zone).unwrap_or(0);
    stack.add(
        "BastionRole",
        "AWS::IAM::Role",
        map! {
            "RoleName" => names::dns_label(&source.name("bastion"), 64),
            "AssumeRolePolicyDocument" => trusts("ec2.amazonaws.com"),
            "ManagedPolicyArns" => list![sub(SESSION_MANAGER)],
        },
    );
    stack.add(
        "BastionProfile",
        "AWS::IAM::InstanceProfile",
        map! { "Roles" => list![reference("BastionRole")] },
    );
    stack.add_with(
        "Reached by Session Manager only: it has no public address and no open port.",
        "Bastion",
        "AWS::EC2::Instance",
        map! {},
        map! {
            "ImageId" => "{{resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}}",
            "InstanceType" => instance,
            "IamInstanceProfile" => reference("BastionProfile"),
            "SubnetId" => reference(&format!("PrivateSubnet{}", index + 1)),
            "SecurityGroupIds" => list![reference("BastionSecurityGroup")],
            "MetadataOptions" => imds(),
            "BlockDeviceMappings" => list![map! {
                "DeviceName" => "/dev/xvda",
                "Ebs" => map! {
                    "VolumeType" => "gp3",
                    "VolumeSize" => 8,
                    "Encrypted" => source.cloud.protection.encryption,
                },
            }],
            "Tags" => tag(source, "bastion"),
        },
    );
    stack.output(
        "BastionInstanceId",
        "For aws ssm start-session --target",
        reference("Bastion"),
    );
}
