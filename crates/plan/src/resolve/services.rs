//! `services`.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_spec::decode::Entry;
use wharf_spec::diagnostic::{Code, Diagnostic, nearest};
use wharf_spec::model::{self as spec, Need};
use wharf_spec::span::Span;

use super::Resolver;
use crate::model::{
    Build, Command, Condition, Framework, MetricsEndpoint, ReleaseCommand, Resources, Schedule,
    Service, Source, Toolchain,
};
use crate::template::{Reference, Template};

/// As the load balancers have it: most requests end within it.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// As Compose; a program that handles SIGTERM needs less once it is drained.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// A migration that takes longer should say so.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(600);
const METRICS_PATH: &str = "/metrics";
/// The one folder that almost every program writes to.
const TEMPORARY: &str = "/tmp";

impl Resolver<'_> {
    pub(super) fn services(&mut self) -> BTreeMap<Name, Service> {
        let spec = self.spec;
        let entries = spec
            .services
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut services = BTreeMap::new();
        for entry in entries {
            let service = self.service(entry);
            services.extend(service.map(|service| (entry.key.value.clone(), service)));
        }
        services
    }

    fn service(&mut self, entry: &Entry<Name, spec::Service>) -> Option<Service> {
        let name = &entry.key.value;
        let typed = &entry.value.as_ref()?.value;
        let ports = self.ports.get(name).cloned().unwrap_or_default();
        self.check_schedule(typed);
        self.check_singleton(typed);
        let source = self.source(name, &entry.key.span, typed);
        let commands = [
            typed.command.get(),
            typed.build.value().and_then(|build| build.command.get()),
            typed
                .release
                .value()
                .and_then(|release| release.command.get()),
        ];
        for command in commands {
            self.no_references_in(command);
        }
        let volumes = self.volumes(typed);
        let mounted: Vec<Name> = volumes
            .iter()
            .filter_map(|volume| match &volume.source {
                crate::model::VolumeSource::Named(name) => Some(name.clone()),
                crate::model::VolumeSource::Path(_) => None,
            })
            .collect();
        let environment = self.environment(typed, &mounted);
        let mut needs = self.needs(name, typed);
        for reference in environment.values().flat_map(Template::references) {
            let Reference::Field { of, .. } = reference else {
                continue;
            };
            if self.has_store(of.as_str()) {
                needs.entry(of.clone()).or_insert(Condition::Healthy);
            }
        }
        let probes = self.probes(name, typed, &ports);
        let metrics = typed.metrics.get().and_then(|metrics| {
            let port = ports.find(name, &metrics.value.port, &metrics.span, self.findings)?;
            let path = metrics
                .value
                .path
                .value()
                .map_or(METRICS_PATH, |path| path.0.as_str());
            Some(MetricsEndpoint {
                path: path.to_owned(),
                port,
            })
        });
        let scheduled = !typed.schedule.is_absent();
        let singleton = typed.singleton.value().copied().unwrap_or(false);
        let resources = resources(typed.resources.value());
        let scale = self.scale(typed, &resources);
        let first = scale
            .as_ref()
            .map_or(u32::from(!scheduled), |scale| scale.min);
        let replicas = typed.replicas.value().map_or(first, |count| count.0);
        Some(Service {
            source: source?,
            command: typed.command.value().map(command),
            environment,
            env_files: self.env_files(typed),
            replicas,
            singleton,
            resources,
            probes,
            volumes,
            needs,
            release: typed.release.value().and_then(|release| {
                Some(ReleaseCommand {
                    command: command(release.command.value()?),
                    timeout: release.timeout.value().copied().unwrap_or(RELEASE_TIMEOUT),
                })
            }),
            schedule: typed.schedule.value().and_then(|schedule| {
                Some(Schedule {
                    cron: schedule.cron.value()?.to_string(),
                    timeout: schedule.timeout.value().copied(),
                })
            }),
            metrics,
            drain_timeout: typed
                .drain_timeout
                .value()
                .copied()
                .unwrap_or(DRAIN_TIMEOUT),
            stop_timeout: typed.stop_timeout.value().copied().unwrap_or(STOP_TIMEOUT),
            rollout: self.rollout(typed, singleton),
            scale,
            expose: self.expose(name, typed, &ports),
            calls: self.calls(name, typed),
            buckets: names(&typed.buckets),
            writable: self.writable(typed),
            static_files: self.static_files(typed),
            api: self.api(typed),
            ports: ports.by_name,
            primary_port: ports.primary,
        })
    }

    fn source(&mut self, name: &Name, key: &Span, typed: &spec::Service) -> Option<Source> {
        if let (Some(build), Some(image)) = (typed.build.key_span(), typed.image.key_span()) {
            let message = "`build` and `image` exclude each other";
            self.report(
                Diagnostic::error(Code::EXCLUSIVE, image.clone(), message)
                    .related(build.clone(), "the other one")
                    .help("keep `build` for source code, `image` for a finished image"),
            );
        }
        let nothing =
            typed.build.is_absent() && typed.image.is_absent() && typed.command.is_absent();
        if nothing {
            let message = format!("`{name}` has nothing to run");
            let others = self.service_names();
            // An overlay that misspells a service makes a new one.
            let near = nearest(
                name.as_str(),
                others.into_iter().filter(|other| *other != name.as_str()),
            );
            let mut help = "give it a `build` folder, an `image` or a `command`".to_owned();
            if let Some(near) = near {
                help = format!("{help}; or did you mean the service `{near}`?");
            }
            self.report(Diagnostic::error(Code::NO_SOURCE, key.clone(), message).help(help));
            return None;
        }
        if let Some(image) = typed.image.get() {
            let bad = image.value.is_empty()
                || image
                    .value
                    .chars()
                    .any(|c| c.is_whitespace() || c.is_control());
            if bad {
                let message =
                    "expected an image such as nginx:1.27 or registry.example.com/team/app:1.0";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    image.span.clone(),
                    message,
                ));
            }
            self.no_references(
                image,
                "an image is the same in every environment",
                "write the tag; an environment may have another `image`",
            );
            return Some(Source::Image(image.value.clone()));
        }
        if typed.build.is_absent() {
            return typed.image.is_absent().then_some(Source::Command);
        }
        let build = typed.build.value()?;
        for path in [build.context.get(), build.dockerfile.get()]
            .into_iter()
            .flatten()
        {
            self.check_path(&path.value, &path.span);
        }
        let args = build
            .args
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        for arg in args.iter().filter_map(|arg| arg.value.as_ref()) {
            self.no_references(
                arg,
                "what is built runs in every environment",
                "put it into the service's `environment`",
            );
        }
        Some(Source::Build(Build {
            context: build
                .context
                .value()
                .cloned()
                .unwrap_or_else(|| ".".to_owned()),
            command: build.command.value().map(command),
            dockerfile: build.dockerfile.value().cloned(),
            target: build.target.value().cloned(),
            args: args
                .iter()
                .filter_map(|arg| {
                    Some((arg.key.value.0.clone(), arg.value.as_ref()?.value.clone()))
                })
                .collect(),
            toolchain: self.toolchain(build),
        }))
    }

    fn toolchain(&mut self, build: &spec::Build) -> Option<Toolchain> {
        let framework = build.framework.value().copied();
        let implied = framework.map(written_in);
        let language = build.language.value().copied().or(implied);
        if let (Some(typed), Some(implied), Some(framework)) =
            (build.language.get(), implied, build.framework.get())
            && typed.value != implied
        {
            let message = "the framework belongs to another language";
            self.report(
                Diagnostic::error(Code::EXCLUSIVE, framework.span.clone(), message)
                    .related(typed.span.clone(), "the language"),
            );
        }
        let rest = [
            ("version", build.version.key_span()),
            ("packages", build.packages.key_span()),
            ("build_packages", build.build_packages.key_span()),
        ];
        if build.language.is_absent() && build.framework.is_absent() {
            for (key, span) in rest {
                let Some(span) = span else { continue };
                let message = format!("`{key}` needs the `language` beside it");
                self.report(
                    Diagnostic::error(Code::MISSING_KEY, span.clone(), message)
                        .help("for example `language: python`"),
                );
            }
        }
        if let Some(version) = build.version.get() {
            let numbers = version.value.0.split('.').all(|part| {
                !part.is_empty() && part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit())
            });
            if !numbers {
                let message = "expected a version such as 3.11 or 20";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    version.span.clone(),
                    message,
                ));
            }
        }
        let packages =
            |list: &wharf_spec::span::Field<wharf_spec::decode::List<wharf_spec::decode::Word>>| {
                let list = list
                    .value()
                    .map(|list| list.0.as_slice())
                    .unwrap_or_default();
                list.iter()
                    .map(|name| name.value.0.clone())
                    .collect::<Vec<_>>()
            };
        for package in [&build.packages, &build.build_packages]
            .into_iter()
            .filter_map(|list| list.value())
            .flat_map(|list| &list.0)
        {
            // Debian policy 5.6.1: the names of packages.
            let name = package.value.0.as_str();
            let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
            if !name.starts_with(|c: char| c.is_ascii_alphanumeric())
                || name.len() < 2
                || !name.bytes().all(inner)
            {
                let message = "expected the name of a Debian package, such as libpq5";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    package.span.clone(),
                    message,
                ));
            }
        }
        Some(Toolchain {
            language: super::delivery::language_of(language?),
            version: build.version.value().map(|version| version.0.clone()),
            framework: framework.map(|framework| match framework {
                spec::Framework::Django => Framework::Django,
                spec::Framework::Flask => Framework::Flask,
                spec::Framework::Fastapi => Framework::Fastapi,
                spec::Framework::React => Framework::React,
            }),
            packages: packages(&build.packages),
            build_packages: packages(&build.build_packages),
        })
    }

    /// Services and stores that are talked to without being waited for.
    fn calls(&mut self, name: &Name, typed: &spec::Service) -> Vec<Name> {
        let list = typed
            .calls
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let mut calls: Vec<Name> = vec![];
        for called in list {
            let (of, span) = (&called.value, &called.span);
            if of == name {
                let message = format!("`{name}` calls itself");
                self.report(Diagnostic::error(Code::CIRCLE, span.clone(), message));
            } else if self.has_store(of.as_str()) {
            } else if self.has_service(of.as_str()) {
                self.check_listens(of, span);
            } else if !self.findings.is_full() {
                let names: Vec<_> = self
                    .service_names()
                    .into_iter()
                    .chain(self.store_names())
                    .collect();
                let others = names.into_iter().filter(|other| *other != name.as_str());
                let message = format!("there is no service or store `{of}`");
                let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, span.clone(), message);
                self.report(suggested(diagnostic, of.as_str(), others));
            }
            if !calls.contains(of) {
                calls.push(of.clone());
            }
        }
        calls
    }

    fn writable(&mut self, typed: &spec::Service) -> Vec<String> {
        let Some(list) = typed.writable.value() else {
            return vec![TEMPORARY.to_owned()];
        };
        let mut folders: Vec<String> = vec![];
        for folder in &list.0 {
            let path = folder.value.0.trim_end_matches('/');
            if !folder.value.0.starts_with('/') || path.is_empty() {
                let message = "expected an absolute folder such as /var/cache/app";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    folder.span.clone(),
                    message,
                ));
            }
            if !folders.iter().any(|other| other == path) {
                folders.push(path.to_owned());
            }
        }
        folders
    }

    fn static_files(&mut self, typed: &spec::Service) -> BTreeMap<String, String> {
        let entries = typed
            .static_files
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut files = BTreeMap::new();
        for entry in entries {
            let Some(folder) = &entry.value else { continue };
            if folder.value.0.starts_with('/') {
                let message = "expected a folder relative to the build's";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    folder.span.clone(),
                    message,
                ));
            }
            files.insert(entry.key.value.0.clone(), folder.value.0.clone());
        }
        files
    }

    fn check_path(&mut self, path: &str, span: &Span) {
        if path.is_empty() || path.chars().any(char::is_control) {
            let message = "expected a path";
            self.report(Diagnostic::error(Code::BAD_VALUE, span.clone(), message));
        } else if path.starts_with('~') {
            let message =
                "`~` is not expanded; give a path relative to the file, or an absolute one";
            self.report(Diagnostic::error(Code::BAD_VALUE, span.clone(), message));
        }
    }

    fn env_files(&mut self, typed: &spec::Service) -> Vec<String> {
        let files = typed
            .env_file
            .value()
            .map(|files| files.0.as_slice())
            .unwrap_or_default();
        for file in files {
            self.check_path(&file.value, &file.span);
        }
        files.iter().map(|file| file.value.clone()).collect()
    }

    fn environment(
        &mut self,
        typed: &spec::Service,
        mounted: &[Name],
    ) -> BTreeMap<String, Template> {
        let entries = typed
            .environment
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut environment = BTreeMap::new();
        for entry in entries {
            let Some(text) = &entry.value else { continue };
            if text.value.contains('\0') {
                let message = "a variable cannot hold a NUL character";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    text.span.clone(),
                    message,
                ));
            }
            if text.value.len() > wharf_spec::model::ARGUMENT_MAX_BYTES {
                let message = "the value is longer than the 128 KiB that Linux passes to a program";
                self.report(
                    Diagnostic::error(Code::BAD_VALUE, text.span.clone(), message)
                        .help("put it into a file"),
                );
                continue;
            }
            if entry.key.value.as_ref() == "PORT"
                && !(typed.port.is_absent() && typed.ports.is_absent())
            {
                let message = "`PORT` is Wharf's: it tells each replica where to listen";
                self.report(
                    Diagnostic::error(Code::NOT_HERE, entry.key.span.clone(), message)
                        .help("take it out; the port of the service stands in `port`"),
                );
            }
            let template = self.template(text);
            self.check_references(text, &template, mounted);
            environment.insert(entry.key.value.0.clone(), template);
        }
        environment
    }

    fn needs(&mut self, name: &Name, typed: &spec::Service) -> BTreeMap<Name, Condition> {
        let listed = typed
            .needs
            .value()
            .map(|needs| needs.0.as_slice())
            .unwrap_or_default();
        let mut needs = BTreeMap::new();
        for (needed, need) in listed {
            let (of, span) = (&needed.value, &needed.span);
            let store = self.has_store(of.as_str());
            if of == name {
                let message = format!("`{name}` needs itself");
                self.report(Diagnostic::error(Code::CIRCLE, span.clone(), message));
                continue;
            }
            if !store && !self.has_service(of.as_str()) {
                if self.findings.is_full() {
                    continue;
                }
                let names: Vec<_> = self
                    .store_names()
                    .into_iter()
                    .chain(self.service_names())
                    .collect();
                let message = format!("there is no service or store `{of}`");
                let others = names.into_iter().filter(|other| *other != name.as_str());
                let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, span.clone(), message);
                self.report(suggested(diagnostic, of.as_str(), others));
                continue;
            }
            let condition = match need {
                Need::Started => Condition::Started,
                Need::Healthy => Condition::Healthy,
                Need::Completed => Condition::Completed,
            };
            self.check_condition(of, condition, span);
            if needs.insert(of.clone(), condition).is_some() {
                let message = format!("`{of}` is needed twice");
                self.report(Diagnostic::error(
                    Code::DUPLICATE_NAME,
                    span.clone(),
                    message,
                ));
            }
        }
        needs
    }

    /// Whether what is needed can ever be so.
    fn check_condition(&mut self, of: &Name, condition: Condition, span: &Span) {
        let service = self
            .spec
            .services
            .value()
            .and_then(|table| table.get(of.as_str()))
            .and_then(|entry| entry.value.as_ref());
        let scheduled = service.is_some_and(|service| !service.value.schedule.is_absent());
        let listens = self
            .ports
            .get(of)
            .is_some_and(|ports| ports.primary.is_some());
        let (message, help) = match condition {
            Condition::Completed if self.has_store(of.as_str()) => (
                format!("the store `{of}` never completes"),
                "wait until it is `healthy`",
            ),
            Condition::Completed if listens && !scheduled => (
                format!("`{of}` listens on a port, so it never completes"),
                "wait until it is `healthy`",
            ),
            Condition::Healthy | Condition::Started if scheduled => (
                format!("`{of}` runs on a schedule, so it is never up"),
                "wait until it has `completed`",
            ),
            _ => return,
        };
        self.report(Diagnostic::error(Code::NOT_HERE, span.clone(), message).help(help));
    }

    /// A job has no replicas of its own, so nothing of what belongs to replicas.
    fn check_schedule(&mut self, typed: &spec::Service) {
        let Some(schedule) = typed.schedule.key_span() else {
            return;
        };
        let keys = [
            (
                "replicas",
                typed
                    .replicas
                    .key_span()
                    .filter(|_| typed.replicas.value().is_none_or(|n| n.0 > 0)),
            ),
            ("singleton", typed.singleton.key_span()),
            ("port", typed.port.key_span()),
            ("ports", typed.ports.key_span()),
            ("probes", typed.probes.key_span()),
            ("metrics", typed.metrics.key_span()),
            ("rollout", typed.rollout.key_span()),
            ("release", typed.release.key_span()),
            ("drain_timeout", typed.drain_timeout.key_span()),
            ("expose", typed.expose.key_span()),
            ("static_files", typed.static_files.key_span()),
            ("api", typed.api.key_span()),
        ];
        for (key, span) in keys {
            let Some(span) = span else { continue };
            let message = format!("`{key}` has no meaning for a service with a `schedule`");
            self.report(
                Diagnostic::error(Code::NOT_HERE, span.clone(), message)
                    .related(schedule.clone(), "it runs on a schedule")
                    .help("move what runs all the time into a service of its own"),
            );
        }
    }
}

