//! `versions`: the tools and servers that rendered files name, and what of the file's versions gets no more fixes.

use std::collections::BTreeMap;

use wharf_spec::diagnostic::{Code, Diagnostic, excerpt, nearest};
use wharf_spec::model as spec;
use wharf_spec::span::Span;

use super::Resolver;
use super::kubernetes::VERSION as KUBERNETES;

/// Every tool that a file may name, with the version that is rendered where it does not.
const TOOLS: &[(&str, &str)] = &[
    ("alertmanager", "0.27.0"),
    ("ansible", "2.15"),
    ("argocd", "2.13.0"),
    ("aws_load_balancer_controller", "2.10.0"),
    ("aws_provider", "5.80.0"),
    ("bandit", "1.8.0"),
    ("cert_manager", "1.16.0"),
    ("compose", "2"),
    ("debian", "12"),
    ("docker", "24"),
    ("external_secrets", "0.17.0"),
    ("gitleaks", "8.21.0"),
    ("go", "1.25"),
    ("grafana", "10.1.5"),
    ("helm", "3"),
    ("ingress_nginx", "1.11.0"),
    ("jaeger", "1.63.0"),
    ("k6", "0.54.0"),
    ("keda", "2.16.0"),
    ("kube_state_metrics", "2.14.0"),
    ("kubernetes", KUBERNETES),
    ("kustomize", "5.5.0"),
    ("locust", "2.32.0"),
    ("loki", "2.9.10"),
    ("metrics_server", "0.7.2"),
    ("nginx", "1.27"),
    ("node", "22"),
    ("node_exporter", "1.8.2"),
    ("otel_collector", "0.114.0"),
    ("pgbouncer", "1.23.1"),
    ("postgres", "17"),
    ("postgres_exporter", "0.16.0"),
    ("prometheus", "2.47.0"),
    ("promtail", "2.9.10"),
    ("python", "3.13"),
    ("redis", "7"),
    ("redis_exporter", "1.66.0"),
    ("rust", "1.90"),
    ("safety", "3.2.11"),
    ("sealed_secrets", "0.27.0"),
    ("semgrep", "1.97.0"),
    ("snyk", "1.1294.0"),
    ("terraform", "1.6.0"),
    ("traefik", "3.2"),
    ("trivy", "0.57.0"),
    ("zap", "2.15.0"),
];

/// Versions that get no more fixes, as of November 2026: what, the last of its versions that has ended, when, and who says
/// so. The file is not told of what ends later; the table is renewed with Wharf.
const ENDED: &[(&str, &str, &str, &str)] = &[
    (
        "ansible",
        "2.18",
        "May 2026",
        "docs.ansible.com, ansible-core support matrix",
    ),
    (
        "grafana",
        "10",
        "June 2025",
        "grafana.com, support of versions",
    ),
    (
        "kubernetes",
        "1.32",
        "February 2026",
        "kubernetes.io/releases/patch-releases",
    ),
    ("node", "20", "April 2026", "nodejs.org, previous releases"),
    (
        "postgres",
        "14",
        "12 November 2026",
        "postgresql.org, versioning policy",
    ),
    (
        "prometheus",
        "2",
        "July 2025",
        "prometheus.io, release cycle",
    ),
    (
        "python",
        "3.10",
        "October 2026",
        "devguide.python.org/versions",
    ),
    ("redis", "7.0", "July 2024", "redis.io, product lifecycle"),
];

