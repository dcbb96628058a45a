//! The text of the proposal: YAML with comments.

use std::collections::BTreeMap;

use wharf_plan::model::Command;

use super::layout::{Project, Service};
use crate::detect::{Framework, Kind, StoreNeed};

/// Comments stand this far to the right of short lines.
const COMMENT_COLUMN: usize = 44;

/// Names under which programs ask for the parts of a store, with the field they mean.
const POSTGRES_VARIABLES: [(&str, &str); 20] = [
    ("DATABASE_URL", "url"),
    ("POSTGRES_URL", "url"),
    ("DB_URL", "url"),
    ("DB_HOST", "host"),
    ("DATABASE_HOST", "host"),
    ("POSTGRES_HOST", "host"),
    ("PGHOST", "host"),
    ("DB_PORT", "port"),
    ("DATABASE_PORT", "port"),
    ("POSTGRES_PORT", "port"),
    ("PGPORT", "port"),
    ("DB_USER", "user"),
    ("POSTGRES_USER", "user"),
    ("PGUSER", "user"),
    ("DB_PASSWORD", "password"),
    ("POSTGRES_PASSWORD", "password"),
    ("PGPASSWORD", "password"),
    ("DB_NAME", "database"),
    ("POSTGRES_DB", "database"),
    ("PGDATABASE", "database"),
];

/// As [`POSTGRES_VARIABLES`].
const REDIS_VARIABLES: [(&str, &str); 8] = [
    ("REDIS_URL", "url"),
    ("CACHE_URL", "url"),
    ("BROKER_URL", "url"),
    ("CELERY_BROKER_URL", "url"),
    ("CELERY_RESULT_BACKEND", "url"),
    ("REDIS_HOST", "host"),
    ("REDIS_PORT", "port"),
    ("REDIS_PASSWORD", "password"),
];

/// Variables that need no word: the system, the tools or Wharf sets them.
const GIVEN: [&str; 16] = [
    "PORT",
    "HOST",
    "HOME",
    "PATH",
    "USER",
    "PWD",
    "TMPDIR",
    "NODE_ENV",
    "RUST_LOG",
    "DJANGO_SETTINGS_MODULE",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "CARGO_PKG_VERSION",
    "CARGO_MANIFEST_DIR",
    "CARGO_PKG_NAME",
    "OUT_DIR",
];

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
    text.noted(2, &format!("build: {}", scalar(&service.folder)), kind);
    for note in &detected.notes {
        text.line(2, &format!("# {note}"));
    }
    if let Some(command) = &service.command {
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
        text.line(2, &format!("env_file: {}", scalar(file)));
    }
    if !detected.data_files.is_empty() {
        let folder = service.folder.trim_end_matches('/');
        let volumes: Vec<String> = detected
            .data_files
            .iter()
            .map(|file| match folder {
                "." => quoted(&format!("./{file}:{file}")),
                folder => quoted(&format!("{folder}/{file}:{file}")),
            })
            .collect();
        text.noted(
            2,
            &format!("volumes: [{}]", volumes.join(", ")),
            "it has to be able to write there",
        );
    }
    if port.is_some() {
        match &detected.health_hint {
            Some(path) => text.line(2, &format!("probes: {{ http: {path} }}")),
            None => text.noted(
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
    let asked = &service.detected.variables;
    let mut set: BTreeMap<&str, String> = BTreeMap::new();
    let mut unseen: Vec<&str> = Vec::new();
    let mut fill = |known: &[(&'static str, &str)], store: &str| {
        let before = set.len();
        for (name, field) in known.iter().filter(|(name, _)| asked.contains(*name)) {
            set.insert(name, format!("${{{store}.{field}}}"));
        }
        if set.len() == before {
            set.insert(known[0].0, format!("${{{store}.url}}"));
            unseen.push(known[0].0);
        }
    };
    if service.detected.stores.contains(&StoreNeed::Postgres)
        && project.stores.contains(&StoreNeed::Postgres)
    {
        fill(&POSTGRES_VARIABLES, "db");
    }
    if service.detected.stores.contains(&StoreNeed::Redis)
        && project.stores.contains(&StoreNeed::Redis)
    {
        fill(&REDIS_VARIABLES, "cache");
    }
    if !set.is_empty() {
        if !unseen.is_empty() && !service.companion {
            let names = unseen.join(" and ");
            text.line(
                2,
                &format!("# Its source does not ask for {names} yet: read it there."),
            );
        }
        text.line(2, "environment:");
        for (name, value) in &set {
            text.line(3, &format!("{name}: \"{value}\""));
        }
    }
    let open: Vec<&str> = asked
        .iter()
        .map(String::as_str)
        .filter(|name| !set.contains_key(name) && !GIVEN.contains(name))
        .take(12)
        .collect();
    if !open.is_empty() && service.env_file.is_none() && !service.companion {
        text.line(
            2,
            &format!("# Its source also asks for: {}", open.join(", ")),
        );
    }
}

fn routes(text: &mut Text, project: &Project) {
    let placed: Vec<(&str, &Service)> = project
        .services
        .iter()
        .filter_map(|service| Some((service.path.as_deref()?, service)))
        .collect();
    if placed.is_empty() {
        return;
    }
    text.line(0, "");
    text.line(0, "routes:");
    text.line(1, "- paths:");
    for (path, service) in &placed {
        let line = format!("{path}: {}", service.name);
        if *path == "/" {
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
