use wharf_alerting::rules::{RecordingRule, Rule};

use super::*;

/// Longer than any test may take, shorter than the interval that it is not to wait for.
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn group() -> RuleGroup {
    let rule = RecordingRule {
        record: "one".to_owned(),
        expr: "vector(1)".to_owned(),
        labels: BTreeMap::new(),
    };
    RuleGroup {
        name: "test".to_owned(),
        file: "test.yml".to_owned(),
        interval: None,
        query_offset: None,
        limit: 0,
        rules: vec![Rule::Record(rule)],
    }
}

#[tokio::test]
async fn a_shorter_interval_counts_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let (db, _) = Db::open(&dir.path().join("metrics"), wharf_tsdb::Options::default()).unwrap();
    let health = health::Shared::default();
    let file = dir.path().join("rules.json");
    let rules = Rules::new(db, file, String::new(), health, Box::new(|_, _| {}));
    let rules = Arc::new(rules);
    rules.set_groups(&[], HOUR, &BTreeMap::new());
    let running = tokio::spawn(Arc::clone(&rules).run());
    // It takes up the hour, and waits for its end.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    rules.set_groups(&[group()], Duration::from_secs(1), &BTreeMap::new());
    let evaluated = async {
        while rules.report()[0].evaluated.is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, evaluated).await.unwrap();
    running.abort();
}
