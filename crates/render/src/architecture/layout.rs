//! Places for the cards: columns from left to right, the order within a column such that few lines cross, lines between
//! columns that are apart led past the cards in between.

use super::diagram::Diagram;

/// A rectangle.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Where everything is.
#[derive(Debug)]
pub(super) struct Layout {
    /// Of each card.
    pub(super) cards: Vec<Rect>,
    /// Of each line: from the right side of a card to the left side of another, by way of points in the columns between.
    pub(super) lines: Vec<Vec<(f64, f64)>>,
    /// Of each frame.
    pub(super) frames: Vec<Rect>,
    /// Of the outer frame.
    pub(super) outer: Option<Rect>,
    /// Of the whole.
    pub(super) width: f64,
    /// Of the whole.
    pub(super) height: f64,
    /// Where the row of what is beside begins.
    pub(super) beside: f64,
}

/// The height of a line of text.
pub(super) const LINE: f64 = 18.0;
/// From the edge of a card or frame to its text.
pub(super) const PAD: f64 = 14.0;
/// From the edge of the picture.
const MARGIN: f64 = 32.0;
/// Between columns, room for two borders of frames and the bend of a line.
const GAP: f64 = 92.0;
/// Between cards of a column.
const BETWEEN: f64 = 26.0;
/// From a card to the border of its frame.
const FRAME: f64 = 22.0;
/// The height of the title.
const TITLE: f64 = 62.0;

/// How much wider bold text is.
const BOLD: f64 = 1.1;

/// The width of a text in a sans-serif of `size`, as much as it needs in the widest of usual fonts.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let units: f64 = text
        .chars()
        .map(|c| match c {
            'i' | 'l' | 'j' | 't' | 'f' | '.' | ',' | ':' | '\'' | '|' | ' ' => 0.37,
            'm' | 'w' | 'M' | 'W' | '@' => 0.96,
            c if c.is_ascii_uppercase() => 0.74,
            _ => 0.63,
        })
        .sum();
    units * size
}

/// A card, or the place where a line passes a column.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Item {
    Card(usize),
    Pass(usize),
}

impl Layout {
    pub(super) fn of(diagram: &Diagram) -> Self {
        let count = diagram
            .nodes
            .iter()
            .map(|node| node.column + 1)
            .max()
            .unwrap_or(1);
        let mut columns: Vec<Vec<Item>> = vec![vec![]; count];
        for (index, node) in diagram.nodes.iter().enumerate() {
            columns[node.column].push(Item::Card(index));
        }
        for (index, (from, to)) in diagram.edges.iter().enumerate() {
            let between = diagram.nodes[*from].column + 1..diagram.nodes[*to].column;
            for column in &mut columns[between] {
                column.push(Item::Pass(index));
            }
        }
        order(diagram, &mut columns);
        place(diagram, &columns)
    }
}

/// Orders the columns by the mean place of their neighbours, to the right and back again.
fn order(diagram: &Diagram, columns: &mut [Vec<Item>]) {
    for round in 0..8 {
        let forward = round % 2 == 0;
        let indices: Vec<usize> = if forward {
            (1..columns.len()).collect()
        } else {
            (0..columns.len().saturating_sub(1)).rev().collect()
        };
        for index in indices {
            let beside = if forward { index - 1 } else { index + 1 };
            let neighbours = columns[beside].clone();
            let mut keyed: Vec<(f64, Item)> = columns[index]
                .iter()
                .enumerate()
                .map(|(place, item)| {
                    let own = place as f64 / columns[index].len().max(1) as f64;
                    (
                        mean(diagram, *item, &neighbours, index, beside).unwrap_or(own + 1.0),
                        *item,
                    )
                })
                .collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            columns[index] = keyed.into_iter().map(|(_, item)| item).collect();
        }
    }
}

/// The mean place of the neighbours of `item` in the next column, from 0 to 1; none: it has none.
fn mean(
    diagram: &Diagram,
    item: Item,
    neighbours: &[Item],
    column: usize,
    beside: usize,
) -> Option<f64> {
    let column_of = |card: usize| diagram.nodes[card].column;
    let touches = |edge: usize, other: Item| {
        let (from, to) = diagram.edges[edge];
        let end = if beside < column { from } else { to };
        if column_of(end) == beside {
            other == Item::Card(end)
        } else {
            other == Item::Pass(edge)
        }
    };
    let edges: Vec<usize> = match item {
        Item::Pass(edge) => vec![edge],
        Item::Card(card) => (0..diagram.edges.len())
            .filter(|edge| {
                let (from, to) = diagram.edges[*edge];
                if beside < column {
                    to == card
                } else {
                    from == card
                }
            })
            .collect(),
    };
    let places: Vec<f64> = edges
        .iter()
        .filter_map(|edge| neighbours.iter().position(|other| touches(*edge, *other)))
        .map(|place| (place as f64 + 0.5) / neighbours.len() as f64)
        .collect();
    (!places.is_empty()).then(|| places.iter().sum::<f64>() / places.len() as f64)
}

