//! Prometheus, Alertmanager, Grafana, Loki, the OpenTelemetry collector and CloudWatch: what they name is configured.

use std::collections::BTreeSet;

use serde_json::Value;
use wharf_base::files::FileSet;

use super::aws;
use super::reading::{
    Checked, document, entries, items, keys, known, pattern, resolve, text, texts, unique, walk,
};

pub(super) fn check(files: &FileSet) -> Checked {
    for (path, file) in files {
        let name = path.rsplit('/').next().unwrap_or_default();
        let folder = path.split('/').next().unwrap_or_default();
        let checked = match (folder, name) {
            (_, "prometheus.yml") => prometheus(files, path, &document(path, &file.text)?),
            ("rules", _) => rules(&document(path, &file.text)?),
            ("tests", _) => rule_tests(files, path, &document(path, &file.text)?),
            (_, "alertmanager.yml") => alertmanager(files, path, &document(path, &file.text)?),
            (_, "otel-collector.yml") => collector(&document(path, &file.text)?),
            (_, "loki.yml" | "promtail.yml") => document(path, &file.text).map(drop),
            _ => Ok(()),
        };
        checked.map_err(|problem| format!("{path}: {problem}"))?;
    }
    grafana(files)?;
    cloudwatch(files)
}

/// The files that a glob of the configuration `from` stands for.
fn matched<'a>(files: &'a FileSet, from: &str, glob: &str) -> impl Iterator<Item = &'a str> {
    let glob = resolve(from, glob);
    let (front, back) = glob
        .split_once('*')
        .map_or((glob.clone(), None), |(front, back)| {
            (front.to_owned(), Some(back.to_owned()))
        });
    let fits = move |path: &&str| match &back {
        Some(back) => path.starts_with(&front) && path.ends_with(back),
        None => **path == front,
    };
    files
        .into_iter()
        .map(|(path, _)| path.as_str())
        .filter(fits)
}

fn globs(files: &FileSet, from: &str, globs: &Value) -> Checked {
    for glob in texts(globs) {
        // The folder that a container mounts is this one.
        if !glob.starts_with('/') && matched(files, from, glob).next().is_none() {
            return Err(format!("no file is called {glob}"));
        }
    }
    Ok(())
}

fn prometheus(files: &FileSet, path: &str, config: &Value) -> Checked {
    globs(files, path, &config["rule_files"])?;
    unique(
        "scrape configurations",
        items(&config["scrape_configs"]).map(|one| text(&one["job_name"])),
    )
}

fn rules(file: &Value) -> Checked {
    unique(
        "groups",
        items(&file["groups"]).map(|group| text(&group["name"])),
    )?;
    for group in items(&file["groups"]) {
        let alerts: Vec<&str> = items(&group["rules"])
            .filter_map(|rule| rule["alert"].as_str())
            .collect();
        if let Some(bad) = alerts
            .iter()
            .find(|name| !pattern!("^[A-Za-z_][A-Za-z0-9_]*$").is_match(name))
        {
            return Err(format!("an alert may not be called `{bad}`"));
        }
        // The labels tell two rules of a name apart.
        let rules = items(&group["rules"]).filter(|rule| rule["alert"].is_string());
        let labelled: Vec<String> = rules
            .map(|rule| format!("{} {}", text(&rule["alert"]), rule["labels"]))
            .collect();
        unique("alerts", labelled.iter().map(String::as_str))?;
        for rule in items(&group["rules"]) {
            let record = rule["record"].as_str().unwrap_or("x");
            let labels = keys(&rule["labels"])
                .find(|name| !pattern!("^[a-zA-Z_][a-zA-Z0-9_]*$").is_match(name));
            if !pattern!("^[a-zA-Z_:][a-zA-Z0-9_:]*$").is_match(record) || labels.is_some() {
                return Err(format!(
                    "a rule may not be called `{record}`, nor a label {labels:?}"
                ));
            }
        }
    }
    Ok(())
}

