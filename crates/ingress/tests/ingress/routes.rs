//! Which route a request takes.

use wharf_ingress::config::Action;

use crate::harness::{Ingress, config, next, route, upstream};
use crate::replica::Replica;
use crate::wire::ask;

#[test]
fn hosts_and_paths_choose_the_service() {
    let (web, api, wild) = (
        Replica::start("web-1"),
        Replica::start("api-1"),
        Replica::start("wild-1"),
    );
    let ingress = Ingress::start(&next(&config(&[&web]), |config| {
        config.routes = vec![
            route(
                "app",
                &["app.test"],
                &[
                    ("/", "web"),
                    ("/api", "api"),
                    ("/old", "web"),
                    ("/gone", "nowhere"),
                ],
            ),
            route("wild", &["*.app.test"], &[("/", "wild")]),
        ];
        let api_path = Action::Forward {
            upstream: "api".to_owned(),
            strip_prefix: true,
            sticky: false,
        };
        config.routes[0].paths.insert("/strip".to_owned(), api_path);
        let redirect = Action::Redirect {
            to: "https://new.test/".to_owned(),
            status: 301,
        };
        config.routes[0].paths.insert("/old".to_owned(), redirect);
        config
            .upstreams
            .insert("api".to_owned(), upstream("api", &[("r1", 1, &[&api])]));
        config
            .upstreams
            .insert("wild".to_owned(), upstream("wild", &[("r1", 1, &[&wild])]));
    }));
    let check = |host: &str, path: &str, expected: &str| {
        let answer = ask(
            ingress.http(),
            &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        );
        let found = match answer.status {
            200 => answer.text().to_owned(),
            301 | 308 => format!(
                "{} {}",
                answer.status,
                answer.header("location").unwrap_or_default()
            ),
            status => format!("{status} {}", answer.error()),
        };
        assert_eq!(found, expected, "{host}{path}");
    };
    check("app.test", "/x", "web-1");
    check("APP.test:8080", "/x", "web-1");
    check("app.test.", "/x", "web-1");
    check("app.test", "/api", "api-1");
    check("app.test", "/api/x?y", "api-1");
    check("app.test", "/apix", "web-1");
    check("one.app.test", "/api", "wild-1");
    check(
        "two.one.app.test",
        "/",
        "404 no route serves this path of `two.one.app.test`",
    );
    check("app.test", "/old/x", "301 https://new.test/");
    check("app.test", "/gone", "503 there is no upstream `nowhere`");
    let stripped = ask(
        ingress.http(),
        "GET /strip/echo?a=b HTTP/1.1\r\nHost: app.test\r\n\r\n",
    );
    assert!(
        stripped.text().starts_with("GET /echo?a=b HTTP/1.1\r\n"),
        "{}",
        stripped.text()
    );
    assert_eq!(
        ask(
            ingress.internal(),
            "GET / HTTP/1.1\r\nHost: whatever\r\n\r\n"
        )
        .text(),
        "web-1"
    );
    let absolute = ask(
        ingress.http(),
        "GET http://app.test/api HTTP/1.1\r\nHost: app.test\r\n\r\n",
    );
    assert_eq!(absolute.text(), "api-1");
}

#[test]
fn plain_http_is_redirected() {
    let web = Replica::start("web-1");
    for (port, expected) in [
        (443, "https://app.test/a?b=c"),
        (8443, "https://app.test:8443/a?b=c"),
    ] {
        let ingress = Ingress::start(&next(&config(&[&web]), |config| {
            config.routes[0].https_redirect = Some(port)
        }));
        let answer = ask(
            ingress.http(),
            "POST /a?b=c HTTP/1.1\r\nHost: app.test:80\r\nContent-Length: 0\r\n\r\n",
        );
        assert_eq!(
            (answer.status, answer.header("location")),
            (308, Some(expected))
        );
    }
}

#[test]
fn revisions_share_by_weight() {
    let (old, new) = (Replica::start("old"), Replica::start("new"));
    let base = config(&[]);
    let weights = |weights: [u32; 2], generation| {
        let mut config = next(&base, |config| {
            let web = upstream(
                "web",
                &[("r1", weights[0], &[&old]), ("r2", weights[1], &[&new])],
            );
            config.upstreams.insert("web".to_owned(), web);
        });
        config.generation = generation;
        config
    };
    let ingress = Ingress::start(&weights([80, 20], 2));
    let mut wire = crate::wire::Wire::connect(ingress.http());
    let news = (0..1000)
        .filter(|_| wire.get("/name").text() == "new")
        .count();
    // 1,000 draws with p = 0.2: outside of seven standard deviations once in 10^11 runs.
    assert!((110..290).contains(&news), "{news} of 1000");
    ingress.put(&weights([0, 1], 3));
    assert!((0..50).all(|_| wire.get("/name").text() == "new"));
    ingress.put(&weights([1, 0], 4));
    assert!((0..50).all(|_| wire.get("/name").text() == "old"));
}
