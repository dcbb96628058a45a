//! The command line: every command, option and variable, with the words that `--help` shows.

mod telemetry;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use telemetry::{Alerts, AlertsCommand, Logs, LogsOutput, Query, Trace};

/// From source to a production-grade stack: one file, one binary.
#[derive(Debug, Parser)]
#[command(
    name = "wharf",
    version,
    propagate_version = true,
    disable_help_subcommand = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage or invalid wharf.yaml, 3 changes pending, 4 unhealthy."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The file and the amount of output: before the command, or behind it where its own options leave the letters free.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Common {
    /// The project's file [default: wharf.yaml; env: WHARF_FILE]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Print more: build output, every change of a replica [env: WHARF_VERBOSE]
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// As [`Common`], for a command whose `-f` means something else.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CommonWithoutF {
    /// The project's file [default: wharf.yaml; env: WHARF_FILE]
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Print more [env: WHARF_VERBOSE]
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// As [`Common`], for a command whose `-v` means something else.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CommonWithoutV {
    /// The project's file [default: wharf.yaml; env: WHARF_FILE]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Print more [env: WHARF_VERBOSE]
    #[arg(long)]
    pub(crate) verbose: bool,
}

/// Options of every command, in any place.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArgs {
    /// The environment of the file to apply
    #[arg(
        short,
        long,
        global = true,
        hide_env_values = true,
        env = "WHARF_ENV",
        value_name = "ENV"
    )]
    pub(crate) env: Option<String>,
    /// Where the project's state lies [default: .wharf beside the file]
    #[arg(
        long,
        global = true,
        hide_env_values = true,
        env = "WHARF_STATE_DIR",
        value_name = "DIR"
    )]
    pub(crate) state_dir: Option<PathBuf>,
    /// Print facts as JSON
    #[arg(long, global = true, hide_env_values = true, env = "WHARF_JSON", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) json: bool,
    /// Print results only, no progress
    #[arg(short, long, global = true, hide_env_values = true, env = "WHARF_QUIET", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) quiet: bool,
    /// Answer yes to every question
    #[arg(short, long, global = true, hide_env_values = true, env = "WHARF_YES", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) yes: bool,
    /// Give up waiting after this time, such as 5m; what was begun goes on
    #[arg(long, global = true, hide_env_values = true, env = "WHARF_TIMEOUT", value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// When to use colours
    #[arg(
        long,
        global = true,
        hide_env_values = true,
        env = "WHARF_COLOR",
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub(crate) color: Color,
}

/// The global options, resolved: variables applied, wherever an option stood.
#[derive(Debug, Clone)]
pub(crate) struct Global {
    pub(crate) file: PathBuf,
    pub(crate) env: Option<String>,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) yes: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) color: Color,
}

impl Cli {
    /// The global options of this command line.
    pub(crate) fn global(&self) -> Global {
        let (file, verbose) = self.command.common();
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let file = file
            .or_else(|| self.common.file.clone())
            .or_else(|| variable("WHARF_FILE").map(PathBuf::from));
        let args = self.global.clone();
        let truthy = |value: &std::ffi::OsString| {
            !matches!(value.to_str(), Some("0" | "false" | "no" | "off"))
        };
        Global {
            file: file.unwrap_or_else(|| PathBuf::from("wharf.yaml")),
            env: args.env,
            state_dir: args.state_dir,
            json: args.json,
            quiet: args.quiet,
            verbose: verbose
                || self.common.verbose
                || variable("WHARF_VERBOSE").is_some_and(|value| truthy(&value)),
            yes: args.yes,
            timeout: args.timeout,
            color: args.color,
        }
    }
}

