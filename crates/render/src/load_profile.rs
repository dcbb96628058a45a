//! A load scenario as load generators want it: stages, numbers, the address that is asked by default.

use std::time::Duration;

use wharf_plan::model::{LoadRequest, Plan, RouteAction, Scenario, Tls};

/// A span of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stage {
    /// How long it takes, in seconds.
    pub(crate) seconds: u64,
    /// How many users there are at its end.
    pub(crate) users: u32,
}

/// Up, steady, down; spans of no length are left out.
pub(crate) fn stages(scenario: &Scenario) -> Vec<Stage> {
    let seconds =
        |duration: Duration| u64::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
    let (up, down) = (seconds(scenario.ramp_up), seconds(scenario.ramp_down));
    let steady = seconds(scenario.duration).saturating_sub(up.saturating_add(down));
    [(up, scenario.users), (steady, scenario.users), (down, 0)]
        .into_iter()
        .filter(|(seconds, _)| *seconds > 0)
        .map(|(seconds, users)| Stage { seconds, users })
        .collect()
}

/// What the scenario is, in words: `200 users for 15m, ramps included`.
pub(crate) fn summary(scenario: &Scenario) -> String {
    let ramps = if scenario.ramp_up.is_zero() && scenario.ramp_down.is_zero() {
        ""
    } else {
        ", ramps included"
    };
    let users = match scenario.users {
        1 => "1 user".to_owned(),
        users => format!("{users} users"),
    };
    let seconds = scenario.duration.as_secs();
    let duration = match (seconds / 60, seconds % 60) {
        (1, 0) => "1 minute".to_owned(),
        (minutes, 0) => format!("{minutes} minutes"),
        _ => format!("{seconds} seconds"),
    };
    format!("{users} for {duration}{ramps}.")
}

/// A number as a person writes it.
pub(crate) fn number(number: f64) -> String {
    format!("{number}")
}

/// Where the scenario's service is asked unless somebody says otherwise.
pub(crate) fn base_url(plan: &Plan, scenario: &Scenario) -> String {
    let route = plan.routes.iter().find(|route| {
        route.host.as_ref().is_some_and(|host| !host.starts_with('*'))
            && route.paths.values().any(
                |action| matches!(action, RouteAction::Service { service, .. } if *service == scenario.service),
            )
    });
    if let Some(route) = route
        && let Some(host) = &route.host
    {
        let scheme = match route.tls {
            Tls::Auto => "https",
            Tls::Off => "http",
        };
        return format!("{scheme}://{host}");
    }
    let service = plan.services.get(&scenario.service);
    let port = service.and_then(wharf_plan::model::Service::primary_port_number);
    match port {
        Some(port) => format!("http://localhost:{port}"),
        None => "http://localhost".to_owned(),
    }
}

/// What a request is called in the figures: queries would make a name of each value.
pub(crate) fn name(request: &LoadRequest) -> String {
    let path = request.path.split('?').next().unwrap_or_default();
    format!("{} {path}", request.method)
}

/// The headers of a request, with that of its body.
pub(crate) fn headers(request: &LoadRequest) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let typed = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    if request.body.is_some() && !typed {
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
    }
    headers
}
