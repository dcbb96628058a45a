//! Progress of a release: a live block on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

use wharf_base::clock::Timestamp;
use wharf_engine::api::{Event, EventKind, Outcome, ReplicaState};

use crate::output::{Output, Style, paint};

/// The longest line of the live block: wrapped lines cannot be taken back.
const WIDTH_FALLBACK: usize = 80;

/// Shows events as they come.
pub(crate) struct Progress<'a> {
    output: &'a Output,
    live: bool,
    /// What each service and store is doing, in the order in which they appeared.
    rows: Vec<(String, String, Style)>,
    ready: BTreeMap<String, usize>,
    drawn: usize,
    frame: usize,
}

/// A sign of life while nothing else changes.
const FRAMES: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

impl<'a> Progress<'a> {
    pub(crate) fn new(output: &'a Output) -> Self {
        let terminal = std::io::stderr().is_terminal()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let live = terminal && !output.quiet && !output.verbose && !output.plain;
        Self {
            output,
            live,
            rows: vec![],
            ready: BTreeMap::new(),
            drawn: 0,
            frame: 0,
        }
    }

    /// Shows one event.
    pub(crate) fn show(&mut self, event: &Event) {
        if self.output.quiet {
            return;
        }
        let Some(line) = self.line_of(event) else {
            return;
        };
        match line {
            Line::Row { of, text, style } => self.row(&of, text, style),
            Line::Plain(text) => self.plain(&text),
        }
    }

    /// Moves the sign of life on.
    pub(crate) fn tick(&mut self) {
        if self.live && !self.rows.is_empty() {
            self.frame += 1;
            self.draw();
        }
    }

    /// Leaves the block as it is; what follows is printed below it.
    pub(crate) fn finish(&mut self) {
        self.rows.clear();
        self.drawn = 0;
    }

    fn row(&mut self, of: &str, text: String, style: Style) {
        if !self.live {
            self.output.progress(&format!("{of}: {text}"));
            return;
        }
        match self.rows.iter_mut().find(|(name, _, _)| name == of) {
            Some(row) => (row.1, row.2) = (text, style),
            None => self.rows.push((of.to_owned(), text, style)),
        }
        self.draw();
    }

    fn plain(&mut self, text: &str) {
        let block = self.erase();
        drop(write!(std::io::stderr(), "{block}"));
        self.output.progress(text);
        if self.live {
            self.draw();
        }
    }

    fn erase(&mut self) -> String {
        let lines = std::mem::take(&mut self.drawn);
        if lines == 0 {
            String::new()
        } else {
            format!("\x1b[{lines}A\x1b[J")
        }
    }

    fn draw(&mut self) {
        let mut text = self.erase();
        let width = terminal_width().unwrap_or(WIDTH_FALLBACK);
        let names = self
            .rows
            .iter()
            .map(|(name, _, _)| name.chars().count())
            .max()
            .unwrap_or_default();
        let spinner = FRAMES[self.frame % FRAMES.len()];
        for (name, what, style) in &self.rows {
            let sign = match style {
                Style::Good => '✔',
                Style::Bad => '✘',
                _ => spinner,
            };
            let room = width.saturating_sub(names + 5);
            let what: String = what.chars().take(room).collect();
            let sign = paint(&sign.to_string(), *style, self.output.color_err);
            text.push_str(&format!(" {sign} {name:names$}  {what}\n"));
        }
        self.drawn = self.rows.len();
        // A terminal that is gone takes its progress with it.
        drop(write!(std::io::stderr(), "{text}"));
    }

