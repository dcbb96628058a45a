//! Files made to hurt: each ends in a diagnostic, quickly and in bounded memory. How quickly is for a benchmark to say;
//! without its bound each of them would run for minutes or fill the memory.

use wharf_plan::resolve;
use wharf_spec::diagnostic;

#[track_caller]
fn check(what: &str, bytes: &[u8], code: &str) {
    let begun = std::time::Instant::now();
    let (plan, diagnostics) = resolve(bytes, None);
    let source = String::from_utf8_lossy(bytes);
    let text = diagnostic::render(&diagnostics, "wharf.yaml", &source, false);
    println!(
        "{what}: {:?}, {} bytes printed",
        begun.elapsed(),
        text.len()
    );
    assert!(plan.is_none(), "{what} has a plan");
    assert!(
        diagnostics.len() <= diagnostic::FINDINGS_MAX + 1,
        "{what}: {}",
        diagnostics.len()
    );
    let codes: Vec<&str> = diagnostics.iter().map(|d| d.code).collect();
    assert!(
        codes.contains(&code),
        "{what}: expected {code}, got {codes:?}"
    );
    assert!(text.len() < 200_000, "{what}: {} bytes printed", text.len());
}

const HEAD: &str = "name: shop\nservices:\n  web: { build: ., port: 80 }\n";

#[test]
fn too_large() {
    check("ten megabytes", &vec![b'a'; 10 << 20], "W002");
    check(
        "ten megabytes of keys",
        "a: b\n".repeat(2 << 20).as_bytes(),
        "W002",
    );
    let services: String = (0..201)
        .map(|n| format!("  s{n}: {{ build: . }}\n"))
        .collect();
    check(
        "201 services",
        format!("name: shop\nservices:\n{services}").as_bytes(),
        "W028",
    );
    let many: String = (0..9_000)
        .map(|n| format!("  s{n}: {{ build: . }}\n"))
        .collect();
    check(
        "9000 services",
        format!("name: shop\nservices:\n{many}").as_bytes(),
        "W028",
    );
    let environments: String = (0..1_000)
        .map(|n| format!("  e{n}: {{ services: {{ web: {{ replicas: 2 }} }} }}\n"))
        .collect();
    check(
        "1000 environments",
        format!("{HEAD}environments:\n{environments}").as_bytes(),
        "W028",
    );
    check(
        "many nodes",
        format!("{HEAD}x-a: [{}]\n", "1,".repeat(100_000)).as_bytes(),
        "W002",
    );
}

#[test]
fn not_text() {
    check("UTF-16", &[0xff, 0xfe, b'n', 0, b'a', 0], "W001");
    check("a byte in the middle", b"name: sh\xffop\n", "W001");
    check("NUL", b"name: shop\0\nservices: {}\n", "W003");
    check("nothing", b"", "W004");
    check("a lone mark", "\u{feff}".as_bytes(), "W004");
    check(
        "control characters",
        b"name: \x01\x02\x1b[31m\nservices: {}\n",
        "W013",
    );
}

#[test]
fn deep() {
    for (open, close) in [
        ("[", "]"),
        ("{a: ", "}"),
        ("{? ", "}"),
        ("- ", ""),
        ("? ", ""),
        ("[? ", "]"),
    ] {
        for depth in [63, 64, 65, 200, 260, 100_000] {
            let text = format!("{}{}", open.repeat(depth), close.repeat(depth));
            let (plan, diagnostics) = resolve(text.as_bytes(), None);
            assert!(
                plan.is_none() && !diagnostics.is_empty(),
                "{depth} times {open}"
            );
        }
    }
    check(
        "flow lists",
        format!("{HEAD}x-a: {}", "[".repeat(100)).as_bytes(),
        "W002",
    );
    check("a million brackets", "[".repeat(1 << 20).as_bytes(), "W003");
    check("a million dashes", "- ".repeat(1 << 19).as_bytes(), "W002");
    let block: String = (0..200)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    check("block maps", block.as_bytes(), "W002");
}