fn rule_tests(files: &FileSet, path: &str, tests: &Value) -> Checked {
    globs(files, path, &tests["rule_files"])?;
    let rules = texts(&tests["rule_files"]);
    let rules: Vec<&str> = rules
        .iter()
        .flat_map(|glob| matched(files, path, glob))
        .filter_map(|path| files.get(path))
        .map(|file| file.text.as_str())
        .collect();
    for test in items(&tests["tests"]).flat_map(|test| items(&test["alert_rule_test"])) {
        let alert = text(&test["alertname"]);
        let line = format!("alert: {alert}\n");
        if !rules.iter().any(|rules| rules.contains(&line)) {
            return Err(format!("there is no alert {alert} to test"));
        }
    }
    Ok(())
}

fn alertmanager(files: &FileSet, path: &str, config: &Value) -> Checked {
    globs(files, path, &config["templates"])?;
    let receivers = || items(&config["receivers"]).map(|receiver| text(&receiver["name"]));
    unique("receivers", receivers())?;
    let mut problem = Ok(());
    let defined: Vec<&str> = files
        .into_iter()
        .filter(|(path, _)| path.ends_with(".tmpl"))
        .flat_map(|(_, file)| pattern!(r#"define "([^"]+)""#).captures_iter(&file.text))
        .filter_map(|found| found.get(1))
        .map(|found| found.as_str())
        .collect();
    walk(config, &mut |key, value| {
        let mut note = |checked: Checked| {
            if problem.is_ok() {
                problem = checked;
            }
        };
        if key == "receiver" {
            note(known("receiver", text(value), receivers()));
        }
        for found in pattern!(r#"\{\{ template "([^"]+)""#).captures_iter(text(value)) {
            note(known("template", &found[1], defined.iter().copied()));
        }
    });
    problem
}

fn collector(config: &Value) -> Checked {
    let mut used = BTreeSet::new();
    for extension in texts(&config["service"]["extensions"]) {
        known("extension", extension, keys(&config["extensions"]))?;
        used.insert(("extensions", extension));
    }
    for (name, pipeline) in entries(&config["service"]["pipelines"]) {
        for kind in ["receivers", "processors", "exporters"] {
            for part in texts(&pipeline[kind]) {
                let connected =
                    kind != "processors" && keys(&config["connectors"]).any(|one| one == part);
                if !connected {
                    known(kind, part, keys(&config[kind]))
                        .map_err(|problem| format!("{name}: {problem}"))?;
                }
                used.insert((if connected { "connectors" } else { kind }, part));
            }
        }
    }
    for kind in [
        "extensions",
        "receivers",
        "processors",
        "exporters",
        "connectors",
    ] {
        for part in keys(&config[kind]) {
            if !used.contains(&(kind, part)) {
                return Err(format!("nothing uses {part} of the {kind}"));
            }
        }
    }
    Ok(())
}

fn grafana(files: &FileSet) -> Checked {
    let mut sources = vec!["-- Grafana --".to_owned(), "grafana".to_owned()];
    let mut dashboards = vec![];
    for (path, file) in files {
        if path.contains("datasources") && path.ends_with(".yml") {
            let provisioned = document(path, &file.text)?;
            let uids: Vec<&str> = items(&provisioned["datasources"])
                .map(|one| text(&one["uid"]))
                .collect();
            unique("data sources", uids.iter().copied())?;
            sources.extend(uids.into_iter().map(str::to_owned));
        } else if path.starts_with("dashboards/") {
            let dashboard: Value =
                serde_json::from_str(&file.text).map_err(|error| format!("{path}: {error}"))?;
            dashboards.push((path, dashboard));
        }
    }
    unique(
        "dashboards",
        dashboards.iter().map(|(_, one)| text(&one["uid"])),
    )?;
    unique(
        "titles of dashboards",
        dashboards.iter().map(|(_, one)| text(&one["title"])),
    )?;
    for (path, dashboard) in &dashboards {
        let uid = text(&dashboard["uid"]);
        if !pattern!("^[A-Za-z0-9_-]{1,40}$").is_match(uid) {
            return Err(format!("{path}: a dashboard may not have the uid `{uid}`"));
        }
        let variables: Vec<&str> = items(&dashboard["templating"]["list"])
            .map(|one| text(&one["name"]))
            .collect();
        unique("variables", variables.iter().copied())
            .map_err(|problem| format!("{path}: {problem}"))?;
        let mut ids = BTreeSet::new();
        let mut problem = Ok(());
        walk(dashboard, &mut |key, value| {
            if key == "datasource" && value["uid"].is_string() {
                let uid = text(&value["uid"]);
                let checked = match uid.strip_prefix("${").and_then(|uid| uid.strip_suffix('}')) {
                    Some(variable) => known("variable", variable, variables.iter().copied()),
                    None => known("data source", uid, sources.iter().map(String::as_str)),
                };
                if problem.is_ok() {
                    problem = checked;
                }
            }
            for panel in items(value).filter(|_| key == "panels") {
                if !ids.insert(panel["id"].to_string()) {
                    problem = Err(format!("two panels have the id {}", panel["id"]));
                }
            }
        });
        problem.map_err(|problem| format!("{path}: {problem}"))?;
    }
    Ok(())
}

fn cloudwatch(files: &FileSet) -> Checked {
    let mut names = vec![];
    for (path, file) in files {
        if path.starts_with("alarms/") {
            let alarm: Value =
                serde_json::from_str(&file.text).map_err(|error| format!("{path}: {error}"))?;
            names.push(text(&alarm["AlarmName"]).to_owned());
        }
    }
    names.iter().try_for_each(|name| aws::alarm(name))?;
    unique("alarms", names.iter().map(String::as_str))
}

#[test]
fn sees_what_is_broken() {
    use super::reading::proves;
    proves(
        check,
        "rules/a.yml",
        "groups: [{ name: a, rules: [{ alert: A }, { alert: B }] }]",
        &[
            ("alert: B", "alert: A", "two alerts"),
            ("alert: B", "alert: B-1", "may not be called"),
            ("alert: B", "record: \"1a\"", "may not be called"),
        ],
    );
    proves(
        check,
        "prometheus.yml",
        "rule_files: [prometheus.y*]\nscrape_configs: [{ job_name: a }, { job_name: b }]",
        &[
            ("prometheus.y*", "rules/*", "no file"),
            ("job_name: b", "job_name: a", "two scrape"),
        ],
    );
    proves(
        check,
        "alertmanager.yml",
        "route: { receiver: a, routes: [{ receiver: b }] }\nreceivers: [{ name: a }, { name: b }]",
        &[
            ("receiver: b", "receiver: c", "receiver `c`"),
            ("name: b", "name: a", "two receivers"),
        ],
    );
    let collector = "receivers: { otlp: }\nexporters: { debug: }\nservice: { pipelines: { traces: { receivers: [otlp], exporters: [debug] } } }";
    proves(
        check,
        "otel-collector.yml",
        collector,
        &[
            ("[debug]", "[debugs]", "exporters `debugs`"),
            ("{ debug: }", "{ debug: , other: }", "nothing uses other"),
        ],
    );
    let board = "{\"uid\": \"a\", \"templating\": {\"list\": [{\"name\": \"x\"}]}, \"panels\": [{\"id\": 1, \"datasource\": {\"uid\": \"${x}\"}}]}";
    proves(
        check,
        "dashboards/a.json",
        board,
        &[
            ("\"uid\": \"a\"", "\"uid\": \"a b\"", "may not have the uid"),
            ("${x}", "${y}", "variable `y`"),
            ("${x}", "prom", "data source `prom`"),
        ],
    );
    let long = format!("{{\"AlarmName\": \"{}\"}}", "x".repeat(256));
    let alarms = super::reading::set(&[("alarms/a.json", &long)]);
    assert!(check(&alarms).is_err());
    let test = (
        "tests/a.yml",
        "rule_files: [../rules/a.yml]\ntests: [{ alert_rule_test: [{ alertname: B }] }]",
    );
    let rules = (
        "rules/a.yml",
        "groups:\n  - name: a\n    rules:\n      - alert: A\n",
    );
    assert!(
        check(&super::reading::set(&[test, rules]))
            .unwrap_err()
            .contains("no alert B")
    );
}
