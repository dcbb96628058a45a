//! One project a language, without dependencies.

use std::os::unix::fs::PermissionsExt as _;

use wharf_plan::model::{Framework, Language, Toolchain};

use super::*;

#[tokio::test]
async fn cargo() {
    if !has("cargo") {
        return;
    }
    let mut project = project(&[
        (
            "Cargo.toml",
            "[package]\nname = 'hello'\nedition = '2024'\n[workspace]\n",
        ),
        (
            "src/main.rs",
            "fn main() { println!(\"one {:?}\", option_env!(\"GREETING\")) }",
        ),
        ("static/page.html", "<p>"),
        (".gitignore", "/target\n"),
    ]);
    project.request.build.args.insert(
        "CARGO_TARGET_DIR".to_owned(),
        project.state.path().join("target").display().to_string(),
    );
    let one = project.build().await;
    assert_eq!(
        (one.cached, default_output(&one).as_str()),
        (false, "one None")
    );
    folder_is(
        &one.dir,
        &[
            ".gitignore",
            "Cargo.lock",
            "Cargo.toml",
            "hello",
            "src",
            "static",
            "target",
        ],
    );
    assert_eq!(
        output(
            &one,
            &Command::Shell("./target/release/hello; hello".to_owned())
        ),
        "one None\none None"
    );
    let again = project.build().await;
    assert!(again.cached);
    assert_eq!(
        Artifact {
            cached: false,
            ..again
        },
        one
    );
    assert_eq!(
        wharf_build::open(&project.request.artifacts, &one.digest)
            .unwrap()
            .digest,
        one.digest
    );

    project.write("src/main.rs", "fn main() { println!(\"two\") }");
    let two = project.build().await;
    assert_eq!(default_output(&two), "two");
    assert_eq!(
        default_output(&one),
        "one None",
        "an older artifact stays as it was"
    );
    let old = fs::File::open(project.request.artifacts.join(&one.digest)).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(
        wharf_build::prune(&project.request.artifacts, &[&two.digest]).unwrap(),
        1
    );
    assert_eq!(project.artifacts(), std::slice::from_ref(&two.digest));

    project.write("src/main.rs", "fn main() { no_such_function() }");
    let error = project.fail().await.to_string();
    assert!(
        error.starts_with("`cargo build --release --locked` in "),
        "{error}"
    );
    assert!(
        error.contains("ended with exit status 101") && error.contains("no_such_function"),
        "{error}"
    );
    assert_eq!(project.artifacts(), [two.digest]);
}

#[tokio::test]
async fn cargo_member_of_a_workspace() {
    if !has("cargo") {
        return;
    }
    let mut project = project(&[
        (
            "Cargo.toml",
            "[workspace]\nmembers = ['api', 'words']\nresolver = '3'\n",
        ),
        (
            "api/Cargo.toml",
            "[package]\nname = 'api'\nedition = '2024'\n[dependencies]\nwords = { path = '../words' }\n",
        ),
        (
            "api/src/main.rs",
            "fn main() { println!(\"{}\", words::WORD) }",
        ),
        (
            "words/Cargo.toml",
            "[package]\nname = 'words'\nedition = '2024'\n",
        ),
        ("words/src/lib.rs", "pub const WORD: &str = \"first\";"),
    ]);
    project.request.context = project.dir.path().join("api");
    project.request.build.args.insert(
        "CARGO_TARGET_DIR".to_owned(),
        project.state.path().join("target").display().to_string(),
    );
    let first = project.build().await;
    assert_eq!(default_output(&first), "first");
    project.write("words/src/lib.rs", "pub const WORD: &str = \"second\";");
    let second = project.build().await;
    assert_eq!(
        default_output(&second),
        "second",
        "a change beside the context is seen"
    );
    assert_ne!(first.digest, second.digest);
}

#[tokio::test]
async fn node() {
    if !has("node") || !has("npm") {
        return;
    }
    let lock = r#"{"name":"hello","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{"":{"name":"hello","version":"1.0.0","dependencies":{"words":"file:words"}},"node_modules/words":{"resolved":"words","link":true},"words":{"version":"1.0.0"}}}"#;
    let project = project(&[
        (
            "package.json",
            r#"{"name":"hello","version":"1.0.0","scripts":{"build":"node build.js","start":"node dist/main.js"},"dependencies":{"words":"file:words"}}"#,
        ),
        ("package-lock.json", lock),
        (
            "words/package.json",
            r#"{"name":"words","version":"1.0.0","main":"index.js"}"#,
        ),
        ("words/index.js", "module.exports = 'from a dependency'"),
        (
            "build.js",
            "require('fs').mkdirSync('dist'); require('fs').copyFileSync('main.js', 'dist/main.js')",
        ),
        (
            "main.js",
            "console.log(require('words'), process.env.NODE_ENV)",
        ),
        (".gitignore", "node_modules\ndist\n"),
    ]);
    let one = project.build().await;
    assert_eq!(default_output(&one), "from a dependency production");
    assert_eq!(
        project.steps(),
        ["npm ci --include=dev --no-audit --no-fund", "npm run build"]
    );
    assert!(
        !project.dir.path().join("node_modules").exists(),
        "the developer's folder is left alone"
    );
    let again = project.build().await;
    assert!(again.cached);
    assert_eq!(
        project.steps(),
        Vec::<String>::new(),
        "nothing runs when nothing has changed"
    );
    project.write("main.js", "console.log('changed', require('words'))");
    let two = project.build().await;
    assert_eq!(default_output(&two), "changed from a dependency");
    assert_eq!(
        project.steps(),
        ["dependencies are unchanged", "npm run build"]
    );

    project.write(
        "build.js",
        "console.error('cannot bundle'); process.exit(3)",
    );
    let error = project.fail().await.to_string();
    assert!(
        error.starts_with(&format!(
            "`npm run build` in {} ended with exit status 3",
            project.dir.path().display()
        )),
        "{error}"
    );
    assert!(error.contains("cannot bundle"), "{error}");
    assert!(
        !project
            .artifacts()
            .iter()
            .any(|name| name.starts_with(".new")),
        "{:?}",
        project.artifacts()
    );
}

