//! The cloud under an environment.

use std::collections::BTreeMap;
use std::time::Duration;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use wharf_base::ids::Name;
use wharf_base::units::{Bytes, Percent};

/// An account's part that belongs to one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cloud {
    /// Whose.
    pub provider: Provider,
    /// `us-east-1`.
    pub region: String,
    /// A second region: backups are copied there and a stack can be restored there.
    pub recovery_region: Option<String>,
    /// What runs the services.
    pub compute: Compute,
    /// Who runs the stores.
    pub stores: StoresBy,
    /// The network.
    pub network: Network,
    /// The machines that services run on.
    pub nodes: Nodes,
    /// What each managed store is made of, by its name in `stores`.
    pub databases: BTreeMap<Name, Database>,
    /// Object storage, by purpose: `static`, `media`, `backups`, `logs`.
    pub buckets: BTreeMap<Name, Bucket>,
    /// The load balancer.
    pub load_balancer: LoadBalancer,
    /// A machine to reach private ones from, by Session Manager only; none: Session Manager reaches them itself.
    pub bastion: Option<Bastion>,
    /// The zone that route hosts belong to; none: DNS is somebody else's.
    pub dns_zone: Option<String>,
    /// What protects it; all on unless the file says otherwise.
    pub protection: Protection,
    /// How long CloudWatch keeps logs.
    #[serde(with = "wharf_base::duration")]
    pub log_retention: Duration,
    /// Log groups beside those that follow from the plan.
    pub log_groups: Vec<String>,
    /// CloudWatch alarms.
    pub alarms: Alarms,
    /// SSM parameters, by name: which value each holds.
    pub parameters: BTreeMap<String, ParameterValue>,
    /// US dollars a month; none: not watched.
    pub budget: Option<u32>,
    /// Further tags of every resource.
    pub tags: BTreeMap<String, String>,
    /// Where Terraform keeps its state.
    pub state: RemoteState,
    /// The two CloudFormation stacks.
    pub stacks: Stacks,
    /// The name that resources begin with: the project's if not said.
    pub prefix: String,
    /// Instance metadata: an EC2 key pair for emergencies; none: Session Manager only.
    pub key_name: Option<String>,
    /// The GitHub repository, `owner/name`, whose workflows may take the deployment role (OIDC).
    pub repository: Option<String>,
}

/// Cloud providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
}

/// What runs the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compute {
    /// A managed Kubernetes cluster with a managed node group.
    Eks,
    /// An auto-scaling group of instances, each with the program under systemd behind Nginx.
    Ec2,
    /// Instances that Ansible joins to a Kubernetes cluster.
    Nodes,
}

/// Who runs the stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoresBy {
    /// RDS and ElastiCache.
    Managed,
    /// The cluster itself, as StatefulSets.
    Cluster,
}

/// The network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// All of it.
    pub cidr: Ipv4Net,
    /// Availability zones; each has one subnet of each kind.
    pub zones: Vec<String>,
    /// Load balancers and NAT gateways; as many as zones.
    pub public: Vec<Ipv4Net>,
    /// Services; as many as zones.
    pub private: Vec<Ipv4Net>,
    /// Stores, without a route to the internet; as many as zones, or none: stores are in the private ones.
    pub database: Vec<Ipv4Net>,
    /// How private subnets reach the internet.
    pub nat: Nat,
    /// AWS services that are reached without the internet: `ssm`, `s3`.
    pub endpoints: Vec<String>,
}

/// How private subnets reach the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nat {
    /// One gateway: cheaper, and down with its zone.
    Single,
    /// A gateway in each zone.
    PerZone,
    /// Not at all.
    None,
}

