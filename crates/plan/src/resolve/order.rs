//! Who waits for whom: no circles.

use std::collections::{BTreeMap, BTreeSet};

use wharf_base::ids::Name;
use wharf_spec::diagnostic::{Code, Diagnostic};
use wharf_spec::span::Span;

use super::Resolver;
use crate::model::Service;

impl Resolver<'_> {
    /// Reports each circle once. Only explicit `needs` can close one: stores wait for nobody, and a service that knows
    /// another's address does not wait for it.
    pub(super) fn check_order(&mut self, services: &BTreeMap<Name, Service>) {
        let mut done = BTreeSet::new();
        for start in services.keys() {
            let mut path = vec![];
            if let Some(circle) = circle(start, services, &mut path, &mut done) {
                self.report_circle(&circle);
            }
        }
    }

    fn report_circle(&mut self, circle: &[&Name]) {
        let shown: Vec<&str> = circle
            .iter()
            .chain(circle.first())
            .map(|name| name.as_str())
            .collect();
        let message = format!(
            "services wait for each other in a circle: {}",
            shown.join(" -> ")
        );
        let edges = circle.iter().zip(circle.iter().cycle().skip(1));
        let mut spans =
            edges.filter_map(|(from, to)| Some((self.need_span(from, to)?, *from, *to)));
        let Some((first, ..)) = spans.next() else {
            return;
        };
        let diagnostic = Diagnostic::error(Code::CIRCLE, first, message)
            .help("let one of them start without the other: take the name out of its `needs`");
        let diagnostic = spans.fold(diagnostic, |diagnostic, (span, from, to)| {
            diagnostic.related(span, format!("`{from}` needs `{to}`"))
        });
        self.report(diagnostic);
    }

    /// Where `from` says that it needs `to`.
    fn need_span(&self, from: &Name, to: &Name) -> Option<Span> {
        let entry = self.spec.services.value()?.get(from.as_str())?;
        let needs = entry.value.as_ref()?.value.needs.value()?;
        needs
            .0
            .iter()
            .find(|(name, _)| name.value == *to)
            .map(|(name, _)| name.span.clone())
    }
}

/// The first circle that is reached from `at`, beginning with its alphabetically first member so that it is found once.
fn circle<'a>(
    start: &'a Name,
    services: &'a BTreeMap<Name, Service>,
    path: &mut Vec<&'a Name>,
    done: &mut BTreeSet<&'a Name>,
) -> Option<Vec<&'a Name>> {
    // An explicit stack of (service, needs still to follow): a file may hold a chain of thousands.
    let needs = |name: &Name| {
        services
            .get(name)
            .into_iter()
            .flat_map(|service| service.needs.keys())
    };
    let mut stack: Vec<(&Name, Vec<&Name>)> = vec![];
    if done.contains(start) {
        return None;
    }
    path.push(start);
    stack.push((start, needs(start).rev().collect()));
    while let Some((name, rest)) = stack.last_mut() {
        let Some(next) = rest.pop() else {
            done.insert(name);
            path.pop();
            stack.pop();
            continue;
        };
        if let Some(at) = path.iter().position(|on_path| *on_path == next) {
            let mut members = path[at..].to_vec();
            done.extend(path.drain(..));
            let first = members
                .iter()
                .enumerate()
                .min_by_key(|(_, name)| **name)
                .map_or(0, |(at, _)| at);
            members.rotate_left(first);
            return Some(members);
        }
        if !done.contains(next) && services.contains_key(next) {
            path.push(next);
            stack.push((next, needs(next).rev().collect()));
        }
    }
    None
}
