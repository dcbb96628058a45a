//! `cloud.load_balancer`.

use std::time::Duration;

use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::model as spec;

use super::Resolver;
use super::cloud::Application;
use crate::model::{Check, LoadBalancer, RouteAction, TargetHealth};

impl Resolver<'_> {
    pub(super) fn load_balancer(
        &mut self,
        cloud: &spec::Cloud,
        application: &Application<'_>,
    ) -> LoadBalancer {
        let absent = spec::LoadBalancer::default();
        let typed = cloud.load_balancer.value().unwrap_or(&absent);
        let no_health = spec::TargetHealth::default();
        let health = typed.health.value().unwrap_or(&no_health);
        let interval = health
            .interval
            .value()
            .copied()
            .unwrap_or(Duration::from_secs(30));
        let timeout = health
            .timeout
            .value()
            .copied()
            .unwrap_or(Duration::from_secs(5));
        // Elastic Load Balancing: 5 to 300 s between two checks, 2 to 120 s for one.
        let bounds = [(&health.interval, 5, 300), (&health.timeout, 2, 120)];
        for (field, least, most) in bounds {
            if let Some(typed) = field.get()
                && !(Duration::from_secs(least)..=Duration::from_secs(most)).contains(&typed.value)
            {
                let message = format!("expected a time from {least}s to {most}s");
                self.report(Diagnostic::error(
                    Code::BAD_VALUE,
                    typed.span.clone(),
                    message,
                ));
            }
        }
        if let (Some(typed), true) = (
            health.timeout.get().or(health.interval.get()),
            timeout >= interval,
        ) {
            let message = "a check has to end before the next one: `timeout` is below `interval`";
            self.report(Diagnostic::error(
                Code::BAD_VALUE,
                typed.span.clone(),
                message,
            ));
        }
        let in_zone = cloud.dns_zone.value().and_then(|zone| {
            let suffix = format!(".{}", zone.0);
            let hosts = application
                .routes
                .iter()
                .filter_map(|route| route.host.as_ref());
            hosts
                .into_iter()
                .find(|host| **host == zone.0 || host.ends_with(&suffix))
                .cloned()
        });
        LoadBalancer {
            public: typed.public.value().copied().unwrap_or(true),
            certificate: typed
                .certificate
                .value()
                .map(|certificate| certificate.0.clone())
                .or(in_zone),
            health: TargetHealth {
                path: health
                    .path
                    .value()
                    .map_or_else(|| health_path(application), |path| path.0.clone()),
                interval,
                timeout,
                healthy: health.healthy.value().map_or(2, |count| count.0),
                unhealthy: health.unhealthy.value().map_or(2, |count| count.0),
            },
        }
    }
}

/// The path that the readiness probe of the service at `/` asks for.
fn health_path(application: &Application<'_>) -> String {
    let behind = |action: Option<&RouteAction>| match action? {
        RouteAction::Service { service, .. } => application.services.get(service),
        RouteAction::Redirect { .. } => None,
    };
    let front = application
        .routes
        .iter()
        .find_map(|route| behind(route.paths.get("/")));
    let any = || {
        application
            .routes
            .iter()
            .find_map(|route| behind(route.paths.values().next()))
    };
    match front
        .or_else(any)
        .and_then(|service| service.probes.readiness.as_ref())
    {
        Some(probe) => match &probe.check {
            Check::Http { path, .. } => path.clone(),
            Check::Tcp { .. } | Check::Exec { .. } => "/".to_owned(),
        },
        None => "/".to_owned(),
    }
}
