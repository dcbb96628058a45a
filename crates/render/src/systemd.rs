//! Units for a machine that runs the services itself: a unit for each service, one that writes their variables, one-shots
//! of releases, timers, and a target that holds them together.
//!
//! A program may touch what the plan gives it and nothing else: the file system is read-only, there is no capability, no
//! device and no system call beyond those of a service. Paths are those of [`Machine`].

mod calendar;
mod command;
mod unit;

use wharf_base::ids::Name;
use wharf_plan::images::is_static;
use wharf_plan::model::{Plan, Service, Source, TargetKind};

use crate::machine::{Machine, SecretsFrom, environment_program};
use crate::{Input, Rendered, Scope, Target, header, values};

pub use unit::{Unit, units};

/// The target.
pub const TARGET: Target = Target {
    name: "systemd",
    summary: "units of the services for a machine without containers",
    scope: Scope::Environment,
    applies,
    make,
};

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    if input.plan.target.kind == TargetKind::Kubernetes {
        return Err("this environment runs on Kubernetes");
    }
    let machine = Machine::new(input.plan);
    if input
        .plan
        .services
        .values()
        .any(|service| machine.runs(service))
    {
        Ok(())
    } else {
        Err("no service is a program of the machine")
    }
}

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.plan;
    let machine = Machine::new(plan);
    let from = secrets_from(plan);
    let head = header(plan);
    for unit in units(&machine) {
        out.add(unit.name.clone(), format!("# {head}\n{}", unit.text));
    }
    out.add_program("environment", environment_program(&machine, from, &head));
    if from == SecretsFrom::File {
        out.add("secrets.env.example", secrets_example(&machine));
    }
    out.add(format!("sysusers.d/{}.conf", plan.name), sysusers(&machine));
    out.add(format!("tmpfiles.d/{}.conf", plan.name), tmpfiles(&machine));
    for (name, service) in &plan.services {
        gaps(name, service, out);
    }
}

/// Where the machines of this plan get their secrets from.
#[must_use]
pub fn secrets_from(plan: &Plan) -> SecretsFrom {
    if crate::machine::group(plan).is_some() {
        SecretsFrom::Aws
    } else {
        SecretsFrom::File
    }
}

fn gaps(name: &Name, service: &Service, out: &mut Rendered) {
    let what = |field: &str| format!("services.{name}{field}");
    match &service.source {
        Source::Image(_) => {
            out.gap(
                what(".image"),
                "systemd runs programs; an image needs the target compose",
            );
            return;
        }
        _ if is_static(service) => {
            out.gap(
                what(""),
                "it is built to static files, which Nginx serves: no unit",
            );
            return;
        }
        Source::Build(build) if build.toolchain.is_none() => out.gap(
            what(".build.language"),
            "not said: the unit looks for the command on the system's path",
        ),
        _ => {}
    }
    if service.command.is_none() {
        out.gap(
            what(".command"),
            "not said: the unit starts the program of the service's name",
        );
    }
    if service.replicas > 1 && !service.ports.is_empty() {
        out.gap(
            what(".replicas"),
            "one replica a machine, which has the port; more machines make more replicas",
        );
    }
    if service.probes.liveness.is_some() {
        out.gap(
            what(".probes.liveness"),
            "systemd asks no program by HTTP; a program that ends is started again",
        );
    }
    if service.scale.is_some() {
        out.gap(what(".scale"), "the machines scale, not the units");
    }
}

fn secrets_example(machine: &Machine<'_>) -> String {
    let plan = machine.plan;
    let mut text = format!(
        "# {}\n# Copy to /etc/{}/secrets.env, owner root, mode 0600, and fill in.\n",
        header(plan),
        plan.name
    );
    let mut names: Vec<String> = plan
        .services
        .iter()
        .filter(|(_, service)| machine.runs(service))
        .flat_map(|(name, _)| values::secrets_of(plan, name, machine))
        .collect();
    names.sort();
    names.dedup();
    for store in plan.stores.keys() {
        text.push_str(&format!(
            "{}_HOST=127.0.0.1\n",
            crate::names::variable(store.as_str())
        ));
    }
    for name in names {
        text.push_str(&format!("{}=\n", values::secret_variable(&name)));
    }
    text
}

/// <https://www.freedesktop.org/software/systemd/man/sysusers.d.html>
fn sysusers(machine: &Machine<'_>) -> String {
    format!(
        "# {}\nu {} - \"Services of {}\" {} /usr/sbin/nologin\n",
        header(machine.plan),
        machine.user(),
        machine.plan.name,
        machine.state(),
    )
}

/// <https://www.freedesktop.org/software/systemd/man/tmpfiles.d.html>
fn tmpfiles(machine: &Machine<'_>) -> String {
    let (user, root, project) = (machine.user(), machine.root(), &machine.plan.name);
    format!(
        "# {}\n\
         d {root} 0755 root root -\n\
         d /etc/{project} 0700 root root -\n\
         d /var/lib/{project} 0750 {user} {user} -\n\
         d /var/log/{project} 0750 {user} adm -\n",
        header(machine.plan),
    )
}

#[cfg(test)]
mod tests;
