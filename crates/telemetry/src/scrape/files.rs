//! Files of targets in the form of Prometheus's `file_sd_configs`, as YAML or JSON, read again when they change:
//!
//! ```yaml
//! - targets: [10.0.0.7:9100, 10.0.0.8:9100]
//!   labels: { zone: a, __metrics_path__: /stats }
//! ```
//!
//! Of the labels that Prometheus itself understands `__metrics_path__`, `__scheme__`, `__param_…`, `__scrape_interval__` and
//! `__scrape_timeout__` are; others that begin with `__` are dropped, as it drops them.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use wharf_signal::Labels;
use wharf_spec::diagnostic::{Findings, line_and_column};
use wharf_spec::yaml::{self, Kind, Node};

use super::target::{Source, Target};

const FILE_MAX_BYTES: u64 = yaml::FILE_MAX_BYTES as u64;
/// What is scraped by one process; beyond, a file is a mistake.
const TARGETS_MAX: usize = 10_000;

/// One group of a file.
#[derive(Debug, Default)]
struct Group {
    targets: Vec<String>,
    labels: BTreeMap<String, String>,
}

/// A file whose targets are wanted.
#[derive(Debug)]
pub struct TargetFile {
    path: PathBuf,
    job: String,
    interval: Duration,
    /// When it was changed, and its length, as it was read last.
    read: Option<(SystemTime, u64)>,
    targets: Vec<Target>,
    error: Option<String>,
}

impl TargetFile {
    /// A file, whose targets have this job and interval unless it says otherwise. Nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf, job: impl Into<String>, interval: Duration) -> Self {
        Self {
            path,
            job: job.into(),
            interval,
            read: None,
            targets: vec![],
            error: None,
        }
    }

    /// The targets that it named when it could last be read.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Why it cannot be read now, as one sentence.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Reads it if it has changed; says whether other targets are wanted. A file that is broken, or gone for a moment, changes
    /// nothing: what it named is scraped on.
    pub fn refresh(&mut self) -> bool {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.read = None;
                self.error = Some(format!("cannot read {}: {error}", self.path.display()));
                return false;
            }
        };
        let state = metadata.modified().ok().map(|time| (time, metadata.len()));
        if state.is_some() && state == self.read {
            return false;
        }
        self.read = state;
        match read(&self.path).and_then(|text| self.parse(&text)) {
            Ok(targets) => {
                self.targets = targets;
                self.error = None;
                true
            }
            Err(error) => {
                self.error = Some(format!("{}: {error}", self.path.display()));
                false
            }
        }
    }

    fn parse(&self, text: &str) -> Result<Vec<Target>, String> {
        let groups = groups(text)?;
        let mut targets = vec![];
        for group in groups {
            for address in &group.targets {
                targets.push(self.target(address, &group.labels)?);
            }
        }
        if targets.len() > TARGETS_MAX {
            return Err(format!(
                "names {} targets; {TARGETS_MAX} are the most",
                targets.len()
            ));
        }
        Ok(targets)
    }

    fn target(&self, address: &str, labels: &BTreeMap<String, String>) -> Result<Target, String> {
        let label = |name: &str| labels.get(name).map(String::as_str);
        let scheme = label("__scheme__").unwrap_or("http");
        let path = label("__metrics_path__").unwrap_or("/metrics");
        let query: Vec<String> = labels
            .iter()
            .filter_map(|(name, value)| Some(format!("{}={value}", name.strip_prefix("__param_")?)))
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        let url = format!("{scheme}://{address}{path}{mark}{}", query.join("&"));
        let url = url.parse().map_err(|error| format!("{error}"))?;
        let every = |name: &str| {
            let text = label(name)?;
            Some(wharf_base::duration::parse(text).map_err(|error| format!("{name}: {error}")))
        };
        let interval = every("__scrape_interval__")
            .transpose()?
            .unwrap_or(self.interval);
        let mut target = Target::new(
            label("job").unwrap_or(&self.job),
            Source::Url(url),
            interval,
        );
        if let Some(timeout) = every("__scrape_timeout__").transpose()? {
            target.timeout = timeout;
        }
        let kept = labels.iter().filter(|(name, _)| !name.starts_with("__"));
        target.labels =
            Labels::from_pairs(kept.map(|(name, value)| (name.as_str(), value.as_str())));
        Ok(target)
    }
}

