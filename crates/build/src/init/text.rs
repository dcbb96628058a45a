//! The text of the proposal: YAML with comments.

use std::collections::BTreeSet;

use wharf_plan::model::Command;

use super::layout::{Project, Service};
use super::variables::{SECRET_LETTERS, Variables};
use crate::detect::{Framework, Kind, StoreNeed};

/// Comments stand this far to the right of short lines.
const COMMENT_COLUMN: usize = 44;

/// Writes the whole file.
pub(super) fn write(project: &Project) -> String {
    let mut text = Text::default();
    text.line(0, "# Proposed by `wharf init` from what lies in this folder: read it, change it, then run `wharf up`.");
    text.line(0, &format!("name: {}", project.name));
    text.line(0, "");
    text.line(0, "services:");
    for (at, service) in project.services.iter().enumerate() {
        if at > 0 {
            text.line(0, "");
        }
        one(&mut text, project, service);
    }
    if !project.stores.is_empty() {
        text.line(0, "");
        text.line(0, "stores:");
        for store in &project.stores {
            match store {
                StoreNeed::Postgres => text.noted(
                    1,
                    "db: { engine: postgres }",
                    "add `version: \"16\"` to say which",
                ),
                StoreNeed::Redis => text.line(1, "cache: { engine: redis }"),
            }
        }
    }
    secrets(&mut text, project);
    routes(&mut text, project);
    text.0
}

fn one(text: &mut Text, project: &Project, service: &Service) {
    let detected = &service.detected;
    text.line(1, &format!("{}:", service.name));
    let kind = match &detected.kind {
        Kind::Command => "nothing was recognised here",
        Kind::Dockerfile => "only a Dockerfile: this needs a container engine",
        other => other.label(),
    };
    text.noted(2, &format!("build: {}", build(service)), kind);
    for note in &detected.notes {
        text.line(2, &format!("# {note}"));
    }
    if let Some(command) = service.command.as_ref().filter(|_| !is_page(service)) {
        let line = format!("command: {}", command_text(command));
        match (&detected.kind, service.companion) {
            (Kind::Command, false) if detected.default_command.is_none() => {
                text.noted(
                    2,
                    &line,
                    "serves the files: put here what starts your program",
                );
            }
            _ => text.line(2, &line),
        }
    } else if detected.default_command.is_none() && detected.kind != Kind::Dockerfile {
        text.line(2, "# command: what starts it");
    }
    let port = detected
        .port_hint
        .or((detected.kind == Kind::Command && !service.companion).then_some(8000));
    if let Some(port) = port {
        text.line(2, &format!("port: {port}"));
        if !finds_its_port(service) {
            text.line(
                2,
                "# Its source does not ask for the variable PORT: it has to listen on that port.",
            );
        }
        text.line(2, "# replicas: 3");
    }
    if service.companion && service.name.as_str().contains("beat") {
        text.noted(2, "singleton: true", "a clock: never two at once");
    }
    environment(text, project, service);
    if let Some(file) = &service.env_file {
        text.line(2, &format!("env_file: {}", scalar(&file.path)));
    }
    volumes(text, service);
    if !detected.static_files.is_empty() {
        let folders: Vec<String> = detected
            .static_files
            .iter()
            .map(|(path, folder)| format!("{path}: {folder}"))
            .collect();
        text.noted(
            2,
            &format!("static_files: {{ {} }}", folders.join(", ")),
            "the ingress answers these by itself",
        );
    }
    if port.is_some() {
        match (&detected.health_hint, &detected.live_hint) {
            (Some(ready), Some(live)) => text.line(
                2,
                &format!(
                    "probes: {{ readiness: {{ http: {ready} }}, liveness: {{ http: {live} }} }}"
                ),
            ),
            (Some(path), None) => text.line(2, &format!("probes: {{ http: {path} }}")),
            (None, _) => text.noted(
                2,
                "# probes: { http: /health }",
                "without it: ready when the port accepts",
            ),
        }
        if detected.metrics_hint {
            text.line(2, "metrics: /metrics");
        }
    }
    if let Some(command) = &detected.release_hint {
        text.noted(
            2,
            &format!("release: {}", command_text(command)),
            "once in each release, before it starts",
        );
    }
}

/// Whether the program will listen where it is told to.
fn finds_its_port(service: &Service) -> bool {
    let by_command =
        matches!(&service.command, Some(Command::Shell(line)) if line.contains("PORT"));
    // Next.js and its like read PORT themselves; Dockerfiles and Procfiles are not looked into.
    let by_framework = matches!(
        &service.detected.kind,
        Kind::Python(python) if matches!(python.framework, Some(Framework::Django { .. }))
    );
    by_command
        || by_framework
        || service.detected.variables.contains("PORT")
        || matches!(service.detected.kind, Kind::Dockerfile)
}

fn environment(text: &mut Text, project: &Project, service: &Service) {
    let found = Variables::of(project, service);
    if !found.set.is_empty() {
        if !found.unseen.is_empty() && !service.companion {
            let names = found.unseen.join(" and ");
            text.line(
                2,
                &format!("# Its source does not ask for {names} yet: read it there."),
            );
        }
        text.line(2, "environment:");
        for (name, value) in &found.set {
            text.line(3, &format!("{name}: \"{value}\""));
        }
    }
    if !found.open.is_empty() && service.env_file.is_none() && !service.companion {
        text.line(
            2,
            &format!("# Its source also asks for: {}", found.open.join(", ")),
        );
    }
}

