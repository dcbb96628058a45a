//! `volumes` of services and of the top level.

use super::emit::Out;
use super::{Importer, is_plain, items, text};
use crate::yaml::{Kind, Node};

impl Importer<'_> {
    pub(super) fn service_volumes(&mut self, service: &str, volumes: &Node) -> Option<Out> {
        let mut out = vec![];
        for item in items(volumes) {
            match self.volume(item) {
                Ok(volume) => out.push(Out::Text(volume)),
                Err(reason) => self.left(item, format!("{service}.volumes"), reason),
            }
        }
        (!out.is_empty()).then_some(Out::List(out))
    }

    /// One volume in the short form.
    fn volume(&mut self, item: &Node) -> Result<String, &'static str> {
        let (source, target, read_only) = match &item.kind {
            Kind::Scalar(short) => {
                let parts: Vec<&str> = short.text.split(':').collect();
                match *parts.as_slice() {
                    [source, target] => (source, target, false),
                    [source, target, mode] => {
                        (source, target, mode.split(',').any(|mode| mode == "ro"))
                    }
                    [_] => {
                        return Err(
                            "a volume without a name is lost with its container; give it a name, or leave the folder to the program",
                        );
                    }
                    _ => return Err("not a volume"),
                }
            }
            Kind::Map(_) => {
                let field = |key: &str| item.entry(key).and_then(|entry| text(&entry.value));
                if !matches!(field("type"), Some("volume" | "bind") | None) {
                    return Err("only named volumes and folders of this machine are mounted");
                }
                let (Some(source), Some(target)) = (field("source"), field("target")) else {
                    return Err(
                        "a volume without a name is lost with its container; give it a name, or leave the folder to the program",
                    );
                };
                (source, target, field("read_only") == Some("true"))
            }
            _ => return Err("not a volume"),
        };
        if source.contains('$') || target.contains('$') {
            return Err("variables are filled in in `environment` alone; write the folder");
        }
        if source.contains(':') || target.contains(':') {
            return Err("a `:` within the name of a folder cannot be written; rename it");
        }
        if source.starts_with('~') {
            return Err("`~` is not expanded; write the folder");
        }
        if source.contains("docker.sock") {
            return Err("the socket of a container engine is not handed to a service");
        }
        let folder = source == "."
            || source == ".."
            || ["./", "../", "/"]
                .iter()
                .any(|start| source.starts_with(start));
        let source = if folder {
            source.to_owned()
        } else {
            self.volumes.name(source, "volume").to_string()
        };
        let mode = if read_only { ":ro" } else { "" };
        Ok(format!("{source}:{target}{mode}"))
    }

    /// The top level's declarations: needed only where they say more than the name.
    pub(super) fn declared_volumes(&mut self, volumes: &Node) {
        for volume in volumes.entries() {
            if !is_plain(&volume.value) {
                let reason = "a volume is a folder that Wharf keeps; drivers, options and external volumes are not used";
                self.left(
                    &volume.value,
                    format!("volumes.{}", volume.key.text),
                    reason,
                );
            }
        }
    }
}