    fn line_of(&mut self, event: &Event) -> Option<Line> {
        let row = |of: &dyn std::fmt::Display, text: String, style| {
            Some(Line::Row {
                of: of.to_string(),
                text,
                style,
            })
        };
        match &event.kind {
            EventKind::Building {
                service,
                line: None,
            } => row(service, "building".to_owned(), Style::Busy),
            EventKind::Building {
                service,
                line: Some(line),
            } if self.live || self.output.verbose => {
                row(service, format!("building: {}", line.trim()), Style::Busy)
            }
            EventKind::Building { .. } => None,
            EventKind::Built {
                service,
                cached: true,
                ..
            } => row(service, "built before".to_owned(), Style::Busy),
            EventKind::Built {
                service, millis, ..
            } => {
                let took = std::time::Duration::from_millis(millis - millis % 100);
                row(
                    service,
                    format!("built in {}", wharf_base::duration::format(took)),
                    Style::Busy,
                )
            }
            EventKind::Store {
                store,
                state,
                message,
            } => {
                let style = match state.strip_prefix("pool ").unwrap_or(state) {
                    "ready" | "external" | "stopped" => Style::Good,
                    "failed" => Style::Bad,
                    _ => Style::Busy,
                };
                let text = message
                    .as_ref()
                    .map_or_else(|| state.clone(), |message| format!("{state}: {message}"));
                row(store, text, style)
            }
            EventKind::OneShot { service, state } => {
                row(service, format!("release command {state}"), Style::Busy)
            }
            EventKind::Replica {
                service,
                replica,
                state,
                message,
            } => self.replica(
                service.as_str(),
                &replica.to_string(),
                *state,
                message.as_deref(),
            ),
            EventKind::Service { service, ready } => {
                let noun = if *ready == 1 { "replica" } else { "replicas" };
                row(service, format!("{ready} {noun} ready"), Style::Good)
            }
            EventKind::Rollout { .. } => None,
            EventKind::Notice { message } => Some(Line::Plain(message.clone())),
            EventKind::Stopping { what } => Some(Line::Plain(format!("stopping {what}"))),
        }
    }

    fn replica(
        &mut self,
        service: &str,
        replica: &str,
        state: ReplicaState,
        message: Option<&str>,
    ) -> Option<Line> {
        let trouble = matches!(
            state,
            ReplicaState::Restarting | ReplicaState::CrashLoop | ReplicaState::Unready
        );
        if !trouble && !self.live && !self.output.verbose {
            return None;
        }
        let ready = self.ready.entry(service.to_owned()).or_default();
        if state == ReplicaState::Ready {
            *ready += 1;
        }
        let style = if trouble { Style::Bad } else { Style::Busy };
        let text = match (state, message) {
            (ReplicaState::Ready, _) => format!("{ready} ready"),
            (state, Some(message)) => format!("{replica} is {}: {message}", state.as_str()),
            (state, None) => format!("{replica} is {}", state.as_str()),
        };
        Some(Line::Row {
            of: service.to_owned(),
            text,
            style,
        })
    }
}

enum Line {
    Row {
        of: String,
        text: String,
        style: Style,
    },
    Plain(String),
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// The width of the terminal that results are printed on, if it is one.
pub(crate) fn terminal_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// The style of an outcome.
pub(crate) fn outcome_style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Complete => Style::Good,
        Outcome::Building | Outcome::Progressing => Style::Busy,
        Outcome::Reverted | Outcome::Failed => Style::Bad,
        Outcome::Superseded | Outcome::Undone => Style::Faint,
    }
}

/// A time as people read it, in their own zone: `2026-11-20 15:04:05`.
pub(crate) fn moment(at: Timestamp) -> String {
    zoned(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time of day with milliseconds: `15:04:05.123`.
pub(crate) fn clock_time(at: Timestamp) -> String {
    zoned(at).strftime("%H:%M:%S.%3f").to_string()
}

/// A time in UTC as RFC 3339 writes it, with milliseconds.
pub(crate) fn moment_millis(at: Timestamp) -> String {
    let utc = zoned(at).with_time_zone(jiff::tz::TimeZone::UTC);
    utc.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn zoned(at: Timestamp) -> jiff::Zoned {
    let millis = i64::try_from(at.0).unwrap_or(i64::MAX);
    let timestamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    timestamp.to_zoned(jiff::tz::TimeZone::system())
}
