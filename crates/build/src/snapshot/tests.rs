use super::*;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn executable(root: &Path, path: &str) {
    write(root, path, "#!/bin/sh\n");
    fs::set_permissions(root.join(path), fs::Permissions::from_mode(0o755)).unwrap();
}

fn files(root: &Path, scope: Scope, except: &[PathBuf]) -> Vec<String> {
    let entries = list(root, scope, except).unwrap();
    let files = entries
        .iter()
        .filter(|entry| entry.kind != EntryKind::Folder);
    files
        .map(|entry| entry.path.to_str().unwrap().to_owned())
        .collect()
}

fn digest(root: &Path) -> String {
    let mut fingerprint = Fingerprint::new("test");
    hash(
        root,
        &list(root, Scope::Source, &[]).unwrap(),
        &mut fingerprint,
    )
    .unwrap();
    fingerprint.finish()
}

#[test]
fn what_is_made_or_ignored_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, ".gitignore", "/dist\n*.log\n");
    write(root, ".wharfignore", "docs/\n");
    for path in [
        "src/main.py",
        "a.log",
        "dist/app",
        "docs/x.md",
        ".git/HEAD",
        "node_modules/x/index.js",
        "env/pyvenv.cfg",
        "env/bin/python",
        "cache/CACHEDIR.TAG",
        "src/__pycache__/main.pyc",
        ".wharf/state",
        "state/artifact",
        ".env.example",
    ] {
        write(root, path, "x");
    }
    let state = [root.join("state")];
    assert_eq!(
        files(root, Scope::Source, &state),
        [".env.example", ".gitignore", ".wharfignore", "src/main.py"]
    );
    let built = files(root, Scope::Built, &state);
    assert!(
        built.contains(&"dist/app".to_owned())
            && built.contains(&"node_modules/x/index.js".to_owned()),
        "{built:?}"
    );
    assert!(
        !built
            .iter()
            .any(|path| path.starts_with(".git/") || path.starts_with("docs/")),
        "{built:?}"
    );
}

#[test]
fn of_a_cargo_target_only_programs_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "target/.rustc_info.json", "{}");
    write(root, "target/CACHEDIR.TAG", "");
    executable(root, "target/release/app");
    executable(root, "target/x86_64-unknown-linux-musl/release/app");
    executable(root, "target/release/deps/app-1234");
    executable(root, "target/release/build/ring-1/build-script-build");
    write(root, "target/release/app.d", "x");
    write(root, "Cargo.toml", "");
    assert_eq!(
        files(root, Scope::Built, &[]),
        [
            "Cargo.toml",
            "target/release/app",
            "target/x86_64-unknown-linux-musl/release/app"
        ]
    );
}

#[test]
fn the_digest_is_of_names_modes_links_and_content() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "a", "1");
    let mut seen = vec![digest(root)];
    let mut changed = |what: &str| {
        let now = digest(root);
        assert_eq!(now, digest(root), "{what}: twice the same");
        assert!(!seen.contains(&now), "{what} changes the digest");
        seen.push(now);
    };
    write(root, "a", "2");
    changed("content");
    fs::rename(root.join("a"), root.join("b")).unwrap();
    changed("a name");
    fs::set_permissions(root.join("b"), fs::Permissions::from_mode(0o755)).unwrap();
    changed("the executable bit");
    std::os::unix::fs::symlink("b", root.join("c")).unwrap();
    changed("a link");
    fs::create_dir(root.join("empty")).unwrap();
    changed("an empty folder");
}

#[test]
fn a_copy_has_the_digest_of_its_source_and_is_read_only() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(from.path(), "deep/er/file", "text");
    executable(from.path(), "run.sh");
    std::os::unix::fs::symlink("deep/er/file", from.path().join("link")).unwrap();
    let entries = list(from.path(), Scope::Source, &[]).unwrap();
    let mut copied = Fingerprint::new("test");
    copy(from.path(), &entries, to.path(), &mut copied).unwrap();
    assert_eq!(copied.finish(), digest(from.path()));
    assert_eq!(digest(to.path()), digest(from.path()));
    let mode = |path: &str| {
        fs::metadata(to.path().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("deep/er/file"), mode("run.sh")), (0o444, 0o555));
    assert!(
        fs::symlink_metadata(to.path().join("link"))
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn links_that_lead_out_are_named() {
    #[track_caller]
    fn check(path: &str, target: &str, expected: bool) {
        let entry = Entry {
            path: path.into(),
            kind: EntryKind::Link {
                target: target.into(),
            },
        };
        assert_eq!(
            !escaping(&[entry]).is_empty(),
            expected,
            "{path} -> {target}"
        );
    }
    check("a", "../b", true);
    check("x/a", "../b", false);
    check("x/a", "../../b", true);
    check("x/a", "y/../../b", false);
    check("a", "/etc/hosts", false);
}

#[test]
fn linked_trees_are_whole() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(from.path(), "p/index.js", "x");
    fs::create_dir(from.path().join(".bin")).unwrap();
    std::os::unix::fs::symlink("../p/index.js", from.path().join(".bin/p")).unwrap();
    let tree = to.path().join("tree");
    crate::tree::link_tree(from.path(), &tree).unwrap();
    assert_eq!(fs::read_to_string(tree.join(".bin/p")).unwrap(), "x");
    crate::tree::seal(&tree).unwrap();
    assert_eq!(
        fs::metadata(tree.join("p/index.js"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o444
    );
}