#[test]
fn bombs() {
    let mut laughs = String::from("x-0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for level in 1..30 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("x-{level}: &a{level} [{items}]\n"));
    }
    check(
        "a billion laughs",
        format!("{laughs}{HEAD}").as_bytes(),
        "W002",
    );
    let maps = laughs.replace('[', "{ ").replace(']', " }");
    assert!(resolve(maps.as_bytes(), None).0.is_none());
    let long = format!(
        "x-a: &a {}\nx-b: [{}]\n{HEAD}",
        "x".repeat(500_000),
        "*a, ".repeat(40_000)
    );
    check("a long text again and again", long.as_bytes(), "W002");
    check(
        "a list that holds itself",
        format!("x-a: &a [*a]\n{HEAD}").as_bytes(),
        "W006",
    );
    check(
        "no such anchor",
        format!("x-a: *b\n{HEAD}").as_bytes(),
        "W003",
    );
    let nested: String = (0..60).map(|n| format!("&a{n} [")).collect();
    let long = format!(
        "x-a: {nested}{}{}\n{HEAD}",
        "1, ".repeat(2_000),
        "]".repeat(60)
    );
    check("anchors within anchors", long.as_bytes(), "W002");
    let merges: String = (0..2_000)
        .map(|n| format!("x-{n}: {{ <<: *b }}\n"))
        .collect();
    let base: String = (0..2_000).map(|n| format!("k{n}: v, ")).collect();
    check(
        "merges",
        format!("x-b: &b {{ {base} }}\n{merges}{HEAD}").as_bytes(),
        "W002",
    );
}

#[test]
fn many_errors() {
    let keys: String = (0..20_000).map(|n| format!("bulid{n}: 1\n")).collect();
    check("unknown keys", format!("{HEAD}{keys}").as_bytes(), "W099");
    let keys: String = (0..5_000)
        .map(|n| format!("{}{n}: 1\n", "k".repeat(60)))
        .collect();
    check(
        "long unknown keys",
        format!("{HEAD}{keys}").as_bytes(),
        "W099",
    );
    let keys: String = (0..20_000)
        .map(|n| format!("    {{ A{n}: \"${{nobody.url}}\" }}: x\n"))
        .collect();
    check(
        "maps as keys",
        format!("name: a\nservices:\n  web:\n{keys}").as_bytes(),
        "W099",
    );
    let variables: String = (0..20_000)
        .map(|n| format!("      A{n}: \"${{servic{n}.url}}\"\n"))
        .collect();
    check(
        "dangling references",
        format!("name: a\nservices:\n  web:\n    build: .\n    environment:\n{variables}")
            .as_bytes(),
        "W099",
    );
    let references = "${a".repeat(40_000);
    check(
        "one text full of them",
        format!(
            "name: a\nservices:\n  web:\n    build: .\n    environment: {{ A: \"{references}\" }}\n"
        )
        .as_bytes(),
        "W022",
    );
    let references = "${a.b}".repeat(20_000);
    check(
        "one text full of closed ones",
        format!(
            "name: a\nservices:\n  web:\n    build: .\n    environment: {{ A: \"{references}\" }}\n"
        )
        .as_bytes(),
        "W099",
    );
    let long = "${a.b}".repeat(150_000);
    check(
        "a text longer than any variable",
        format!("name: a\nservices:\n  web:\n    build: .\n    environment: {{ A: \"{long}\" }}\n")
            .as_bytes(),
        "W013",
    );
    let needs: String = (0..20_000).map(|n| format!("servic{n}, ")).collect();
    check(
        "dangling needs",
        format!("name: a\nservices:\n  web: {{ build: ., needs: [{needs}] }}\n").as_bytes(),
        "W099",
    );
    let services: String = (0..199)
        .map(|n| {
            format!(
                "  s{n}: {{ build: ., needs: [{}] }}\n",
                (0..199)
                    .filter(|m| *m != n)
                    .map(|m| format!("s{m}, "))
                    .collect::<String>()
            )
        })
        .collect();
    check(
        "everyone needs everyone",
        format!("name: a\nservices:\n{services}").as_bytes(),
        "W023",
    );
    let name = "n".repeat(400_000);
    check(
        "a long name",
        format!("name: {name}\nservices: {{ web: {{ build: {name} }} }}\n").as_bytes(),
        "W013",
    );
    check(
        "a long line",
        format!("name: a\nservices: {{ web: {{ bulid: {name} }} }}").as_bytes(),
        "W010",
    );
    let environments: String = (0..20)
        .map(|n| format!("  e{n}: {{ services: {{ web: {{ replicas: x{n} }} }} }}\n"))
        .collect();
    let variables: String = (0..9_000)
        .map(|n| format!("      A{n}: \"${{servic{n}.url}}\"\n"))
        .collect();
    check("environments of errors", format!("name: a\nservices:\n  web:\n    build: .\n    environment:\n{variables}environments:\n{environments}").as_bytes(), "W099");
    check(
        "an odd duration",
        format!(
            "name: a\nservices: {{ web: {{ build: ., stop_timeout: {} }} }}",
            "9".repeat(4000)
        )
        .as_bytes(),
        "W013",
    );
    check(
        "a long duration",
        b"name: a\nservices: { web: { build: ., stop_timeout: 99999d } }",
        "W013",
    );
    let escapes = format!(
        "name: a\nservices: {{ web: {{ build: ., command: \"{}\" }} }}",
        "\\x41".repeat(200_000)
    );
    check("escapes", escapes.as_bytes(), "W013");
}
