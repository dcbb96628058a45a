use super::*;

fn plan(environment: &str) -> Plan {
    let file = include_bytes!("../../../../examples/django-eks/wharf.yaml");
    let (plan, diagnostics) = wharf_plan::resolve(file, Some(environment));
    plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

fn panels(plan: &Plan) -> Vec<(String, serde_json::Value)> {
    let mut all = vec![];
    for dashboard in dashboards(plan) {
        let file = dashboard.file;
        let json = dashboard.into_json(plan);
        let panels = json["panels"].as_array().cloned().unwrap_or_default();
        all.extend(panels.into_iter().map(|panel| (file.to_owned(), panel)));
    }
    all
}

#[test]
fn every_panel_has_a_unit_a_description_and_a_query() {
    let mut count = 0;
    for (file, panel) in panels(&plan("prod")) {
        if panel["type"] == "row" {
            continue;
        }
        count += 1;
        let defaults = &panel["fieldConfig"]["defaults"];
        assert!(defaults["unit"].is_string(), "{file}: {panel}");
        assert!(
            !defaults["thresholds"]["steps"]
                .as_array()
                .is_none_or(Vec::is_empty)
        );
        assert!(
            panel["description"]
                .as_str()
                .is_some_and(|text| text.len() > 10)
        );
        assert!(
            !panel["targets"].as_array().is_none_or(Vec::is_empty),
            "{file}: {panel}"
        );
    }
    assert!(count > 80, "{count}");
}

#[test]
fn panels_of_one_dashboard_do_not_overlap() {
    for dashboard in dashboards(&plan("prod")) {
        let json = dashboard.into_json(&plan("prod"));
        let places: Vec<[u64; 4]> = json["panels"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|panel| {
                ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap_or(0))
            })
            .collect();
        for (index, [x, y, w, h]) in places.iter().enumerate() {
            assert!(x + w <= 24);
            for [ox, oy, ow, oh] in &places[..index] {
                let apart = x + w <= *ox || ox + ow <= *x || y + h <= *oy || oy + oh <= *y;
                assert!(apart, "{}", json["title"]);
            }
        }
    }
}

#[test]
fn limits_are_those_of_the_file() {
    let mut plan = plan("prod");
    plan.telemetry.thresholds.error_rate = wharf_base::units::Percent::whole(7);
    let found = panels(&plan).into_iter().any(|(_, panel)| {
        panel["title"] == "Error ratio"
            && panel["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"] == 0.07
    });
    assert!(found);
}

#[test]
fn dashboards_are_those_of_what_the_plan_has() {
    let names = |plan: &Plan| -> Vec<&str> {
        dashboards(plan)
            .iter()
            .map(|dashboard| dashboard.file)
            .collect()
    };
    assert_eq!(
        names(&plan("prod")),
        [
            "application",
            "business",
            "objectives",
            "infrastructure",
            "cluster",
            "database",
            "redis",
            "logs",
            "delivery",
            "cost"
        ]
    );
    let file = include_bytes!("../../../../examples/items/wharf.yaml");
    let (items, _) = wharf_plan::resolve(file, None);
    let items = items.expect("it resolves");
    assert!(!names(&items).contains(&"database") && !names(&items).contains(&"cost"));
}
