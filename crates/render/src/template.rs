//! Texts with places to fill in, for targets whose files are programs or prose (Dockerfile, scripts, Markdown).
//!
//! The marks differ from those of Helm, Ansible and shells, so that their `{{ }}` and `${ }` stand in a template as they
//! are: `<< expression >>`, `<% statement %>`, `<# comment #>`. A line with a statement alone leaves no line behind. A
//! name that nobody gave is an error, which a test of the target finds.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

/// Fills `context` into `source`.
///
/// # Panics
/// If the template is wrong or misses a value: both are part of the program, and each target's test renders it.
#[must_use]
pub fn fill(source: &str, context: impl Serialize) -> String {
    let text = environment().render_str(source, context);
    text.unwrap_or_else(|error| panic!("a template of the renderer is wrong: {error:#}"))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .variable_delimiters("<<", ">>")
        .block_delimiters("<%", "%>")
        .comment_delimiters("<#", "#>")
        .build();
    if let Ok(syntax) = syntax {
        environment.set_syntax(syntax);
    }
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_keep_trailing_newline(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_braces_stand_as_they_are() {
        let source = "<% for name in names %>\n{{ << name >> }} ${X}\n<% endfor %>\n";
        let context = serde_json::json!({ "names": ["a", "b"] });
        assert_eq!(fill(source, context), "{{ a }} ${X}\n{{ b }} ${X}\n");
    }
}
