//! Texts in shell programs.

/// `text` as one word of a POSIX shell: as it is where nothing in it means anything, else in single quotes.
#[must_use]
pub fn word(text: &str) -> String {
    const PLAIN: &str = "%+,-./:=@_";
    let plain = |c: char| c.is_ascii_alphanumeric() || PLAIN.contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// A line that ends a here-document of `text`: `word`, or so many of it that no line of the text is the same.
#[must_use]
pub fn heredoc_end(word: &str, text: &str) -> String {
    let mut end = word.to_owned();
    while text.lines().any(|line| line == end) {
        end.push_str(word);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_word_means_anything() {
        assert_eq!(word("/a/b-c"), "/a/b-c");
        assert_eq!(word("a'b $c"), "'a'\\''b $c'");
        assert_eq!(word(""), "''");
        assert_eq!(heredoc_end("END", "a\nEND\n"), "ENDEND");
    }
}
