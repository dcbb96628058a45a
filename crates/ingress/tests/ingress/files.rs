//! Files that the ingress answers itself.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use wharf_ingress::config::{Action, Config, Folder};

use crate::harness::{Ingress, config, next, until};
use crate::replica::Replica;
use crate::wire::{Answer, Wire, ask, get};

/// Not to be seen by any client.
const SECRET: &str = "the secret that lies beside the folder";

/// A folder `static` with files, and a secret outside of it.
fn site() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
        std::fs::write(path, text).expect("it is written");
    };
    write("secret", SECRET);
    write("static/app.css", "body {}");
    write("static/js/app.1.js", "plain();");
    write("static/js/app.1.js.gz", "gzip of plain();");
    write("static/js/app.1.js.br", "br of plain();");
    write("static/.env", SECRET);
    write("static/.git/config", SECRET);
    write("older/app.css", "older {}");
    write("older/js/app.0.js", "older();");
    let folder = directory.path().join("static");
    symlink("../secret", folder.join("out")).expect("a link");
    symlink("..", folder.join("up")).expect("a link");
    symlink(directory.path().join("secret"), folder.join("absolute")).expect("a link");
    directory
}

/// Everything goes to `replica`, but for `/static`.
fn serving(replica: &Replica, folders: &[(&Path, bool)]) -> Config {
    next(&config(&[replica]), |config| {
        let folder = |(path, packed): &(&Path, bool)| Folder {
            path: path.to_path_buf(),
            packed: *packed,
        };
        let files = Action::Files {
            service: "web".to_owned(),
            folders: folders.iter().map(folder).collect(),
        };
        config.routes[0].paths.insert("/static".to_owned(), files);
    })
}

fn with(ingress: &Ingress, method: &str, path: &str, headers: &str) -> Answer {
    let mut wire = Wire::connect(ingress.http());
    wire.send(format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n"
    ));
    wire.try_answer(method == "HEAD").expect("an answer")
}

#[test]
fn files_are_found_in_one_folder_after_the_other() {
    let (site, replica) = (site(), Replica::start("web-1"));
    let (new, old) = (site.path().join("static"), site.path().join("older"));
    let missing = site.path().join("missing");
    let folders = [(&*missing, true), (&*new, true), (&*old, true)];
    let ingress = Ingress::start(&serving(&replica, &folders));
    assert_eq!(get(ingress.http(), "/static/app.css?v=1").text(), "body {}");
    assert_eq!(
        get(ingress.http(), "/static/js/app%2e1.js").text(),
        "plain();"
    );
    assert_eq!(
        get(ingress.http(), "/static/js/app.0.js").text(),
        "older();"
    );
    for path in [
        "/static/",
        "/static/js",
        "/static/js/",
        "/static/js/app.2.js",
    ] {
        let answer = get(ingress.http(), path);
        assert_eq!(
            (answer.status, &*answer.error()),
            (404, "there is no such file"),
            "{path}"
        );
    }
    for path in ["/static", "/statics"] {
        assert_eq!(get(ingress.http(), path).text(), "web-1", "{path}");
    }
    let line = ingress.log_line("/static/js/app.0.js");
    assert_eq!(
        (&line["status"], &line["service"], &line["route"]),
        (&200.into(), &"web".into(), &"all".into())
    );
    assert_eq!(
        (&line["bytes_out"], &line["replica"]),
        (&8.into(), &"".into())
    );
    let counted = "service=\"web\",release=\"\",code=\"200\",method=\"GET\"} 3\n";
    ingress.metrics(|text| text.contains(counted));
}

