//! The role that CloudFormation takes to make the stack, and the one that the repository's workflows take.

use std::collections::BTreeSet;

use super::stack::{Stack, allow, attribute, choose, policy, reference, sub, trusts};
use super::{Source, data};
use crate::yaml::{Map, Yaml};
use crate::{list, map, names};

pub(super) fn template(source: Source<'_>) -> Stack {
    let cloud = source.cloud;
    let mut stack = Stack::new(&format!(
        "{} ({}): who may make and change the infrastructure",
        source.plan.name,
        source.environment()
    ));
    stack.add_with(
        "What CloudFormation itself may do for the stack: the kinds of resources of the template, in one region, and by\nname where AWS knows names.",
        "DeploymentRole",
        "AWS::IAM::Role",
        Map::new(),
        map! {
            "RoleName" => names::dns_label(&source.name("deployment"), 64),
            "AssumeRolePolicyDocument" => trusts("cloudformation.amazonaws.com"),
            "Policies" => list![map! {
                "PolicyName" => "infrastructure",
                "PolicyDocument" => policy(statements(source)),
            }],
        },
    );
    stack.output(
        "DeploymentRoleArn",
        "For --role-arn of create-stack and update-stack",
        attribute("DeploymentRole.Arn"),
    );
    if let Some(repository) = &cloud.repository {
        workflows(source, &mut stack, repository);
    }
    stack
}

fn named(service: &str, rest: &str) -> Yaml {
    sub(&format!(
        "arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}"
    ))
}

fn global(service: &str, rest: &str) -> Yaml {
    sub(&format!(
        "arn:${{AWS::Partition}}:{service}::${{AWS::AccountId}}:{rest}"
    ))
}

fn statements(source: Source<'_>) -> Vec<Map> {
    let prefix = &source.cloud.prefix;
    let mut statements = vec![];
    // What is made by these has no name before it is there: the region is the limit.
    let mut regional = allow(
        "ByRegion",
        &[
            "acm:DescribeCertificate",
            "autoscaling:*",
            "backup-storage:MountCapsule",
            "cloudwatch:DescribeAlarms",
            "ec2:AllocateAddress",
            "ec2:Associate*",
            "ec2:Attach*",
            "ec2:AuthorizeSecurityGroup*",
            "ec2:Create*",
            "ec2:Delete*",
            "ec2:Describe*",
            "ec2:Detach*",
            "ec2:Disassociate*",
            "ec2:Get*",
            "ec2:Modify*",
            "ec2:ReleaseAddress",
            "ec2:ReplaceRoute*",
            "ec2:RevokeSecurityGroup*",
            "ec2:RunInstances",
            "ec2:StartInstances",
            "ec2:StopInstances",
            "ec2:TerminateInstances",
            "elasticloadbalancing:*",
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:GenerateDataKey*",
            "kms:RetireGrant",
            "logs:DescribeLogGroups",
            "rds:Describe*",
            "secretsmanager:GetRandomPassword",
            "ssm:DescribeParameters",
            "wafv2:*",
        ],
        "*",
    );
    regional.set(
        "Condition",
        map! { "StringEquals" => map! { "aws:RequestedRegion" => reference("AWS::Region") } },
    );
    statements.push(regional);
    statements.push(allow(
        "Roles",
        &[
            "iam:AttachRolePolicy",
            "iam:CreateRole",
            "iam:DeleteRole",
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:PutRolePolicy",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
        ],
        list![global("iam", &format!("role/{prefix}-*"))],
    ));
    statements.push(allow(
        "Profiles",
        &[
            "iam:AddRoleToInstanceProfile",
            "iam:CreateInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:GetInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile",
        ],
        list![global(
            "iam",
            &format!("instance-profile/{}-*", source.cloud.stacks.infrastructure)
        )],
    ));
    let mut pass = allow(
        "PassRoles",
        &["iam:PassRole"],
        list![global("iam", &format!("role/{prefix}-*"))],
    );
    pass.set(
        "Condition",
        map! {
            "StringEquals" => map! {
                "iam:PassedToService" => vec![
                    "backup.amazonaws.com",
                    "ec2.amazonaws.com",
                    "lambda.amazonaws.com",
                    "vpc-flow-logs.amazonaws.com",
                ],
            },
        },
    );
    statements.push(pass);
    let mut linked = allow("ServiceRoles", &["iam:CreateServiceLinkedRole"], "*");
    linked.set(
        "Condition",
        map! {
            "StringEquals" => map! {
                "iam:AWSServiceName" => vec![
                    "autoscaling.amazonaws.com",
                    "elasticache.amazonaws.com",
                    "elasticloadbalancing.amazonaws.com",
                    "rds.amazonaws.com",
                ],
            },
        },
    );
    statements.push(linked);
    statements.push(allow(
        "PublicParameters",
        &["ssm:GetParameter", "ssm:GetParameters"],
        list![sub(
            "arn:${AWS::Partition}:ssm:${AWS::Region}::parameter/aws/service/*"
        )],
    ));
    statements.extend(by_name(source));
    statements
}