impl Command {
    fn common(&self) -> (Option<PathBuf>, bool) {
        let common = match self {
            Self::Up(args) => &args.common,
            Self::Trace(args) => &args.common,
            Self::Exec(args) => &args.common,
            Self::Run(args) => &args.common,
            Self::Restart(args) => &args.common,
            Self::Scale(args) => &args.common,
            Self::Release(args) => &args.common,
            Self::Open(args) => &args.common,
            Self::Check(args) => &args.common,
            Self::Init(args) => &args.common,
            Self::Render(args) => &args.common,
            Self::Plan(args) => &args.common,
            Self::Query(args) => &args.common,
            Self::Ps(common)
            | Self::Schema(common)
            | Self::Doctor(common)
            | Self::Audit(common) => common,
            Self::Rollout(rollout) => match &rollout.command {
                RolloutCommand::Status { common, .. } => common,
                RolloutCommand::Undo(common) | RolloutCommand::History(common) => common,
            },
            Self::Alerts(args) => return args.common(),
            Self::Logs(args) => return (args.common.file.clone(), args.common.verbose),
            Self::Down(args) => return (args.common.file.clone(), args.common.verbose),
            Self::Completions(_) | Self::Engine(_) | Self::Ingress(_) | Self::Shim(_) => {
                return (None, false);
            }
        };
        (common.file.clone(), common.verbose)
    }
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build and start everything, and stay to show its logs; Ctrl-C stops it
    Up(Up),
    /// Stop everything; data and logs stay
    Down(Down),
    /// Show services, replicas and stores
    Ps(Common),
    /// Show what services wrote
    Logs(Logs),
    /// Ask the metrics of everything that runs, in PromQL
    Query(Query),
    /// Show the alerts, why they are due, and silence them
    Alerts(Alerts),
    /// Show the spans of a request and what was logged meanwhile
    Trace(Trace),
    /// Run a command beside a running service: in its folder, with its environment
    Exec(Exec),
    /// Run a service's command, or another, once, with its environment
    Run(Run),
    /// Replace the replicas of services one by one
    Restart(Restart),
    /// Set how many replicas services have, until it is set again
    Scale(Scale),
    /// Build what has changed and roll it out without dropping a request
    Release(ReleaseArgs),
    /// Look at releases and take them back
    Rollout(Rollout),
    /// Open the project in a browser
    Open(Open),
    /// Check the file: print what is wrong with it, or what it means
    Check(Check),
    /// Write the files for the real engines: Kubernetes, Terraform, GitHub Actions, Prometheus and more
    Render(Render),
    /// Tell in words what would change in the rendered files
    Plan(PlanArgs),
    /// Print the JSON Schema of wharf.yaml
    Schema(Common),
    /// Write a wharf.yaml for what lies in this folder
    Init(Init),
    /// Tell what this machine can do, and what is missing
    Doctor(Common),
    /// Show who did what, when
    Audit(Common),
    /// Print a completion script for a shell
    Completions(Completions),
    /// The engine's process
    #[command(hide = true)]
    Engine(EngineArgs),
    /// The ingress's process
    #[command(hide = true)]
    Ingress(IngressArgs),
    /// The process above each replica
    #[command(hide = true, disable_help_flag = true)]
    Shim(ShimArgs),
}

/// `wharf up`
#[derive(Debug, Clone, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Return when everything is ready, and leave it running
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Release again whenever a source file changes
    #[arg(short, long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) listen: Listen,
}

/// Where the ingress listens.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Listen {
    /// Where the ingress listens for HTTP [default: 127.0.0.1:8080, or the next free port]
    #[arg(
        long,
        hide_env_values = true,
        env = "WHARF_HTTP",
        value_name = "ADDRESS"
    )]
    pub(crate) http: Option<SocketAddr>,
    /// Where the ingress listens for HTTPS, if a route has `tls: auto` [default: 127.0.0.1:8443]
    #[arg(
        long,
        hide_env_values = true,
        env = "WHARF_HTTPS",
        value_name = "ADDRESS"
    )]
    pub(crate) https: Option<SocketAddr>,
}

/// `wharf down`
#[derive(Debug, Clone, Args)]
pub(crate) struct Down {
    #[command(flatten)]
    pub(crate) common: CommonWithoutV,
    /// Also delete volumes, the data of stores, logs and the history of releases
    #[arg(short, long)]
    pub(crate) volumes: bool,
    /// Kill at once instead of stopping in order
    #[arg(long)]
    pub(crate) now: bool,
}

