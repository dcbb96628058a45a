//! The command line: every command, option and variable, with the words that `--help` shows.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// From source to a production-grade stack: one file, one binary.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, propagate_version = true, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 usage or invalid wharf.yaml, 3 changes pending, 4 unhealthy.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The project's file
    #[arg(short, long, global = true, env = "WHARF_FILE", default_value = "wharf.yaml", value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The environment of the file to apply
    #[arg(short, long, global = true, env = "WHARF_ENV", value_name = "ENV")]
    pub(crate) env: Option<String>,
    /// Where the project's state lies [default: .wharf beside the file]
    #[arg(long, global = true, env = "WHARF_STATE_DIR", value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Print facts as JSON
    #[arg(long, global = true, env = "WHARF_JSON", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) json: bool,
    /// Print results only, no progress
    #[arg(short, long, global = true, env = "WHARF_QUIET", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) quiet: bool,
    /// Print more: build output, every change of a replica
    #[arg(short, long, global = true, env = "WHARF_VERBOSE", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) verbose: bool,
    /// Answer yes to every question
    #[arg(short, long, global = true, env = "WHARF_YES", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    pub(crate) yes: bool,
    /// Give up waiting after this time, such as 5m; what was begun goes on
    #[arg(long, global = true, env = "WHARF_TIMEOUT", value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// When to use colours
    #[arg(long, global = true, env = "WHARF_COLOR", value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
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
    Ps,
    /// Show what services wrote
    Logs(Logs),
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
    /// Print the JSON Schema of wharf.yaml
    Schema,
    /// Write a wharf.yaml for what lies in this folder
    Init(Init),
    /// Tell what this machine can do, and what is missing
    Doctor,
    /// Show who did what, when
    Audit,
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
    #[arg(long, env = "WHARF_HTTP", value_name = "ADDRESS")]
    pub(crate) http: Option<SocketAddr>,
    /// Where the ingress listens for HTTPS, if a route has `tls: auto` [default: 127.0.0.1:8443]
    #[arg(long, env = "WHARF_HTTPS", value_name = "ADDRESS")]
    pub(crate) https: Option<SocketAddr>,
}

/// `wharf down`
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Down {
    /// Also delete volumes, the data of stores, logs and the history of releases
    #[arg(short, long)]
    pub(crate) volumes: bool,
    /// Kill at once instead of stopping in order
    #[arg(long)]
    pub(crate) now: bool,
}

/// `wharf logs`
#[derive(Debug, Clone, Args)]
pub(crate) struct Logs {
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
    /// Print the lines as they were written, without time and replica
    #[arg(long)]
    pub(crate) raw: bool,
}

/// `wharf exec`
#[derive(Debug, Clone, Args)]
pub(crate) struct Exec {
    /// The service
    pub(crate) service: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

/// `wharf run`
#[derive(Debug, Clone, Args)]
pub(crate) struct Run {
    /// The service
    pub(crate) service: String,
    /// The command and its arguments; the service's own if none is given
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<String>,
}

/// `wharf restart`
#[derive(Debug, Clone, Args)]
pub(crate) struct Restart {
    /// Services; all if none is named
    pub(crate) services: Vec<String>,
}

/// `wharf scale`
#[derive(Debug, Clone, Args)]
pub(crate) struct Scale {
    /// SERVICE=N
    #[arg(required = true, value_name = "SERVICE=N")]
    pub(crate) services: Vec<String>,
}

/// `wharf release`
#[derive(Debug, Clone, Args)]
pub(crate) struct ReleaseArgs {
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
    },
    /// Take the roll-out under way back, or else the release that serves: at once
    Undo,
    /// Show every release
    History,
}

/// `wharf open`
#[derive(Debug, Clone, Args)]
pub(crate) struct Open {
    /// A path to open
    #[arg(default_value = "/")]
    pub(crate) path: String,
}

/// `wharf check`
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Check {
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

/// `wharf init`
#[derive(Debug, Clone, Args)]
pub(crate) struct Init {
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
    pub(crate) config: PathBuf,
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
