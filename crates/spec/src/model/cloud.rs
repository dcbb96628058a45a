//! `cloud`.

use std::time::Duration;

use wharf_base::ids::Name;
use wharf_base::units::{Bounds, Bytes, Percent};

use super::network::Network;
use crate::decode::{
    BackupWindow, BucketName, Count, Email, GitUrl, HostPattern, Identifier, Line, List, Machine,
    MachineImage, MaintenanceWindow, Money, Region, Repository, Table, UrlPath, Word, Zone, record,
    words,
};

record! {
    /// The cloud under an environment. What is recommended is on; what is not said follows from the application.
    pub struct Cloud {
        /// Whose.
        [default "aws"]
        provider: Provider,
        /// Where.
        [required]
        [example "us-east-1"]
        region: Region,
        /// A second region: backups are copied there, and a stack can be restored there.
        [default "there is none"]
        [also "dr_region" "backup_region"]
        [example "us-west-2"]
        recovery_region: Region,
        /// What runs the services.
        [default "ec2 for the target ec2, else eks"]
        [also "runtime"]
        compute: Compute,
        /// Who runs the stores.
        [default "managed"]
        stores: StoresBy,
        /// The network.
        [also "vpc"]
        [example "{ cidr: 10.0.0.0/16, nat: single }"]
        network: Network,
        /// The machines that services run on.
        [also "instances" "node_group" "asg"]
        [example "{ instance: t3.medium, min: 2, max: 4 }"]
        nodes: Nodes,
        /// What each managed store is made of, by its name in `stores`.
        [also "rds" "elasticache"]
        [example "{ db: { instance: db.t3.small, multi_az: true } }"]
        databases: Table<Name, Database>,
        /// Object storage, by purpose.
        [also "s3"]
        [example "{ static: {}, backups: { expire_after: 90d } }"]
        buckets: Table<Name, Bucket>,
        /// The load balancer.
        [also "alb" "lb"]
        [example "{ certificate: shop.example.com }"]
        load_balancer: LoadBalancer,
        /// A machine to reach private ones from, by Session Manager only.
        [default "Session Manager reaches them itself"]
        [example "{ zone: us-east-1a }"]
        bastion: Bastion,
        /// The zone that the hosts of routes belong to.
        [default "DNS is somebody else's"]
        [also "domain" "hosted_zone"]
        [example "example.com"]
        dns_zone: HostPattern,
        /// What protects it.
        [default "everything is on"]
        [also "security"]
        [example "{ waf: false }"]
        protection: Protection,
        /// How long CloudWatch keeps logs.
        [default "30d"]
        [also "retention"]
        log_retention: Duration,
        /// Log groups beside those that follow from the plan.
        [example "[/aws/ec2/shop]"]
        log_groups: List<Word>,
        /// CloudWatch alarms.
        [example "{ email: ops@example.com }"]
        alarms: Alarms,
        /// SSM parameters, by name: a text, or the address of a store (`${db.host}`).
        [also "ssm"]
        [example "{ /shop/db: \"${db.host}\" }"]
        parameters: Table<Word, Line>,
        /// What may be spent.
        [default "not watched"]
        [also "cost"]
        [example "400/month"]
        budget: Money,
        /// Further tags of every resource.
        [also "labels"]
        [example "{ Team: shop }"]
        tags: Table<Word, Line>,
        /// Where Terraform keeps its state.
        [also "backend"]
        [example "{ bucket: shop-terraform-state }"]
        state: State,
        /// Names of the CloudFormation stacks.
        stacks: Stacks,
        /// What the names of resources begin with; at most 40 characters.
        [default "the project and the environment"]
        [example "shop-prod"]
        prefix: Name,
        /// An EC2 key pair for emergencies.
        [default "Session Manager only"]
        [also "ssh_key" "key_pair"]
        key_name: Word,
        /// The GitHub repository whose workflows may take the deployment role.
        [default "none may"]
        [also "github" "repo"]
        [example "acme/shop"]
        repository: Repository,
    }
    later { "account", "cdn", "organization", "accounts" }
}

words! {
    /// Cloud providers.
    pub enum Provider: "a provider" {
        /// Amazon Web Services.
        Aws = "aws",
    }
    later { "gcp", "azure", "hetzner", "digitalocean" }
}

