//! The YAML that an import writes: blocks for maps, one line for lists of texts.

/// A value to be written. Maps keep their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Out {
    /// A scalar; quoted where YAML or `wharf.yaml` would read it as something else.
    Text(String),
    /// A list.
    List(Vec<Out>),
    /// A map.
    Map(Vec<(String, Out)>),
}

impl Out {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The value as a document.
    pub(super) fn emitted(&self) -> String {
        let mut text = String::new();
        self.emit(0, &mut text);
        text
    }

    fn emit(&self, indent: usize, text: &mut String) {
        match self {
            Self::Text(_) => {
                text.push_str(&self.on_one_line());
                text.push('\n');
            }
            Self::List(items) => {
                for item in items {
                    push_indent(indent, text);
                    text.push_str("- ");
                    match item {
                        Self::Map(entries) if !entries.is_empty() => {
                            // The first key stands behind the dash.
                            let mut block = String::new();
                            item.emit(indent + 2, &mut block);
                            text.push_str(block.trim_start_matches(' '));
                        }
                        _ => {
                            text.push_str(&item.on_one_line());
                            text.push('\n');
                        }
                    }
                }
            }
            Self::Map(entries) => {
                for (key, value) in entries {
                    push_indent(indent, text);
                    text.push_str(&quoted(key));
                    text.push(':');
                    let block = match value {
                        Self::Text(_) => false,
                        Self::List(items) => items.iter().any(|item| matches!(item, Self::Map(_))),
                        Self::Map(entries) => !entries.is_empty(),
                    };
                    if block {
                        text.push('\n');
                        value.emit(indent + 2, text);
                    } else {
                        text.push(' ');
                        text.push_str(&value.on_one_line());
                        text.push('\n');
                    }
                }
            }
        }
    }

    fn on_one_line(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(Self::on_one_line).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Map(entries) if entries.is_empty() => "{}".to_owned(),
            Self::Map(entries) => {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| format!("{}: {}", quoted(key), value.on_one_line()))
                    .collect();
                format!("{{ {} }}", entries.join(", "))
            }
        }
    }
}

fn push_indent(indent: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', indent));
}

/// `text` as a scalar, in double quotes (whose escapes are JSON's) unless it is safe without, also in flow context.
fn quoted(text: &str) -> String {
    let inner = |c: char| {
        c.is_ascii_alphanumeric()
            || "_./+=@$-".contains(c)
            || c == ' '
            || c == ':'
            || c == '*'
            || c == '~'
    };
    let first = |c: char| c.is_ascii_alphanumeric() || "_./$".contains(c);
    let safe = text.starts_with(first)
        && text.chars().all(inner)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "null" | "true" | "false" | "yes" | "no" | "on" | "off"
        )
        && text.len() < 200;
    if safe {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}
