//! Texts line by line.

/// Adds a line to a `String`: as `writeln!`, which has an error to be looked at that a `String` never gives.
macro_rules! line {
    ($text:expr, $($argument:tt)*) => {{
        $text.push_str(&format!($($argument)*));
        $text.push('\n');
    }};
}

pub(crate) use line;