words! {
    /// What runs the services.
    pub enum Compute: "a kind of compute" {
        /// A managed Kubernetes cluster with a managed node group.
        Eks = "eks",
        /// An auto-scaling group of instances.
        Ec2 = "ec2",
        /// Instances that Ansible joins to a Kubernetes cluster.
        Nodes = "nodes",
    }
    later { "ecs", "fargate", "lambda" }
}

words! {
    /// Who runs the stores.
    pub enum StoresBy: "who runs the stores" {
        /// RDS and ElastiCache.
        Managed = "managed",
        /// The cluster itself, as StatefulSets.
        Cluster = "cluster",
    }
}

record! {
    /// Machines that services run on.
    pub struct Nodes {
        /// What the group is called.
        [default "the prefix with `-nodes`"]
        name: Name,
        /// What the EKS cluster is called.
        [default "the prefix"]
        cluster: Name,
        /// Their type.
        [default "t3.medium"]
        [also "type" "instance_type" "machine"]
        instance: Machine,
        /// Never fewer.
        [default "2"]
        [also "min_size"]
        min: Count<0, 1000>,
        /// At first.
        [default "`min`"]
        [also "desired_capacity" "count"]
        desired: Count<0, 1000>,
        /// Never more.
        [default "twice `min`, at least `desired`"]
        [also "max_size"]
        max: Count<1, 1000>,
        /// The disk of each.
        [default "50Gi"]
        [also "disk_size" "storage"]
        disk: Bytes,
        /// The machine image.
        [default "the newest of its kind"]
        [also "ami"]
        [example "ami-0c02fb55956c7d316"]
        image: MachineImage,
        /// What an auto-scaling group aims at.
        [default "70%"]
        cpu: Percent,
        /// How long a new machine may take before its health counts.
        [default "5m"]
        [also "health_check_grace_period"]
        grace: Duration,
        /// Whether spare capacity is bought at spot prices.
        [default "false"]
        spot: bool,
        /// Where the application's source is fetched from, for `compute: ec2`.
        [also "git" "repository"]
        [example "https://github.com/acme/shop.git"]
        source: GitUrl,
    }
    later { "groups", "gpu", "taints" }
}

record! {
    /// What a managed store is made of.
    pub struct Database {
        /// What it is called in the cloud.
        [default "the prefix and the store's name"]
        [also "name" "id"]
        identifier: Name,
        /// The exact version.
        [default "the newest that is known of the store's `version`"]
        [also "engine_version"]
        [example "\"15.2\""]
        version: Word,
        /// Its machine.
        [default "db.t3.micro, cache.t3.micro"]
        [also "class" "instance_class" "type"]
        [example "db.t3.small"]
        instance: Machine,
        /// How large it is at first, and to what it may grow by itself (RDS).
        [default "the store's `storage`, fixed; 20Gi"]
        [also "allocated_storage" "size"]
        [example "100Gi..400Gi"]
        storage: Bounds<Bytes>,
        /// Of which kind (RDS).
        [default "gp3"]
        [also "disk_type"]
        storage_type: StorageType,
        /// A standby in another zone.
        [default "false"]
        [also "ha" "high_availability"]
        multi_az: bool,
        /// The zone of the primary.
        [default "any"]
        [also "availability_zone"]
        [example "us-east-1a"]
        zone: Zone,
        /// The zone of a read replica (RDS).
        [default "there is none"]
        [example "us-east-1b"]
        replica_zone: Zone,
        /// How many nodes (ElastiCache).
        [default "1"]
        [also "num_cache_nodes" "replicas"]
        nodes: Count<1, 6>,
        /// When it is maintained, UTC.
        [default "sun:04:00-sun:05:00"]
        [also "maintenance_window"]
        maintenance: MaintenanceWindow,
        /// When backups are made, UTC.
        [default "03:00-04:00"]
        backup_window: BackupWindow,
        /// The administrator (RDS).
        [default "wharf"]
        [also "username" "master_username"]
        user: Identifier,
        /// The first database (RDS).
        [default "the project's name, with `_` for `-`"]
        [also "db_name" "dbname"]
        database: Identifier,
        /// Whether it refuses to be deleted.
        [default "true"]
        [also "deletion_protection"]
        protected: bool,
    }
    later { "parameters", "iops", "proxy" }
}

