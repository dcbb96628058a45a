//! The parser's events -> [`Node`]s, within the budget.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use saphyr_parser::{Event, ScalarStyle, Span};

use super::{DEPTH_MAX, Entry, Key, Kind, NODES_MAX, Node, Offsets, Scalar, TEXT_MAX_BYTES};
use crate::diagnostic::{Code, Diagnostic, Findings, excerpt};

/// The key whose maps are taken over (YAML 1.1, "Merge Key Language-Independent Type").
const MERGE: &str = "<<";

/// How large a subtree is.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    height: usize,
}

impl Size {
    fn add(&mut self, child: Self) {
        self.nodes += child.nodes;
        self.bytes += child.bytes;
        self.height = self.height.max(child.height + 1);
    }
}

/// A collection that is not closed yet.
struct Frame {
    start: Range<usize>,
    anchor: usize,
    size: Size,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        entries: Vec<Entry>,
        seen: BTreeMap<String, Range<usize>>,
        key: PendingKey,
    },
}

/// What the next value belongs to.
enum PendingKey {
    /// The next node is a key.
    None,
    Text(Key),
    /// A key that was refused; its value is dropped.
    Refused,
}

/// Takes events and builds the tree of the one document.
pub(super) struct Builder<'a> {
    offsets: &'a Offsets,
    /// The whole file, which the spans are of.
    source: &'a str,
    stack: Vec<Frame>,
    root: Option<Node>,
    documents: usize,
    spent: Size,
    anchors: BTreeMap<usize, (Node, Size)>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(offsets: &'a Offsets, source: &'a str) -> Self {
        Self {
            offsets,
            source,
            stack: vec![],
            root: None,
            documents: 0,
            spent: Size::default(),
            anchors: BTreeMap::new(),
        }
    }

    pub(super) fn finish(self) -> Option<Node> {
        self.root.filter(|root| root.kind != Kind::Null)
    }

    /// Takes one event. An error ends the reading; findings do not.
    pub(super) fn event(
        &mut self,
        event: Event<'_>,
        span: Span,
        findings: &mut Findings,
    ) -> Result<(), Box<Diagnostic>> {
        let span = self.offsets.span(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "the file holds more than one document";
                    let diagnostic = Diagnostic::error(Code::DOCUMENTS, span, message)
                        .label("a second one begins here")
                        .help("one file is one project; use `environments` for variants of it");
                    return Err(Box::new(diagnostic));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), &span, findings);
                let plain = style == ScalarStyle::Plain;
                let null = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let size = Size {
                    nodes: 1,
                    bytes: text.len(),
                    height: 1,
                };
                self.spend(size, &span)?;
                let kind = if null {
                    Kind::Null
                } else {
                    let text = text.into_owned();
                    Kind::Scalar(Scalar { text, plain })
                };
                let node = Node {
                    span: trimmed(self.source, span, &kind),
                    kind,
                };
                self.close(node, size, anchor, findings)?;
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.is_some(), &span, findings);
                self.open(Content::List(vec![]), span, anchor)?;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.is_some(), &span, findings);
                let content = Content::Map {
                    entries: vec![],
                    seen: BTreeMap::new(),
                    key: PendingKey::None,
                };
                self.open(content, span, anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(frame) = self.stack.pop() {
                    let (node, size, anchor) = collected(frame, &span, findings);
                    self.close(node, size, anchor, findings)?;
                }
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    let message = "this alias stands inside of what it repeats";
                    return Err(Box::new(Diagnostic::error(
                        Code::YAML_FEATURE,
                        span,
                        message,
                    )));
                };
                let (size, height) = (*size, size.height);
                if self.stack.len() + height > DEPTH_MAX {
                    return Err(too_deep(span));
                }
                let node = node.clone();
                self.spend(size, &span)?;
                self.close(node, size, 0, findings)?;
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn open(
        &mut self,
        content: Content,
        start: Range<usize>,
        anchor: usize,
    ) -> Result<(), Box<Diagnostic>> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(too_deep(start));
        }
        let size = Size {
            nodes: 1,
            bytes: 0,
            height: 1,
        };
        self.spend(size, &start)?;
        self.stack.push(Frame {
            start,
            anchor,
            size,
            content,
        });
        Ok(())
    }

    /// Puts a finished node where it belongs, and keeps it if it has an anchor.
    fn close(
        &mut self,
        node: Node,
        size: Size,
        anchor: usize,
        findings: &mut Findings,
    ) -> Result<(), Box<Diagnostic>> {
        if anchor != 0 {
            // The copy is paid for as well: nested anchors would keep a subtree once a level.
            self.spend(size, &node.span)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        let Some(frame) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        frame.size.add(size);
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, seen, key } => match std::mem::replace(key, PendingKey::None) {
                PendingKey::None => *key = pending(node, seen, findings),
                PendingKey::Text(key) => entries.push(Entry { key, value: node }),
                PendingKey::Refused => {}
            },
        }
        Ok(())
    }

    fn spend(&mut self, size: Size, span: &Range<usize>) -> Result<(), Box<Diagnostic>> {
        self.spent.nodes = self.spent.nodes.saturating_add(size.nodes);
        self.spent.bytes = self.spent.bytes.saturating_add(size.bytes);
        if self.spent.nodes > NODES_MAX {
            let message =
                format!("the file has more than {NODES_MAX} parts, what aliases repeat included");
            return Err(Box::new(Diagnostic::error(
                Code::TOO_LARGE,
                span.clone(),
                message,
            )));
        }
        if self.spent.bytes > TEXT_MAX_BYTES {
            let message = format!(
                "the texts of the file have more than {TEXT_MAX_BYTES} bytes, what aliases repeat included"
            );
            return Err(Box::new(Diagnostic::error(
                Code::TOO_LARGE,
                span.clone(),
                message,
            )));
        }
        Ok(())
    }
}

