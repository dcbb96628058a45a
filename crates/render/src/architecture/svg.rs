//! The picture as SVG: no script, no font of its own, a title and a description for those who cannot see it.

use std::fmt::Write as _;

use super::diagram::{Diagram, Kind};
use super::layout::{LINE, Layout, PAD, Rect, text_width};

/// The row of what is beside is as wide as the picture; a row that is full is followed by another.
pub(super) fn rows(texts: &[String], width: f64) -> Vec<Vec<(f64, f64, &str)>> {
    let mut rows: Vec<Vec<(f64, f64, &str)>> = vec![];
    let mut x = width;
    for text in texts {
        let own = text_width(text, 12.5) + 2.0 * PAD;
        if x + own > width {
            rows.push(vec![]);
            x = 0.0;
        }
        if let Some(row) = rows.last_mut() {
            row.push((x, own, text));
        }
        x += own + 10.0;
    }
    rows
}

pub(super) fn draw(diagram: &Diagram, header: &str) -> String {
    let layout = Layout::of(diagram);
    let (width, height) = (layout.width.ceil(), layout.height.ceil());
    let mut out = String::new();
    let mut put = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    put(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title desc\">"
    ));
    put(format!("  <!-- {} -->", header.replace("--", "- -")));
    put(format!(
        "  <title id=\"title\">{}</title>",
        escaped(&diagram.title)
    ));
    put(format!(
        "  <desc id=\"desc\">{}</desc>",
        escaped(&described(diagram))
    ));
    put(STYLE.to_owned());
    put(format!(
        "  <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"
    ));
    put(text(32.0, 50.0, "heading", &diagram.title));
    put(text(32.0, 72.0, "quiet", &diagram.subtitle));
    if let (Some(rect), Some(title)) = (layout.outer, &diagram.outer) {
        put(shape(rect, "outer", 14.0));
        put(text(rect.x + PAD, rect.y + 21.0, "frame-title", title));
    }
    for (frame, rect) in diagram.frames.iter().zip(&layout.frames) {
        put(shape(*rect, "frame", 10.0));
        put(text(
            rect.x + PAD,
            rect.y + 22.0,
            "frame-title",
            &frame.title,
        ));
        for (index, line) in frame.lines.iter().enumerate() {
            let y = rect.y + 22.0 + LINE * (index + 1) as f64;
            put(text(rect.x + PAD, y, "quiet", line));
        }
    }
    for line in &layout.lines {
        put(format!("  <path class=\"line\" d=\"{}\"/>", way(line)));
    }
    for (node, rect) in diagram.nodes.iter().zip(&layout.cards) {
        let class = match node.kind {
            Kind::Client => "client",
            Kind::Entry => "entry",
            Kind::Service => "service",
            Kind::Store => "store",
            Kind::Aside => "aside",
        };
        put(shape(*rect, &format!("card {class}"), 8.0));
        put(text(rect.x + PAD, rect.y + PAD + 11.0, "name", &node.title));
        for (index, line) in node.lines.iter().enumerate() {
            let y = rect.y + PAD + 11.0 + LINE * (index + 1) as f64;
            put(text(rect.x + PAD, y, "quiet", line));
        }
    }
    for (row, items) in rows(&diagram.beside, layout.width - 64.0)
        .iter()
        .enumerate()
    {
        let y = layout.beside + row as f64 * 36.0;
        for (x, own, label) in items {
            let rect = Rect {
                x: 32.0 + x,
                y,
                width: *own,
                height: 28.0,
            };
            put(shape(rect, "chip", 14.0));
            put(text(rect.x + PAD, y + 18.5, "quiet", label));
        }
    }
    put("</svg>".to_owned());
    out
}

const STYLE: &str = r##"  <defs>
    <marker id="tip" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" orient="auto">
      <path d="M0 0.5 L8 4 L0 7.5 Z" fill="#64748b"/>
    </marker>
  </defs>
  <style>
    text { font-family: system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif; fill: #0f172a; }
    .heading { font-size: 22px; font-weight: 650; }
    .name { font-size: 15px; font-weight: 600; }
    .frame-title { font-size: 13.5px; font-weight: 600; }
    .quiet { font-size: 12.5px; fill: #475569; }
    .outer { fill: #f8fafc; stroke: #cbd5e1; }
    .frame { fill: #f1f5f9; stroke: #cbd5e1; stroke-dasharray: 5 4; }
    .card { stroke-width: 1.5; }
    .client { fill: #ffffff; stroke: #94a3b8; }
    .entry { fill: #eef2ff; stroke: #6366f1; }
    .service { fill: #eff6ff; stroke: #2563eb; }
    .store { fill: #ecfdf5; stroke: #059669; }
    .aside { fill: #ffffff; stroke: #cbd5e1; }
    .chip { fill: #ffffff; stroke: #cbd5e1; }
    .line { fill: none; stroke: #64748b; stroke-width: 1.5; marker-end: url(#tip); }
  </style>"##;

/// A line that leaves and arrives level, with a soft bend between columns.
fn way(points: &[(f64, f64)]) -> String {
    let mut way = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        let written = if index == 0 {
            write!(way, "M{x:.1} {y:.1}")
        } else {
            let (before_x, before_y) = points[index - 1];
            let middle = (before_x + x) / 2.0;
            write!(
                way,
                " C{middle:.1} {before_y:.1} {middle:.1} {y:.1} {x:.1} {y:.1}"
            )
        };
        debug_assert!(written.is_ok(), "a string takes every text");
    }
    way
}

fn shape(rect: Rect, class: &str, radius: f64) -> String {
    format!(
        "  <rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{radius}\"/>",
        rect.x, rect.y, rect.width, rect.height
    )
}

fn text(x: f64, y: f64, class: &str, text: &str) -> String {
    format!(
        "  <text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
        escaped(text)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// The picture in words.
fn described(diagram: &Diagram) -> String {
    let calls: Vec<String> = diagram
        .edges
        .iter()
        .map(|(from, to)| {
            format!(
                "{} calls {}",
                diagram.nodes[*from].title, diagram.nodes[*to].title
            )
        })
        .collect();
    format!("{}. {}.", diagram.subtitle, calls.join(", "))
}