/// What AWS lets one name before it is made.
fn by_name(source: Source<'_>) -> Vec<Map> {
    let Source { plan, cloud } = source;
    let prefix = &cloud.prefix;
    let mut databases: Vec<Yaml> = vec![];
    for kind in ["db", "subgrp", "pg", "snapshot"] {
        for (_, database) in data::databases(source) {
            databases.push(named("rds", &format!("{kind}:{}*", database.identifier)));
        }
    }
    // What a database has where the template names none.
    databases.push(named("rds", "og:default:*"));
    // CloudFormation names parameter groups itself, after the stack.
    databases.push(named(
        "rds",
        &format!("pg:{}-*", cloud.stacks.infrastructure),
    ));
    let buckets: Vec<Yaml> = cloud
        .buckets
        .values()
        .map(|bucket| {
            let name =
                data::bucket_name(source, bucket).replace("${Environment}", source.environment());
            sub(&format!("arn:${{AWS::Partition}}:s3:::{name}"))
        })
        .collect();
    let mut groups: Vec<Yaml> = cloud
        .log_groups
        .iter()
        .chain([&crate::machine::log_group(plan, cloud)])
        .collect::<BTreeSet<_>>()
        .into_iter()
        .map(|name| named("logs", &format!("log-group:{name}*")))
        .collect();
    groups.push(named("logs", &format!("log-group:/aws/lambda/{prefix}-*")));
    groups.push(named("logs", &format!("log-group:/aws/vpc/{prefix}-*")));
    let mut parameters: Vec<Yaml> = cloud
        .parameters
        .keys()
        .map(|name| named("ssm", &format!("parameter{name}")))
        .collect();
    parameters.push(named("ssm", &format!("parameter/{prefix}/*")));
    let mut secrets: Vec<Yaml> = plan
        .secrets
        .values()
        .map(|secret| named("secretsmanager", &format!("secret:{}-*", secret.key)))
        .collect();
    secrets.push(named("secretsmanager", &format!("secret:{prefix}/*")));
    // RDS keeps the master password of each database under a name of its own.
    secrets.push(named("secretsmanager", "secret:rds!db-*"));
    let mut statements = vec![
        allow("Databases", &["rds:*"], databases),
        allow("LogGroups", &["logs:*"], groups),
        allow(
            "Parameters",
            &[
                "ssm:*Parameter",
                "ssm:*TagsFor*",
                "ssm:GetParameters",
                "ssm:*TagsToResource",
                "ssm:*TagsFromResource",
            ],
            parameters,
        ),
        allow("Secrets", &["secretsmanager:*"], secrets),
        allow(
            "Alarms",
            &["cloudwatch:*"],
            list![named("cloudwatch", &format!("alarm:{prefix}-*"))],
        ),
        allow(
            "Topics",
            &["sns:*"],
            list![named("sns", &format!("{prefix}-*"))],
        ),
        allow(
            "Functions",
            &["lambda:*"],
            list![named("lambda", &format!("function:{prefix}-*"))],
        ),
        allow(
            "Backups",
            &["backup:*"],
            list![
                named("backup", &format!("backup-vault:{prefix}-*")),
                named("backup", "backup-plan:*"),
            ],
        ),
        allow(
            "Budgets",
            &["budgets:*"],
            list![global("budgets", &format!("budget/{prefix}-*"))],
        ),
    ];
    if !buckets.is_empty() {
        statements.push(allow("Buckets", &["s3:*"], buckets));
    }
    if data::stores(source, wharf_plan::model::StoreEngine::Redis)
        .next()
        .is_some()
    {
        statements.push(allow(
            "Caches",
            &["elasticache:*"],
            list![
                named("elasticache", &format!("replicationgroup:{prefix}-*")),
                named(
                    "elasticache",
                    &format!("subnetgroup:{}-*", cloud.stacks.infrastructure)
                ),
                named("elasticache", "parametergroup:default*"),
            ],
        ));
    }
    statements
}

