//! `wharf logs`: what services and stores wrote, by time.

mod query;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;
use wharf_base::clock::{Timestamp, now};
use wharf_process::log::{Kind, Merge, Record, Start, Tail, series_in, structured};

use crate::args::{Global, Logs, LogsOutput};
use crate::exit::{Code, failure};
use crate::launcher::block_on;
use crate::output::{Output, paint_code};
use crate::project::Project;
use crate::terminal::clock_time;

/// Lines that are shown where nothing says how many.
const TAIL_DEFAULT: usize = 1_000;

/// Colours that are told apart on dark and light ground.
const COLORS: [u8; 6] = [36, 33, 35, 32, 34, 31];

pub(crate) fn run(global: &Global, args: &Logs, output: &Output) -> anyhow::Result<Code> {
    if let Some(question) = query::question(args)? {
        return query::run(global, args, &question, output);
    }
    let project = Project::locate(global)?;
    let root = project.state.logs_root();
    let known = folders(&root);
    if let Some(unknown) = args
        .services
        .iter()
        .find(|service| !known.iter().any(|(name, _)| name == *service))
    {
        let names: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        let hint = if names.is_empty() {
            "nothing has run yet".to_owned()
        } else {
            format!("there are: {}", names.join(", "))
        };
        return Err(failure(
            Code::Usage,
            format!("there are no logs of `{unknown}`"),
            hint,
        ));
    }
    let chosen = |name: &String| args.services.is_empty() || args.services.contains(name);
    let dirs: Vec<PathBuf> = known
        .into_iter()
        .filter(|(name, _)| chosen(name))
        .map(|(_, dir)| dir)
        .collect();
    let since = args.since.map(|since| {
        Timestamp(
            now()
                .0
                .saturating_sub(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        )
    });
    let tail = args
        .tail
        .or((since.is_none() && !args.follow).then_some(TAIL_DEFAULT))
        .or(args
            .follow
            .then_some(TAIL_DEFAULT)
            .filter(|_| since.is_none()));
    let start = Start { tail, since };
    let mut printer = Printer {
        output,
        raw: args.raw || args.output == Some(LogsOutput::Raw),
        json: output.json || args.output == Some(LogsOutput::Json),
        colors: BTreeMap::new(),
    };
    if args.follow {
        return block_on(async {
            let mut tail = Tail::new(dirs, start)?;
            loop {
                let record = tail.next().await;
                printer.print(&record)?;
            }
        });
    }
    let mut series = vec![];
    for dir in dirs {
        series.extend(series_in(&dir)?);
    }
    Merge::new(series, start).try_for_each(|record| printer.print(&record))?;
    Ok(Code::Done)
}

/// The folders of logs by the name of their service or store.
fn folders(root: &std::path::Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut folders: Vec<(String, PathBuf)> = entries
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        })
        .collect();
    folders.sort();
    folders
}

/// Prints records; colours stay with their replica.
pub(crate) struct Printer<'a> {
    pub(crate) output: &'a Output,
    pub(crate) raw: bool,
    pub(crate) json: bool,
    pub(crate) colors: BTreeMap<String, u8>,
}

impl Printer<'_> {
    pub(crate) fn print(&mut self, record: &Record) -> anyhow::Result<()> {
        if self.json {
            return self.output.compact(&as_json(record));
        }
        if self.raw {
            self.output.line(&record.text);
            return Ok(());
        }
        let text = if record.kind == Kind::Note {
            format!("-- {} --", record.text)
        } else {
            record.text.clone()
        };
        self.line(record.at(), record.replica(), &text);
        Ok(())
    }

    /// One line of one replica.
    fn line(&mut self, at: Timestamp, of: &str, text: &str) {
        let head = format!("{} {of:<16}", clock_time(at));
        let head = paint_code(&head, self.color(of), self.output.color_out);
        self.output.line(&format!("{head} {text}"));
    }

    /// The same replica has the same colour in every run: it comes from the name.
    fn color(&mut self, replica: &str) -> u8 {
        *self.colors.entry(replica.to_owned()).or_insert_with(|| {
            let sum: usize = replica.bytes().map(usize::from).sum();
            COLORS[sum % COLORS.len()]
        })
    }
}

fn as_json(record: &Record) -> serde_json::Value {
    let mut value = json!({
        "time": jiff_text(record.at()),
        "replica": record.replica(),
        "stream": record.kind.as_str(),
        "text": record.text,
    });
    if let Some(found) = structured(&record.text) {
        for (key, field) in [
            ("level", found.level),
            ("message", found.message),
            ("trace_id", found.trace_id),
        ] {
            if let Some(field) = field {
                value[key] = field.into();
            }
        }
    }
    value
}

fn jiff_text(at: Timestamp) -> String {
    crate::terminal::moment_millis(at)
}
