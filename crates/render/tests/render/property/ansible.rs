//! Ansible: roles, handlers, files and variables that a play names are there.

use std::collections::BTreeSet;

use serde_json::Value;
use wharf_base::files::FileSet;

use super::reading::{Checked, document, exists, items, keys, known, pattern, text, texts, walk};

pub(super) fn check(files: &FileSet) -> Checked {
    let mut groups = BTreeSet::from(["all", "localhost"]);
    for (path, file) in files {
        if path.starts_with("inventory/") {
            let sections = pattern!(r"(?m)^\[([A-Za-z0-9_-]+)").captures_iter(&file.text);
            groups.extend(
                sections
                    .filter_map(|found| found.get(1))
                    .map(|found| found.as_str()),
            );
        }
    }
    if let Some(bad) = groups
        .iter()
        .find(|group| !pattern!("^[a-z_][a-z0-9_]*$").is_match(group))
    {
        return Err(format!("a group may not be called `{bad}`"));
    }
    for (path, file) in files.into_iter().filter(|(path, _)| path.ends_with(".yml")) {
        let told = |problem| format!("{path}: {problem}");
        let content = document(path, &file.text)?;
        let variables = ["/defaults/", "/vars/", "group_vars/", "host_vars/"];
        if variables.iter().any(|folder| path.contains(folder)) {
            for name in keys(&content) {
                variable(name).map_err(told)?;
            }
        } else if let Some(role) = role(path) {
            let role = role.to_owned();
            tasks(files, path, &role, &content).map_err(told)?;
        } else if !path.contains('/') {
            for play in items(&content) {
                if let Some(playbook) = play["ansible.builtin.import_playbook"].as_str() {
                    known("playbook", playbook, files.get(playbook).map(|_| playbook))
                        .map_err(told)?;
                }
                for host in text(&play["hosts"])
                    .split([':', ','])
                    .filter(|host| !host.is_empty())
                {
                    known("group", host, groups.iter().copied()).map_err(told)?;
                }
                for role in items(&play["roles"]) {
                    let name = role.as_str().unwrap_or_else(|| text(&role["role"]));
                    if !pattern!("^[a-z][a-z0-9_]*$").is_match(name)
                        || !exists(files, &format!("roles/{name}/tasks"))
                    {
                        return Err(told(format!("there is no role `{name}`")));
                    }
                }
            }
        }
    }
    for (path, file) in files {
        if let Some(role) = role(path) {
            read(files, role, &file.text).map_err(|problem| format!("{path}: {problem}"))?;
        }
    }
    Ok(())
}

/// The role that a file belongs to.
fn role(path: &str) -> Option<&str> {
    path.strip_prefix("roles/")?.split('/').next()
}

fn variable(name: &str) -> Checked {
    if pattern!("^[a-z_][a-z0-9_]*$").is_match(name) {
        Ok(())
    } else {
        Err(format!("a variable may not be called `{name}`"))
    }
}

fn tasks(files: &FileSet, path: &str, role: &str, content: &Value) -> Checked {
    let mut problem = Ok(());
    let mut note = |checked: Checked| {
        if problem.is_ok() {
            problem = checked;
        }
    };
    let handlers = files.get(&format!("roles/{role}/handlers/main.yml"));
    let handlers = handlers.map_or(Ok(Value::Null), |file| document(path, &file.text))?;
    let heard: Vec<&str> = items(&handlers)
        .flat_map(|handler| {
            texts(&handler["name"])
                .into_iter()
                .chain(texts(&handler["listen"]))
        })
        .collect();
    let file = |folder: &str, name: &str| {
        let path = format!("roles/{role}/{folder}/{name}");
        if name.starts_with('/') || name.contains("{{") || exists(files, &path) {
            Ok(())
        } else {
            Err(format!("there is no {path}"))
        }
    };
    let mut look = |key: &str, value: &Value| match key {
        "notify" => texts(value)
            .into_iter()
            .for_each(|name| note(known("handler", name, heard.iter().copied()))),
        "register" => note(variable(text(value))),
        "ansible.builtin.template" => note(file("templates", text(&value["src"]))),
        "ansible.builtin.copy" if value["remote_src"].is_null() && value["src"].is_string() => {
            note(file("files", text(&value["src"])));
        }
        "ansible.builtin.import_tasks" | "ansible.builtin.include_tasks" => {
            note(file(
                "tasks",
                value.as_str().unwrap_or_else(|| text(&value["file"])),
            ));
        }
        "ansible.builtin.set_fact" => keys(value).for_each(|name| note(variable(name))),
        _ => {}
    };
    walk(content, &mut look);
    problem
}

/// The variables of the role itself that are read are set somewhere, and so are templates that are looked up.
fn read(files: &FileSet, role: &str, source: &str) -> Checked {
    for found in pattern!(r"builtin\.template', '([^']+)'").captures_iter(source) {
        let path = format!("roles/{role}/templates/{}", &found[1]);
        known("template", &path, files.get(&path).map(|_| path.as_str()))?;
    }
    let own = format!("{role}_");
    for place in pattern!(r"(?s)\{\{(.*?)\}\}|\{%(.*?)%\}|when: ([^\n]*)").find_iter(source) {
        for name in pattern!(r"[A-Za-z_][A-Za-z0-9_.]*").find_iter(place.as_str()) {
            let name = name.as_str().split('.').next().unwrap_or_default();
            if !name.starts_with(&own) {
                continue;
            }
            let set = files.into_iter().any(|(path, file)| {
                let variables = ["/defaults/", "/vars/", "group_vars/"];
                let set = format!("\n{name}:");
                let fact = format!(" {name}:");
                let registered = format!("register: {name}\n");
                let looped = format!("loop_var: {name}\n");
                variables.iter().any(|folder| path.contains(folder)) && file.text.contains(&set)
                    || path.contains("/tasks/")
                        && [registered, looped, fact]
                            .iter()
                            .any(|way| file.text.contains(way))
            });
            let local = source.contains(&format!("set {name} "))
                || source.contains(&format!("for {name} "));
            if !set && !local {
                return Err(format!("nothing sets {name}"));
            }
        }
    }
    Ok(())
}

#[test]
fn sees_what_is_broken() {
    let check = |playbook: &str, tasks: &str| {
        check(&super::reading::set(&[
            ("inventory/hosts.ini", "[machines]\na"),
            ("playbook.yml", playbook),
            ("roles/web/tasks/main.yml", tasks),
            ("roles/web/handlers/main.yml", "- name: Restart\n"),
            ("roles/web/templates/a.j2", "{{ web_size }}"),
            ("roles/web/defaults/main.yml", "---\nweb_size: 1\n"),
        ]))
    };
    let playbook = "- hosts: machines\n  roles: [{ role: web }]\n";
    let tasks =
        "- ansible.builtin.template: { src: a.j2, dest: \"/{{ web_size }}\" }\n  notify: Restart\n";
    assert_eq!(check(playbook, tasks), Ok(()));
    assert!(
        check(&playbook.replace("role: web", "role: webs"), tasks)
            .unwrap_err()
            .contains("no role")
    );
    assert!(
        check(&playbook.replace("machines", "others"), tasks)
            .unwrap_err()
            .contains("group `others`")
    );
    for (from, to, problem) in [
        ("a.j2", "b.j2", "there is no"),
        ("Restart", "Reload", "handler `Reload`"),
        ("web_size", "web_sizes", "nothing sets web_sizes"),
    ] {
        let told = check(playbook, &tasks.replace(from, to)).unwrap_err();
        assert!(told.contains(problem), "told: {told}");
    }
}
