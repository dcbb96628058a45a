//! Compose files: `docker-compose.yml` for development (the source mounted, reloaded on a change, every port on loopback)
//! and `docker-compose.prod.yml` for one server (Traefik with certificates of Let's Encrypt, Nginx, secrets as files,
//! read-only containers without capabilities, a network a store).
//!
//! Both lie in `deploy/compose` or `deploy/ENVIRONMENT/compose`, where `wharf render` writes them; paths to the sources
//! start there.

mod addresses;
mod development;
mod edge;
mod parts;
mod production;
mod secrets;
mod stack;
mod statics;
mod stores;

use crate::images;
use crate::{Input, Rendered, Scope, Target};
use stack::Stack;

/// The target.
pub const TARGET: Target = Target {
    name: "compose",
    summary: "Compose files for development and for one server, with Nginx and Traefik",
    scope: Scope::Environment,
    applies,
    make,
};

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    if images::by_service(input.plan).is_empty() {
        return Err("no service has an image");
    }
    Ok(())
}

fn make(input: &Input<'_>, out: &mut Rendered) {
    let stack = Stack::new(input.plan);
    stack.gaps(out);
    development::make(&stack, out);
    production::make(&stack, out);
    secrets::env_example(&stack, out);
    out.add(
        ".gitignore",
        format!(
            "# {}\n\n# Values of this machine, and secrets.\n.env\nsecrets/\n",
            stack.header
        ),
    );
}

#[cfg(test)]
mod tests;