fn secrets(text: &mut Text, project: &Project) {
    let secrets: BTreeSet<String> = project
        .services
        .iter()
        .flat_map(|service| Variables::of(project, service).secrets)
        .collect();
    if secrets.is_empty() {
        return;
    }
    text.line(0, "");
    text.line(0, "secrets:");
    for name in secrets {
        text.noted(
            1,
            &format!("{name}: {{ generate: {SECRET_LETTERS} }}"),
            "made at the first start, and kept",
        );
    }
}

/// What it keeps: files that it writes, and folders that are more than one replica's.
fn volumes(text: &mut Text, service: &Service) {
    let folder = service.folder.trim_end_matches('/');
    let files = service.detected.data_files.iter();
    let mut volumes: Vec<(String, &str)> = files
        .map(|file| {
            let path = match folder {
                "." => format!("./{file}:{file}"),
                folder => format!("{folder}/{file}:{file}"),
            };
            (quoted(&path), "it has to be able to write there")
        })
        .collect();
    if let Some(media) = &service.detected.media {
        let name = media.replace(['/', '_'], "-").to_ascii_lowercase();
        volumes.push((
            format!("{{ source: {name}, target: {media}, shared: true }}"),
            "uploads: one folder for all replicas",
        ));
    }
    if let Some(folder) = service.command.as_ref().and_then(schedule) {
        volumes.push((
            format!("{{ source: {folder}, target: {folder} }}"),
            "when each periodic task ran last",
        ));
    }
    let Some((_, why)) = volumes.last() else {
        return;
    };
    let listed: Vec<&str> = volumes.iter().map(|(volume, _)| volume.as_str()).collect();
    text.noted(2, &format!("volumes: [{}]", listed.join(", ")), why);
}

/// The folder of the file in which Celery's clock keeps its times.
fn schedule(command: &Command) -> Option<&str> {
    let Command::Shell(line) = command else {
        return None;
    };
    let file = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("--schedule="))?;
    let (folder, _) = file.rsplit_once('/')?;
    let plain = |c: char| c.is_ascii_lowercase() || c == '-';
    (!folder.is_empty() && folder.chars().all(plain)).then_some(folder)
}

fn routes(text: &mut Text, project: &Project) {
    let placed: Vec<(&String, &Service)> = project
        .services
        .iter()
        .filter_map(|service| Some((service.path.as_ref()?, service)))
        .collect();
    if placed.is_empty() {
        return;
    }
    text.line(0, "");
    text.line(0, "routes:");
    text.line(1, "- paths:");
    for (path, service) in &placed {
        let line = format!("{path}: {}", service.name);
        if *path == "/" || service.detected.route_hint.as_ref() == Some(path) {
            text.line(3, &line);
        } else {
            let cut = format!(
                "the service sees `{path}/…`; `{{ service: {}, strip_prefix: true }}` cuts it",
                service.name
            );
            text.noted(3, &line, &cut);
        }
    }
}

/// Its folder, with what the build has to be told beside it.
fn build(service: &Service) -> String {
    let mut parts = vec![];
    if let Some(program) = &service.program {
        parts.push(format!("program: {}", scalar(program)));
    }
    // Only then are Django's static files collected.
    if service.detected.media.is_some() || !service.detected.static_files.is_empty() {
        parts.push("framework: django".to_owned());
    }
    // Said, it needs no command: the build knows what serves it, and its image is another.
    if is_page(service) {
        parts.push("framework: react".to_owned());
    }
    let folder = scalar(&service.folder);
    if parts.is_empty() {
        return folder;
    }
    format!("{{ context: {folder}, {} }}", parts.join(", "))
}

fn is_page(service: &Service) -> bool {
    matches!(&service.detected.kind, Kind::Node(node) if node.react_page)
}

fn command_text(command: &Command) -> String {
    match command {
        Command::Shell(line) => scalar(line),
        Command::Exec(words) => {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            format!("[{}]", words.join(", "))
        }
    }
}

/// A YAML scalar: plain where it surely reads back as the same text, else in double quotes.
fn scalar(text: &str) -> String {
    let plain_first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '.' || c == '/');
    let plain = |c: char| c.is_ascii_alphanumeric() || " ./-_$=+@".contains(c);
    let word = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        .contains(&text.to_ascii_lowercase().as_str());
    // A text such as `.5` would be a number.
    let number = text
        .trim_start_matches('.')
        .starts_with(|c: char| c.is_ascii_digit());
    if plain_first && text.chars().all(plain) && !text.ends_with(' ') && !word && !number {
        text.to_owned()
    } else {
        quoted(text)
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, depth: usize, line: &str) {
        // A note or a name could hold a line end only by a hostile file; it must not end a comment.
        let line = line.replace(['\n', '\r'], " ");
        if !line.is_empty() {
            self.0.push_str(&"  ".repeat(depth));
            self.0.push_str(&line);
        }
        self.0.push('\n');
    }

    fn noted(&mut self, depth: usize, line: &str, comment: &str) {
        let width = COMMENT_COLUMN
            .saturating_sub(depth * 2)
            .max(line.chars().count() + 2);
        self.line(depth, &format!("{line:<width$}# {comment}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_read_back() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(scalar(text), expected);
        }
        check("node server.js", "node server.js");
        check("./run --port $PORT", "./run --port $PORT");
        check("flask --app 'a:b' run", "\"flask --app 'a:b' run\"");
        check("echo \"x\" # y", "\"echo \\\"x\\\" # y\"");
        check(".5", "\".5\"");
        check("yes", "\"yes\"");
        check("", "\"\"");
    }
}