impl Resolver<'_> {
    pub(super) fn versions(&mut self) -> BTreeMap<String, String> {
        let mut versions: BTreeMap<String, String> = TOOLS
            .iter()
            .map(|(tool, version)| ((*tool).to_owned(), (*version).to_owned()))
            .collect();
        let spec = self.spec;
        if let Some(version) = spec
            .kubernetes
            .value()
            .and_then(|kubernetes| kubernetes.version.get())
        {
            self.check_ended("kubernetes", &version.value.0, &version.span);
            versions.insert("kubernetes".to_owned(), version.value.0.clone());
        }
        let entries = spec
            .versions
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        for entry in entries {
            let tool = entry.key.value.0.as_str();
            if !TOOLS.iter().any(|(known, _)| *known == tool) {
                if self.findings.is_full() {
                    continue;
                }
                let message = format!("no rendered file names a version of `{}`", excerpt(tool));
                let plain = tool.to_lowercase().replace('-', "_");
                let near = nearest(&plain, TOOLS.iter().map(|(known, _)| *known));
                let diagnostic =
                    Diagnostic::error(Code::UNKNOWN_NAME, entry.key.span.clone(), message);
                self.report(match near {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help("take it out; the reference lists the tools"),
                });
                continue;
            }
            let Some(version) = &entry.value else {
                continue;
            };
            let text = version.value.0.as_str();
            if tool == "kubernetes" {
                let said = spec
                    .kubernetes
                    .value()
                    .and_then(|kubernetes| kubernetes.version.get());
                let message = "the version of Kubernetes stands in `kubernetes`";
                let diagnostic = Diagnostic::error(Code::NOT_HERE, entry.key.span.clone(), message);
                self.report(match said {
                    Some(said) => diagnostic.related(said.span.clone(), "it stands here"),
                    None => diagnostic.help(format!(
                        "write `kubernetes: {{ version: \"{}\" }}`",
                        excerpt(text)
                    )),
                });
                continue;
            }
            let begins = text
                .strip_prefix('v')
                .unwrap_or(text)
                .starts_with(|c: char| c.is_ascii_digit());
            if !begins {
                let message = format!(
                    "expected a version such as 1.6.0, found `{}`",
                    excerpt(text)
                );
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    version.span.clone(),
                    message,
                ));
            }
            self.check_ended(tool, text, &version.span);
            versions.insert(
                tool.to_owned(),
                text.strip_prefix('v').unwrap_or(text).to_owned(),
            );
        }
        self.check_built_and_stored();
        versions
    }

    /// Versions that stand beside what they belong to.
    fn check_built_and_stored(&mut self) {
        let spec = self.spec;
        let services = spec
            .services
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        for service in services {
            let build = service
                .value
                .as_ref()
                .and_then(|typed| typed.value.build.value());
            let Some((build, version)) =
                build.and_then(|build| Some((build, build.version.get()?)))
            else {
                continue;
            };
            let framework = build
                .framework
                .value()
                .map(|framework| super::builds::written_in(*framework));
            let tool = match build.language.value().copied().or(framework) {
                Some(spec::Language::Python) => "python",
                Some(spec::Language::Node) => "node",
                Some(spec::Language::Rust | spec::Language::Go) | None => continue,
            };
            self.check_ended(tool, &version.value.0, &version.span);
        }
        let stores = spec
            .stores
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        for store in stores {
            let Some(typed) = store.value.as_ref().map(|typed| &typed.value) else {
                continue;
            };
            let tool = match typed.engine.value() {
                Some(spec::Engine::Postgres) => "postgres",
                Some(spec::Engine::Redis) => "redis",
                None => continue,
            };
            if let Some(version) = typed.version.get() {
                self.check_ended(tool, &version.value, &version.span);
            }
        }
    }

    /// Warns of a version that gets no more fixes.
    fn check_ended(&mut self, tool: &str, version: &str, span: &Span) {
        let Some((_, last, when, source)) = ENDED.iter().find(|(known, ..)| *known == tool) else {
            return;
        };
        if !is_up_to(version, last) {
            return;
        }
        let message = format!(
            "{tool} {} gets no more fixes since {when} at the latest",
            excerpt(version)
        );
        self.report(
            Diagnostic::warning(Code::ENDED, span.clone(), message).help(format!("see {source}")),
        );
    }
}

/// Whether `version` is `last`, one of its patches, or older. `7` is not 7.0: it stands for the newest of its kind.
fn is_up_to(version: &str, last: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u32>> {
        text.strip_prefix('v')
            .unwrap_or(text)
            .split('.')
            .map(|part| part.parse().ok())
            .collect()
    };
    let (Some(version), Some(last)) = (numbers(version), numbers(last)) else {
        return false;
    };
    let compared = version.len().min(last.len());
    match version[..compared].cmp(&last[..compared]) {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Equal => version.len() >= last.len(),
        std::cmp::Ordering::Greater => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_ended_with_its_line() {
        for (version, last) in [
            ("3.10", "3.10"),
            ("3.10.4", "3.10"),
            ("3.9", "3.10"),
            ("2.47.0", "2"),
            ("13", "14"),
        ] {
            assert!(is_up_to(version, last), "{version} {last}");
        }
        for (version, last) in [
            ("3.11", "3.10"),
            ("7", "7.0"),
            ("7.2", "7.0"),
            ("15.2", "14"),
            ("latest", "2"),
        ] {
            assert!(!is_up_to(version, last), "{version} {last}");
        }
    }

    #[test]
    fn tools_are_in_order() {
        assert!(TOOLS.is_sorted_by(|one, other| one.0 < other.0));
        assert!(ENDED.is_sorted_by(|one, other| one.0 < other.0));
        assert!(
            ENDED
                .iter()
                .all(|(tool, ..)| TOOLS.iter().any(|(known, _)| known == tool))
        );
    }
}
