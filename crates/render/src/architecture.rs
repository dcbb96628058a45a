//! A picture of an environment: `architecture.mmd` (Mermaid, for places that draw it themselves) and `architecture.svg`, laid
//! out here.
//!
//! Requests go from left to right: clients, the way in, services in the order in which they call each other, stores. In a
//! cloud the columns are the subnets. Who reads metrics is left out: that is everybody's.

mod diagram;
mod layout;
mod mermaid;
mod places;
mod svg;

use crate::{Input, Rendered, Scope, Target, header};

pub(crate) use diagram::Diagram;
pub(crate) use mermaid::flowchart;

/// The target.
pub const TARGET: Target = Target {
    name: "architecture",
    summary: "a picture of the environment, as SVG and for Mermaid",
    scope: Scope::Environment,
    applies: |_| Ok(()),
    make,
};

fn make(input: &Input<'_>, rendered: &mut Rendered) {
    let diagram = Diagram::of(input.plan);
    let header = header(input.plan);
    rendered.add(
        "architecture.mmd",
        format!("%% {header}\n{}", flowchart(&diagram)),
    );
    rendered.add("architecture.svg", svg::draw(&diagram, &header));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::architecture::layout::Layout;

    #[test]
    fn nothing_overlaps_and_calls_go_to_the_right() {
        let files: [&[u8]; 3] = [
            include_bytes!("../../../examples/chat/wharf.yaml"),
            include_bytes!("../../../examples/django-eks/wharf.yaml"),
            include_bytes!("../../../examples/django-ec2/wharf.yaml"),
        ];
        for file in files {
            let names = wharf_plan::environments(file);
            for environment in names.iter().map(|name| Some(name.as_str())).chain([None]) {
                let (plan, _) = wharf_plan::resolve(file, environment);
                let diagram = Diagram::of(&plan.unwrap());
                let layout = Layout::of(&diagram);
                for (index, a) in layout.cards.iter().enumerate() {
                    for b in &layout.cards[index + 1..] {
                        let apart = a.x + a.width <= b.x
                            || b.x + b.width <= a.x
                            || a.y + a.height <= b.y
                            || b.y + b.height <= a.y;
                        assert!(apart, "{a:?} {b:?}");
                    }
                }
                for (from, to) in &diagram.edges {
                    let (from, to) = (&layout.cards[*from], &layout.cards[*to]);
                    assert!(from.x + from.width < to.x);
                }
                let ids: BTreeSet<&str> =
                    diagram.nodes.iter().map(|node| node.id.as_str()).collect();
                assert_eq!(ids.len(), diagram.nodes.len());
            }
        }
    }
}
