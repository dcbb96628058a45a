//! The flow graph: who talks to whom. Network policies, security groups, diagrams and the local ingress all ask it, so that
//! what is allowed is the same everywhere.

use std::collections::BTreeSet;

use wharf_base::ids::Name;

use crate::model::{Plan, RouteAction};
use crate::template::Reference;

/// One allowed connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// Who opens it.
    pub from: End,
    /// Who accepts it.
    pub to: End,
}

/// An end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Clients, through the ingress.
    Ingress,
    /// The service that reads metrics.
    Monitoring,
    /// A service.
    Service(Name),
    /// A store.
    Store(Name),
}

/// Every declared connection, each once, in order: routes, what variables refer to, `needs` and `calls`, metrics.
#[must_use]
pub fn flows(plan: &Plan) -> BTreeSet<Flow> {
    let mut flows = BTreeSet::new();
    let end = |name: &Name| {
        if plan.stores.contains_key(name) {
            End::Store(name.clone())
        } else {
            End::Service(name.clone())
        }
    };
    for route in &plan.routes {
        for action in route.paths.values() {
            if let RouteAction::Service { service, .. } = action {
                flows.insert(Flow {
                    from: End::Ingress,
                    to: End::Service(service.clone()),
                });
            }
        }
    }
    for (name, service) in &plan.services {
        let referred = service
            .environment
            .values()
            .flat_map(|value| value.references())
            .filter_map(|reference| match reference {
                Reference::Field { of, .. } => Some(of),
                _ => None,
            });
        // A job that has to be over is not talked to.
        let needed = service
            .needs
            .iter()
            .filter(|(_, condition)| **condition != crate::model::Condition::Completed)
            .map(|(name, _)| name);
        let ends = referred.chain(needed).chain(&service.calls);
        for other in ends.filter(|other| *other != name) {
            let listens = plan.stores.contains_key(other)
                || plan
                    .services
                    .get(other)
                    .is_some_and(|service| !service.ports.is_empty());
            if listens {
                flows.insert(Flow {
                    from: End::Service(name.clone()),
                    to: end(other),
                });
            }
        }
        if service.expose.is_some() {
            flows.insert(Flow {
                from: End::Ingress,
                to: End::Service(name.clone()),
            });
        }
        if service.metrics.is_some() {
            flows.insert(Flow {
                from: End::Monitoring,
                to: End::Service(name.clone()),
            });
        }
    }
    for store in plan.stores.keys() {
        flows.insert(Flow {
            from: End::Monitoring,
            to: End::Store(store.clone()),
        });
    }
    flows
}

/// Who opens connections to `end`, in order.
#[must_use]
pub fn callers(plan: &Plan, end: &End) -> Vec<End> {
    flows(plan)
        .into_iter()
        .filter(|flow| flow.to == *end)
        .map(|flow| flow.from)
        .collect()
}
