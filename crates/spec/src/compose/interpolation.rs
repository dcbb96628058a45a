//! Compose's `${VAR:-default}` in texts.

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// `$VAR`, `${VAR}`, `${VAR:-default}`, `${VAR-default}`, `${VAR:?message}`.
    Variable {
        name: String,
        default: Option<String>,
    },
    /// Anything else in `${}`.
    Unknown(String),
}

/// Takes a text apart. `$$` is one `$`.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = vec![];
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        plain.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        if let Some(after) = tail.strip_prefix('$') {
            plain.push('$');
            rest = after;
            continue;
        }
        let (piece, after) = if let Some(inner) = tail.strip_prefix('{') {
            match closing(inner) {
                Some(end) => (braced(&inner[..end]), &inner[end + 1..]),
                None => (Piece::Unknown(inner.to_owned()), ""),
            }
        } else {
            let len = name_len(tail);
            if len == 0 {
                plain.push('$');
                rest = tail;
                continue;
            }
            let name = tail[..len].to_owned();
            (
                Piece::Variable {
                    name,
                    default: None,
                },
                &tail[len..],
            )
        };
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(piece);
        rest = after;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

/// `text` with every `$…` replaced by letters, byte for byte, so that what stands around them can be looked at.
pub(super) fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        masked.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let end = closing(inner).map_or(rest.len(), |end| at + 2 + end + 1);
        masked.extend(std::iter::repeat_n('x', end - at));
        rest = &rest[end..];
    }
    masked.push_str(rest);
    masked
}

fn closing(inner: &str) -> Option<usize> {
    let mut depth = 1;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn name_len(text: &str) -> usize {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    let digit = text.bytes().next().is_none_or(|b| b.is_ascii_digit());
    if digit {
        0
    } else {
        text.bytes().take_while(word).count()
    }
}

fn braced(inner: &str) -> Piece {
    let (name, tail) = inner.split_at(name_len(inner));
    if name.is_empty() {
        return Piece::Unknown(inner.to_owned());
    }
    let default = tail.strip_prefix(":-").or_else(|| tail.strip_prefix('-'));
    let required = tail.starts_with(":?") || tail.starts_with('?');
    let plain = default.is_none_or(|default| !default.contains(['{', '}', '$']));
    match default {
        _ if !plain => Piece::Unknown(inner.to_owned()),
        None if !tail.is_empty() && !required => Piece::Unknown(inner.to_owned()),
        default => Piece::Variable {
            name: name.to_owned(),
            default: default.map(str::to_owned),
        },
    }
}
