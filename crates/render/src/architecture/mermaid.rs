//! The picture for Mermaid (<https://mermaid.js.org/syntax/flowchart.html>).

use std::fmt::Write as _;

use super::diagram::{Diagram, Kind, Node};

/// The picture as a flowchart.
pub(crate) fn flowchart(diagram: &Diagram) -> String {
    let mut out = String::from("flowchart LR\n");
    let mut drawn: Vec<&str> = vec![];
    let (indent, outer) = match &diagram.outer {
        Some(outer) => {
            line(
                &mut out,
                1,
                &format!("subgraph network[{}]", text(&[outer.as_str()])),
            );
            (2, true)
        }
        None => (1, false),
    };
    for (index, frame) in diagram.frames.iter().enumerate() {
        let title = text(&[frame.title.as_str()]);
        line(&mut out, indent, &format!("subgraph frame{index}[{title}]"));
        // A title of several lines would lie over the cards.
        if !frame.lines.is_empty() {
            let lines: Vec<&str> = frame.lines.iter().map(String::as_str).collect();
            let note = format!("note{index}[{}]:::note", text(&lines));
            line(&mut out, indent + 1, &note);
        }
        for node in &diagram.nodes {
            if (frame.columns.0..=frame.columns.1).contains(&node.column) {
                line(&mut out, indent + 1, &card(node));
                drawn.push(&node.id);
            }
        }
        line(&mut out, indent, "end");
    }
    if outer {
        line(&mut out, 1, "end");
    }
    for node in &diagram.nodes {
        if !drawn.contains(&node.id.as_str()) {
            line(&mut out, 1, &card(node));
        }
    }
    for (from, to) in &diagram.edges {
        let (from, to) = (&diagram.nodes[*from].id, &diagram.nodes[*to].id);
        line(&mut out, 1, &format!("{from} --> {to}"));
    }
    if diagram.frames.iter().any(|frame| !frame.lines.is_empty()) {
        line(&mut out, 1, "classDef note fill:none,stroke:none");
    }
    out
}

fn line(out: &mut String, indent: usize, text: &str) {
    let _written = writeln!(out, "{:1$}{text}", "", indent * 2);
}

fn card(node: &Node) -> String {
    let lines: Vec<&str> = std::iter::once(node.title.as_str())
        .chain(node.lines.iter().map(String::as_str))
        .collect();
    let label = text(&lines);
    let (open, close) = match node.kind {
        Kind::Client => ("([", "])"),
        Kind::Entry => ("{{", "}}"),
        Kind::Service | Kind::Aside => ("[", "]"),
        Kind::Store => ("[(", ")]"),
    };
    format!("{}{open}{label}{close}", node.id)
}

/// A quoted label; `<br/>` is Mermaid's line feed.
fn text(lines: &[&str]) -> String {
    let escaped: Vec<String> = lines
        .iter()
        .map(|line| line.replace('#', "#35;").replace('"', "#quot;"))
        .collect();
    format!("\"{}\"", escaped.join("<br/>"))
}
