use std::process::Command;

use wharf_base::clock::Timestamp;
use wharf_signal::Labels;

use super::*;

fn any(_: &str) -> Result<(), String> {
    Ok(())
}

const GOOD: &str = r#"
groups:
- name: web
  interval: 30s
  limit: 10
  query_offset: 1m
  labels: { team: shop, severity: info }
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
    labels: { kind: "1.10" }
  - alert: Down
    expr: |
      up == 0
    for: 5m
    keep_firing_for: 1d
    labels: { severity: critical }
    annotations:
      summary: '{{ $labels.instance }} is down'
      n: 12
- name: empty
  rules: []
"#;

#[test]
fn files_are_read_and_written() {
    let groups = parse(GOOD.as_bytes(), "a.yml", &any).unwrap();
    assert_eq!(groups.len(), 2);
    let group = &groups[0];
    assert_eq!(group.interval, Some(Duration::from_secs(30)));
    assert_eq!((group.limit, group.id().as_str()), (10, "a.yml;web"));
    let Rule::Alert(alert) = &group.rules[1] else {
        panic!("{group:?}");
    };
    assert_eq!(alert.expr, "up == 0");
    assert_eq!(alert.labels["severity"], "critical");
    assert_eq!(alert.labels["team"], "shop");
    assert_eq!(alert.annotations["n"], "12");
    let written = to_yaml(&groups).unwrap();
    assert_eq!(parse(written.as_bytes(), "a.yml", &any).unwrap(), groups);
    assert_eq!(parse(b"# nothing\n", "a.yml", &any), Ok(vec![]));
    assert_eq!(parse(b"groups:\n", "a.yml", &any), Ok(vec![]));
}

#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let check = |query: &str| match query {
        "bad(" => Err("unclosed left parenthesis".to_owned()),
        _ => Ok(()),
    };
    let errors = parse(text.as_bytes(), "f", &check).expect_err("it is refused");
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors, expected);
}

#[test]
fn errors_have_their_place() {
    let group = |rules: &str| format!("groups:\n- name: a\n  rules:\n{rules}");
    refused(
        "groups: [{ rules: [] }]",
        &["f:1:10: the group has no `name`"],
    );
    refused(
        "group: []",
        &["f:1:1: unknown key `group`: did you mean `groups`?"],
    );
    refused(
        "groups:\n- name: a\n- name: a\n  interval: 5\n",
        &[
            "f:3:3: the group `a` occurs twice in this file",
            "f:4:13: expected a duration such as 30s, 5m or 1h30m, found `5`",
        ],
    );
    refused(
        &group(
            "  - record: a\n    expr: bad(\n    for: 5m\n  - expr: up\n  - alert: A\n    record: b\n    expr: up\n",
        ),
        &[
            "f:5:11: could not parse expression: unclosed left parenthesis",
            "f:6:5: `for` is of alerts, and this is a recording rule",
            "f:7:5: rule 2 has neither `record` nor `alert`",
            "f:8:5: only one of `record` and `alert` may be set",
        ],
    );
    refused(
        &group(
            "  - alert: A\n    expr: up\n    labels: { __name__: x }\n    annotations: { s: '{{ nope }}' }\n  - alert: B\n",
        ),
        &[
            "f:6:15: invalid label name `__name__`",
            "f:7:23: `s`: error parsing template: function \"nope\" not defined",
            "f:8:5: rule 2 has no `expr`",
        ],
    );
    let errors = parse(b"groups: [", "f", &any).expect_err("no YAML");
    assert!(
        errors[0].message.starts_with("this is not YAML"),
        "{errors:?}"
    );
}