/// `wharf exec`
#[derive(Debug, Clone, Args)]
pub(crate) struct Exec {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The service
    pub(crate) service: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

/// `wharf run`
#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The service
    pub(crate) service: String,
    /// The command and its arguments; the service's own if none is given
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

/// `wharf restart`
#[derive(Debug, Clone, Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Services; all if none is named
    pub(crate) services: Vec<String>,
}

/// `wharf scale`
#[derive(Debug, Clone, Args)]
pub(crate) struct Scale {
    #[command(flatten)]
    pub(crate) common: Common,
    /// SERVICE=N
    #[arg(required = true, value_name = "SERVICE=N")]
    pub(crate) services: Vec<String>,
}

/// `wharf release`
#[derive(Debug, Clone, Args)]
pub(crate) struct ReleaseArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Return as soon as the release is accepted
    #[arg(short, long)]
    pub(crate) detach: bool,
}

/// `wharf rollout`
#[derive(Debug, Clone, Args)]
pub(crate) struct Rollout {
    #[command(subcommand)]
    pub(crate) command: RolloutCommand,
}

/// What to do with roll-outs.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RolloutCommand {
    /// Show the roll-out under way, or the last one
    Status {
        /// Stay until it has ended; the exit code tells how
        #[arg(short, long)]
        watch: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Take the roll-out under way back, or else the release that serves: at once
    Undo(Common),
    /// Show every release
    History(Common),
}

/// `wharf open`
#[derive(Debug, Clone, Args)]
pub(crate) struct Open {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A path to open
    #[arg(default_value = "/")]
    pub(crate) path: String,
}

/// `wharf check`
#[derive(Debug, Clone, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Print the resolved plan
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
}

/// How a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// YAML
    Yaml,
    /// JSON
    Json,
}

/// `wharf render`
#[derive(Debug, Clone, Args)]
pub(crate) struct Render {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Targets; or `all`, `project` (what is the same for every environment), `environment`
    #[arg(required_unless_present = "list", value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// The folder; each target has one of its own in it [default: deploy, or deploy/ENV, beside the file]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Write nothing; show what would change, and end with 3 if anything would
    #[arg(long)]
    pub(crate) check: bool,
    /// Tell what the targets cannot express
    #[arg(long)]
    pub(crate) explain: bool,
    /// Write over files that were changed by hand
    #[arg(long)]
    pub(crate) force: bool,
    /// Show every target and whether the plan has anything for it
    #[arg(long)]
    pub(crate) list: bool,
}

/// `wharf plan`
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The folder to compare with [default: deploy, or deploy/ENV, beside the file]
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
}

/// `wharf init`
#[derive(Debug, Clone, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The folder
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Take over a Compose file
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Print the file instead of writing it
    #[arg(long)]
    pub(crate) stdout: bool,
    /// Write over a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `wharf completions`
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// `wharf engine`
#[derive(Debug, Clone, Args)]
pub(crate) struct EngineArgs {
    /// The state directory
    pub(crate) dir: PathBuf,
}

/// `wharf ingress`
#[derive(Debug, Clone, Args)]
pub(crate) struct IngressArgs {
    /// The control socket
    #[arg(long)]
    pub(crate) control_socket: PathBuf,
    /// Where the last configuration is kept
    #[arg(long)]
    pub(crate) config_file: PathBuf,
    /// The access log
    #[arg(long)]
    pub(crate) access_log: PathBuf,
    /// Threads; as many as processors if not given
    #[arg(long)]
    pub(crate) workers: Option<usize>,
}

/// `wharf shim`
#[derive(Debug, Clone, Args)]
pub(crate) struct ShimArgs {
    /// Shown in process lists
    #[arg(allow_hyphen_values = true)]
    pub(crate) id: Vec<String>,
}

fn duration(text: &str) -> Result<Duration, wharf_base::duration::ParseDurationError> {
    wharf_base::duration::parse(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_file_is_taken_from_either_side_of_the_command() {
        for line in [
            "wharf -f a.yaml ps",
            "wharf ps -f a.yaml",
            "wharf -f a.yaml logs -f",
            "wharf logs --file a.yaml -f",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.global().file, PathBuf::from("a.yaml"), "{line}");
        }
    }
}