fn place(diagram: &Diagram, columns: &[Vec<Item>]) -> Layout {
    let size = |card: usize| {
        let node = &diagram.nodes[card];
        let widest = node
            .lines
            .iter()
            .map(|line| text_width(line, 12.5))
            .fold(text_width(&node.title, 15.0) * BOLD, f64::max);
        let width = (widest + 2.0 * PAD).max(132.0);
        let height = 2.0 * PAD + LINE + LINE * node.lines.len() as f64 - 6.0;
        (width, height)
    };
    let height_of = |item: &Item| match item {
        Item::Card(card) => size(*card).1,
        Item::Pass(_) => 8.0,
    };
    let heights: Vec<f64> = columns
        .iter()
        .map(|column| {
            column.iter().map(height_of).sum::<f64>()
                + BETWEEN * column.len().saturating_sub(1) as f64
        })
        .collect();
    let tallest = heights.iter().copied().fold(0.0, f64::max);
    let heads = diagram
        .frames
        .iter()
        .map(|frame| PAD + LINE * (1 + frame.lines.len()) as f64)
        .fold(0.0, f64::max);
    let outer_head = if diagram.outer.is_some() {
        LINE + PAD
    } else {
        0.0
    };
    let top = MARGIN + TITLE + outer_head + heads + FRAME;
    let mut widths: Vec<f64> = columns
        .iter()
        .map(|column| {
            column
                .iter()
                .map(|item| match item {
                    Item::Card(card) => size(*card).0,
                    Item::Pass(_) => 0.0,
                })
                .fold(0.0, f64::max)
        })
        .collect();
    // The text of a frame has room in its columns.
    for frame in &diagram.frames {
        let text = frame
            .lines
            .iter()
            .map(|line| text_width(line, 12.5))
            .fold(text_width(&frame.title, 13.5) * BOLD, f64::max);
        let (first, last) = frame.columns;
        let own: f64 = widths[first..=last.min(widths.len() - 1)]
            .iter()
            .sum::<f64>()
            + GAP * (last - first) as f64
            + 2.0 * FRAME;
        let missing = text + 2.0 * PAD - own;
        if missing > 0.0 {
            widths[first] += missing;
        }
    }
    let mut lefts = vec![];
    let mut x = MARGIN + if diagram.outer.is_some() { 10.0 } else { 0.0 };
    for width in &widths {
        lefts.push(x);
        x += width + GAP;
    }
    let mut cards = vec![
        Rect {
            x: 0.0,
            y: 0.0,
            width: 0.0,
            height: 0.0
        };
        diagram.nodes.len()
    ];
    let mut passes: Vec<Vec<(usize, f64)>> = vec![vec![]; diagram.edges.len()];
    for (index, column) in columns.iter().enumerate() {
        let mut y = top + (tallest - heights[index]) / 2.0;
        for item in column {
            let height = height_of(item);
            match item {
                Item::Card(card) => {
                    // Cards of a column are equally wide.
                    cards[*card] = Rect {
                        x: lefts[index],
                        y,
                        width: widths[index],
                        height,
                    };
                }
                Item::Pass(edge) => passes[*edge].push((index, y + height / 2.0)),
            }
            y += height + BETWEEN;
        }
    }
    let lines = lines(diagram, &cards, &passes, &lefts, &widths);
    let bottom = top + tallest + FRAME;
    let frames: Vec<Rect> = diagram
        .frames
        .iter()
        .map(|frame| {
            let last = frame.columns.1.min(widths.len() - 1);
            let x = lefts[frame.columns.0] - FRAME;
            let y = top - FRAME - heads;
            Rect {
                x,
                y,
                width: lefts[last] + widths[last] + FRAME - x,
                height: bottom - y,
            }
        })
        .collect();
    let right = frames
        .iter()
        .map(|frame| frame.x + frame.width)
        .fold(x - GAP, f64::max);
    let outer = diagram.outer.as_ref().and_then(|_| {
        let first = frames.first()?;
        let x = first.x - PAD;
        let y = first.y - outer_head;
        Some(Rect {
            x,
            y,
            width: right + PAD - x,
            height: bottom + PAD - y,
        })
    });
    let end = if outer.is_some() {
        bottom + PAD
    } else {
        bottom
    };
    let width = right + PAD + MARGIN;
    let rows = super::svg::rows(&diagram.beside, width - 2.0 * MARGIN);
    Layout {
        cards,
        lines,
        frames,
        outer,
        width,
        height: end + MARGIN + rows.len() as f64 * 36.0 + if rows.is_empty() { 0.0 } else { 22.0 },
        beside: end + 26.0,
    }
}

/// The ways of the lines; those of one side of a card are spread over it, in the order of where they go.
fn lines(
    diagram: &Diagram,
    cards: &[Rect],
    passes: &[Vec<(usize, f64)>],
    lefts: &[f64],
    widths: &[f64],
) -> Vec<Vec<(f64, f64)>> {
    let middle = |card: usize| cards[card].y + cards[card].height / 2.0;
    let next = |edge: usize| {
        passes[edge]
            .first()
            .map_or_else(|| middle(diagram.edges[edge].1), |(_, y)| *y)
    };
    let before = |edge: usize| {
        passes[edge]
            .last()
            .map_or_else(|| middle(diagram.edges[edge].0), |(_, y)| *y)
    };
    let spread = |card: usize, edge: usize, outgoing: bool| {
        let mut all: Vec<usize> = (0..diagram.edges.len())
            .filter(|other| {
                let (from, to) = diagram.edges[*other];
                if outgoing { from == card } else { to == card }
            })
            .collect();
        all.sort_by(|a, b| {
            let key = |edge: &usize| if outgoing { next(*edge) } else { before(*edge) };
            key(a).total_cmp(&key(b))
        });
        let place = all.iter().position(|other| *other == edge).unwrap_or(0);
        let rect = cards[card];
        rect.y + rect.height * (place as f64 + 1.0) / (all.len() as f64 + 1.0)
    };
    diagram
        .edges
        .iter()
        .enumerate()
        .map(|(edge, (from, to))| {
            let start = cards[*from];
            let mut points = vec![(start.x + start.width, spread(*from, edge, true))];
            for (column, y) in &passes[edge] {
                points.push((lefts[*column], *y));
                points.push((lefts[*column] + widths[*column], *y));
            }
            points.push((cards[*to].x, spread(*to, edge, false)));
            points
        })
        .collect()
}
