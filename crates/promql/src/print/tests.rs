//! Expressions as they are written, and as they come out.

use crate::{parse, pretty};

#[track_caller]
fn check(text: &str, expected: &str) {
    let expr = parse(text).expect("an expression");
    assert_eq!(expr.to_string(), expected);
    assert_eq!(parse(expected).expect("what was written"), expr);
}

#[track_caller]
fn refuse(text: &str, expected: &str) {
    let error = parse(text).expect_err("no expression");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn operators_bind_as_they_should() {
    check("a+b*c^d^e", "a + b * c ^ d ^ e");
    check("-a^2", "-a ^ 2");
    check("-1^2", "-1 ^ 2");
    check("- 1", "-1");
    check("a or b and c unless d", "a or b and c unless d");
    check(
        "a == bool on(x,y) group_left(z) b",
        "a == bool on (x, y) group_left (z) b",
    );
    check(
        "a / ignoring(x) group_right b",
        "a / ignoring (x) group_right () b",
    );
    let sum = parse("a - b - c").expect("an expression");
    assert_ne!(sum, parse("a - (b - c)").expect("an expression"));
}

#[test]
fn selectors_keep_what_they_select() {
    check(
        "a{b='c', d=~\"e\"}[5m] offset -1m @ 10",
        "a{b=\"c\",d=~\"e\"}[5m] @ 10.000 offset -1m",
    );
    check(
        "{\"a.b\", \"c d\"!=`e`}",
        "{\"c d\"!=\"e\",__name__=\"a.b\"}",
    );
    check("sum[90m:90s] @ end()", "sum[1h30m:1m30s] @ end()");
    check("a[300]", "a[5m]");
    check("sum(a) by (b,)", "sum by (b) (a)");
    check("topk without() (3, a)", "topk without () (3, a)");
    check("0x1F + 1_0 + 1h", "31 + 10 + 1h");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    refuse(
        "sum(\n  rate(a))",
        "2:8: parse error: expected type range vector in call to function \"rate\", got instant vector",
    );
    refuse(
        "a{b~\"c\"}",
        "1:4: parse error: unexpected character inside braces: '~'",
    );
    refuse("a +", "1:4: parse error: unexpected end of input");
    refuse(
        "limitk(1, a)",
        "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
    );
}

#[test]
fn long_expressions_take_several_lines() {
    let inner = "rate(http_requests_total{job=\"api\"}[5m])";
    let text = format!("sum by (job) ({inner}) / sum by (job) ({inner}) > bool on (job) {inner}");
    let expected = format!(
        "    sum by (job) ({inner})\n  /\n    sum by (job) ({inner})\n> bool on (job)\n  {inner}"
    );
    assert_eq!(pretty(&parse(&text).expect("an expression")), expected);
}
