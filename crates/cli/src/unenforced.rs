//! What of a plan is not in force on this machine yet: told, so that nothing in the file is ignored silently.

use wharf_plan::model::{Plan, Service};

/// One line that names all of it; none if everything is in force.
pub(crate) fn line(plan: &Plan) -> Option<String> {
    let services = |asks: fn(&Service) -> bool| {
        let names = plan.services.iter().filter(|(_, service)| asks(service));
        names.map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    let pooled = plan.stores.iter().filter(|(_, store)| {
        // Wharf's own stores have theirs.
        store.pool.is_some() && store.external_url.is_some()
    });
    let rotated = plan
        .secrets
        .iter()
        .filter(|(_, secret)| secret.rotate.is_some());
    let named = [
        ("scale", services(|service| service.scale.is_some())),
        ("expose", services(|service| service.expose.is_some())),
        ("buckets", services(|service| !service.buckets.is_empty())),
        (
            "pool of a store with `url`",
            pooled.map(|(name, _)| name.to_string()).collect(),
        ),
        (
            "rotation of secrets",
            rotated.map(|(name, _)| name.to_string()).collect(),
        ),
    ];
    let named = named
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(word, names)| format!("{word} ({})", names.join(", ")));
    let all: Vec<String> = named.collect();
    (!all.is_empty()).then(|| format!("on this machine not yet in force: {}", all.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let (plan, diagnostics) = wharf_plan::resolve(text.as_bytes(), None);
        let plan = plan.unwrap_or_else(|| panic!("{diagnostics:?}"));
        assert_eq!(line(&plan).as_deref(), expected);
    }

    #[test]
    fn what_is_not_in_force_is_named() {
        check("name: a\nservices: { web: { build: ., port: 1 } }\n", None);
        check(
            "name: a\nservices:\n  web: { build: ., port: 1, scale: { max: 2 }, resources: { cpu: 100m }, expose: {} }\n  api: { build: ., port: 2, expose: {} }\nalerts: [{ name: A, query: up }]\n",
            Some("on this machine not yet in force: scale (web), expose (api, web)"),
        );
        check(
            "name: a\nservices: { web: { build: ., port: 1 } }\nstores:\n  own: { engine: postgres, pool: {}, resources: { memory: 256Mi } }\n  far: { engine: postgres, url: \"${env.DATABASE}\", pool: {} }\n",
            Some("on this machine not yet in force: pool of a store with `url` (far)"),
        );
    }
}