/// With the name that was meant, or all that there are if they are few.
pub(super) fn suggested<'n>(
    diagnostic: Diagnostic,
    word: &str,
    names: impl Iterator<Item = &'n str>,
) -> Diagnostic {
    /// More fit into no line.
    const LISTED_MAX: usize = 12;
    let names: Vec<&str> = names.collect();
    match (nearest(word, names.iter().copied()), names.len()) {
        (Some(near), _) => diagnostic.help(format!("did you mean `{near}`?")),
        (None, 0) => diagnostic,
        (None, 1..=LISTED_MAX) => diagnostic.help(format!("there is {}", listed_and(&names))),
        (None, _) => diagnostic,
    }
}

fn listed_and(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// A command as the plan has it.
pub(super) fn command(typed: &spec::Command) -> Command {
    match typed {
        spec::Command::Shell(line) => Command::Shell(line.clone()),
        spec::Command::Exec(words) => Command::Exec(words.clone()),
    }
}

/// Request and limit as the plan has them.
pub(super) fn resources(typed: Option<&spec::Resources>) -> Resources {
    Resources {
        cpu: typed.and_then(|resources| resources.cpu.value().copied()),
        memory: typed.and_then(|resources| resources.memory.value().copied()),
    }
}

/// The language of a framework.
pub(super) fn written_in(framework: spec::Framework) -> spec::Language {
    match framework {
        spec::Framework::Django | spec::Framework::Flask | spec::Framework::Fastapi => {
            spec::Language::Python
        }
        spec::Framework::React => spec::Language::Node,
    }
}

/// Each name once, in the order of the file.
fn names(typed: &wharf_spec::span::Field<wharf_spec::decode::List<Name>>) -> Vec<Name> {
    let mut names: Vec<Name> = vec![];
    for name in typed
        .value()
        .map(|list| list.0.as_slice())
        .unwrap_or_default()
    {
        if !names.contains(&name.value) {
            names.push(name.value.clone());
        }
    }
    names
}
