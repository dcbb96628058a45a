use super::*;

fn plan(environment: Option<&str>) -> Plan {
    let file = include_bytes!("../../../../examples/chat/wharf.yaml");
    let (plan, diagnostics) = crate::resolve(file, environment);
    plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

#[test]
fn every_built_in_alert_has_an_example_of_both() {
    let rules = rules(&plan(Some("prod")));
    let own: Vec<&str> = vec!["MessageBacklog"];
    for alert in rules.alerts() {
        if own.contains(&alert.name.as_str()) {
            continue;
        }
        let fires = |yes: bool| {
            let mut examples = alert.examples.iter();
            examples.any(|example| example.fires.is_empty() != yes)
        };
        assert!(fires(true) && fires(false), "{}", alert.name);
    }
}

#[test]
fn requests_of_a_service_without_metrics_are_those_of_the_ingress() {
    let rules = rules(&plan(Some("prod")));
    let group = &rules.groups[0];
    let Rule::Record(rate) = &group.rules[0] else {
        panic!("{group:?}");
    };
    assert_eq!(
        rate.expr,
        "sum by (namespace, service) (rate(http_requests_total{service=~\"backend|websocket\", endpoint!~\"/health|/live|/metrics\"}[5m]))\n\
         or\n\
         sum by (namespace, service) (rate(nginx_ingress_controller_requests{service=\"frontend\", namespace=\"chat-app-prod\"}[5m]))"
    );
}

#[test]
fn an_alert_of_the_file_replaces_the_built_in_one() {
    let mut plan = plan(Some("prod"));
    plan.alerts[0].name = "HighLatency".to_owned();
    let rules = rules(&plan);
    let found: Vec<_> = rules
        .alerts()
        .filter(|alert| alert.name == "HighLatency")
        .collect();
    assert_eq!(found.len(), 1);
    assert_eq!(Some(&found[0].expr), plan.alerts[0].query.as_ref());
}

#[test]
fn burn_rates_follow_from_the_window() {
    let mut plan = plan(Some("prod"));
    let expr = |plan: &Plan, name: &str| {
        let rules = rules(plan);
        let expr = rules
            .alerts()
            .find(|alert| alert.name == name)
            .map(|alert| alert.expr.clone());
        expr.unwrap_or_default()
    };
    let fast = expr(&plan, "ErrorBudgetBurnsFast");
    assert!(
        fast.contains("> 14.4 * 0.001") && fast.contains("> 6 * 0.001"),
        "{fast}"
    );
    let slow = expr(&plan, "ErrorBudgetBurnsSlowly");
    assert!(
        slow.contains("> 3 * 0.001") && slow.contains("> 1 * 0.001"),
        "{slow}"
    );
    plan.objectives[0].window = Duration::from_secs(7 * 24 * 60 * 60);
    let fast = expr(&plan, "ErrorBudgetBurnsFast");
    assert!(
        fast.contains("> 3.36 * 0.001") && fast.contains("> 1.4 * 0.001"),
        "{fast}"
    );
    assert_eq!(expr(&plan, "ErrorBudgetBurnsSlowly"), "");
}

#[test]
fn a_text_is_filled_as_prometheus_does() {
    let firing = Firing {
        labels: BTreeMap::from([("service".to_owned(), "web".to_owned())]),
        value: "10%".to_owned(),
    };
    let text = "{{ $labels.service }}: {{ $value | humanizePercentage }} {{ $labels.none }}.";
    assert_eq!(firing.filled(text), "web: 10% .");
}

#[test]
fn what_a_file_does_not_say_of_a_built_in_alert_stays() {
    let changed = |text: &str| -> (Rules, Rules) {
        let file = include_str!("../../../../examples/chat/wharf.yaml");
        let (plan, diagnostics) = crate::resolve(file.as_bytes(), None);
        let before = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let mut after = before.clone();
        let file = format!(
            "name: a\nservices: {{ web: {{ build: ., port: 1 }} }}\nnotify: {{ ops: {{ email: a@example.com }} }}\nalerts: [{text}]\n"
        );
        let (plan, diagnostics) = crate::resolve(file.as_bytes(), None);
        after.alerts = plan.unwrap_or_else(|| panic!("{diagnostics:?}")).alerts;
        let mut plain = before;
        plain.alerts.clear();
        (rules(&plain), rules(&after))
    };
    let of = |rules: &Rules, name: &str| rules.alerts().find(|a| a.name == name).cloned();
    let (_, after) = changed("{ name: HighLatency, enabled: false }");
    assert_eq!(of(&after, "HighLatency"), None);
    assert!(of(&after, "HighErrorRate").is_some());
    let (before, after) = changed(
        "{ name: HighLatency, for: 1m, keep_for: 2m, severity: critical, notify: ops, runbook: 'https://a.example.com', labels: { team: x }, annotations: { more: '{{ $value }}' } }",
    );
    let expected = of(&before, "HighLatency").map(|mut alert| {
        alert.hold = Duration::from_secs(60);
        alert.keep = Duration::from_secs(120);
        alert.severity = Severity::Critical;
        alert.notify = vec!["ops".parse().expect("a name")];
        alert.labels.insert("team".to_owned(), "x".to_owned());
        alert.annotations = BTreeMap::from([
            ("more".to_owned(), "{{ $value }}".to_owned()),
            ("runbook_url".to_owned(), "https://a.example.com".to_owned()),
        ]);
        alert.examples.clear();
        alert
    });
    assert_eq!(of(&after, "HighLatency"), expected);
    // One that is not there in this environment is nothing to change.
    let (_, after) = changed("{ name: NodeNotReady, for: 1m }");
    assert_eq!(of(&after, "NodeNotReady"), None);
}

#[test]
fn every_built_in_alert_can_be_named() {
    let mut seen = std::collections::BTreeSet::new();
    let examples = [
        &include_bytes!("../../../../examples/chat/wharf.yaml")[..],
        include_bytes!("../../../../examples/django-eks/wharf.yaml"),
        include_bytes!("../../../../examples/django-ec2/wharf.yaml"),
        include_bytes!("../../../../examples/items-redis/wharf.yaml"),
    ];
    for file in examples {
        for environment in [
            None,
            Some("prod"),
            Some("production"),
            Some("dev"),
            Some("compose"),
        ] {
            let Some(plan) = crate::resolve(file, environment).0 else {
                continue;
            };
            for alert in built_in(&plan).alerts() {
                assert!(BUILT_IN.contains(&alert.name.as_str()), "{}", alert.name);
                seen.insert(alert.name.clone());
            }
        }
    }
    let missing: Vec<&&str> = BUILT_IN
        .iter()
        .filter(|name| !seen.contains(**name))
        .collect();
    assert!(missing.is_empty(), "no example has {missing:?}");
}

#[test]
fn this_machine_has_every_alert_that_is_required() {
    let rules = rules(&plan(None));
    let alerts: BTreeMap<&str, Severity> = rules
        .alerts()
        .map(|alert| (alert.name.as_str(), alert.severity))
        .collect();
    for (name, severity) in [
        ("HighErrorRate", Severity::Critical),
        ("ServiceDown", Severity::Critical),
        ("HighLatency", Severity::Warning),
        ("HighMemory", Severity::Warning),
        ("DiskAlmostFull", Severity::Warning),
        ("DatabaseUnreachable", Severity::Critical),
        ("RedisUnreachable", Severity::Critical),
        ("Deployed", Severity::Info),
        ("Scaled", Severity::Info),
    ] {
        assert_eq!(alerts.get(name), Some(&severity), "{name}");
    }
    for alert in rules
        .alerts()
        .filter(|alert| BUILT_IN.contains(&alert.name.as_str()))
    {
        assert!(alert.examples.len() >= 2, "{}", alert.name);
        assert!(
            !alert.expr.contains("kube_") && !alert.expr.contains("container!="),
            "{}",
            alert.expr
        );
    }
}