#[tokio::test]
async fn python() {
    if !has("python3") {
        return;
    }
    let project = project(&[
        ("requirements.txt", "# nothing yet\n"),
        (
            "main.py",
            "import os, sys, words\nprint(words.WORD, sys.prefix == os.environ['VIRTUAL_ENV'])\n",
        ),
        ("src/words.py", "WORD = 'first'\n"),
        ("broken.py", "print 'of another Python'\n"),
    ]);
    let one = project.build().await;
    assert_eq!(default_output(&one), "first True");
    let made = project.steps();
    assert!(
        made.len() == 3 && made[2] == "python -m compileall",
        "{made:?}"
    );
    assert!(project.build().await.cached);
    assert_eq!(project.steps(), Vec::<String>::new());
    project.write("src/words.py", "WORD = 'second'\n");
    let two = project.build().await;
    assert_eq!(default_output(&two), "second True");
    assert_eq!(
        project.steps(),
        ["python -m compileall"],
        "the environment is kept"
    );
    // An environment that was not finished is not used.
    let venv = PathBuf::from(&two.env["VIRTUAL_ENV"]);
    fs::remove_file(venv.join(".wharf-whole")).unwrap();
    assert_eq!(project.build().await.digest, two.digest);
    assert_eq!(project.steps(), made[..2]);
    project.write(
        "requirements.txt",
        "no-such-package @ file:///no/such/file.whl\n",
    );
    let error = project.fail().await.to_string();
    assert!(error.contains("pip install -r requirements.txt"), "{error}");
}

/// Only the command that Django's projects have is run; what it does is the project's.
#[tokio::test]
async fn static_files_of_django() {
    if !has("python3") {
        return;
    }
    let manage = "\
import os, pathlib, sys
assert sys.argv[1:] == ['collectstatic', '--noinput'], sys.argv
import words
root = pathlib.Path(__file__).resolve().parent / 'staticfiles'
root.mkdir(mode=0o700)
(root / 'app.css').write_text(words.WORD + os.environ['THEME'])
";
    let mut project = project(&[
        ("requirements.txt", ""),
        ("manage.py", manage),
        ("main.py", "print(open('staticfiles/app.css').read())\n"),
        ("src/words.py", "WORD = 'one '\n"),
    ]);
    let request = &mut project.request;
    request.build.toolchain = Some(Toolchain {
        language: Language::Python,
        version: None,
        framework: Some(Framework::Django),
        packages: vec![],
        build_packages: vec![],
    });
    request.settings = BTreeMap::from([("THEME".to_owned(), "dark".to_owned())]);
    let dark = project.build().await;
    assert_eq!(default_output(&dark), "one dark");
    assert!(project.build().await.cached);
    let mode = fs::metadata(dark.dir.join("staticfiles"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o755, 0o755, "{mode:o}");
    // What the settings read is part of what was built.
    project.request.settings = BTreeMap::from([("THEME".to_owned(), "light".to_owned())]);
    assert_eq!(default_output(&project.build().await), "one light");

    project.request.settings = BTreeMap::new();
    let error = project.fail().await.to_string();
    for part in [
        "`python manage.py collectstatic --noinput`",
        "KeyError: 'THEME'",
        "STATIC_ROOT",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(project.artifacts().len(), 2);
}

#[tokio::test]
async fn go() {
    if !has("go") {
        return;
    }
    let project = project(&[
        ("go.mod", "module example.com/hello\n\ngo 1.19\n"),
        (
            "main.go",
            "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"one\") }\n",
        ),
        ("templates/page.html", "<p>"),
    ]);
    let one = project.build().await;
    assert_eq!(default_output(&one), "one");
    assert!(project.build().await.cached);
    project.write(
        "main.go",
        "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"two\") }\n",
    );
    assert_eq!(default_output(&project.build().await), "two");
    project.write("main.go", "package main\n\nfunc main() { missing() }\n");
    let error = project.fail().await.to_string();
    assert!(
        error.contains("`go build ./...`") && error.contains("undefined: missing"),
        "{error}"
    );
}
