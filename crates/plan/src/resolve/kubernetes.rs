//! `kubernetes`, and `expose` of a service.

use std::collections::BTreeMap;

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;
use wharf_spec::span::{Field, Span};

use super::Resolver;
use super::names::{LABEL_MAX, joined};
use super::ports::Ports;
use crate::model::{Expose, ExposeKind, GitOps, IngressClass, Kubernetes, Quota};

/// The newest that manifests are checked against.
pub(super) const VERSION: &str = "1.32";

impl Resolver<'_> {
    pub(super) fn kubernetes(&mut self) -> Kubernetes {
        let spec = self.spec;
        let absent = spec::Kubernetes::default();
        let typed = spec.kubernetes.value().unwrap_or(&absent);
        let (project, environment) = (self.project(), self.environment_name());
        let named = |name: Option<&Name>, parts: &[&str]| {
            name.map_or_else(|| joined(parts, LABEL_MAX), ToString::to_string)
        };
        let branch = self
            .environment
            .and_then(|environment| environment.branch.value());
        Kubernetes {
            version: typed
                .version
                .value()
                .map_or_else(|| VERSION.to_owned(), |version| version.0.clone()),
            namespace: named(typed.namespace.value(), &[project, environment]),
            ingress: match typed.ingress.value() {
                Some(spec::IngressClass::Alb) => IngressClass::Alb,
                Some(spec::IngressClass::Nginx) | None => IngressClass::Nginx,
            },
            storage_class: typed.storage_class.value().map(|class| class.0.clone()),
            shared_storage_class: typed
                .shared_storage_class
                .value()
                .map(|class| class.0.clone()),
            config_map: named(typed.config_map.value(), &[project, "config"]),
            secret: named(typed.secret.value(), &[project, "secrets"]),
            quota: typed.quota.value().and_then(|quota| {
                Some(Quota {
                    cpu: *quota.cpu.value()?,
                    memory: *quota.memory.value()?,
                    pods: quota.pods.value()?.0,
                })
            }),
            gitops: typed.gitops.value().and_then(|gitops| {
                Some(GitOps {
                    repository: gitops.repository.value()?.0.clone(),
                    path: gitops
                        .path
                        .value()
                        .map_or_else(|| ".".to_owned(), |path| path.0.clone()),
                    revision: gitops
                        .revision
                        .value()
                        .or(branch)
                        .map_or_else(|| "HEAD".to_owned(), |revision| revision.0.clone()),
                })
            }),
            monitoring: typed.monitoring.value().copied().unwrap_or(false),
        }
    }

    /// Names may begin with a digit; not every name may that others are given.
    pub(super) fn begins_with_letter(&mut self, typed: &Field<Name>, what: &str) {
        if let Some(name) = typed.get()
            && name
                .value
                .as_str()
                .starts_with(|c: char| c.is_ascii_digit())
        {
            let message = format!("the name of a {what} begins with a letter");
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                name.span.clone(),
                message,
            ));
        }
    }

    pub(super) fn expose(
        &mut self,
        name: &Name,
        typed: &spec::Service,
        ports: &Ports,
    ) -> Option<Expose> {
        let key = typed.expose.key_span()?.clone();
        if !typed.schedule.is_absent() {
            // It is reported with the other keys that a job has no use for.
            return None;
        }
        let expose = &typed.expose.value()?.0;
        if ports.primary.is_none() && !ports.incomplete {
            let message = format!("`{name}` has no port that could be exposed");
            self.report(
                Diagnostic::error(Code::UNKNOWN_NAME, key, message)
                    .help(format!("give `{name}` a `port`")),
            );
            return None;
        }
        let primary = ports
            .primary
            .as_ref()
            .and_then(|primary| ports.by_name.get(primary))
            .copied();
        let kind = match expose.kind.value() {
            Some(spec::ExposeKind::NodePort) => ExposeKind::NodePort,
            Some(spec::ExposeKind::LoadBalancer) => ExposeKind::LoadBalancer,
            Some(spec::ExposeKind::ClusterIp) | None => ExposeKind::ClusterIp,
        };
        let unread = expose.kind.key_span().is_some() && expose.kind.get().is_none();
        if let (Some(port), true) = (
            expose.node_port.key_span(),
            kind != ExposeKind::NodePort && !unread,
        ) {
            let message = "`node_port` is the port of `kind: node_port`";
            self.report(Diagnostic::error(Code::NOT_HERE, port.clone(), message));
        }
        self.begins_with_letter(&expose.name, "Service of Kubernetes");
        Some(Expose {
            name: expose.name.value().map(ToString::to_string),
            kind,
            port: expose.port.value().map(|port| port.0).or(primary)?,
            // The bounds of the word are within the ports'.
            node_port: expose
                .node_port
                .value()
                .and_then(|port| u16::try_from(port.0).ok()),
        })
    }

    /// No two services have one port of the nodes, or one name on the cluster.
    pub(super) fn check_exposed(&mut self) {
        let spec = self.spec;
        let entries = spec
            .services
            .value()
            .map(|table| table.entries.as_slice())
            .unwrap_or_default();
        let mut ports: BTreeMap<u32, &Span> = BTreeMap::new();
        let mut names: BTreeMap<&Name, (&Name, &Span)> = entries
            .iter()
            .map(|entry| (&entry.key.value, (&entry.key.value, &entry.key.span)))
            .collect();
        for entry in entries {
            let Some(expose) = entry
                .value
                .as_ref()
                .and_then(|typed| typed.value.expose.value())
            else {
                continue;
            };
            if let Some(port) = expose.0.node_port.get()
                && let Some(first) = ports.insert(port.value.0, &port.span)
            {
                let message = format!("two services have the node port {}", port.value.0);
                self.report(
                    Diagnostic::error(Code::PORT_CLASH, port.span.clone(), message)
                        .related(first.clone(), "the first one"),
                );
            }
            let Some(name) = expose.0.name.get() else {
                continue;
            };
            if let Some((of, span)) = names.insert(&name.value, (&entry.key.value, &name.span))
                && *of != entry.key.value
            {
                let message = format!("the name `{}` is `{of}`'s on the cluster", name.value);
                self.report(
                    Diagnostic::error(Code::DUPLICATE_NAME, name.span.clone(), message)
                        .related(span.clone(), "the other one"),
                );
            }
        }
    }
}
