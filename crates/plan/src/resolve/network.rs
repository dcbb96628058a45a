//! `cloud.network`.

use ipnet::Ipv4Net;
use wharf_spec::decode::{List, Subnet};
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::{Field, Span, Spanned};

use super::Resolver;
use crate::model::{Compute, Nat, Network};

/// The sizes of a VPC and of its subnets (Amazon VPC user guide, "VPC CIDR blocks").
const PREFIXES: std::ops::RangeInclusive<u8> = 16..=28;
/// Where the subnets of each kind begin within a network that is cut into 32 or more: room for six zones each.
const FIRST: [usize; 3] = [1, 11, 21];
const KINDS: [&str; 3] = ["public", "private", "database"];

impl Resolver<'_> {
    pub(super) fn network(
        &mut self,
        typed: Option<&spec::Network>,
        region: &str,
        compute: Compute,
    ) -> Network {
        let absent = spec::Network::default();
        let typed = typed.unwrap_or(&absent);
        let cidr = typed.cidr.value().map_or_else(default_cidr, |cidr| cidr.0);
        if let Some(typed) = typed.cidr.get()
            && !PREFIXES.contains(&cidr.prefix_len())
        {
            let message = "expected a network from /16 to /28, as a VPC may have";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                typed.span.clone(),
                message,
            ));
        }
        let zones = self.zones(typed, region);
        let given = [&typed.public, &typed.private, &typed.database];
        // Who writes the first two and no third has none.
        let stores_apart =
            !typed.database.is_absent() || (typed.public.is_absent() && typed.private.is_absent());
        let too_small = cidr.prefix_len() > 23;
        let mut all: Vec<(Ipv4Net, Option<Span>, &str)> = vec![];
        let mut kinds: [Vec<Ipv4Net>; 3] = [vec![], vec![], vec![]];
        for (index, kind) in KINDS.iter().enumerate() {
            let (field, first) = (given[index], FIRST[index]);
            if let Some(list) = field.get() {
                self.check_count(list, zones.len(), kind, typed);
                for subnet in &list.value.0 {
                    self.check_subnet(subnet, cidr, &all);
                    all.push((subnet.value.0, Some(subnet.span.clone()), kind));
                    kinds[index].push(subnet.value.0);
                }
            } else if field.is_absent() && (index < 2 || stores_apart) {
                if too_small {
                    self.too_small(typed);
                    break;
                }
                for zone in 0..zones.len() {
                    if let Some(net) = cut(cidr, first + zone) {
                        all.push((net, None, kind));
                        kinds[index].push(net);
                    }
                }
            }
        }
        self.check_defaults(&all);
        let [public, private, database] = kinds;
        let endpoints = match typed.endpoints.value() {
            Some(list) => list.0.iter().map(|name| name.value.0.clone()).collect(),
            None => default_endpoints(compute),
        };
        Network {
            cidr,
            zones,
            public,
            private,
            database,
            nat: match typed.nat.value() {
                Some(spec::Nat::PerZone) => Nat::PerZone,
                Some(spec::Nat::None) => Nat::None,
                Some(spec::Nat::Single) | None => Nat::Single,
            },
            endpoints,
        }
    }

    fn zones(&mut self, typed: &spec::Network, region: &str) -> Vec<String> {
        let Some(list) = typed.zones.get() else {
            return vec![format!("{region}a"), format!("{region}b")];
        };
        let mut zones: Vec<String> = vec![];
        for zone in &list.value.0 {
            let name = &zone.value.0;
            if zones.contains(name) {
                let message = format!("the zone `{name}` is there twice");
                self.report(Diagnostic::error(
                    Code::DUPLICATE_NAME,
                    zone.span.clone(),
                    message,
                ));
            } else if !region.is_empty() && name.get(..name.len() - 1) != Some(region) {
                let message = format!("the zone `{name}` is not in the region `{region}`");
                let letter = name.chars().last().unwrap_or('a');
                self.report(
                    Diagnostic::error(Code::BAD_VALUE, zone.span.clone(), message)
                        .help(format!("did you mean `{region}{letter}`?")),
                );
            }
            zones.push(name.clone());
        }
        // An application load balancer refuses one; so does a subnet group of RDS.
        if !(2..=6).contains(&zones.len()) {
            let message = "expected two to six zones: load balancers and managed stores need two";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                list.span.clone(),
                message,
            ));
        }
        zones
    }

    fn check_count(
        &mut self,
        list: &Spanned<List<Subnet>>,
        zones: usize,
        kind: &str,
        typed: &spec::Network,
    ) {
        let count = list.value.0.len();
        if count == zones {
            return;
        }
        let message =
            format!("there are {count} {kind} subnets for {zones} zones; each zone has one");
        let diagnostic = Diagnostic::error(Code::BAD_VALUE, list.span.clone(), message);
        self.report(match typed.zones.get() {
            Some(zones) => diagnostic.related(zones.span.clone(), "the zones"),
            None => diagnostic.help("name the `zones` beside them"),
        });
    }

    fn check_subnet(
        &mut self,
        subnet: &Spanned<Subnet>,
        cidr: Ipv4Net,
        others: &[(Ipv4Net, Option<Span>, &str)],
    ) {
        let net = subnet.value.0;
        if !cidr.contains(&net) {
            let message = format!("the subnet {net} is not within the network {cidr}");
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                subnet.span.clone(),
                message,
            ));
        } else if !PREFIXES.contains(&net.prefix_len()) {
            let message = "expected a subnet from /16 to /28";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                subnet.span.clone(),
                message,
            ));
        }
        if self.findings.is_full() {
            return;
        }
        let other = others.iter().find(|(other, ..)| overlap(*other, net));
        if let Some((other, Some(span), kind)) = other {
            let message = format!("the subnet {net} overlaps the {kind} subnet {other}");
            self.report(
                Diagnostic::error(Code::BAD_VALUE, subnet.span.clone(), message)
                    .related(span.clone(), "the other one"),
            );
        }
    }

    /// What was given may lie where the defaults of the other kinds are.
    fn check_defaults(&mut self, all: &[(Ipv4Net, Option<Span>, &str)]) {
        for (net, _, kind) in all.iter().filter(|(_, span, _)| span.is_none()) {
            let clash = all
                .iter()
                .find_map(|(other, span, _)| span.clone().filter(|_| overlap(*net, *other)));
            if let Some(span) = clash {
                let message = format!("this subnet lies where the {kind} subnets are put: {net}");
                self.report(
                    Diagnostic::error(Code::BAD_VALUE, span, message)
                        .help(format!("give the `{kind}` subnets as well")),
                );
                return;
            }
        }
    }

    /// Reports a zone that the network does not have.
    pub(super) fn check_zone(&mut self, zone: &Field<wharf_spec::decode::Zone>, network: &Network) {
        let Some(typed) = zone.get() else { return };
        if network.zones.contains(&typed.value.0) || self.findings.is_full() {
            return;
        }
        let message = format!("the network has no zone `{}`", typed.value.0);
        let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, typed.span.clone(), message);
        let zones = network.zones.iter().map(String::as_str);
        self.report(super::services::suggested(
            diagnostic,
            &typed.value.0,
            zones,
        ));
    }

    fn too_small(&mut self, typed: &spec::Network) {
        let Some(cidr) = typed.cidr.get() else { return };
        let message = format!(
            "the network {} is too small to be cut by itself",
            cidr.value.0
        );
        self.report(
            Diagnostic::error(Code::BAD_VALUE, cidr.span.clone(), message)
                .help("give its `public` and `private` subnets, or a network of at least /23"),
        );
    }
}

/// 10.0.0.0/16, which most VPCs begin with.
fn default_cidr() -> Ipv4Net {
    Ipv4Net::new_assert(std::net::Ipv4Addr::new(10, 0, 0, 0), 16)
}

fn overlap(one: Ipv4Net, other: Ipv4Net) -> bool {
    one.contains(&other) || other.contains(&one)
}

/// The piece with this number: a /24, or a thirty-second part of a smaller network.
fn cut(cidr: Ipv4Net, number: usize) -> Option<Ipv4Net> {
    let prefix = (cidr.prefix_len() + 5).max(24);
    cidr.subnets(prefix).ok()?.nth(number)
}

/// S3 costs nothing as a gateway; without the others an instance without a way to the internet is out of reach.
fn default_endpoints(compute: Compute) -> Vec<String> {
    let names: &[&str] = match compute {
        Compute::Ec2 | Compute::Nodes => &["s3", "ssm", "ssmmessages", "ec2messages"],
        Compute::Eks => &["s3"],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}
