//! The parts of a Dockerfile that follow from the plan.

use std::time::Duration;

use serde_json::json;
use wharf_base::ids::Name;
use wharf_plan::model::{Check, Language, Plan, Probe, Service, Toolchain};

use super::health_program;
use super::runtime::{self, Runtime};
use crate::images::BuiltImage;
use crate::machine::word;
use crate::template::fill;
use crate::values::{Addresses, Piece, StoreAddress, variables};
use crate::{Input, Rendered};

/// How often a container engine asks for the health, unless the file wants it to be less.
const HEALTH_INTERVAL: Duration = Duration::from_secs(30);
/// What it waits for the answer at least: the check is a process of its own, and shares the container's CPU.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

/// What a Dockerfile is made from.
pub(super) struct Parts<'a> {
    input: &'a Input<'a>,
    image: &'a BuiltImage<'a>,
    toolchain: &'a Toolchain,
    /// The service that the image is called after.
    service: &'a Service,
    runtime: Runtime,
}

impl<'a> Parts<'a> {
    pub(super) fn new(
        input: &'a Input<'a>,
        image: &'a BuiltImage<'a>,
        toolchain: &'a Toolchain,
        service: &'a Service,
        runtime: Runtime,
    ) -> Self {
        Self {
            input,
            image,
            toolchain,
            service,
            runtime,
        }
    }

    /// The builder's image, by tag and, where `versions` has one for this very version, by digest:
    /// `python: "3.11@sha256:…"`.
    pub(super) fn base(&self) -> String {
        let (image, tool, variant) = match self.toolchain.language {
            Language::Rust => ("rust", "rust", "slim-bookworm"),
            Language::Python => ("python", "python", "slim"),
            Language::Node => ("node", "node", "slim"),
            Language::Go => ("golang", "go", "bookworm"),
        };
        let known = self.version(tool);
        let version = match &self.toolchain.version {
            Some(asked) => known
                .filter(|known| known.split('@').next() == Some(asked))
                .or(Some(asked)),
            None => known,
        };
        pinned(image, version, variant)
    }

    /// The image that serves files.
    pub(super) fn server(&self) -> String {
        pinned(
            "nginxinc/nginx-unprivileged",
            self.version("nginx"),
            "alpine",
        )
    }

