//! `cloud.nodes` and `cloud.bastion`.

use std::time::Duration;

use wharf_base::units::{Bytes, Percent};
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;

use super::Resolver;
use super::names::{LABEL_MAX, joined};
use crate::model::{Bastion, Compute, Network, Nodes};

/// Two vCPUs and 4 GiB: what a cluster's own parts leave room beside.
const INSTANCE: &str = "t3.medium";
const BASTION: &str = "t3.micro";
/// One for each zone.
const NODES_MIN: u32 = 2;
const DISK: Bytes = Bytes(50 << 30);
const CPU: Percent = Percent::whole(70);
/// As an auto-scaling group has it.
const GRACE: Duration = Duration::from_secs(300);

impl Resolver<'_> {
    pub(super) fn nodes(&mut self, cloud: &spec::Cloud, prefix: &str, compute: Compute) -> Nodes {
        let absent = spec::Nodes::default();
        let typed = cloud.nodes.value().unwrap_or(&absent);
        self.check_machine(&typed.instance, "");
        let min = typed.min.value().map_or(NODES_MIN, |min| min.0);
        let min = match (&typed.min.value(), typed.max.value()) {
            // Who says the most alone may mean fewer than the default.
            (None, Some(max)) => min.min(max.0),
            _ => min,
        };
        let desired = typed.desired.value().map_or_else(
            || {
                min.max(1)
                    .min(typed.max.value().map_or(u32::MAX, |max| max.0))
            },
            |desired| desired.0,
        );
        let max = typed
            .max
            .value()
            .map_or_else(|| (2 * min).max(desired), |max| max.0);
        let order = [
            (
                "min",
                min,
                "desired",
                desired,
                typed.min.get().map(|count| &count.span),
            ),
            (
                "desired",
                desired,
                "max",
                max,
                typed.desired.get().map(|count| &count.span),
            ),
            (
                "min",
                min,
                "max",
                max,
                typed.min.get().map(|count| &count.span),
            ),
        ];
        for (less, low, more, high, span) in order {
            let span = span.or(typed.max.get().map(|count| &count.span));
            if let (true, Some(span)) = (low > high, span) {
                let message = format!("`{less}` {low} is above `{more}` {high}");
                self.report(Diagnostic::error(Code::BAD_VALUE, span.clone(), message));
                break;
            }
        }
        if let Some(disk) = typed.disk.get()
            && !(8 << 30..=16 << 40).contains(&disk.value.0)
        {
            let message = "expected a disk from 8Gi to 16Ti";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                disk.span.clone(),
                message,
            ));
        }
        let text = |typed: Option<String>, default: String| typed.unwrap_or(default);
        let fetched = (compute == Compute::Ec2)
            .then(|| cloud.repository.value())
            .flatten()
            .map(|repository| format!("https://github.com/{}.git", repository.0));
        Nodes {
            name: text(
                typed.name.value().map(ToString::to_string),
                joined(&[prefix, "nodes"], LABEL_MAX),
            ),
            cluster: text(
                typed.cluster.value().map(ToString::to_string),
                prefix.to_owned(),
            ),
            instance: text(
                typed.instance.value().map(|machine| machine.0.clone()),
                INSTANCE.to_owned(),
            ),
            min,
            desired,
            max,
            disk: typed.disk.value().copied().unwrap_or(DISK),
            image: typed.image.value().map(|image| image.0.clone()),
            cpu: typed.cpu.value().copied().unwrap_or(CPU),
            grace: typed.grace.value().copied().unwrap_or(GRACE),
            spot: typed.spot.value().copied().unwrap_or(false),
            source: typed
                .source
                .value()
                .map(|source| source.0.clone())
                .or(fetched),
        }
    }

    pub(super) fn bastion(&mut self, cloud: &spec::Cloud, network: &Network) -> Option<Bastion> {
        let typed = cloud.bastion.value()?;
        self.check_machine(&typed.instance, "");
        self.check_zone(&typed.zone, network);
        Some(Bastion {
            instance: typed
                .instance
                .value()
                .map_or_else(|| BASTION.to_owned(), |machine| machine.0.clone()),
            zone: typed
                .zone
                .value()
                .map(|zone| zone.0.clone())
                .or(network.zones.first().cloned())?,
        })
    }
}
