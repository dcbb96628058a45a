//! Series by series beside node_exporter: names, labels and kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use wharf_base::clock;
use wharf_exporters::{Host, Root};

use super::{free_port, skip, until};

/// Families that it has and Wharf has not, as the head of the module `host` explains.
const LEFT_OUT: [&str; 9] = [
    "go_",
    "process_",
    "promhttp_",
    "node_exporter_",
    "node_timex_",
    "node_selinux_",
    "node_textfile_",
    "node_time_zone_",
    "node_udp_queues",
];
/// Collectors that tell only of themselves.
const COLLECTOR: &str = "node_scrape_collector_";

/// What an exposition says: the kind of each family, and every series.
struct Told {
    kinds: BTreeMap<String, String>,
    series: BTreeSet<String>,
}

async fn get(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = "GET /metrics HTTP/1.0\r\nHost: h\r\n\r\n";
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

fn theirs(text: &str) -> Told {
    let mut told = Told {
        kinds: BTreeMap::new(),
        series: BTreeSet::new(),
    };
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            told.kinds.insert(name.to_owned(), kind.to_owned());
        } else if !line.starts_with('#') {
            let (series, _) = line.rsplit_once(' ').unwrap();
            // An empty label is none.
            let mut series = series.to_owned();
            while let Some(at) = series.find("=\"\"") {
                let begin = series[..at].rfind(['{', ',']).unwrap() + 1;
                let end = at + 3 + usize::from(series[at + 3..].starts_with(','));
                series.replace_range(begin..end, "");
            }
            told.series.insert(series.replace(",}", "}"));
        }
    }
    told
}

fn ours() -> Told {
    let host = Host::new(Root::default());
    let families = host.collect(clock::now());
    let mut told = Told {
        kinds: BTreeMap::new(),
        series: BTreeSet::new(),
    };
    for family in families.iter() {
        let kind = match family.kind.as_str() {
            "unknown" => "untyped",
            kind => kind,
        };
        told.kinds
            .insert(family.name.clone().into_owned(), kind.to_owned());
        for (labels, _) in &family.samples {
            let labels: Vec<String> = labels.iter().map(|(n, v)| format!("{n}={v:?}")).collect();
            let labels = if labels.is_empty() {
                String::new()
            } else {
                format!("{{{}}}", labels.join(","))
            };
            told.series.insert(format!("{}{labels}", family.name));
        }
    }
    told
}

/// Whether a difference is one that is meant.
fn is_meant(series: &str) -> bool {
    LEFT_OUT.iter().any(|prefix| series.starts_with(prefix))
        || series.starts_with(COLLECTOR)
        // Told of since 1.6.
        || ["node_netstat_TcpExt_TCPOFOQueue", "node_netstat_TcpExt_TCPRcvQDrop"].contains(&series)
        // Debian's package leaves `lo` and what is mounted below /mnt out; upstream does not.
        || (series.starts_with("node_network_") && series.contains("device=\"lo\""))
        || (series.starts_with("node_filesystem_") && series.contains("mountpoint=\"/mnt"))
}

#[tokio::test]
async fn every_series_of_node_exporter_has_its_name_labels_and_kind() {
    let port = free_port();
    let started = Command::new("prometheus-node-exporter")
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(_exporter) = started else {
        skip("prometheus-node-exporter is not installed: apt-get install prometheus-node-exporter");
        return;
    };
    until(|| async { get(port).await.is_some() }).await;
    let theirs = theirs(&get(port).await.unwrap());
    let ours = ours();
    let missing: Vec<&String> = theirs
        .series
        .difference(&ours.series)
        .filter(|s| !is_meant(s))
        .collect();
    let more: Vec<&String> = ours
        .series
        .difference(&theirs.series)
        .filter(|s| !is_meant(s))
        .collect();
    let known = ours.series.intersection(&theirs.series).count();
    println!(
        "{known} series are the same of {} and {}",
        theirs.series.len(),
        ours.series.len()
    );
    assert!(missing.is_empty(), "missing: {missing:#?}");
    assert!(more.is_empty(), "more: {more:#?}");
    assert!(known > 100, "{known}");
    for (name, kind) in &ours.kinds {
        if let Some(theirs) = theirs.kinds.get(name) {
            assert_eq!(kind, theirs, "{name}");
        }
    }
}