    fn version(&self, tool: &str) -> Option<&'a str> {
        self.input.base.versions.get(tool).map(String::as_str)
    }

    /// Build arguments, which the build reads as variables.
    pub(super) fn args(&self, out: &mut Rendered) -> String {
        let mut lines = String::new();
        for (name, value) in &self.image.build.args {
            if value.contains('\n') {
                out.gap(
                    format!("services.{}.build.args.{name}", self.image.name),
                    "a Dockerfile has no argument of several lines; give it to the builder",
                );
                lines.push_str(&format!("ARG {name}\n"));
            } else {
                lines.push_str(&format!("ARG {name}={}\n", quoted(value)));
            }
        }
        lines
    }

    /// The `RUN` that makes the program that asks for the health, where the image needs one.
    pub(super) fn health_program(&self) -> Option<String> {
        let probe = runtime::probe(self.service)?;
        if self.runtime != Runtime::Bare {
            return None;
        }
        health_program::run(self.toolchain.language, self.service, probe)
    }

    /// The folders that the services of the image write to, in the image.
    pub(super) fn folders(&self) -> Vec<String> {
        let mut folders: Vec<String> = self
            .services()
            .flat_map(|(_, service)| {
                let volumes = service.volumes.iter().filter(|volume| !volume.read_only);
                let volumes = volumes.map(|volume| &volume.target);
                let uploads = service.static_files.iter();
                let uploads = uploads.filter(|(prefix, _)| runtime::is_uploaded(service, prefix));
                let uploads = uploads.map(|(_, folder)| folder);
                volumes.chain(&service.writable).chain(uploads)
            })
            .map(|path| runtime::in_image(path))
            // Mounted by whoever runs the container.
            .filter(|path| !matches!(path.as_str(), "/tmp" | "/run" | "/dev/shm"))
            .collect();
        folders.sort();
        folders.dedup();
        folders
    }

    fn services(&self) -> impl Iterator<Item = (&'a Name, &'a Service)> {
        let services = &self.input.base.services;
        self.image
            .services
            .iter()
            .filter_map(|name| services.get(*name).map(|service| (*name, service)))
    }

    /// What Cargo is told where one program of several is wanted.
    pub(super) fn program(&self) -> String {
        let program = self.image.build.program.as_deref();
        program.map_or_else(String::new, |program| format!(" --bin {}", word(program)))
    }

    /// What keeps the one program that is wanted of several, or gives the only one the name under which a service without
    /// a command starts it.
    pub(super) fn keep(&self) -> String {
        if let Some(program) = &self.image.build.program {
            return match self.toolchain.language {
                Language::Go => format!(
                    " \\\n    && find /out/bin -type f ! -name {} -delete",
                    word(program)
                ),
                _ => String::new(),
            };
        }
        if self
            .services()
            .all(|(_, service)| service.command.is_some())
        {
            return String::new();
        }
        let name = self.image.name;
        format!(
            " \\\n    && set -- /out/bin/* && test \"$#\" -eq 1 \\\n    && if [ ! -e /out/bin/{name} ]; then ln -s \"${{1##*/}}\" /out/bin/{name}; fi"
        )
    }

    /// Django's `collectstatic`, with every variable that its settings may read.
    pub(super) fn collect(&self) -> String {
        let mut words = vec![];
        let addresses = Nowhere(self.input.base);
        for variable in variables(self.input.base, self.image.name, &addresses) {
            let value = variable.written(|piece| match piece {
                Piece::Operator {
                    default: Some(default),
                    ..
                } => default.clone(),
                Piece::Text(_) | Piece::Secret(_) | Piece::Operator { .. } => "unused".to_owned(),
            });
            // A line feed would end the instruction.
            let value = value.replace('\n', " ");
            words.push(format!("{}={}", variable.name, word(&value)));
        }
        words.push("python manage.py collectstatic --noinput".to_owned());
        words.join(" \\\n    ")
    }

    /// The lines of Nginx's configuration, each as a word of a shell.
    pub(super) fn nginx_lines(&self) -> Vec<String> {
        let health = runtime::probe(self.service).and_then(|probe| match &probe.check {
            Check::Http { path, .. } if path != "/" => path.split('?').next(),
            _ => None,
        });
        let health = health.map(crate::nginx::word);
        let port = self.service.primary_port_number().unwrap_or(8080);
        let text = fill(
            include_str!("nginx.conf"),
            json!({ "port": port, "health": health }),
        );
        let lines = text.lines().filter(|line| !line.is_empty());
        lines.map(word).collect()
    }

    /// What is the same for every language: user, port, health, command, labels.
    pub(super) fn tail(&self, out: &mut Rendered) -> String {
        let mut tail = "USER 1000:1000\n".to_owned();
        // Nginx has both in its configuration.
        if let (Some(port), true) = (
            self.service.primary_port_number(),
            self.runtime != Runtime::Nginx,
        ) {
            tail.push_str(&format!("ENV HOST=0.0.0.0 \\\n    PORT={port}\n"));
        }
        for port in self.service.ports.values() {
            tail.push_str(&format!("EXPOSE {port}\n"));
        }
        // Nginx ends at once on SIGTERM; SIGQUIT lets it finish what it serves.
        let signal = match self.runtime {
            Runtime::Nginx => "SIGQUIT",
            _ => "SIGTERM",
        };
        tail.push_str(&format!("STOPSIGNAL {signal}\n"));
        self.health(&mut tail, out);
        match runtime::start(self.image.name, self.service) {
            Some(command) => {
                let shell = command.first().is_some_and(|program| program == "/bin/sh");
                if shell && !self.runtime.has_shell() {
                    out.gap(
                        format!("services.{}.command", self.image.name),
                        "it needs a shell, and the image has none: write it as a list of program and arguments",
                    );
                }
                tail.push_str(&format!("CMD {}\n", list(&command)));
            }
            None => out.gap(
                format!("services.{}.command", self.image.name),
                "the image starts nothing by itself: nothing says how the program is started",
            ),
        }
        tail.push_str(
            "\n# Given by the pipeline; last, so that a new commit changes no other layer.\n",
        );
        tail.push_str("ARG VERSION=dev\nARG REVISION=unknown\n");
        let mut labels = vec![format!(
            "org.opencontainers.image.title={}",
            quoted(&format!("{}/{}", self.input.base.name, self.image.name))
        )];
        if let Some(source) = self.source() {
            labels.push(format!(
                "org.opencontainers.image.source={}",
                quoted(&source)
            ));
        }
        labels.push("org.opencontainers.image.version=\"$VERSION\"".to_owned());
        labels.push("org.opencontainers.image.revision=\"$REVISION\"".to_owned());
        tail.push_str(&format!("LABEL {}\n", labels.join(" \\\n      ")));
        tail
    }

    fn health(&self, tail: &mut String, out: &mut Rendered) {
        let Some(probe) = runtime::probe(self.service) else {
            tail.push_str("# The file names no probe.\nHEALTHCHECK NONE\n");
            return;
        };
        let Some(command) = runtime::health_command(self.runtime, self.service, probe) else {
            out.gap(
                format!("services.{}.probes", self.image.name),
                "the check needs a shell, and the image has none: use `http` or `tcp`",
            );
            tail.push_str("# The check of the file needs a shell, and there is none here.\nHEALTHCHECK NONE\n");
            return;
        };
        tail.push_str(&format!("HEALTHCHECK --interval={} --timeout={} --start-period={} --retries={} \\\n    CMD {}\n",
            seconds(interval(probe)),
            seconds(timeout(probe)),
            seconds(start_period(self.service)),
            probe.failure_threshold.max(1),
            list(&command)));
    }

    /// Where the sources are, if an environment says so.
    fn source(&self) -> Option<String> {
        let plans = || std::iter::once(self.input.base).chain(self.input.environments.values());
        let cloud = plans().find_map(|plan| plan.cloud.as_ref()?.repository.as_deref());
        let source = match cloud {
            Some(repository) => format!("https://github.com/{repository}"),
            None => {
                let repository = plans().find_map(|plan| plan.kubernetes.gitops.as_ref());
                repository?.repository.trim_end_matches(".git").to_owned()
            }
        };
        (!source.contains('\n')).then_some(source)
    }
}

