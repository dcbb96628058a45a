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
