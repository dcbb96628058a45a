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
    assert_eq!(found[0].expr, plan.alerts[0].query);
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