/// How long a container may take until failed checks count.
pub(crate) fn start_period(service: &Service) -> Duration {
    let asked = match &service.probes.startup {
        Some(startup) => {
            startup.initial_delay + startup.period.saturating_mul(startup.failure_threshold)
        }
        None => super::runtime::probe(service).map_or(Duration::ZERO, |probe| probe.initial_delay),
    };
    // An interpreter needs some seconds before it listens.
    asked.max(Duration::from_secs(10))
}

/// How often a container engine makes a probe: a command costs more than a request, so the file may ask for less.
pub(crate) fn interval(probe: &Probe) -> Duration {
    match probe.check {
        Check::Exec { .. } => probe.period.max(HEALTH_INTERVAL),
        Check::Http { .. } | Check::Tcp { .. } => HEALTH_INTERVAL,
    }
}

/// How long it waits for the answer.
pub(crate) fn timeout(probe: &Probe) -> Duration {
    probe.timeout.max(HEALTH_TIMEOUT)
}

/// Whole seconds, rounded up.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_millis().div_ceil(1000).max(1))
}

/// The `RUN` that installs Debian packages; nothing for none.
pub(super) fn apt(packages: &[String]) -> String {
    if packages.is_empty() {
        return String::new();
    }
    format!(
        "# Debian keeps only the newest version of a package, so that a pinned one could not be installed for long.\n\
         # hadolint ignore=DL3008\n\
         RUN apt-get update \\\n    \
         && apt-get install --yes --no-install-recommends {} \\\n    \
         && rm -rf /var/lib/apt/lists/*\n",
        words(packages)
    )
}

/// Words of a shell, on one line.
pub(super) fn words(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|text| word(text)).collect();
    words.join(" ")
}

/// The `RUN` of the builder that makes folders for an image that cannot make them itself.
pub(super) fn folders_of_builder(folders: &[String]) -> String {
    if folders.is_empty() {
        return String::new();
    }
    let made: Vec<String> = folders
        .iter()
        .map(|folder| word(&format!("/folders{folder}")))
        .collect();
    format!("RUN mkdir -p {}\n", made.join(" "))
}

/// `image:version-variant`, with the digest of the version behind it.
pub(crate) fn pinned(image: &str, version: Option<&str>, variant: &str) -> String {
    let Some(version) = version else {
        return format!("{image}:{variant}");
    };
    match version.split_once('@') {
        Some((version, digest)) => format!("{image}:{version}-{variant}@{digest}"),
        None => format!("{image}:{version}-{variant}"),
    }
}

/// A value of `ARG` or `LABEL`, in which the builder expands nothing.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted + "\""
}

/// The exec form.
fn list(command: &[String]) -> String {
    let words: Vec<String> = command
        .iter()
        .map(|word| serde_json::Value::from(word.as_str()).to_string())
        .collect();
    format!("[{}]", words.join(", "))
}

/// Addresses of an image that is being built: nothing can be reached.
struct Nowhere<'a>(&'a Plan);

impl Addresses for Nowhere<'_> {
    fn store(&self, store: &Name) -> StoreAddress {
        let postgres = self
            .0
            .stores
            .get(store)
            .is_some_and(|store| store.engine == wharf_plan::model::StoreEngine::Postgres);
        StoreAddress {
            host: "127.0.0.1".to_owned(),
            port: if postgres { 5432 } else { 6379 },
            user: postgres.then(|| "unused".to_owned()),
            database: "unused".to_owned(),
            tls: false,
            password: false,
        }
    }

    fn service_host(&self, _service: &Name) -> String {
        "127.0.0.1".to_owned()
    }
}
