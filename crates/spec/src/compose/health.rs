//! `healthcheck` -> a readiness probe, asked from outside where the check is a request.

use std::time::Duration;

use super::emit::Out;
use super::ports::Ports;
use super::{Importer, text};
use crate::yaml::{Kind, Node};

/// What a check asks.
enum Asked {
    Http { path: String, port: u16 },
    Exec(Out),
    Nothing,
}

impl Importer<'_> {
    /// The probes. A check of a port that the service does not declare declares it.
    pub(super) fn probes(&mut self, service: &str, check: &Node, ports: &mut Ports) -> Option<Out> {
        let disabled = check.entry("disable").and_then(|entry| text(&entry.value)) == Some("true");
        let test = check.entry("test").filter(|_| !disabled)?;
        let mut probe = match asked(&test.value) {
            Some(Asked::Nothing) => return None,
            Some(Asked::Http { path, port }) => {
                ports.add(port);
                let several = ports.numbers.len() > 1;
                let http = if several && ports.numbers.first() != Some(&port) {
                    let port = ("port".to_owned(), Out::text(port.to_string()));
                    Out::Map(vec![("path".to_owned(), Out::Text(path)), port])
                } else {
                    Out::Text(path)
                };
                vec![("http".to_owned(), http)]
            }
            Some(Asked::Exec(command)) => vec![("exec".to_owned(), command)],
            None => {
                self.left(
                    &test.value,
                    format!("{service}.healthcheck.test"),
                    "not a command",
                );
                return None;
            }
        };
        let asks = probe.clone();
        let mut startup = None;
        for entry in check.entries() {
            let key = format!("{service}.healthcheck.{}", entry.key.text);
            match entry.key.text.as_str() {
                "test" | "disable" | "start_interval" => {}
                "interval" => probe.extend(
                    self.duration(&key, &entry.value)
                        .map(|d| ("period".to_owned(), shown(d))),
                ),
                "timeout" => probe.extend(
                    self.duration(&key, &entry.value)
                        .map(|d| ("timeout".to_owned(), shown(d))),
                ),
                "retries" => match text(&entry.value)
                    .and_then(|text| text.parse::<u32>().ok())
                    .filter(|n| (1..=100_000).contains(n))
                {
                    Some(retries) => probe.push((
                        "failure_threshold".to_owned(),
                        Out::Text(retries.to_string()),
                    )),
                    None => self.left(&entry.value, key, "not a count"),
                },
                "start_period" => {
                    startup = self
                        .duration(&key, &entry.value)
                        .filter(|period| period.as_secs() > 0)
                }
                _ => self.left(&entry.value, key, "Wharf has no such key"),
            }
        }
        let mut probes = vec![("readiness".to_owned(), Out::Map(probe))];
        if let Some(period) = startup {
            // Asked each second for as long as the start may take.
            let mut startup = asks;
            startup.push((
                "failure_threshold".to_owned(),
                Out::Text(period.as_secs().to_string()),
            ));
            probes.insert(0, ("startup".to_owned(), Out::Map(startup)));
        }
        Some(Out::Map(probes))
    }

    /// A duration of Compose above zero: as Wharf's.
    pub(super) fn duration(&mut self, key: &str, node: &Node) -> Option<Duration> {
        let duration = text(node).and_then(|text| wharf_base::duration::parse(text).ok());
        let duration = duration.filter(|duration| !duration.is_zero());
        if duration.is_none() && text(node) != Some("0s") {
            self.left(node, key, "not a duration such as 30s or 1m30s");
        }
        duration
    }
}

pub(super) fn shown(duration: Duration) -> Out {
    Out::Text(wharf_base::duration::format(duration))
}

/// Reads `test`: a text for the shell, or a list that begins with `CMD`, `CMD-SHELL` or `NONE`.
fn asked(test: &Node) -> Option<Asked> {
    let words: Vec<String> = match &test.kind {
        Kind::Scalar(line) => return Some(shell(&unescaped(&line.text))),
        Kind::List(items) => items
            .iter()
            .map(|item| text(item).map(unescaped))
            .collect::<Option<_>>()?,
        _ => return None,
    };
    match words.split_first()? {
        (first, _) if first == "NONE" => Some(Asked::Nothing),
        (first, rest) if first == "CMD-SHELL" => Some(shell(&rest.join(" "))),
        (first, rest) if first == "CMD" && !rest.is_empty() => {
            let request = request(&rest.iter().map(String::as_str).collect::<Vec<_>>());
            Some(
                request.unwrap_or_else(|| {
                    Asked::Exec(Out::List(rest.iter().map(Out::text).collect()))
                }),
            )
        }
        _ => None,
    }
}

fn shell(line: &str) -> Asked {
    // `curl -f URL || exit 1` is the request, too.
    let simple = line.split("||").next().unwrap_or(line);
    let words: Vec<&str> = simple
        .split_whitespace()
        .map(|word| word.trim_matches(['"', '\'']))
        .collect();
    let plain = !simple.contains(['|', ';', '&', '`', '$', '>']);
    request(&words)
        .filter(|_| plain)
        .unwrap_or_else(|| Asked::Exec(Out::text(line)))
}

/// A request by curl or wget to the container itself.
fn request(words: &[&str]) -> Option<Asked> {
    let program = words.first()?.rsplit('/').next()?;
    if !["curl", "wget"].contains(&program)
        || words
            .iter()
            .any(|word| ["-X", "-d", "--data", "-H", "--header"].contains(word))
    {
        return None;
    }
    let url = words.iter().find_map(|word| {
        word.strip_prefix("http://")
            .or_else(|| word.starts_with("localhost").then_some(*word))
    })?;
    let (authority, path) = match url.find('/') {
        Some(at) => (&url[..at], &url[at..]),
        None => (url, "/"),
    };
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, "80"));
    let own = ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"].contains(&host);
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let clean = path.chars().all(|c| c.is_ascii_graphic() && c != '#');
    (own && clean).then(|| Asked::Http {
        path: path.to_owned(),
        port,
    })
}

/// Compose's `$$` is one `$`.
fn unescaped(text: &str) -> String {
    text.replace("$$", "$")
}
