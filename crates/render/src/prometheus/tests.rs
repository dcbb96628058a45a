use super::*;

fn plan(environment: &str) -> Plan {
    let file = include_bytes!("../../../../examples/chat/wharf.yaml");
    let (plan, diagnostics) = wharf_plan::resolve(file, Some(environment));
    plan.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

#[test]
fn every_job_of_the_vocabulary_is_scraped() {
    let plan = plan("prod");
    let text = &files(&plan)
        .get("prometheus.yml")
        .expect("it is there")
        .text
        .clone();
    for job in Vocabulary::of(&plan).jobs() {
        let service = plan.services.keys().any(|name| name.as_str() == job);
        assert!(
            service || text.contains(&format!("job_name: {job}\n")),
            "{job}"
        );
    }
    assert!(text.contains("regex: backend;5000|websocket;5001"));
}

#[test]
fn how_long_samples_are_kept_is_a_flag() {
    let flags = flags(&plan("prod"));
    assert!(
        flags.contains(&"--storage.tsdb.retention.time=15d".to_owned()),
        "{flags:?}"
    );
}

#[test]
fn the_service_behind_a_renamed_one_is_still_itself() {
    let text = &files(&plan("prod"))
        .get("prometheus.yml")
        .expect("it is there")
        .text
        .clone();
    assert!(text.contains("regex: chat-app-prod;frontend-service"));
}

#[test]
fn targets_of_the_file_are_scraped_too() {
    let file = include_bytes!("../../../plan/tests/fixtures/plan/scraped/wharf.yaml");
    let (plan, diagnostics) = wharf_plan::resolve(file, None);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let files = files(&plan);
    let text = &files.get("prometheus.yml").expect("it is there").text;
    for part in [
        "job_name: billing\n    scrape_interval: 30s\n    scrape_timeout: 10s\n    honor_labels: true\n    sample_limit: 5000\n",
        "__metrics_path__: /prometheus\n",
        "__param_format: text\n",
        "__scheme__: https\n",
        "10.0.0.7:9100",
        "team: payments\n",
        "honor_timestamps: false\n",
        "targets/machines.yaml",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
