//! One service that stays a service.

use super::emit::Out;
use super::health::shown;
use super::{Importer, items, text};
use crate::yaml::{Entry, Kind, Node};

/// Keys that need no counterpart, because Wharf does what they ask for anyway, or because they concern the container
/// engine alone.
const NEEDLESS: [&str; 12] = [
    "container_name",
    "hostname",
    "init",
    "platform",
    "pull_policy",
    "stdin_open",
    "tty",
    "expose",
    "ports",
    "attach",
    "deploy",
    "scale",
];

/// Keys without a counterpart, with what to do instead.
const WITHOUT: [(&str, &str); 26] = [
    (
        "networks",
        "services of a project reach each other by `${NAME.url}`",
    ),
    (
        "network_mode",
        "services of a project reach each other by `${NAME.url}`",
    ),
    (
        "links",
        "services of a project reach each other by `${NAME.url}`",
    ),
    ("extra_hosts", "name resolution is the machine's"),
    ("dns", "name resolution is the machine's"),
    (
        "labels",
        "Wharf reads no labels; what a proxy's labels say belongs into `routes`",
    ),
    ("logging", "logs are kept by Wharf: `wharf logs`"),
    (
        "secrets",
        "secrets are not supported yet; take the value from the environment: `${env.NAME}`",
    ),
    ("configs", "mount the file as a volume: `./file:/path:ro`"),
    (
        "profiles",
        "use `environments`: a service that one of them does not have is `null` there",
    ),
    (
        "extends",
        "other services and files are not read; write the keys out",
    ),
    (
        "user",
        "a service runs as an unprivileged user; another one cannot be chosen yet",
    ),
    (
        "working_dir",
        "a command runs in the folder of its build; begin it with `cd FOLDER &&`",
    ),
    ("privileged", "a service gets no privileges"),
    ("cap_add", "a service gets no privileges"),
    ("cap_drop", "a service has no privileges to drop"),
    ("security_opt", "a service gets no privileges"),
    ("devices", "devices are not handed to services"),
    ("read_only", "a read-only root cannot be asked for yet"),
    ("tmpfs", "use the machine's temporary folder"),
    ("shm_size", "shared memory is not limited"),
    ("ulimits", "limits of files and processes are Wharf's"),
    ("sysctls", "settings of the kernel are the machine's"),
    ("stop_signal", "a replica is stopped with SIGTERM"),
    (
        "develop",
        "`wharf up --watch` releases on every change of the source",
    ),
    ("runtime", "the container engine chooses its runtime"),
];

/// Proxies that people put in front of their services.
const PROXIES: [&str; 6] = [
    "nginx",
    "traefik",
    "caddy",
    "haproxy",
    "nginx-proxy",
    "envoy",
];