words! {
    /// Kinds of disks.
    pub enum StorageType: "a kind of disk" {
        /// General purpose, by size.
        Gp2 = "gp2",
        /// General purpose.
        Gp3 = "gp3",
        /// Provisioned.
        Io1 = "io1",
        /// Provisioned.
        Io2 = "io2",
    }
}

record! {
    /// Object storage of one purpose.
    pub struct Bucket {
        /// What it is called; `{environment}`, `{account}` and `{project}` are filled in.
        [default "`PREFIX-BUCKET-{account}`"]
        [example "\"{environment}-shop-static-{account}\""]
        name: BucketName,
        /// Whether old versions are kept.
        [default "true"]
        [also "versioning"]
        versioned: bool,
        /// After how many days objects go to cheaper storage.
        [default "never"]
        [also "transition_after"]
        [example "30d"]
        archive_after: Duration,
        /// After how many days they are deleted.
        [default "never"]
        [also "expiration" "delete_after"]
        [example "90d"]
        expire_after: Duration,
    }
    later { "public", "cors", "replicate" }
}

record! {
    /// The load balancer.
    pub struct LoadBalancer {
        /// Whether the internet reaches it.
        [default "true"]
        [also "internet_facing"]
        public: bool,
        /// The ARN of an ACM certificate, or a name to request one for.
        [default "the first host of the routes in `dns_zone`; without, HTTP only"]
        [also "certificate_arn" "tls"]
        [example "shop.example.com"]
        certificate: Word,
        /// What is asked of each target.
        [also "health_check"]
        [example "{ path: /health }"]
        health: TargetHealth,
    }
    later { "idle_timeout", "access_logs" }
}

record! {
    /// What a load balancer asks of each target.
    pub struct TargetHealth {
        /// The path.
        [default "that of the readiness probe of the service at `/`"]
        path: UrlPath,
        /// From check to check.
        [default "30s"]
        interval: Duration,
        /// When a check without an answer has failed.
        [default "5s"]
        timeout: Duration,
        /// Checks in a row that have to pass.
        [default "2"]
        [also "healthy_threshold"]
        healthy: Count<2, 10>,
        /// Checks in a row that have to fail.
        [default "2"]
        [also "unhealthy_threshold"]
        unhealthy: Count<2, 10>,
    }
    shorthand path
}

record! {
    /// A machine to reach private ones from.
    pub struct Bastion {
        /// Its type.
        [default "t3.micro"]
        [also "type" "instance_type"]
        instance: Machine,
        /// In which zone.
        [default "the first"]
        zone: Zone,
    }
}

record! {
    /// What is recommended, each switchable.
    pub struct Protection {
        /// VPC flow logs.
        [default "true"]
        flow_logs: bool,
        /// A web application firewall before the load balancer.
        [default "true"]
        waf: bool,
        /// Disks, stores and buckets are encrypted.
        [default "true"]
        encryption: bool,
        /// Secrets are in Secrets Manager and rotated.
        [default "true"]
        secrets_manager: bool,
        /// AWS Backup of what holds data.
        [default "true"]
        backup: bool,
    }
    later { "guardduty", "config", "cloudtrail", "inspector" }
}

record! {
    /// CloudWatch alarms, and who hears of them.
    pub struct Alarms {
        /// Where they go.
        [default "nobody hears of them"]
        [also "to" "notify"]
        [example "ops@example.com"]
        email: Email,
        /// CPU above this …
        [default "80%"]
        cpu: Percent,
        /// … for this long.
        [default "10m"]
        cpu_for: Duration,
    }
}

record! {
    /// Where Terraform keeps its state.
    pub struct State {
        /// The S3 bucket.
        [default "`PROJECT-terraform-state`"]
        bucket: BucketName,
        /// The DynamoDB table that locks.
        [default "`PROJECT-terraform-locks`"]
        [also "dynamodb_table" "table"]
        lock_table: Word,
    }
}

record! {
    /// Names of the CloudFormation stacks.
    pub struct Stacks {
        /// The role that deploys.
        [default "the prefix with `-role`"]
        role: Name,
        /// Everything else.
        [default "the prefix with `-infrastructure`"]
        infrastructure: Name,
    }
}
