//! `cloud.network`.

use crate::decode::{List, Subnet, Word, Zone, record, words};

record! {
    /// The network of an environment. Each zone has one subnet of each kind.
    pub struct Network {
        /// All of it.
        [default "10.0.0.0/16"]
        [also "vpc_cidr"]
        cidr: Subnet,
        /// Availability zones.
        [default "the region's first two"]
        [also "azs" "availability_zones"]
        [example "[us-east-1a, us-east-1b]"]
        zones: List<Zone>,
        /// Subnets of load balancers and NAT gateways; as many as zones.
        [default "a /24 for each zone"]
        [also "public_subnets"]
        [example "[10.0.1.0/24, 10.0.2.0/24]"]
        public: List<Subnet>,
        /// Subnets of services; as many as zones.
        [default "a /24 for each zone"]
        [also "private_subnets" "app"]
        [example "[10.0.11.0/24, 10.0.12.0/24]"]
        private: List<Subnet>,
        /// Subnets of stores, without a way to the internet; as many as zones.
        [default "a /24 for each zone; none if the other two are given: stores are in the private ones"]
        [also "database_subnets" "data"]
        [example "[10.0.21.0/24, 10.0.22.0/24]"]
        database: List<Subnet>,
        /// How private subnets reach the internet.
        [default "single"]
        [also "nat_gateway"]
        nat: Nat,
        /// AWS services that are reached without the internet.
        [also "vpc_endpoints"]
        [example "[s3, ssm]"]
        endpoints: List<Word>,
    }
    later { "ipv6", "peering", "vpn" }
}

words! {
    /// How private subnets reach the internet.
    pub enum Nat: "a word for NAT" {
        /// One gateway: cheaper, and down with its zone.
        Single = "single",
        /// A gateway in each zone.
        PerZone = "per_zone",
        /// Not at all.
        None = "none",
    }
}
