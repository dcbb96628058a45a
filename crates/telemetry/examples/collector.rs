//! The telemetry alone, for benchmarks: `collector FOLDER ADDRESS MILLIS [FILE]` keeps what it has in the folder, answers at the address,
//! and scrapes every so many milliseconds the URLs of the file, one in a line. Their series get `target`, the line's number from
//! zero. It ends in order at SIGTERM.

#![expect(clippy::print_stdout, reason = "an instrument tells where it listens")]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use wharf_base::clock::Timestamp;
use wharf_exporters::Families;
use wharf_signal::Labels;
use wharf_telemetry::scrape::{Collecting, Collector};
use wharf_telemetry::{
    ArchivePlace, Config, Keep, LogSources, Mode, Notifications, Settings, TargetConfig, Telemetry,
    Watched,
};

const DAY: Duration = Duration::from_secs(86_400);

/// There is no engine.
struct Nothing;

impl Collector for Nothing {
    fn collect(&self, _: Timestamp) -> Collecting<'_> {
        Box::pin(async { Ok(Families::new()) })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |what: &str| arguments.next().ok_or(format!("{what} is missing"));
    let dir = PathBuf::from(next("the folder")?);
    let listener = TcpListener::bind(next("where to listen")?)?;
    let interval = Duration::from_millis(next("the interval in milliseconds")?.parse()?);
    let targets = match next("the file of targets") {
        Ok(file) => targets(&std::fs::read_to_string(file)?, interval)?,
        Err(_) => vec![],
    };
    let telemetry = Telemetry::start(Settings {
        dir: dir.clone(),
        listener,
        mode: Mode::Project,
        engine: Arc::new(Nothing),
    })?;
    println!("http://{}", telemetry.address());
    telemetry.configure(Config {
        project: "bench".to_owned(),
        keep: Keep {
            samples: DAY * 15,
            samples_bytes: 1 << 40,
            logs_hot: DAY,
            logs_archive: DAY,
        },
        archive: ArchivePlace::Own,
        interval,
        external_labels: BTreeMap::new(),
        targets,
        target_files: vec![],
        logs: LogSources {
            root: dir.join("no-logs"),
            access_log: dir.join("no-access.log"),
            ..LogSources::default()
        },
        rules: vec![],
        rule_files: vec![],
        notifications: Notifications::default(),
    });
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            signal(SignalKind::terminate())?.recv().await;
            Ok::<(), std::io::Error>(())
        })?;
    telemetry.stop();
    Ok(())
}

fn targets(file: &str, interval: Duration) -> Result<Vec<TargetConfig>, Box<dyn Error>> {
    let mut targets = vec![];
    for (number, url) in file.lines().enumerate() {
        targets.push(TargetConfig {
            job: "bench".to_owned(),
            watched: Watched::Url(url.parse()?),
            labels: Labels::from_pairs([("target", number.to_string())]),
            interval,
            timeout: None,
            honor_labels: false,
            honor_timestamps: true,
            sample_limit: None,
        });
    }
    Ok(targets)
}
