//! `services`.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_spec::decode::Entry;
use wharf_spec::diagnostic::{Code, Diagnostic, nearest};
use wharf_spec::model::{self as spec, Need};
use wharf_spec::span::Span;

use super::Resolver;
use super::ports::Ports;
use crate::model::{
    Command, Condition, MetricsEndpoint, ReleaseCommand, Resources, Schedule, Service,
};
use crate::template::{Reference, Template};

/// As the load balancers have it: most requests end within it.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);
/// As Compose; a program that handles SIGTERM needs less once it is drained.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// A migration that takes longer should say so.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(600);
const METRICS_PATH: &str = "/metrics";

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
        self.check_fixed_port(typed, &ports);
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
    /// On this machine each replica has a port of its own, which is in `PORT`.
    fn check_fixed_port(&mut self, typed: &spec::Service, ports: &Ports) {
        let Some(command) = typed.command.get() else {
            return;
        };
        let number = ports
            .primary
            .as_ref()
            .and_then(|name| ports.by_name.get(name));
        let Some(number) = number.filter(|_| typed.image.is_absent()) else {
            return;
        };
        let (text, number) = (
            self::command(&command.value).to_string(),
            number.to_string(),
        );
        let named = text
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| word == number);
        if named && !text.contains("PORT") {
            let message = format!(
                "the command names port {number} itself; on this machine each replica has to listen on the port in `PORT`"
            );
            let place = match &command.value {
                spec::Command::Shell(_) => "write `$PORT`",
                spec::Command::Exec(_) => "write the command as one text with `$PORT`",
            };
            let help = format!(
                "{place}, which is {number} in a container, or let the program read that variable"
            );
            self.report(
                Diagnostic::warning(Code::FIXED_PORT, command.span.clone(), message).help(help),
            );
        }
    }

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
