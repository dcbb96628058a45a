//! Files that the ingress answers itself: those of a build, and those on a volume that replicas share.

use std::fs;

use crate::http;
use crate::stack::Stack;

const FILE: &str = "\
name: files
services:
  web:
    build: { context: ./web, command: 'true' }
    command: [$ACTOR]
    port: 8000
    replicas: 2
    probes: { http: /health }
    volumes: [{ source: media, target: /app/media, shared: true }, { source: notes, target: notes }]
    environment: { MEDIA: '${volume.media}' }
    static_files: { /static/: dist, /media/: media, /notes/: ./notes/public }
";

/// Puts one file into `dist`, in place of those that are there.
fn build(stack: &Stack, name: &str, content: &str) {
    let dist = stack.folder().join("web/dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).unwrap();
    }
    fs::create_dir_all(&dist).unwrap();
    fs::write(dist.join(name), content).unwrap();
    fs::write(dist.join("app.css"), content).unwrap();
}

#[track_caller]
fn check(stack: &Stack, path: &str, expected: &str) {
    let answer = stack.get(path);
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, expected),
        "{path}"
    );
}

#[test]
fn pages_of_both_releases_find_their_files() {
    let mut stack = Stack::new(FILE);
    build(&stack, "app.1.css", "one");
    stack.up();
    check(&stack, "/static/app.1.css", "one");
    assert_eq!(
        stack.get("/static/app.1.css").header("content-type"),
        "text/css; charset=utf-8"
    );
    for path in [
        "/static/app.2.css",
        "/static/../../artifact.json",
        "/media/none",
        "/notes/a",
    ] {
        assert_eq!(stack.get(path).status, 404, "{path}");
    }
    // What a service may answer at that very path is its own, as behind the rendered Nginx.
    assert_eq!(stack.get("/static").status, 200);
    assert_eq!(
        http::send(&stack.url, "POST", "/static/app.1.css", Some("{}"))
            .unwrap()
            .status,
        405
    );
    let write = "echo -n uploaded > \"$MEDIA/a.txt\"; mkdir -p notes/public; echo -n noted > notes/public/a.txt";
    stack
        .run(&["exec", "web", "--", "sh", "-c", write])
        .succeeded();
    check(&stack, "/media/a.txt", "uploaded");
    check(&stack, "/notes/a.txt", "noted");

    let load = stack.load("/static/app.1.css");
    build(&stack, "app.2.css", "two");
    stack.run(&["release"]).succeeded();
    check(&stack, "/static/app.2.css", "two");
    check(&stack, "/static/app.css", "two");
    // Whoever has the old page open still finds what it names: the old release stands by.
    check(&stack, "/static/app.1.css", "one");
    check(&stack, "/media/a.txt", "uploaded");
    stack.run(&["rollout", "undo"]).succeeded();
    check(&stack, "/static/app.css", "one");
    check(&stack, "/static/app.1.css", "one");
    assert!(load.end().iter().all(|body| body == "one"));
}
