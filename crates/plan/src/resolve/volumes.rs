//! `volumes` of a service.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic, excerpt};
use wharf_spec::model as spec;
use wharf_spec::span::Span;

use super::Resolver;
use crate::model::{Volume, VolumeSource};

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
            if let (Some(size), VolumeSource::Path(_)) = (volume.size.key_span(), &from) {
                let message = "a folder of this machine has no size; only a named volume has";
                self.report(Diagnostic::error(Code::NOT_HERE, size.clone(), message));
            }
            volumes.push(Volume {
                source: from,
                target: folder.to_owned(),
                read_only: volume.read_only.value().copied().unwrap_or(false),
                size: volume.size.value().copied(),
                shared: false,
                class: None,
            });
        }
        volumes
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
