//! What is a query, how it prints, and what is refused.

use wharf_logql::parse;

/// Queries and their canonical form; `=` if that is the query itself.
const QUERIES: &str = include_str!("../fixtures/queries.txt");
/// What is refused, and a part of why.
const REFUSED: &str = include_str!("../fixtures/refused.txt");

/// Pairs of lines; what begins with `#` is a comment.
fn pairs(text: &str) -> Vec<(&str, &str)> {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    lines.chunks(2).map(|pair| (pair[0], pair[1])).collect()
}

#[test]
fn queries_have_a_canonical_form() {
    let pairs = pairs(QUERIES);
    assert!(pairs.len() > 60, "{}", pairs.len());
    for (query, expected) in pairs {
        let expected = if expected == "=" { query } else { expected };
        let expr = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(expr.to_string(), expected, "{query}");
        assert_eq!(parse(expected).as_ref(), Ok(&expr), "{expected}");
    }
}

#[test]
fn what_loki_refuses_is_refused() {
    let pairs = pairs(REFUSED);
    assert!(pairs.len() > 35, "{}", pairs.len());
    for (query, part) in pairs {
        let error = parse(query).expect_err(query).to_string();
        assert!(error.contains(part), "{query}: {error}");
    }
}

#[test]
fn nothing_is_nested_without_end() {
    for query in [
        "(".repeat(50_000),
        format!("{}1{}", "(".repeat(1_000), ")".repeat(1_000)),
        "1+vector(1)".to_owned() + &"+vector(1)".repeat(1_000),
        r#"{a="b"} | "#.to_owned() + &"(".repeat(10_000),
        r#"{a="b"} | a=1"#.to_owned() + &" or a=1".repeat(5_000),
        "x".repeat(200_000),
    ] {
        assert!(parse(&query).is_err());
    }
}
