use super::*;

fn conf(text: &str) -> String {
    let (plan, diagnostics) = wharf_plan::resolve(text.as_bytes(), None);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
    configuration(&on_machine(&plan), "Made by a test.")
}

#[test]
fn prefixes_end_with_a_segment_and_the_longest_comes_first() {
    let conf = conf(
        "name: a\nservices: { w: { command: [w], port: 80 } }\nroutes: [{ host: a.example.com, tls: auto, paths: { /: w, /api: w, /api/v1: { service: w, strip_prefix: true } } }]\n",
    );
    let place = |text: &str| {
        conf.find(text)
            .unwrap_or_else(|| panic!("{text} in {conf}"))
    };
    assert!(place("location ~ ^/api/v1(?:/|$)") < place("location ~ ^/api(?:/|$)"));
    assert!(place("location ~ ^/api(?:/|$)") < place("location / {\n      proxy_pass"));
    assert!(conf.contains("rewrite ^/api/v1/?(.*)$ /$1 break;"));
    assert!(conf.contains("ssl_protocols TLSv1.2 TLSv1.3;"));
    assert!(conf.contains("return 301 https://$host$request_uri;"));
}

#[test]
fn a_plain_route_has_no_certificate() {
    let conf = conf(
        "name: a\nservices: { w: { command: [w], port: 80 } }\nroutes: [{ paths: { /: w } }]\n",
    );
    assert!(conf.contains("listen 80 default_server;"), "{conf}");
    assert!(!conf.contains("ssl_certificate"));
}

#[test]
fn an_answer_has_one_trace_id() {
    let conf = conf(
        "name: a\nservices: { w: { command: [w], port: 80 } }\nroutes: [{ paths: { /: w } }]\n",
    );
    assert_eq!(conf.matches("proxy_hide_header X-Trace-ID;").count(), 1);
    assert_eq!(conf.matches("add_header X-Trace-ID").count(), 1);
}