impl Importer<'_> {
    pub(super) fn service(&mut self, entry: &Entry) -> Out {
        let name = entry.key.text.as_str();
        let service = &entry.value;
        if !matches!(service.kind, Kind::Map(_)) {
            self.left(service, name, "not a service");
        }
        let mut out = vec![];
        let field = |key: &str| service.entry(key).map(|entry| &entry.value);
        match (field("build"), field("image")) {
            (Some(build), image) => {
                out.push(("build".to_owned(), self.build(name, build)));
                if let Some(image) = image {
                    self.left(
                        image,
                        format!("{name}.image"),
                        "the name of what is built is Wharf's",
                    );
                }
            }
            (None, Some(image)) => {
                let text = self
                    .plain(&format!("{name}.image"), image)
                    .unwrap_or_default();
                // A tag whose variable has no default.
                let text = text.trim_end_matches([':', '@']).to_owned();
                self.check_proxy(name, image, &text);
                out.push(("image".to_owned(), Out::Text(text)));
            }
            (None, None) => {}
        }
        if let Some(command) = self.command(name, field("entrypoint"), field("command")) {
            out.push(("command".to_owned(), command));
        }
        let mut ports = self.ports.get(name).cloned().unwrap_or_default();
        let probes = field("healthcheck").and_then(|check| self.probes(name, check, &mut ports));
        out.extend(ports.out());
        out.extend(self.deployment(entry));
        if let Some(environment) =
            field("environment").and_then(|node| self.environment(name, node))
        {
            out.push(("environment".to_owned(), environment));
        }
        if let Some(files) = field("env_file").and_then(|node| self.env_files(name, node)) {
            out.push(("env_file".to_owned(), files));
        }
        if let Some(volumes) = field("volumes").and_then(|node| self.service_volumes(name, node)) {
            out.push(("volumes".to_owned(), volumes));
        }
        if let Some(needs) = field("depends_on").and_then(|node| self.needs(name, node)) {
            out.push(("needs".to_owned(), needs));
        }
        out.extend(probes.map(|probes| ("probes".to_owned(), probes)));
        if let Some(period) = field("stop_grace_period") {
            let period = self.duration(&format!("{name}.stop_grace_period"), period);
            out.extend(period.map(|period| ("stop_timeout".to_owned(), shown(period))));
        }
        self.rest(name, service);
        Out::Map(out)
    }

    fn check_proxy(&mut self, name: &str, node: &Node, image: &str) {
        let base = image.rsplit('/').next().unwrap_or(image);
        let base = base.split([':', '@']).next().unwrap_or(base);
        if PROXIES.contains(&base) {
            let reason = format!(
                "Wharf's ingress routes by itself: unless `{name}` serves files, take it out and put its rules into `routes`"
            );
            self.left(node, format!("{name}.image"), reason);
        }
    }

    fn build(&mut self, service: &str, build: &Node) -> Out {
        if !matches!(build.kind, Kind::Map(_)) {
            return Out::Text(
                self.plain(&format!("{service}.build"), build)
                    .unwrap_or_else(|| ".".to_owned()),
            );
        }
        let mut out = vec![];
        for entry in build.entries() {
            let key = entry.key.text.as_str();
            let place = format!("{service}.build.{key}");
            match key {
                "context" | "dockerfile" | "target" => {
                    out.extend(
                        self.plain(&place, &entry.value)
                            .map(|text| (key.to_owned(), Out::Text(text))),
                    );
                }
                "args" => {
                    let args = self.build_args(&place, &entry.value);
                    if !args.is_empty() {
                        out.push(("args".to_owned(), Out::Map(args)));
                    }
                }
                _ => self.left(
                    &entry.value,
                    place,
                    "a build has `context`, `dockerfile`, `target` and `args`",
                ),
            }
        }
        match out.as_slice() {
            [(key, context)] if key == "context" => context.clone(),
            _ => Out::Map(out),
        }
    }

    fn build_args(&mut self, place: &str, args: &Node) -> Vec<(String, Out)> {
        let mut out = vec![];
        if let Kind::Map(entries) = &args.kind {
            for entry in entries {
                match self.plain(place, &entry.value) {
                    Some(value) => out.push((entry.key.text.clone(), Out::Text(value))),
                    None => self.left(&entry.value, place, "a build argument needs a value"),
                }
            }
            return out;
        }
        for item in items(args) {
            let plain = self.plain(place, item).unwrap_or_default();
            match plain.split_once('=') {
                Some((key, value)) => out.push((key.to_owned(), Out::text(value))),
                None => self.left(item, place, "a build argument needs a value"),
            }
        }
        out
    }

    /// Entrypoint and command are one command here.
    fn command(
        &mut self,
        service: &str,
        entrypoint: Option<&Node>,
        command: Option<&Node>,
    ) -> Option<Out> {
        let parts: Vec<&Node> = [entrypoint, command]
            .into_iter()
            .flatten()
            .filter(|node| node.kind != Kind::Null)
            .collect();
        let lists = parts.iter().all(|part| matches!(part.kind, Kind::List(_)));
        let mut words = vec![];
        for part in &parts {
            for item in items(part) {
                let place = format!("{service}.command");
                words.push(self.plain(&place, item)?);
            }
        }
        if words.is_empty() {
            return None;
        }
        if lists {
            return Some(Out::List(words.into_iter().map(Out::Text).collect()));
        }
        // A text is a line for the shell; the words of a list beside it are quoted for it.
        let mut line = vec![];
        for part in &parts {
            let list = matches!(part.kind, Kind::List(_));
            for _ in items(part) {
                let word = words.remove(0);
                line.push(if list { shell_quoted(&word) } else { word });
            }
        }
        Some(Out::Text(line.join(" ")))
    }

    fn env_files(&mut self, service: &str, files: &Node) -> Option<Out> {
        let place = format!("{service}.env_file");
        let mut out = vec![];
        for item in items(files) {
            let path = match item.kind {
                Kind::Map(_) => item.entry("path").map(|entry| &entry.value),
                _ => Some(item),
            };
            if item.entry("required").and_then(|entry| text(&entry.value)) == Some("false") {
                self.left(
                    item,
                    place.as_str(),
                    "a file that may be missing cannot be said yet; it has to be there",
                );
            }
            out.extend(
                path.and_then(|path| self.plain(&place, path))
                    .map(Out::Text),
            );
        }
        match out.as_slice() {
            [] => None,
            [only] => Some(only.clone()),
            _ => Some(Out::List(out)),
        }
    }

    fn needs(&mut self, service: &str, depends_on: &Node) -> Option<Out> {
        let place = format!("{service}.depends_on");
        let pairs: Vec<(&str, &str, &Node)> = match &depends_on.kind {
            Kind::Map(entries) => entries
                .iter()
                .map(|entry| {
                    let condition = entry
                        .value
                        .entry("condition")
                        .and_then(|entry| text(&entry.value));
                    (
                        entry.key.text.as_str(),
                        condition.unwrap_or("service_started"),
                        &entry.value,
                    )
                })
                .collect(),
            _ => items(depends_on)
                .iter()
                .filter_map(|item| Some((text(item)?, "service_started", item)))
                .collect(),
        };
        let mut out = vec![];
        for (needed, condition, node) in pairs {
            let Some(name) = self.names.get(needed).cloned() else {
                self.left(
                    node,
                    place.as_str(),
                    format!(
                        "there is no service `{}`",
                        crate::diagnostic::excerpt(needed)
                    ),
                );
                continue;
            };
            let condition = match condition {
                // A store that is there is ready.
                _ if self.stores.contains_key(needed) => "healthy",
                "service_healthy" => "healthy",
                "service_completed_successfully" => "completed",
                _ => "started",
            };
            out.push((name.to_string(), Out::text(condition)));
        }
        (!out.is_empty()).then_some(Out::Map(out))
    }

    /// Whether another service waits until `name` has completed, which makes it a job here, too.
    fn is_awaited(&self, name: &str) -> bool {
        self.services.iter().any(|other| {
            let needed = other
                .value
                .entry("depends_on")
                .and_then(|needs| needs.value.entry(name));
            let condition = needed.and_then(|needed| needed.value.entry("condition"));
            condition.and_then(|condition| text(&condition.value))
                == Some("service_completed_successfully")
        })
    }

    /// The keys that have not been read, each with its reason.
    fn rest(&mut self, name: &str, service: &Node) {
        const READ: [&str; 13] = [
            "build",
            "image",
            "command",
            "entrypoint",
            "environment",
            "env_file",
            "volumes",
            "depends_on",
            "healthcheck",
            "stop_grace_period",
            "cpus",
            "mem_limit",
            "mem_reservation",
        ];
        for entry in service.entries() {
            let key = entry.key.text.as_str();
            if READ.contains(&key) || NEEDLESS.contains(&key) || key.starts_with("x-") {
                continue;
            }
            let restarts =
                key == "restart" && (text(&entry.value) != Some("no") || self.is_awaited(name));
            let says_nothing = match &entry.value.kind {
                Kind::Map(networks) => networks
                    .iter()
                    .all(|network| network.value.kind == Kind::Null),
                _ => true,
            };
            let default_network = key == "networks" && says_nothing;
            if restarts || default_network {
                continue;
            }
            let reason = match key {
                "restart" => {
                    "a service that ends is started again; give a job a `schedule`, or make it another's `release`"
                }
                _ => WITHOUT
                    .iter()
                    .find(|(without, _)| *without == key)
                    .map_or("Wharf has no such key", |(_, reason)| reason),
            };
            self.left(&entry.value, format!("{name}.{key}"), reason);
        }
    }
}

/// One word for `/bin/sh`.
fn shell_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@%+,-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
