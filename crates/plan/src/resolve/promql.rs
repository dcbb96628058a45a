//! What can be said of a PromQL query without its grammar: brackets and quotes close.

use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::span::Spanned;

use super::Resolver;

/// Longer than any query that a person reads.
const QUERY_MAX_BYTES: usize = 8192;

impl Resolver<'_> {
    /// Reports a query that cannot be one.
    pub(super) fn check_promql(&mut self, query: &Spanned<String>) {
        let problem = if query.value.trim().is_empty() {
            Some("the query is empty".to_owned())
        } else if query.value.len() > QUERY_MAX_BYTES {
            Some(format!("the query is longer than {QUERY_MAX_BYTES} bytes"))
        } else if query
            .value
            .chars()
            .any(|c| c.is_control() && !c.is_whitespace())
        {
            Some("the query holds a control character".to_owned())
        } else {
            unbalanced(&query.value)
        };
        if let Some(problem) = problem {
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                query.span.clone(),
                problem,
            ));
        }
        self.no_references(
            query,
            "a query is taken as it stands",
            "write the value into the query",
        );
    }
}

fn unbalanced(query: &str) -> Option<String> {
    let mut open: Vec<char> = vec![];
    let mut letters = query.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' | '\'' | '`' => loop {
                match letters.next() {
                    // Between backticks nothing is escaped.
                    Some('\\') if letter != '`' => drop(letters.next()),
                    Some(end) if end == letter => break,
                    Some(_) => {}
                    None => return Some(format!("the query has no closing {letter}")),
                }
            },
            '#' => while letters.next().is_some_and(|letter| letter != '\n') {},
            '(' | '[' | '{' => open.push(letter),
            ')' | ']' | '}' => {
                let fits = matches!(
                    (open.pop(), letter),
                    (Some('('), ')') | (Some('['), ']') | (Some('{'), '}')
                );
                if !fits {
                    return Some(format!("the query has a `{letter}` that closes nothing"));
                }
            }
            _ => {}
        }
    }
    open.pop()
        .map(|bracket| format!("the query has a `{bracket}` that is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_quotes_close() {
        for good in [
            "up",
            r#"sum(rate(http_requests_total{code=~"5.."}[5m])) > 0"#,
            r#"x{a="}\""}"#,
            "x{a=`\\`} # )",
        ] {
            assert_eq!(unbalanced(good), None, "{good}");
        }
        for bad in ["sum(x", "x)", "x{a=\"b}", "rate(x[5m)]"] {
            assert!(unbalanced(bad).is_some(), "{bad}");
        }
    }
}
