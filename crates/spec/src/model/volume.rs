//! `volumes` of a service.

use serde_json::{Value, json};
use wharf_base::units::Bytes;

use crate::decode::{Decode, Definitions, Word, record};
use crate::diagnostic::{Code, Diagnostic, Findings, excerpt};
use crate::span::{Field, Span, Spanned};
use crate::yaml::{Kind, Node};

record! {
    /// A folder that outlives a replica.
    pub struct VolumeMap {
        /// A name: a volume of the project, shared by every service that names it. Or a folder: `./…`, `../…`, `/…`.
        [required]
        [example "media"]
        source: String,
        /// Where the program finds it.
        [required]
        [also "mountPath" "path"]
        [example "/app/media"]
        target: String,
        /// Whether the program may only read.
        [default "false"]
        [also "readOnly" "ro"]
        read_only: bool,
        /// How large a named volume is to be.
        [example "10Gi"]
        size: Bytes,
        /// Whether replicas on many machines mount it at once.
        [default "false"]
        [also "access" "accessModes" "access_modes"]
        shared: bool,
        /// The storage class on a cluster.
        [default "the cluster's for its kind"]
        [also "storageClassName" "storage_class"]
        [example "efs"]
        class: Word,
    }
    later { "type" }
}

/// One volume of a service.
#[derive(Debug, Clone)]
pub struct Volume(pub VolumeMap);

impl Decode for Volume {
    fn expected() -> String {
        "a volume such as `media:/app/media` or a map with `source` and `target`".to_owned()
    }

    fn decode(node: &Node, findings: &mut Findings) -> Option<Self> {
        let Kind::Scalar(scalar) = &node.kind else {
            return match &node.kind {
                Kind::Map(_) => VolumeMap::decode(node, findings).map(Self),
                _ => {
                    findings.report(crate::decode::wrong_shape::<Self>(node));
                    None
                }
            };
        };
        let parts: Vec<&str> = scalar.text.splitn(4, ':').collect();
        let (source, target, mode) = match *parts.as_slice() {
            [source, target] => (source, target, None),
            [source, target, mode] => (source, target, Some(mode)),
            _ => {
                findings.report(crate::decode::wrong_shape::<Self>(node));
                return None;
            }
        };
        let read_only = match mode {
            None | Some("rw") => false,
            Some("ro") => true,
            Some(other) => {
                let message = format!(
                    "expected `ro` or `rw` behind the second `:`, found `{}`",
                    excerpt(other)
                );
                findings.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    node.span.clone(),
                    message,
                ));
                return None;
            }
        };
        let text = |text: &str| present(node.span.clone(), text.to_owned());
        Some(Self(VolumeMap {
            source: text(source),
            target: text(target),
            read_only: present(node.span.clone(), read_only),
            size: Field::default(),
            shared: Field::default(),
            class: Field::default(),
        }))
    }

    fn schema(definitions: &mut Definitions) -> Value {
        json!({ "anyOf": [
            { "type": "string", "pattern": "^[^:]+:[^:]+(:(ro|rw))?$" },
            VolumeMap::schema(definitions),
        ] })
    }
}

fn present<T>(span: Span, value: T) -> Field<T> {
    Field::present(span.clone(), Some(Spanned::new(value, span)))
}
