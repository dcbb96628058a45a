//! `images`, `pipeline`, and where an environment runs.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_base::ids::Name;
use wharf_base::units::Percent;
use wharf_spec::decode::Folder;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::{Field, Spanned};

use super::Resolver;
use super::services::{command, suggested};
use crate::model::{
    Build, DeliveryGoals, Deploy, Images, Language, Pipeline, PipelineCheck, Provision, Service,
    Source, Target, TargetKind, Test,
};

/// What a job may take that nobody has measured.
const TIMEOUT: Duration = Duration::from_secs(30 * 60);

impl Resolver<'_> {
    pub(super) fn target(&self) -> Target {
        let environment = self.environment;
        let kind = environment.and_then(|environment| environment.target.value());
        Target {
            kind: match kind {
                Some(spec::Target::Compose) => TargetKind::Compose,
                Some(spec::Target::Kubernetes) => TargetKind::Kubernetes,
                Some(spec::Target::Ec2) => TargetKind::Ec2,
                Some(spec::Target::Local) | None => TargetKind::Local,
            },
            branch: environment
                .and_then(|environment| environment.branch.value())
                .map(|branch| branch.0.clone()),
            approval: environment
                .and_then(|environment| environment.approval.value())
                .copied()
                .unwrap_or(false),
        }
    }

    pub(super) fn images(&mut self, services: &BTreeMap<Name, Service>) -> Images {
        let absent = spec::Images::default();
        let spec = self.spec;
        let typed = spec.images.value().unwrap_or(&absent);
        if let Some(repository) = typed.repository.get() {
            self.check_repository(repository.value.as_ref(), repository, services);
        }
        if let Some(registry) = typed.registry.get() {
            let name = &registry.value.0;
            let host = name.split('/').next().unwrap_or_default();
            let plain =
                |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/:".contains(&b);
            let port = host.contains('.') || host.contains(':') || host == "localhost";
            if !port || !name.bytes().all(plain) || name.ends_with('/') || name.contains("//") {
                let message = "expected a registry such as ghcr.io/acme";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    registry.span.clone(),
                    message,
                ));
            }
        }
        if let Some(tag) = typed.tag.get() {
            let inner = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
            let begins = tag
                .value
                .0
                .starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            if !begins || !tag.value.0.bytes().all(inner) || tag.value.0.len() > 128 {
                let message = "expected a tag such as latest or 1.4.0";
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    tag.span.clone(),
                    message,
                ));
            }
        }
        let platforms = typed
            .platforms
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let mut platforms: Vec<String> = platforms
            .iter()
            .map(|platform| match platform.value {
                spec::Platform::Amd64 => "linux/amd64".to_owned(),
                spec::Platform::Arm64 => "linux/arm64".to_owned(),
            })
            .collect();
        platforms.sort();
        platforms.dedup();
        if platforms.is_empty() {
            platforms.push("linux/amd64".to_owned());
        }
        Images {
            registry: typed.registry.value().map(|registry| registry.0.clone()),
            repository: typed.repository.value().map_or_else(
                || format!("{}/{{service}}", self.project()),
                |repository| repository.0.clone(),
            ),
            platforms,
            tag: typed
                .tag
                .value()
                .map_or_else(|| "latest".to_owned(), |tag| tag.0.clone()),
        }
    }

    fn check_repository<T>(
        &mut self,
        name: &str,
        typed: &Spanned<T>,
        services: &BTreeMap<Name, Service>,
    ) {
        let plain = name.replace("{service}", "s");
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let ends = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.ends_with(|c: char| c.is_ascii_alphanumeric())
        };
        if !plain
            .split('/')
            .all(|part| ends(part) && part.bytes().all(inner))
        {
            let message = "expected the name of an image in lower case, such as shop/{service}";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                typed.span.clone(),
                message,
            ));
            return;
        }
        if name.contains("{service}") {
            return;
        }
        let mut builds: Vec<(&Name, &Build)> = vec![];
        for (service, resolved) in services {
            if let Source::Build(build) = &resolved.source
                && builds.iter().all(|(_, other)| *other != build.as_ref())
            {
                builds.push((service, build));
            }
        }
        if let [(first, _), (second, _), ..] = builds.as_slice() {
            let message =
                format!("`{first}` and `{second}` are built apart, and would have one image");
            self.report(
                Diagnostic::error(Code::BAD_VALUE, typed.span.clone(), message)
                    .help(format!("did you mean `{name}/{{service}}`?")),
            );
        }
    }

    pub(super) fn pipeline(&mut self, kind: TargetKind) -> Option<Pipeline> {
        let spec = self.spec;
        let typed = spec.pipeline.value()?;
        for command in [typed.smoke.get(), typed.integration.get()] {
            self.no_references_in(command);
        }
        if let Some(load) = typed.load.get() {
            self.check_scenario(load);
        }
        let notify = typed
            .notify
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        self.check_receivers(notify);
        if let Some(timeout) = typed.timeout.get()
            && !(60..=6 * 3600).contains(&timeout.value.as_secs())
        {
            // GitHub ends every job after six hours.
            let message = "expected a time from 1m to 6h";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                timeout.span.clone(),
                message,
            ));
        }
        let checks = typed
            .lint
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut lint = BTreeMap::new();
        for entry in checks {
            let Some(job) = entry.value.as_ref().map(|typed| &typed.value) else {
                continue;
            };
            let check = self.job_check(&job.command, &job.folder, &job.language);
            lint.extend(check.map(|check| (entry.key.value.clone(), check)));
        }
        Some(Pipeline {
            lint,
            tests: self.tests(typed),
            scan: self.scan(typed.scan.value()),
            smoke: typed.smoke.value().map(command),
            integration: typed.integration.value().map(command),
            load: typed.load.value().cloned(),
            provision: typed.provision.value().map(|tool| match tool {
                spec::Provision::Terraform => Provision::Terraform,
                spec::Provision::Cloudformation => Provision::Cloudformation,
            }),
            configure: typed.configure.value().copied().unwrap_or(false),
            deploy: match typed.deploy.value() {
                Some(spec::Deploy::Helm) => Deploy::Helm,
                Some(spec::Deploy::Kustomize) => Deploy::Kustomize,
                Some(spec::Deploy::Canary) => Deploy::Canary,
                Some(spec::Deploy::InstanceRefresh) => Deploy::InstanceRefresh,
                Some(spec::Deploy::None) => Deploy::None,
                None if kind == TargetKind::Ec2 => Deploy::InstanceRefresh,
                None => Deploy::Kustomize,
            },
            notify: notify.iter().map(|name| name.value.clone()).collect(),
            schedule: typed.schedule.value().map(ToString::to_string),
            updates: typed.updates.value().copied().unwrap_or(false),
            jobs: self.jobs(typed),
            timeout: typed.timeout.value().copied().unwrap_or(TIMEOUT),
            goals: goals(typed.goals.value()),
        })
    }

    fn check_scenario(&mut self, load: &Spanned<Name>) {
        let spec = self.spec;
        let known = match spec.load.value() {
            Some(table) => table.mentions(load.value.as_str()),
            None => !spec.load.is_absent(),
        };
        if !known {
            let message = format!("there is no scenario `{}` in `load`", load.value);
            let names = spec.load.value().into_iter().flat_map(|table| table.keys());
            let diagnostic = Diagnostic::error(Code::UNKNOWN_NAME, load.span.clone(), message);
            self.report(suggested(diagnostic, load.value.as_str(), names));
        }
    }

    pub(super) fn job_check(
        &mut self,
        typed: &Field<spec::Command>,
        folder: &Field<Folder>,
        language: &Field<spec::Language>,
    ) -> Option<PipelineCheck> {
        self.no_references_in(typed.get());
        let folder = folder
            .value()
            .map_or_else(|| ".".to_owned(), |folder| folder.0.clone());
        Some(PipelineCheck {
            command: command(typed.value()?),
            folder,
            language: language.value().map(|language| language_of(*language)),
        })
    }

    fn tests(&mut self, typed: &spec::Pipeline) -> BTreeMap<Name, Test> {
        let entries = typed
            .tests
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut tests = BTreeMap::new();
        for entry in entries {
            let Some(job) = entry.value.as_ref().map(|typed| &typed.value) else {
                continue;
            };
            let stores = job
                .stores
                .value()
                .map(|list| list.0.as_slice())
                .unwrap_or_default();
            for store in stores {
                self.check_store(&store.value, &store.span);
            }
            let Some(check) = self.job_check(&job.command, &job.folder, &job.language) else {
                continue;
            };
            let versions = job
                .versions
                .value()
                .map(|list| list.0.as_slice())
                .unwrap_or_default();
            let test = Test {
                check,
                coverage: job.coverage.value().copied(),
                versions: versions
                    .iter()
                    .map(|version| version.value.0.clone())
                    .collect(),
                stores: stores.iter().map(|store| store.value.clone()).collect(),
            };
            tests.insert(entry.key.value.clone(), test);
        }
        tests
    }
}

/// A language as the plan has it.
pub(super) fn language_of(typed: spec::Language) -> Language {
    match typed {
        spec::Language::Rust => Language::Rust,
        spec::Language::Python => Language::Python,
        spec::Language::Node => Language::Node,
        spec::Language::Go => Language::Go,
    }
}

fn goals(typed: Option<&spec::Goals>) -> DeliveryGoals {
    let absent = spec::Goals::default();
    let typed = typed.unwrap_or(&absent);
    DeliveryGoals {
        success: typed.success.value().copied().unwrap_or(Percent::whole(95)),
        deployments_per_day: typed.deployments_per_day.value().map_or(1, |count| count.0),
        change_failure: typed
            .change_failure
            .value()
            .copied()
            .unwrap_or(Percent::whole(5)),
        time_to_recovery: typed
            .time_to_recovery
            .value()
            .copied()
            .unwrap_or(Duration::from_secs(30 * 60)),
    }
}