/// The tool, where it is installed: of the checks' folder, else of the system.
fn promtool() -> Option<String> {
    let home = std::env::var("HOME").unwrap_or_default();
    let own = format!("{home}/.cache/wharf-ci/gobin/promtool");
    let found = [own, "promtool".to_owned()].into_iter().find(|tool| {
        Command::new(tool)
            .arg("--version")
            .output()
            .is_ok_and(|o| o.status.success())
    });
    if found.is_none() {
        let required = std::env::var("WHARF_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(
            !required,
            "promtool is not installed, and WHARF_TEST_REQUIRE=all asks for it"
        );
        println!("skipped: promtool is not installed");
    }
    found
}

#[test]
fn what_is_written_prometheus_reads() {
    let Some(promtool) = promtool() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = include_bytes!("../../../../examples/chat/wharf.yaml");
    let mut texts = vec![to_yaml(&parse(GOOD.as_bytes(), "a", &any).unwrap()).unwrap()];
    for environment in [None, Some("prod")] {
        let (plan, diagnostics) = wharf_plan::resolve(file, environment);
        let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let groups = of_plan(&wharf_plan::rules::rules(&plan));
        assert!(groups.iter().map(|g| g.rules.len()).sum::<usize>() > 20);
        let text = to_yaml(&groups).unwrap();
        let mut back = parse(text.as_bytes(), "x", &any).unwrap();
        for (read, made) in back.iter_mut().zip(&groups) {
            read.file.clone_from(&made.file);
        }
        assert_eq!(back, groups);
        texts.push(text);
    }
    for (n, text) in texts.iter().enumerate() {
        let path = folder.path().join(format!("{n}.yml"));
        std::fs::write(&path, text).unwrap();
        let out = Command::new(&promtool)
            .args(["check", "rules"])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{said}\n{text}");
    }
}

#[test]
fn results_become_series_and_alerts() {
    let groups = parse(GOOD.as_bytes(), "a.yml", &any).unwrap();
    let group = &groups[0];
    let Rule::Record(record) = &group.rules[0] else {
        panic!("{group:?}");
    };
    let up = |instance: &str| Labels::from_pairs([("__name__", "up"), ("instance", instance)]);
    let series = record.record(&[(up("a"), 1.0)], 0).unwrap();
    assert_eq!(
        series[0].0.to_string(),
        r#"{__name__="job:up:sum", instance="a", kind="1.10", severity="info", team="shop"}"#
    );
    assert!(record.record(&[(up("a"), 1.0), (up("a"), 2.0)], 0).is_err());
    assert!(record.record(&[(up("a"), 1.0), (up("b"), 2.0)], 1).is_err());

    let external = BTreeMap::from([("project".to_owned(), "shop".to_owned())]);
    let environment = Environment {
        external_labels: &external,
        external_url: "http://localhost:9090",
        query: &crate::template::no_query,
        settle: Duration::ZERO,
    };
    let mut state = GroupState::default();
    let at = |minute: u64| Timestamp(minute * 60_000);
    for minute in 0..=5 {
        let changes = state
            .evaluate(group, 1, &[(up("a"), 0.0)], &environment, at(minute))
            .unwrap();
        assert_eq!(changes.len(), usize::from(minute == 0 || minute == 5));
        // A recording rule has no state.
        assert_eq!(
            state.evaluate(group, 0, &[], &environment, at(minute)),
            Ok(vec![])
        );
    }
    let firing = state.firing(group, &environment);
    assert_eq!(
        firing[0].labels.to_string(),
        r#"{alertname="Down", instance="a", project="shop", severity="critical", team="shop"}"#
    );
    assert_eq!(firing[0].annotations["summary"], "a is down");
    assert_eq!(firing[0].starts_at, at(5));
    assert_eq!(
        firing[0].generator_url,
        "http://localhost:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1"
    );
    assert_eq!(state.series(group, 1).len(), 2);
    let text = serde_json::to_string(&state).unwrap();
    let mut back: GroupState = serde_json::from_str(&text).unwrap();
    assert_eq!(back, state);
    back.restore(group, &environment, at(6));
    assert_eq!(back.firing(group, &environment).len(), 1);
    back.reconfigure(&groups[1]);
    assert_eq!(back, GroupState::default());
}