/// Machines that services run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodes {
    /// What the group is called.
    pub name: String,
    /// What the EKS cluster is called.
    pub cluster: String,
    /// `t3.medium`.
    pub instance: String,
    /// Never fewer.
    pub min: u32,
    /// At first.
    pub desired: u32,
    /// Never more.
    pub max: u32,
    /// The disk of each.
    pub disk: Bytes,
    /// The machine image; none: the newest of its kind, looked up.
    pub image: Option<String>,
    /// What an auto-scaling group aims at.
    pub cpu: Percent,
    /// How long a new machine may take before its health counts.
    #[serde(with = "wharf_base::duration")]
    pub grace: Duration,
    /// Whether spare capacity is bought at spot prices.
    pub spot: bool,
    /// Where the application's source is fetched from, for `compute: ec2`.
    pub source: Option<String>,
}

/// What a managed store is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// What it is called in the cloud.
    pub identifier: String,
    /// The exact version: `15.2`.
    pub version: String,
    /// `db.t3.micro`, `cache.t3.micro`.
    pub instance: String,
    /// GiB at first (RDS).
    pub storage_gib: u32,
    /// GiB at most, grown by itself (RDS); none: fixed.
    pub storage_max_gib: Option<u32>,
    /// `gp2`, `gp3` (RDS).
    pub storage_type: String,
    /// A standby in another zone.
    pub multi_az: bool,
    /// The zone of the primary; none: any.
    pub zone: Option<String>,
    /// The zone of a read replica; none: there is none (RDS).
    pub replica_zone: Option<String>,
    /// How many nodes (ElastiCache).
    pub nodes: u32,
    /// `sun:04:00-sun:05:00`, UTC.
    pub maintenance: String,
    /// `03:00-04:00`, UTC.
    pub backup_window: String,
    /// The administrator (RDS).
    pub user: String,
    /// The first database (RDS).
    pub database: String,
    /// Whether it refuses to be deleted.
    pub protected: bool,
}

/// Object storage of one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// `{environment}`, `{account}` and `{project}` are filled in: `{environment}-django-static-{account}`.
    pub name: String,
    /// Whether old versions are kept.
    pub versioned: bool,
    /// After how many days objects go to cheaper storage; none: never.
    pub archive_after_days: Option<u32>,
    /// After how many days they are deleted; none: never.
    pub expire_after_days: Option<u32>,
}

/// The load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Whether the internet reaches it.
    pub public: bool,
    /// The ACM certificate's ARN, or a name to request one for; none: HTTP only.
    pub certificate: Option<String>,
    /// What is asked of each target.
    pub health: TargetHealth,
}

/// What a load balancer asks of each target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetHealth {
    /// The path.
    pub path: String,
    /// From check to check.
    #[serde(with = "wharf_base::duration")]
    pub interval: Duration,
    /// When a check without an answer has failed.
    #[serde(with = "wharf_base::duration")]
    pub timeout: Duration,
    /// Checks in a row that have to pass.
    pub healthy: u32,
    /// Checks in a row that have to fail.
    pub unhealthy: u32,
}

/// A machine to reach private ones from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bastion {
    /// `t2.micro`.
    pub instance: String,
    /// In which zone.
    pub zone: String,
}

/// What is recommended, each switchable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the file"
)]
pub struct Protection {
    /// VPC flow logs.
    pub flow_logs: bool,
    /// A web application firewall before the load balancer.
    pub waf: bool,
    /// Disks, stores and buckets are encrypted.
    pub encryption: bool,
    /// Secrets are in Secrets Manager and rotated.
    pub secrets_manager: bool,
    /// AWS Backup of what holds data.
    pub backup: bool,
}

/// CloudWatch alarms and who hears of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarms {
    /// Where they go; none: the topic has no subscriber.
    pub email: Option<String>,
    /// CPU above this …
    pub cpu: Percent,
    /// … for this long.
    #[serde(with = "wharf_base::duration")]
    pub cpu_hold: Duration,
}

/// What an SSM parameter holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterValue {
    /// The address of a managed store.
    StoreEndpoint(Name),
    /// A text.
    Text(String),
}

/// Where Terraform keeps its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteState {
    /// The S3 bucket.
    pub bucket: String,
    /// The DynamoDB table that locks.
    pub lock_table: String,
}

/// Names of the CloudFormation stacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stacks {
    /// The role that deploys.
    pub role: String,
    /// Everything else.
    pub infrastructure: String,
}
