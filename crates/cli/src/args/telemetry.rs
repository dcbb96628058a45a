//! The arguments of what asks the telemetry: logs, traces, metrics, alerts.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{Common, CommonWithoutF, duration};

/// `wharf logs`
#[derive(Debug, Clone, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    pub(crate) common: CommonWithoutF,
    /// Services and stores; all if none is named
    pub(crate) services: Vec<String>,
    /// Go on with what is written from now on
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin with the last N lines
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) tail: Option<usize>,
    /// Begin with what was written in the last TIME, such as 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) since: Option<Duration>,
    /// End with what was written TIME ago
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) until: Option<Duration>,
    /// Only lines of this level: error, warn, info, debug
    #[arg(long, value_name = "LEVEL")]
    pub(crate) level: Option<String>,
    /// Only lines of one request: the X-Trace-ID of its response, or the traceparent
    #[arg(long, value_name = "ID")]
    pub(crate) trace: Option<String>,
    /// Ask in LogQL: '{service="web"} |= "timeout" | json | duration > 1s'
    #[arg(long, value_name = "LOGQL")]
    pub(crate) query: Option<String>,
    /// How lines are printed [default: with time and replica]
    #[arg(long, value_name = "FORM")]
    pub(crate) output: Option<LogsOutput>,
    /// As --output raw
    #[arg(long, conflicts_with = "output")]
    pub(crate) raw: bool,
}

/// How lines are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogsOutput {
    /// One JSON object a line
    Json,
    /// As they were written
    Raw,
}

/// `wharf query`
#[derive(Debug, Clone, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    pub(crate) common: Common,
    /// PromQL: up, sum(rate(http_requests_total[5m])) by (service)
    #[arg(value_name = "PROMQL")]
    pub(crate) query: String,
    /// Draw the last TIME as a chart, such as 1h
    #[arg(long, visible_alias = "range", value_name = "TIME", value_parser = duration)]
    pub(crate) since: Option<Duration>,
    /// From point to point of the chart [default: as fine as the terminal]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) step: Option<Duration>,
    /// The moment asked for, or the end of the chart, in seconds since 1970 or RFC 3339 [default: now]
    #[arg(long, value_name = "MOMENT")]
    pub(crate) at: Option<String>,
}

/// `wharf alerts`
#[derive(Debug, Clone, Args)]
pub(crate) struct Alerts {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Show every rule, also those that are not due
    #[arg(short, long)]
    pub(crate) all: bool,
    #[command(subcommand)]
    pub(crate) command: Option<AlertsCommand>,
}

/// What to do with alerts.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum AlertsCommand {
    /// Tell what an alert asks, what the answer is now, and since when
    Why {
        #[command(flatten)]
        common: Common,
        /// The alert
        name: String,
    },
    /// Tell nobody of an alert for a time
    Silence {
        #[command(flatten)]
        common: Common,
        /// The alert; or conditions on labels, such as service=web
        #[arg(required = true, value_name = "ALERT|LABEL=VALUE")]
        matchers: Vec<String>,
        /// For how long
        #[arg(long = "for", value_name = "TIME", value_parser = duration, default_value = "2h")]
        duration: Duration,
        /// Why
        #[arg(long, default_value = "silenced by hand")]
        comment: String,
    },
    /// Print every rule as a rule file of Prometheus
    Rules(Common),
    /// Show the silences
    Silences(Common),
    /// End a silence
    Unsilence {
        #[command(flatten)]
        common: Common,
        /// Its id
        id: String,
    },
}

/// `wharf trace`
#[derive(Debug, Clone, Args)]
pub(crate) struct Trace {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The trace: the X-Trace-ID of an answer, 32 hexadecimal digits, or a traceparent
    pub(crate) id: String,
}

impl Alerts {
    /// The file and the amount of output, before the subcommand or behind it.
    pub(crate) fn common(&self) -> (Option<std::path::PathBuf>, bool) {
        let behind = match &self.command {
            None => &self.common,
            Some(
                AlertsCommand::Why { common, .. }
                | AlertsCommand::Silence { common, .. }
                | AlertsCommand::Unsilence { common, .. }
                | AlertsCommand::Rules(common)
                | AlertsCommand::Silences(common),
            ) => common,
        };
        let file = behind.file.clone().or_else(|| self.common.file.clone());
        (file, behind.verbose || self.common.verbose)
    }
}
