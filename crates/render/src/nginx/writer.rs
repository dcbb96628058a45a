//! Nginx's block syntax, indented.

/// A text in blocks.
#[derive(Debug, Default)]
pub(super) struct Writer {
    text: String,
    depth: usize,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// A directive, with its semicolon.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(&"  ".repeat(self.depth));
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// An empty line, but none at the beginning of a block.
    pub(super) fn blank(&mut self) {
        if !self.text.ends_with("{\n") && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    pub(super) fn comment(&mut self, text: &str) {
        self.line(&format!("# {text}"));
    }

    /// Begins a block.
    pub(super) fn open(&mut self, head: &str) {
        self.line(&format!("{head} {{"));
        self.depth += 1;
    }

    /// Ends the innermost block.
    pub(super) fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.line("}");
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A value in quotes. Nginx cannot escape a `$`: a variable holds one (see `dollar` of the module above).
pub(super) fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('$', "${dollar}"))
}

/// A path or pattern: in quotes where Nginx would take a character for its own.
pub(crate) fn word(text: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !"{};\"'#".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('"', "\\\""))
    }
}