/// The role of the repository's workflows: they hand the stack to CloudFormation and refresh the group, nothing more.
fn workflows(source: Source<'_>, stack: &mut Stack, repository: &str) {
    let stacks = &source.cloud.stacks;
    stack.parameter(
        "GitHubProviderArn",
        map! {
            "Description" => "The OIDC provider token.actions.githubusercontent.com of the account; empty: it is made here",
            "Type" => "String",
            "Default" => "",
            "AllowedPattern" => r"(|arn:aws[a-z-]*:iam::\d{12}:oidc-provider/token\.actions\.githubusercontent\.com)",
        },
    );
    stack.condition(
        "NoProvider",
        Yaml::Raw("!Equals [!Ref GitHubProviderArn, \"\"]".to_owned()),
    );
    stack.add_with(
        "",
        "GitHubProvider",
        "AWS::IAM::OIDCProvider",
        map! { "Condition" => "NoProvider" },
        map! {
            "Url" => "https://token.actions.githubusercontent.com",
            "ClientIdList" => vec!["sts.amazonaws.com"],
        },
    );
    let provider = choose(
        "NoProvider",
        "!Ref GitHubProvider",
        "!Ref GitHubProviderArn",
    );
    let trust = policy(vec![map! {
        "Effect" => "Allow",
        "Principal" => map! { "Federated" => provider },
        "Action" => "sts:AssumeRoleWithWebIdentity",
        "Condition" => map! {
            "StringEquals" => map! {
                "token.actions.githubusercontent.com:aud" => "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub" => format!(
                    "repo:{repository}:environment:{}",
                    source.environment()
                ),
            },
        },
    }]);
    let group = crate::machine::group_name(source.cloud);
    stack.add_with(
        "Workflows of the environment take this role without a key; the environment's approval guards it.",
        "WorkflowRole",
        "AWS::IAM::Role",
        Map::new(),
        map! {
            "RoleName" => names::dns_label(&source.name("workflow"), 64),
            "AssumeRolePolicyDocument" => trust,
            "Policies" => list![map! {
                "PolicyName" => "deploy",
                "PolicyDocument" => policy(vec![
                    allow(
                        "Stack",
                        &[
                            "cloudformation:CreateChangeSet",
                            "cloudformation:CreateStack",
                            "cloudformation:DeleteChangeSet",
                            "cloudformation:Describe*",
                            "cloudformation:ExecuteChangeSet",
                            "cloudformation:GetTemplate",
                            "cloudformation:UpdateStack",
                        ],
                        list![named("cloudformation", &format!("stack/{}/*", stacks.infrastructure))],
                    ),
                    allow("PassRole", &["iam:PassRole"], list![attribute("DeploymentRole.Arn")]),
                    allow(
                        "Template",
                        &["s3:GetObject", "s3:PutObject"],
                        list![sub(&format!(
                            "arn:${{AWS::Partition}}:s3:::{}/cloudformation/*",
                            source.cloud.state.bucket
                        ))],
                    ),
                    allow(
                        "Refresh",
                        &[
                            "autoscaling:CancelInstanceRefresh",
                            "autoscaling:RollbackInstanceRefresh",
                            "autoscaling:StartInstanceRefresh",
                        ],
                        list![named(
                            "autoscaling",
                            &format!("autoScalingGroup:*:autoScalingGroupName/{group}"),
                        )],
                    ),
                    allow(
                        "Revision",
                        &["ssm:GetParameter", "ssm:GetParameterHistory", "ssm:PutParameter"],
                        list![named(
                            "ssm",
                            &format!("parameter{}", crate::machine::revision_parameter(source.plan)),
                        )],
                    ),
                    allow(
                        "Watch",
                        &[
                            "autoscaling:DescribeAutoScalingGroups",
                            "autoscaling:DescribeInstanceRefreshes",
                            "elasticloadbalancing:DescribeLoadBalancers",
                            "elasticloadbalancing:DescribeTargetHealth",
                        ],
                        "*",
                    ),
                ]),
            }],
        },
    );
    stack.output(
        "WorkflowRoleArn",
        "For role-to-assume of the workflows",
        attribute("WorkflowRole.Arn"),
    );
}
