//! `volumes` of a service.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic, excerpt};
use wharf_spec::model as spec;
use wharf_spec::span::Span;

use super::Resolver;
use crate::model::{Service, Volume, VolumeSource};

impl Resolver<'_> {
    pub(super) fn volumes(&mut self, service: &spec::Service) -> Vec<Volume> {
        let list = service
            .volumes
            .value()
            .map(|list| list.0.as_slice())
            .unwrap_or_default();
        let mut targets: BTreeMap<String, Span> = BTreeMap::new();
        let mut volumes = vec![];
        for typed in list {
            let volume = &typed.value.0;
            let (Some(source), Some(target)) = (volume.source.get(), volume.target.get()) else {
                continue;
            };
            let Some(from) = self.volume_source(&source.value, &source.span) else {
                continue;
            };
            let folder = target.value.trim_end_matches('/');
            let climbs = folder.split('/').any(|part| part == "..");
            if folder.is_empty() || climbs || target.value.chars().any(char::is_control) {
                let message = format!(
                    "`{}` is no folder that a volume can stand for",
                    excerpt(&target.value)
                );
                self.report(
                    Diagnostic::error(Code::BAD_VALUE, target.span.clone(), message)
                        .help("give an absolute path such as /app/media, or one below the service's folder"),
                );
                continue;
            }
            if let Some(first) = targets.insert(folder.to_owned(), typed.span.clone()) {
                let message = format!("two volumes have the target `{}`", excerpt(folder));
                self.report(
                    Diagnostic::error(Code::DUPLICATE_NAME, typed.span.clone(), message)
                        .related(first, "the first one"),
                );
            }
            let of_named = [
                ("size", volume.size.key_span()),
                ("shared", volume.shared.key_span()),
                ("class", volume.class.key_span()),
            ];
            for (key, span) in of_named {
                if let (Some(span), VolumeSource::Path(_)) = (span, &from) {
                    let message =
                        format!("a folder of this machine has no `{key}`; only a named volume has");
                    self.report(Diagnostic::error(Code::NOT_HERE, span.clone(), message));
                }
            }
            volumes.push(Volume {
                source: from,
                target: folder.to_owned(),
                read_only: volume.read_only.value().copied().unwrap_or(false),
                size: volume.size.value().copied(),
                shared: volume.shared.value().copied().unwrap_or(false),
                class: volume.class.value().map(|class| class.0.clone()),
            });
        }
        volumes
    }

    /// A volume that several services name is one: what they say of it has to agree.
    pub(super) fn check_volumes(&mut self) {
        let spec = self.spec;
        let entries = spec
            .services
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut said: BTreeMap<(&str, &str), (String, &Span)> = BTreeMap::new();
        let lists = entries
            .iter()
            .filter_map(|entry| entry.value.as_ref()?.value.volumes.value());
        for volume in lists.flat_map(|list| &list.0).map(|typed| &typed.value.0) {
            let Some(source) = volume.source.value() else {
                continue;
            };
            let facts = [
                (
                    "size",
                    volume.size.get().map(|f| (f.value.to_string(), &f.span)),
                ),
                (
                    "shared",
                    volume.shared.get().map(|f| (f.value.to_string(), &f.span)),
                ),
                (
                    "class",
                    volume.class.get().map(|f| (f.value.0.clone(), &f.span)),
                ),
            ];
            for (key, fact) in facts {
                let Some((value, span)) = fact else { continue };
                let first = said
                    .entry((source, key))
                    .or_insert_with(|| (value.clone(), span));
                if first.0 != value {
                    let message = format!(
                        "`{key}` of the volume `{}` is {} elsewhere, and it is one volume",
                        excerpt(source),
                        first.0
                    );
                    let first = first.1.clone();
                    self.report(
                        Diagnostic::error(Code::BAD_VALUE, span.clone(), message)
                            .related(first, "the other one"),
                    );
                }
            }
        }
    }

    fn volume_source(&mut self, source: &str, span: &Span) -> Option<VolumeSource> {
        let path = source == "."
            || source == ".."
            || ["./", "../", "/"]
                .iter()
                .any(|start| source.starts_with(start));
        if path && !source.chars().any(char::is_control) {
            return Some(VolumeSource::Path(source.to_owned()));
        }
        if let Ok(name) = source.parse::<Name>() {
            return Some(VolumeSource::Named(name));
        }
        let shown = excerpt(source);
        let message = format!("`{shown}` is neither the name of a volume nor a folder");
        let help = if source.starts_with('~') {
            "`~` is not expanded; give an absolute path".to_owned()
        } else if source.contains('/') {
            format!("did you mean `./{shown}`?")
        } else {
            "a name has lower-case letters, digits and `-`; a folder begins with `./`, `../` or `/`"
                .to_owned()
        };
        self.report(Diagnostic::error(Code::BAD_VALUE, span.clone(), message).help(help));
        None
    }
}

/// What one service says of a named volume holds for every service that mounts it.
pub(super) fn unite_volumes(services: &mut BTreeMap<Name, Service>) {
    let mut known: BTreeMap<Name, Volume> = BTreeMap::new();
    for volume in services.values().flat_map(|service| &service.volumes) {
        if let VolumeSource::Named(name) = &volume.source {
            let all = known.entry(name.clone()).or_insert_with(|| volume.clone());
            all.size = all.size.or(volume.size);
            all.shared |= volume.shared;
            all.class = all.class.take().or_else(|| volume.class.clone());
        }
    }
    for volume in services
        .values_mut()
        .flat_map(|service| &mut service.volumes)
    {
        if let VolumeSource::Named(name) = &volume.source
            && let Some(all) = known.get(name)
        {
            volume.size = all.size;
            volume.shared = all.shared;
            volume.class.clone_from(&all.class);
        }
    }
}