#[test]
fn an_answer_says_what_the_file_is() {
    let (site, replica) = (site(), Replica::start("web-1"));
    let folder = site.path().join("static");
    let ingress = Ingress::start(&serving(&replica, &[(&folder, true)]));
    let answer = get(ingress.http(), "/static/app.css");
    let expected = [
        ("content-type", "text/css; charset=utf-8"),
        ("content-length", "7"),
        ("cache-control", "max-age=86400"),
        ("x-content-type-options", "nosniff"),
        ("vary", "Accept-Encoding"),
        ("accept-ranges", "bytes"),
    ];
    for (name, value) in expected {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    for name in ["x-request-id", "x-trace-id", "last-modified"] {
        assert!(answer.header(name).is_some(), "{name}");
    }
    let tag = answer.header("etag").expect("a tag");
    let head = with(&ingress, "HEAD", "/static/app.css", "");
    assert_eq!(
        (
            head.status,
            head.header("content-length"),
            head.header("etag")
        ),
        (200, Some("7"), Some(tag))
    );
    let known = with(
        &ingress,
        "GET",
        "/static/app.css",
        &format!("If-None-Match: {tag}\r\n"),
    );
    assert_eq!((known.status, known.header("etag")), (304, Some(tag)));
    assert_eq!(known.header("cache-control"), Some("max-age=86400"));
    let part = with(&ingress, "GET", "/static/app.css", "Range: bytes=5-\r\n");
    assert_eq!(
        (part.status, part.header("content-range"), part.text()),
        (206, Some("bytes 5-6/7"), "{}")
    );
    let none = with(&ingress, "GET", "/static/app.css", "Range: bytes=7-\r\n");
    assert_eq!(
        (none.status, none.header("content-range")),
        (416, Some("bytes */7"))
    );
    let post = with(&ingress, "POST", "/static/app.css", "Content-Length: 0\r\n");
    assert_eq!(
        (post.status, post.header("allow")),
        (405, Some("GET, HEAD"))
    );
}

#[test]
fn packed_neighbours_are_for_those_who_take_them() {
    let (site, replica) = (site(), Replica::start("web-1"));
    let folder = site.path().join("static");
    let built = Ingress::start(&serving(&replica, &[(&folder, true)]));
    let check = |ingress: &Ingress, accepted: &str, encoding: Option<&str>, text: &str| {
        let header = format!("Accept-Encoding: {accepted}\r\n");
        let answer = with(ingress, "GET", "/static/js/app.1.js", &header);
        assert_eq!(
            (answer.header("content-encoding"), answer.text()),
            (encoding, text),
            "{accepted}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("text/javascript; charset=utf-8")
        );
        answer.header("etag").expect("a tag").to_owned()
    };
    let plain = check(&built, "identity", None, "plain();");
    let gzip = check(&built, "gzip", Some("gzip"), "gzip of plain();");
    let brotli = check(&built, "gzip, br", Some("br"), "br of plain();");
    assert!(plain != gzip && gzip != brotli && brotli != plain);
    // What a user uploads beside a file is another file.
    let uploaded = Ingress::start(&serving(&replica, &[(&folder, false)]));
    check(&uploaded, "gzip, br", None, "plain();");
}

/// Nothing that a path says gets out of the folder or at a hidden file.
#[test]
fn hostile_paths_find_nothing() {
    let (site, replica) = (site(), Replica::start("web-1"));
    let folder = site.path().join("static");
    let ingress = Ingress::start(&serving(&replica, &[(&folder, true)]));
    let fixed = [
        "/static/../secret",
        "/static/%2e%2e/secret",
        "/static/%2E%2E%2Fsecret",
        "/static/..%2fsecret",
        "/static/%252e%252e/secret",
        "/static/..%5csecret",
        "/static/%c0%ae%c0%ae/secret",
        "/static/js/../../secret",
        "/static/js/%2e%2e/%2e%2e/secret",
        "/static/.env",
        "/static/%2eenv",
        "/static/.git/config",
        "/static/out",
        "/static/up/secret",
        "/static/absolute",
        "/static/app.css%00",
        "/static/app.css/",
        "/static//etc/passwd",
        "/static//app.css",
        "/static/%",
        "/static/%zz",
    ];
    let parts = [
        "/",
        "//",
        ".",
        "..",
        "%2e",
        "%2E",
        "%2f",
        "%2F",
        "%5c",
        "%00",
        "%",
        "%25",
        "secret",
        "static",
        "up",
        "out",
        "absolute",
        ".env",
        ".git",
        "config",
        "app.css",
        "js",
        "%c0%ae",
        "etc/passwd",
    ];
    let mut random = fastrand::Rng::with_seed(11);
    let made = (0..1_000).map(|_| {
        let rest: String = (0..random.usize(1..8))
            .map(|_| parts[random.usize(..parts.len())])
            .collect();
        format!("/static/{rest}")
    });
    let mut wire = Wire::connect(ingress.http());
    for path in fixed.into_iter().map(str::to_owned).chain(made) {
        wire.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let answer = wire.answer();
        match answer.status {
            404 => {}
            200 => assert_eq!(
                (answer.text(), path.ends_with("app.css")),
                ("body {}", true),
                "{path}"
            ),
            other => panic!("{path}: {other} {}", answer.text()),
        }
    }
}

/// Bytes that differ from piece to piece.
fn large() -> Vec<u8> {
    (0..5_000_000_u32)
        .flat_map(|number| number.to_le_bytes())
        .take(5_000_001)
        .collect()
}

#[test]
fn a_large_file_arrives_as_it_is() {
    let (site, replica) = (site(), Replica::start("web-1"));
    let folder = site.path().join("static");
    let large = large();
    std::fs::write(folder.join("large"), &large).expect("it is written");
    let ingress = Ingress::start(&serving(&replica, &[(&folder, true)]));
    let mut wire = Wire::connect(ingress.http());
    assert!(wire.get("/static/large").body == large);
    // The same connection goes on.
    wire.send("GET /static/large HTTP/1.1\r\nHost: a\r\nRange: bytes=100001-3000000\r\n\r\n");
    let part = wire.answer();
    assert_eq!(part.status, 206);
    assert!(part.body == large[100_001..=3_000_000]);
    let line = ingress.log_line("/static/large");
    assert_eq!(line["bytes_out"], 5_000_001);
}

#[test]
fn a_file_that_shrinks_is_not_taken_for_whole() {
    let (site, replica) = (site(), Replica::start("web-1"));
    let path = site.path().join("static/large");
    // More than the sockets' buffers hold.
    std::fs::write(&path, vec![b'x'; 64 << 20]).expect("it is written");
    let ingress = Ingress::start(&serving(&replica, &[(&site.path().join("static"), true)]));
    let mut wire = Wire::connect(ingress.http());
    wire.send("GET /static/large HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        wire.head().expect("a head").header("content-length"),
        Some("67108864")
    );
    std::fs::write(&path, "y").expect("it is written");
    assert!(wire.read_exact(64 << 20).is_none());
    assert_eq!(
        ingress.log_line("/static/large")["error"],
        "the file became shorter while it was sent"
    );
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let (site, replica) = (site(), Replica::start("web-1"));
    std::fs::write(site.path().join("static/large"), vec![b'x'; 64 << 20]).expect("it is written");
    let mut config = serving(&replica, &[(&site.path().join("static"), true)]);
    config.routes[0].limits.idle_timeout = Duration::from_millis(300);
    let ingress = Ingress::start(&config);
    let mut wire = Wire::connect(ingress.http());
    wire.send("GET /static/large HTTP/1.1\r\nHost: a\r\n\r\n");
    wire.head().expect("a head");
    until("the end of the connection", || {
        (ingress.status().connections == 0).then_some(())
    });
}

#[test]
fn limits_and_headers_of_the_route_apply() {
    let (site, replica) = (site(), Replica::start("web-1"));
    let mut config = serving(&replica, &[(&site.path().join("static"), true)]);
    config.routes[0].limits.rate_per_second = Some(0.001);
    config.routes[0].limits.burst = 1;
    config.routes[0]
        .headers
        .response
        .insert("cache-control".to_owned(), "no-cache".to_owned());
    let ingress = Ingress::start(&config);
    let request = "GET /static/app.css HTTP/1.1\r\nHost: a\r\n\r\n";
    let statuses: Vec<_> = (0..4).map(|_| ask(ingress.http(), request)).collect();
    assert_eq!(statuses[0].header("cache-control"), Some("no-cache"));
    assert_eq!(statuses[3].status, 429);
}
