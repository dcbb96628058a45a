//! `telemetry.targets` and `telemetry.target_files`: what the file names itself.

use std::collections::BTreeMap;

use wharf_base::duration;
use wharf_plan::model::{Plan, ScrapeTarget};

use crate::yaml::{Map, Yaml};
use crate::{Rendered, list, map};

/// Where Prometheus finds what `target_files` names.
const FOLDER: &str = "targets";

pub(super) fn jobs(plan: &Plan) -> Vec<Map> {
    let telemetry = &plan.telemetry;
    let mut jobs: Vec<Map> = telemetry.targets.iter().map(target).collect();
    for file in &telemetry.target_files {
        let mut job = named(file.job.as_str());
        job.set(
            "file_sd_configs",
            list![map! { "files" => list![place(&file.path)] }],
        );
        jobs.push(job);
    }
    jobs
}

/// That the files have to be put beside the configuration.
pub(super) fn gaps(plan: &Plan, out: &mut Rendered) {
    for file in &plan.telemetry.target_files {
        out.gap(
            "telemetry.target_files",
            format!(
                "copy {} to {} beside prometheus.yml",
                file.path,
                place(&file.path)
            ),
        );
    }
}

fn place(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    format!("{FOLDER}/{name}")
}

fn named(job: &str) -> Map {
    let mut out = Map::new();
    out.set_with_comment("\n", "job_name", job);
    out
}

fn target(target: &ScrapeTarget) -> Map {
    let mut job = named(target.job.as_str());
    job.set("scrape_interval", duration::format(target.interval));
    job.set("scrape_timeout", duration::format(target.timeout));
    if target.honor_labels {
        job.set("honor_labels", true);
    }
    if !target.honor_timestamps {
        job.set("honor_timestamps", false);
    }
    if let Some(limit) = target.sample_limit {
        job.set("sample_limit", i64::from(limit));
    }
    // Addresses that are asked in the same way stand together.
    let mut ways: BTreeMap<BTreeMap<String, String>, Vec<Yaml>> = BTreeMap::new();
    for url in &target.urls {
        let (address, mut labels) = taken_apart(url);
        labels.extend(target.labels.clone());
        ways.entry(labels).or_default().push(address.into());
    }
    let ways: Vec<Map> = ways
        .into_iter()
        .map(|(labels, addresses)| {
            let mut way = map! { "targets" => Yaml::List(addresses) };
            if !labels.is_empty() {
                let mut all = Map::new();
                for (name, value) in labels {
                    all.set(name, value);
                }
                way.set("labels", all);
            }
            way
        })
        .collect();
    job.set("static_configs", ways);
    job
}

/// `host:port`, and what else the URL says, as labels that Prometheus makes a URL of again.
fn taken_apart(url: &str) -> (String, BTreeMap<String, String>) {
    let mut labels = BTreeMap::new();
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    if scheme != "http" {
        labels.insert("__scheme__".to_owned(), scheme.to_owned());
    }
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if !matches!(path, "" | "/" | "/metrics") {
        labels.insert("__metrics_path__".to_owned(), path.to_owned());
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        labels.insert(format!("__param_{name}"), value.to_owned());
    }
    let ported = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.ends_with(']'));
    let address = if ported {
        authority.to_owned()
    } else {
        format!("{authority}:{}", if scheme == "https" { 443 } else { 80 })
    };
    (address, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        #[track_caller]
        fn check(url: &str, address: &str, expected: &[(&str, &str)]) {
            let expected = expected
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            assert_eq!(
                taken_apart(url),
                (address.to_owned(), expected.collect()),
                "{url}"
            );
        }
        check("http://a", "a:80", &[]);
        check("http://a:1/metrics", "a:1", &[]);
        check("http://[::1]/x", "[::1]:80", &[("__metrics_path__", "/x")]);
        check(
            "https://a/?b=c&d",
            "a:443",
            &[
                ("__param_b", "c"),
                ("__param_d", ""),
                ("__scheme__", "https"),
            ],
        );
    }
}
