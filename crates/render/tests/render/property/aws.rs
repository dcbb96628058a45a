//! The names that AWS takes: how long, and of what.

use super::reading::{Checked, pattern};

/// The least and the most characters, and what a name is made of.
pub(super) struct Rule {
    least: usize,
    most: usize,
    alphabet: fn(&str) -> bool,
}

const fn rule(least: usize, most: usize, alphabet: fn(&str) -> bool) -> Rule {
    Rule {
        least,
        most,
        alphabet,
    }
}

fn anything(name: &str) -> bool {
    pattern!(r"^[\x20-\x7e]+$").is_match(name)
}
fn word(name: &str) -> bool {
    pattern!(r"^[A-Za-z0-9_-]+$").is_match(name)
}
fn balancer(name: &str) -> bool {
    pattern!(r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$").is_match(name)
        && !name.starts_with("internal-")
}
fn bucket(name: &str) -> bool {
    pattern!(r"^[a-z0-9][a-z0-9.-]+[a-z0-9]$").is_match(name) && !name.contains("..")
}
/// Of RDS and ElastiCache.
fn identifier(name: &str) -> bool {
    pattern!(r"^[A-Za-z](-?[A-Za-z0-9])*$").is_match(name)
}
fn subnet_group(name: &str) -> bool {
    pattern!(r"^[a-z0-9 ._-]+$").is_match(name)
}
fn role(name: &str) -> bool {
    pattern!(r"^[A-Za-z0-9+=,.@_-]+$").is_match(name)
}
fn repository(name: &str) -> bool {
    pattern!(r"^[a-z0-9]+([._/-][a-z0-9]+)*$").is_match(name)
}
fn log_group(name: &str) -> bool {
    pattern!(r"^[A-Za-z0-9_/.#-]+$").is_match(name)
}
fn secret(name: &str) -> bool {
    pattern!(r"^[A-Za-z0-9/_+=.@-]+$").is_match(name)
}
fn database(name: &str) -> bool {
    pattern!(r"^[A-Za-z_][A-Za-z0-9_]*$").is_match(name)
}
fn alias(name: &str) -> bool {
    pattern!(r"^alias/[A-Za-z0-9/_-]+$").is_match(name) && !name.starts_with("alias/aws")
}
fn security_group(name: &str) -> bool {
    pattern!(r"^[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]+$").is_match(name) && !name.starts_with("sg-")
}
fn cluster(name: &str) -> bool {
    pattern!(r"^[A-Za-z0-9][A-Za-z0-9_-]*$").is_match(name)
}

/// A resource of Terraform and its attribute, the same of CloudFormation, and the rule.
type Row = (&'static str, &'static str, &'static str, &'static str, Rule);

/// <https://docs.aws.amazon.com/>: each from the reference of the call that makes it.
const ROWS: &[Row] = &[
    (
        "aws_lb",
        "name",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "Name",
        rule(1, 32, balancer),
    ),
    (
        "aws_lb_target_group",
        "name",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "Name",
        rule(1, 32, balancer),
    ),
    (
        "aws_lb_target_group",
        "name_prefix",
        "",
        "",
        rule(1, 6, balancer),
    ),
    (
        "aws_s3_bucket",
        "bucket",
        "AWS::S3::Bucket",
        "BucketName",
        rule(3, 63, bucket),
    ),
    (
        "aws_db_instance",
        "identifier",
        "AWS::RDS::DBInstance",
        "DBInstanceIdentifier",
        rule(1, 63, identifier),
    ),
    (
        "aws_db_instance",
        "final_snapshot_identifier",
        "",
        "",
        rule(1, 255, identifier),
    ),
    (
        "aws_db_instance",
        "db_name",
        "AWS::RDS::DBInstance",
        "DBName",
        rule(1, 63, database),
    ),
    (
        "aws_db_instance",
        "username",
        "AWS::RDS::DBInstance",
        "MasterUsername",
        rule(1, 63, database),
    ),
    (
        "aws_db_subnet_group",
        "name",
        "AWS::RDS::DBSubnetGroup",
        "DBSubnetGroupName",
        rule(1, 255, subnet_group),
    ),
    (
        "aws_db_parameter_group",
        "name",
        "AWS::RDS::DBParameterGroup",
        "DBParameterGroupName",
        rule(1, 255, identifier),
    ),
    (
        "aws_elasticache_replication_group",
        "replication_group_id",
        "AWS::ElastiCache::ReplicationGroup",
        "ReplicationGroupId",
        rule(1, 40, identifier),
    ),
    (
        "aws_elasticache_subnet_group",
        "name",
        "AWS::ElastiCache::SubnetGroup",
        "CacheSubnetGroupName",
        rule(1, 255, subnet_group),
    ),
    (
        "aws_elasticache_parameter_group",
        "name",
        "",
        "",
        rule(1, 255, identifier),
    ),
    (
        "aws_iam_role",
        "name",
        "AWS::IAM::Role",
        "RoleName",
        rule(1, 64, role),
    ),
    ("aws_iam_role", "name_prefix", "", "", rule(1, 38, role)),
    (
        "aws_iam_policy",
        "name",
        "AWS::IAM::ManagedPolicy",
        "ManagedPolicyName",
        rule(1, 128, role),
    ),
    ("aws_iam_role_policy", "name", "", "", rule(1, 128, role)),
    (
        "aws_iam_instance_profile",
        "name",
        "AWS::IAM::InstanceProfile",
        "InstanceProfileName",
        rule(1, 128, role),
    ),
    (
        "aws_launch_template",
        "name",
        "AWS::EC2::LaunchTemplate",
        "LaunchTemplateName",
        rule(3, 125, role_or_slash),
    ),
    (
        "aws_launch_template",
        "name_prefix",
        "",
        "",
        rule(1, 99, role_or_slash),
    ),
    (
        "aws_autoscaling_group",
        "name",
        "AWS::AutoScaling::AutoScalingGroup",
        "AutoScalingGroupName",
        rule(1, 255, anything),
    ),
    (
        "aws_autoscaling_policy",
        "name",
        "",
        "",
        rule(1, 255, anything),
    ),
    (
        "aws_autoscaling_lifecycle_hook",
        "name",
        "AWS::AutoScaling::LifecycleHook",
        "LifecycleHookName",
        rule(1, 255, log_group),
    ),
    (
        "aws_security_group",
        "name",
        "AWS::EC2::SecurityGroup",
        "GroupName",
        rule(1, 255, security_group),
    ),
    (
        "aws_security_group",
        "name_prefix",
        "",
        "",
        rule(1, 229, security_group),
    ),
    (
        "aws_security_group",
        "description",
        "AWS::EC2::SecurityGroup",
        "GroupDescription",
        rule(1, 255, security_group),
    ),
    (
        "aws_cloudwatch_log_group",
        "name",
        "AWS::Logs::LogGroup",
        "LogGroupName",
        rule(1, 512, log_group),
    ),
    (
        "aws_cloudwatch_metric_alarm",
        "alarm_name",
        "AWS::CloudWatch::Alarm",
        "AlarmName",
        rule(1, 255, anything),
    ),
    (
        "aws_cloudwatch_dashboard",
        "dashboard_name",
        "AWS::CloudWatch::Dashboard",
        "DashboardName",
        rule(1, 255, word),
    ),
    (
        "aws_cloudwatch_event_rule",
        "name",
        "AWS::Events::Rule",
        "Name",
        rule(1, 64, role),
    ),
    (
        "aws_sns_topic",
        "name",
        "AWS::SNS::Topic",
        "TopicName",
        rule(1, 256, word),
    ),
    (
        "aws_kms_alias",
        "name",
        "AWS::KMS::Alias",
        "AliasName",
        rule(7, 256, alias),
    ),
    (
        "aws_secretsmanager_secret",
        "name",
        "AWS::SecretsManager::Secret",
        "Name",
        rule(1, 512, secret),
    ),
    (
        "aws_ssm_parameter",
        "name",
        "AWS::SSM::Parameter",
        "Name",
        rule(1, 1011, secret),
    ),
    (
        "aws_eks_cluster",
        "name",
        "AWS::EKS::Cluster",
        "Name",
        rule(1, 100, cluster),
    ),
    (
        "aws_eks_node_group",
        "node_group_name",
        "AWS::EKS::Nodegroup",
        "NodegroupName",
        rule(1, 63, cluster),
    ),
    (
        "aws_ecr_repository",
        "name",
        "AWS::ECR::Repository",
        "RepositoryName",
        rule(2, 256, repository),
    ),
    (
        "aws_lambda_function",
        "function_name",
        "AWS::Lambda::Function",
        "FunctionName",
        rule(1, 64, word),
    ),
    (
        "aws_backup_vault",
        "name",
        "AWS::Backup::BackupVault",
        "BackupVaultName",
        rule(2, 50, word),
    ),
    ("aws_backup_plan", "name", "", "", rule(1, 50, role)),
    ("aws_backup_selection", "name", "", "", rule(1, 50, role)),
    (
        "aws_wafv2_web_acl",
        "name",
        "AWS::WAFv2::WebACL",
        "Name",
        rule(1, 128, word),
    ),
    (
        "aws_dynamodb_table",
        "name",
        "AWS::DynamoDB::Table",
        "TableName",
        rule(3, 255, role),
    ),
    ("aws_budgets_budget", "name", "", "", rule(1, 100, anything)),
    (
        "aws_efs_file_system",
        "creation_token",
        "",
        "",
        rule(1, 64, anything),
    ),
];

fn role_or_slash(name: &str) -> bool {
    pattern!(r"^[A-Za-z0-9().\-/_]+$").is_match(name)
}

/// The names of a resource of Terraform: attribute and rule.
pub(super) fn of_terraform(resource: &str) -> impl Iterator<Item = (&'static str, &'static Rule)> {
    ROWS.iter()
        .filter(move |row| row.0 == resource)
        .map(|row| (row.1, &row.4))
}

/// The names of a resource of CloudFormation: property and rule.
pub(super) fn of_cloudformation(kind: &str) -> impl Iterator<Item = (&'static str, &'static Rule)> {
    ROWS.iter()
        .filter(move |row| row.2 == kind)
        .map(|row| (row.3, &row.4))
}

impl Rule {
    pub(super) fn check(&self, what: &str, name: &str) -> Checked {
        if (self.least..=self.most).contains(&name.len()) && (self.alphabet)(name) {
            Ok(())
        } else {
            Err(format!(
                "{what} may not be called `{name}` ({} bytes, {} to {} may be)",
                name.len(),
                self.least,
                self.most
            ))
        }
    }
}

/// A name of CloudWatch's alarms, wherever it stands.
pub(super) fn alarm(name: &str) -> Checked {
    rule(1, 255, anything).check("an alarm", name)
}
