//! Draws series over time on a terminal, in Braille dots: eight in a cell.

use crate::output::paint_code;

/// Colours of the series, in the order of the legend; told apart on dark and light ground.
const COLORS: [u8; 6] = [36, 33, 35, 32, 34, 31];

/// Series that are drawn; a chart of more is not read.
pub(crate) const SERIES_MAX: usize = 12;

/// One line of a chart.
pub(crate) struct Line {
    /// How the legend calls it.
    pub(crate) name: String,
    /// Times in milliseconds and values, ordered by time.
    pub(crate) points: Vec<(i64, f64)>,
}

/// The size of a chart, in cells, without its scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// The chart's rows: the drawing with its scale at the left, the legend below. `moment` writes a time for the lower edge.
pub(crate) fn draw(
    lines: &[Line],
    (start, end): (i64, i64),
    size: Size,
    color: bool,
    moment: impl Fn(i64) -> String,
) -> Vec<String> {
    let shown = &lines[..lines.len().min(SERIES_MAX)];
    let values = || {
        let points = shown.iter().flat_map(|line| &line.points);
        points.map(|(_, v)| *v).filter(|v| v.is_finite())
    };
    let (low, high) = bounds(values());
    let mut canvas = Canvas::new(size);
    for (index, line) in shown.iter().enumerate() {
        canvas.line(line, (start, end), (low, high), index);
    }
    let scale: Vec<String> = (0..size.height)
        .map(|row| {
            let share = row as f64 / (size.height.max(2) - 1) as f64;
            number(high - (high - low) * share)
        })
        .collect();
    let margin = scale.iter().map(String::len).max().unwrap_or_default();
    let mut rows: Vec<String> = (0..size.height)
        .map(|row| {
            // A number at the top, in the middle and at the bottom is enough.
            let labelled = row == 0 || row + 1 == size.height || row == size.height / 2;
            let label = if labelled { scale[row].as_str() } else { "" };
            format!("{label:>margin$} ┤{}", canvas.row(row, color))
        })
        .collect();
    let (from, to) = (moment(start), moment(end));
    let gap = size.width.saturating_sub(from.chars().count());
    rows.push(format!("{:margin$} └{}", "", "─".repeat(size.width)));
    rows.push(format!("{:margin$}  {from}{to:>gap$}", ""));
    rows.extend(shown.iter().enumerate().map(|(index, line)| {
        let last = line
            .points
            .last()
            .map_or(String::new(), |(_, v)| number(*v));
        let mark = paint_code("━━", COLORS[index % COLORS.len()], color);
        format!("{:margin$}  {mark} {}  {last}", "", line.name)
    }));
    if lines.len() > shown.len() {
        let more = lines.len() - shown.len();
        rows.push(format!("{:margin$}  and {more} more, not drawn", ""));
    }
    rows
}

/// The least and the greatest value, apart even where all are the same; zero belongs to it where it is near.
fn bounds(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
        (low.min(v), high.max(v))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let low = if low > 0.0 && low < high / 2.0 {
        0.0
    } else {
        low
    };
    if low < high {
        (low, high)
    } else {
        let around = if low == 0.0 { 1.0 } else { low.abs() / 10.0 };
        (low - around, high + around)
    }
}

/// A number in four or five significant characters: `0.0021`, `12.5`, `1.2k`, `3.4M`.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs();
    let (scaled, unit) = match magnitude {
        1e12.. => (value / 1e12, "T"),
        1e9.. => (value / 1e9, "G"),
        1e6.. => (value / 1e6, "M"),
        1e4.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        0.0 => 0,
        0.001.. => 4,
        _ => return format!("{value:.1e}"),
    };
    let text = format!("{scaled:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{unit}")
}

/// Cells of two by four dots, each with the colour of the last series in it.
struct Canvas {
    size: Size,
    dots: Vec<u8>,
    colors: Vec<usize>,
}

impl Canvas {
    fn new(size: Size) -> Self {
        let cells = size.width * size.height;
        Self {
            size,
            dots: vec![0; cells],
            colors: vec![0; cells],
        }
    }

    fn line(
        &mut self,
        line: &Line,
        (start, end): (i64, i64),
        (low, high): (f64, f64),
        color: usize,
    ) {
        let columns = (self.size.width * 2).max(2) - 1;
        let rows = (self.size.height * 4).max(2) - 1;
        let span = (end - start).max(1) as f64;
        let place = |(t, v): (i64, f64)| {
            let x = (t - start) as f64 / span * columns as f64;
            let y = (high - v) / (high - low) * rows as f64;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "both are within the canvas, which is small"
            )]
            let dot = (x.round() as i64, y.round() as i64);
            dot
        };
        // A gap of more than twice the usual distance is one: nothing is drawn over it.
        let usual = line
            .points
            .windows(2)
            .map(|pair| pair[1].0 - pair[0].0)
            .min();
        let mut before = None;
        for point in line.points.iter().filter(|(_, v)| v.is_finite()) {
            let to = place(*point);
            let joined = before.filter(|(t, _)| point.0 - t <= usual.unwrap_or(0) * 2);
            self.stroke(joined.map_or(to, |(_, from)| from), to, color);
            before = Some((point.0, to));
        }
    }

    fn stroke(&mut self, from: (i64, i64), to: (i64, i64), color: usize) {
        let steps = (to.0 - from.0).abs().max((to.1 - from.1).abs()).max(1);
        for step in 0..=steps {
            let x = from.0 + (to.0 - from.0) * step / steps;
            let y = from.1 + (to.1 - from.1) * step / steps;
            self.dot(x, y, color);
        }
    }

    fn dot(&mut self, x: i64, y: i64, color: usize) {
        // The bits of a cell's dots, by row and column, as Unicode numbers them.
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        let (column, row) = (x / 2, y / 4);
        if column < self.size.width && row < self.size.height {
            let cell = row * self.size.width + column;
            self.dots[cell] |= BITS[y % 4][x % 2];
            self.colors[cell] = color;
        }
    }

    fn row(&self, row: usize, color: bool) -> String {
        let cells = row * self.size.width..(row + 1) * self.size.width;
        let mut out = String::new();
        for cell in cells {
            match self.dots[cell] {
                0 => out.push(' '),
                dots => {
                    let braille = char::from_u32(0x2800 + u32::from(dots)).unwrap_or(' ');
                    let code = COLORS[self.colors[cell] % COLORS.len()];
                    out.push_str(&paint_code(&braille.to_string(), code, color));
                }
            }
        }
        out.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: f64, expected: &str) {
        assert_eq!(number(value), expected);
    }

    #[test]
    fn numbers_are_short() {
        check(0.0, "0");
        check(1.0, "1");
        check(0.002_13, "0.0021");
        check(12.55, "12.6");
        check(1234.0, "1234");
        check(12_340.0, "12.3k");
        check(3.4e6, "3.4M");
        check(2.5e-7, "2.5e-7");
        check(-15.0, "-15");
    }

    #[test]
    fn a_rising_line_rises() {
        let line = Line {
            name: "a".to_owned(),
            points: (0..=10).map(|n| (n, n as f64)).collect(),
        };
        let size = Size {
            width: 10,
            height: 4,
        };
        let rows = draw(&[line], (0, 10), size, false, |t| t.to_string());
        insta::assert_snapshot!(rows.join("\n"));
    }

    #[test]
    fn nothing_at_all_is_drawn_too() {
        let size = Size {
            width: 10,
            height: 4,
        };
        let rows = draw(&[], (0, 0), size, false, |t| t.to_string());
        assert_eq!(rows.len(), 6);
    }
}