/// The key that `node` is.
fn pending(
    node: Node,
    seen: &mut BTreeMap<String, Range<usize>>,
    findings: &mut Findings,
) -> PendingKey {
    let text = match node.kind {
        Kind::Scalar(scalar) => scalar.text,
        Kind::Null => String::new(),
        Kind::List(_) | Kind::Map(_) => {
            findings.report(
                Diagnostic::error(Code::YAML_FEATURE, node.span, "a key has to be a text")
                    .help("a text that begins with `{` or `[` needs quotes"),
            );
            return PendingKey::Refused;
        }
    };
    if let Some(first) = seen.get(&text) {
        let message = format!("the key `{}` occurs twice", excerpt(&text));
        let diagnostic = Diagnostic::error(Code::DUPLICATE_KEY, node.span, message)
            .label("the second one")
            .related(first.clone(), "the first one");
        findings.report(if text == MERGE {
            diagnostic.help("one `<<` takes several maps: `<<: [*one, *other]`")
        } else {
            diagnostic
        });
        return PendingKey::Refused;
    }
    seen.insert(text.clone(), node.span.clone());
    PendingKey::Text(Key {
        text,
        span: node.span,
    })
}

/// A closed collection: its span is the whole of it on one line, else its first part.
fn collected(frame: Frame, end: &Range<usize>, findings: &mut Findings) -> (Node, Size, usize) {
    let first = match &frame.content {
        Content::List(items) => items.first().map(|item| item.span.clone()),
        Content::Map { entries, .. } => entries.first().map(|entry| entry.key.span.clone()),
    };
    let flow = frame.start.end > frame.start.start;
    let span = match first {
        _ if flow => frame.start.start..end.end,
        Some(first) => first,
        None => frame.start,
    };
    let kind = match frame.content {
        Content::List(items) => Kind::List(items),
        Content::Map { entries, .. } => Kind::Map(merged(entries, findings)),
    };
    (Node { span, kind }, frame.size, frame.anchor)
}

/// Resolves `<<`: the keys of the maps it names, where the map itself does not have them.
fn merged(mut entries: Vec<Entry>, findings: &mut Findings) -> Vec<Entry> {
    let Some(at) = entries.iter().position(|entry| entry.key.text == MERGE) else {
        return entries;
    };
    let merge = entries.remove(at);
    let sources = match merge.value.kind {
        Kind::List(items) => items,
        kind => vec![Node {
            span: merge.value.span,
            kind,
        }],
    };
    let mut seen: BTreeSet<String> = entries.iter().map(|entry| entry.key.text.clone()).collect();
    for source in sources {
        match source.kind {
            Kind::Map(more) => {
                entries.extend(
                    more.into_iter()
                        .filter(|entry| seen.insert(entry.key.text.clone())),
                );
            }
            _ => findings.report(
                Diagnostic::error(
                    Code::YAML_FEATURE,
                    source.span,
                    "`<<` takes a map or a list of maps",
                )
                .help("for example `<<: *defaults`, or `<<: [*one, *other]`"),
            ),
        }
    }
    entries
}

/// The span of a plain scalar without the anchor before it and the line break behind it.
fn trimmed(source: &str, span: Range<usize>, kind: &Kind) -> Range<usize> {
    let Kind::Scalar(Scalar { text, plain: true }) = kind else {
        return span;
    };
    let typed = source.get(span.clone()).unwrap_or_default();
    match typed.rfind(text.as_str()) {
        Some(at) => span.start + at..span.start + at + text.len(),
        // It goes over several lines.
        None => span.start..span.start + typed.trim_end().len(),
    }
}

fn refuse_tag(present: bool, span: &Range<usize>, findings: &mut Findings) {
    if present {
        findings.report(
            Diagnostic::error(
                Code::YAML_FEATURE,
                span.clone(),
                "tags such as `!!str` are not read",
            )
            .help("put the value into quotes to make it a text"),
        );
    }
}

fn too_deep(span: Range<usize>) -> Box<Diagnostic> {
    let message = format!("the file is nested deeper than {DEPTH_MAX} levels");
    Box::new(Diagnostic::error(Code::TOO_LARGE, span, message))
}
