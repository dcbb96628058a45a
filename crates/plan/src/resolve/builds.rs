//! `build` and `image` of a service: where its program comes from.

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic, nearest};
use wharf_spec::model as spec;
use wharf_spec::span::Span;

use super::Resolver;
use super::services::command;
use crate::model::{Build, Framework, Source, Toolchain};

impl Resolver<'_> {
    pub(super) fn source(
        &mut self,
        name: &Name,
        key: &Span,
        typed: &spec::Service,
    ) -> Option<Source> {
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
        Some(Source::Build(Box::new(Build {
            context: build
                .context
                .value()
                .cloned()
                .unwrap_or_else(|| ".".to_owned()),
            command: build.command.value().map(command),
            program: self.program(build),
            dockerfile: build.dockerfile.value().cloned(),
            target: build.target.value().cloned(),
            args: args
                .iter()
                .filter_map(|arg| {
                    Some((arg.key.value.0.clone(), arg.value.as_ref()?.value.clone()))
                })
                .collect(),
            toolchain: self.toolchain(build),
        })))
    }

    fn program(&mut self, build: &spec::Build) -> Option<String> {
        let program = build.program.get()?;
        // What Cargo accepts; Go's are names of folders.
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let name = program.value.0.as_str();
        if !name.bytes().all(inner) || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            let message = "expected the name of a program, such as backend";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                program.span.clone(),
                message,
            ));
        }
        if let Some(command) = build.command.get() {
            let message = "with a `command`, that decides which programs there are";
            self.report(
                Diagnostic::error(Code::EXCLUSIVE, program.span.clone(), message)
                    .related(command.span.clone(), "the command"),
            );
        }
        if let Some(language) = build.language.get()
            && matches!(
                language.value,
                spec::Language::Python | spec::Language::Node
            )
        {
            let message = "only a Cargo or Go build has several programs";
            self.report(
                Diagnostic::error(Code::EXCLUSIVE, program.span.clone(), message)
                    .related(language.span.clone(), "the language")
                    .help("say what starts it with the service's `command`"),
            );
        }
        Some(name.to_owned())
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

    pub(super) fn check_path(&mut self, path: &str, span: &Span) {
        if path.is_empty() || path.chars().any(char::is_control) {
            let message = "expected a path";
            self.report(Diagnostic::error(Code::BAD_VALUE, span.clone(), message));
        } else if path.starts_with('~') {
            let message =
                "`~` is not expanded; give a path relative to the file, or an absolute one";
            self.report(Diagnostic::error(Code::BAD_VALUE, span.clone(), message));
        }
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