/// Reads the groups; JSON is YAML too.
fn groups(text: &str) -> Result<Vec<Group>, String> {
    let wrong = |at: usize, message: &str| {
        let (line, _) = line_and_column(text, at);
        Err(format!("line {line}: {message}"))
    };
    let mut findings = Findings::default();
    let root = yaml::parse(text.as_bytes(), &mut findings);
    if let Some(found) = findings.as_slice().first() {
        return wrong(found.span.start, &found.message);
    }
    let items = match root {
        None => return Ok(vec![]),
        Some(root) => match root.kind {
            Kind::List(items) => items,
            Kind::Null => vec![],
            _ => return wrong(root.span.start, "expected a list of groups"),
        },
    };
    let mut groups = vec![];
    for item in &items {
        let mut group = Group::default();
        for entry in item.entries() {
            match (entry.key.text.as_str(), &entry.value.kind) {
                ("targets", Kind::List(targets)) => {
                    for target in targets {
                        match scalar(target) {
                            Some(text) => group.targets.push(text),
                            None => return wrong(target.span.start, "expected host:port"),
                        }
                    }
                }
                ("labels", Kind::Map(labels)) => {
                    for label in labels {
                        match scalar(&label.value) {
                            Some(text) => group.labels.insert(label.key.text.clone(), text),
                            None => return wrong(label.key.span.start, "expected a text"),
                        };
                    }
                }
                ("targets" | "labels", Kind::Null) => {}
                ("targets", _) => {
                    return wrong(entry.key.span.start, "expected a list of host:port");
                }
                ("labels", _) => return wrong(entry.key.span.start, "expected a map of labels"),
                _ => {
                    let message = "unknown key: a group has `targets` and `labels`";
                    return wrong(entry.key.span.start, message);
                }
            }
        }
        if !matches!(item.kind, Kind::Map(_)) {
            return wrong(
                item.span.start,
                "expected a group with `targets` and `labels`",
            );
        }
        groups.push(group);
    }
    Ok(groups)
}

fn scalar(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Scalar(scalar) => Some(scalar.text.clone()),
        _ => None,
    }
}

fn read(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(FILE_MAX_BYTES)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 == FILE_MAX_BYTES {
        return Err(format!("is longer than {FILE_MAX_BYTES} bytes"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_again_and_broken_ones_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("machines.yaml");
        let mut file = TargetFile::new(path.clone(), "machines", Duration::from_secs(15));
        assert!(!file.refresh());
        assert!(
            file.error().unwrap().contains("cannot read"),
            "{:?}",
            file.error()
        );
        std::fs::write(&path, "- targets: [a:1, \"[::1]:2\"]\n  labels: { zone: x, __metrics_path__: /m, __param_y: z, job: j }\n").unwrap();
        assert!(file.refresh());
        let shown: Vec<String> = file
            .targets()
            .iter()
            .map(|t| t.source.to_string())
            .collect();
        assert_eq!(shown, ["http://a:1/m?y=z", "http://[::1]:2/m?y=z"]);
        assert_eq!(
            file.targets()[0].labels.to_string(),
            r#"{job="j", zone="x"}"#
        );
        assert!(!file.refresh());
        for broken in [
            "- targets: a",
            "- targets: [a b]\n",
            "{",
            "- {targets: [a], labels: {__scrape_interval__: x}}",
        ] {
            std::fs::write(&path, broken).unwrap();
            assert!(!file.refresh(), "{broken}");
            assert!(file.error().is_some(), "{broken}");
            assert_eq!(file.targets().len(), 2);
        }
        let json = r#"[{"targets": ["b:1"], "labels": {"__scrape_interval__": "1m", "__scrape_timeout__": "2s"}}]"#;
        std::fs::write(&path, json).unwrap();
        assert!(file.refresh());
        let target = &file.targets()[0];
        assert_eq!(
            (&*target.job, target.interval, target.timeout),
            ("machines", Duration::from_secs(60), Duration::from_secs(2))
        );
        assert!(file.error().is_none());
    }
}
