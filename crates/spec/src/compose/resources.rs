//! `deploy`, `cpus`, `mem_limit` -> `replicas` and `resources`.

use wharf_base::units::{Bytes, Millicores};

use super::emit::Out;
use super::{Importer, text};
use crate::yaml::{Entry, Node};

/// A request and a limit, either of which may be missing.
#[derive(Default)]
struct Pair {
    request: Option<String>,
    limit: Option<String>,
}

impl Pair {
    fn out(self) -> Option<Out> {
        match (self.request, self.limit) {
            (Some(request), Some(limit)) if request != limit => {
                Some(Out::Text(format!("{request}..{limit}")))
            }
            (Some(both), _) | (None, Some(both)) => Some(Out::Text(both)),
            (None, None) => None,
        }
    }
}

impl Importer<'_> {
    /// The entries of the service that come of `deploy` and its older forms.
    pub(super) fn deployment(&mut self, service: &Entry) -> Vec<(String, Out)> {
        let name = service.key.text.as_str();
        let (mut cpu, mut memory) = (Pair::default(), Pair::default());
        let mut replicas = None;
        for entry in service.value.entries() {
            let key = format!("{name}.{}", entry.key.text);
            match entry.key.text.as_str() {
                "scale" => replicas = self.count(&key, &entry.value),
                "cpus" => cpu.limit = self.cpu(&key, &entry.value),
                "mem_limit" => memory.limit = self.bytes(&key, &entry.value),
                "mem_reservation" => memory.request = self.bytes(&key, &entry.value),
                "deploy" => {
                    for part in entry.value.entries() {
                        let key = format!("{key}.{}", part.key.text);
                        match part.key.text.as_str() {
                            "replicas" => replicas = self.count(&key, &part.value),
                            "resources" => self.limits(&key, &part.value, &mut cpu, &mut memory),
                            "restart_policy" => {}
                            "mode" if text(&part.value) == Some("replicated") => {}
                            "update_config" | "rollback_config" => {
                                self.left(&part.value, key, "a release replaces replica by replica without a gap; `rollout` tunes it");
                            }
                            _ => self.left(&part.value, key, "Wharf has no such key"),
                        }
                    }
                }
                _ => {}
            }
        }
        let mut out = vec![];
        out.extend(replicas.map(|replicas| ("replicas".to_owned(), replicas)));
        let resources: Vec<(String, Out)> = [("cpu", cpu.out()), ("memory", memory.out())]
            .into_iter()
            .filter_map(|(key, pair)| Some((key.to_owned(), pair?)))
            .collect();
        if !resources.is_empty() {
            out.push(("resources".to_owned(), Out::Map(resources)));
        }
        out
    }

    fn limits(&mut self, key: &str, resources: &Node, cpu: &mut Pair, memory: &mut Pair) {
        for side in resources.entries() {
            let limit = side.key.text == "limits";
            for entry in side.value.entries() {
                let key = format!("{key}.{}.{}", side.key.text, entry.key.text);
                let (target, value) = match entry.key.text.as_str() {
                    "cpus" => (&mut *cpu, self.cpu(&key, &entry.value)),
                    "memory" => (&mut *memory, self.bytes(&key, &entry.value)),
                    _ => {
                        self.left(&entry.value, key, "only CPU and memory are limited");
                        continue;
                    }
                };
                if limit {
                    target.limit = value;
                } else {
                    target.request = value;
                }
            }
        }
    }

    fn count(&mut self, key: &str, node: &Node) -> Option<Out> {
        let count = text(node)
            .and_then(|text| text.parse::<u32>().ok())
            .filter(|count| *count <= 1000);
        if count.is_none() {
            self.left(
                node,
                key,
                "not a count from 0 to 1000; variables are filled in in `environment` alone",
            );
        }
        count.map(|count| Out::Text(count.to_string()))
    }

    fn cpu(&mut self, key: &str, node: &Node) -> Option<String> {
        // `0.50` has a digit that `Millicores` would take, `0.5000` has not.
        let cpu = text(node).map(|text| match text.split_once('.') {
            Some((whole, fraction)) => format!("{whole}.{:0<1}", fraction.trim_end_matches('0')),
            None => text.to_owned(),
        });
        let cpu = cpu.and_then(|cpu| cpu.parse::<Millicores>().ok());
        if cpu.is_none() {
            self.left(node, key, "not an amount of CPU such as 0.5");
        }
        cpu.map(|cpu| cpu.to_string())
    }

    /// Compose counts in 1024s whatever the unit: `b`, `k`, `m`, `g`, each with or without a `b`, in any case.
    fn bytes(&mut self, key: &str, node: &Node) -> Option<String> {
        let bytes = text(node).and_then(|text| {
            let lower = text.to_ascii_lowercase();
            let number = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let unit = match lower[number.len()..]
                .trim_end_matches('b')
                .trim_end_matches('i')
            {
                "" => 1,
                "k" => 1 << 10,
                "m" => 1 << 20,
                "g" => 1 << 30,
                _ => return None,
            };
            number
                .trim()
                .parse::<u64>()
                .ok()?
                .checked_mul(unit)
                .map(Bytes)
        });
        if bytes.is_none() {
            self.left(node, key, "not an amount of memory such as 512m");
        }
        bytes.map(|bytes| bytes.to_string())
    }
}
