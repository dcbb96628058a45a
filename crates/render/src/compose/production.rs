//! `docker-compose.prod.yml`: for one server. Containers have a read-only file system, no capabilities, a limit and a
//! rotated log; stores are reached by who has to, and by nobody else.

use wharf_base::ids::Name;
use wharf_plan::model::{ExposeKind, Service, Source};

use super::parts::{self, Mode, literal};
use super::stack::Stack;
use super::{edge, secrets, stores};
use crate::dockerfile::{runtime, seconds};
use crate::values::{secrets_of, store_password, variables};
use crate::yaml::{Map, Yaml};
use crate::{Rendered, list, map};
use wharf_plan::exec_form::exec_form;

/// Where containers find the script that puts their secrets into variables.
const ENTRYPOINT: &str = "/run/entrypoint.sh";

/// The order of a service's keys: what it is, what it may, what it gets, whom it meets, how it is kept running.
const ORDER: [&str; 23] = [
    "image",
    "build",
    "profiles",
    "entrypoint",
    "command",
    "user",
    "read_only",
    "tmpfs",
    "shm_size",
    "cap_drop",
    "security_opt",
    "environment",
    "env_file",
    "configs",
    "secrets",
    "volumes",
    "ports",
    "networks",
    "network_mode",
    "depends_on",
    "healthcheck",
    "deploy",
    "restart",
];

pub(super) fn make(stack: &Stack<'_>, out: &mut Rendered) {
    let mut services = Map::new();
    let mut configs = Map::new();
    for (called, text) in stack.carried.scripts() {
        let file = format!("entrypoints/{called}.sh");
        configs.set(
            format!("{called}-entrypoint"),
            map! { "file" => format!("./{file}") },
        );
        out.add_program(file, text);
    }
    edge::make(stack, &mut services, &mut configs, out);
    for (name, service) in &stack.services {
        services.set(name.as_str(), of_service(stack, name, service, out));
        if let Some(release) = stack.release(name) {
            services.set(release, of_release(stack, name, service));
        }
    }
    let mut volumes = edge::volumes(stack);
    for name in parts::named_volumes(stack) {
        volumes.set(name, Yaml::Null);
    }
    for (name, store) in &stack.plan.stores {
        if store.external_url.is_some() {
            continue;
        }
        let mut server = stores::server(stack, name, store, Mode::Production);
        // The user of the image: its entry point, run by root, would need capabilities to become it.
        server.set("user", "999:999");
        server.set("tmpfs", stores::writable(store));
        let password = store_password(name);
        if stack.carried.is_file(&password) {
            server.set("secrets", list![password]);
        }
        if stores::extensions(stack, name, store, out) {
            let config = format!("{name}-extensions");
            configs.set(
                config.clone(),
                map! { "file" => format!("./postgres/{name}.sql") },
            );
            server.set(
                "configs",
                list![map! { "source" => config, "target" => "/docker-entrypoint-initdb.d/extensions.sql" }],
            );
        }
        server.set("networks", list![name]);
        let mut deploy = Map::new();
        deploy.set_full("resources", stores::resources(store.resources));
        server.set_full("deploy", deploy);
        // PostgreSQL writes a checkpoint before it ends.
        finish(&mut server, "60s");
        services.set(name.as_str(), server);
        volumes.set(stores::volume(name), Yaml::Null);
    }
    let mut networks = Map::new();
    if edge::is_there(stack) {
        networks.set_with_comment("Traefik and Nginx.", stack.edge.clone(), Yaml::Null);
    }
    networks.set_with_comment(
        "The services, which may reach the internet.",
        stack.app.clone(),
        Yaml::Null,
    );
    let stores = stack.plan.stores.iter();
    for (index, (name, _)) in stores
        .filter(|(_, store)| store.external_url.is_none())
        .enumerate()
    {
        let comment = if index == 0 {
            "A store and who talks to it; from here nothing reaches the internet."
        } else {
            ""
        };
        networks.set_with_comment(comment, name.as_str(), map! { "internal" => true });
    }
    let mut held = Map::new();
    for secret in stack.carried.files() {
        held.set(secret, map! { "file" => format!("./secrets/{secret}") });
    }
    let mut file =
        map! { "name" => stack.plan.name.as_str(), "services" => services, "networks" => networks };
    file.set_full("volumes", volumes);
    file.set_full("configs", configs);
    file.set_full("secrets", held);
    let mut head = format!("{}\n\nProduction, on one server:\n", stack.header);
    head.push_str("  cp env.example .env    # and fill it in\n");
    if stack.carried.files().next().is_some() {
        head.push_str("  ./make-secrets.sh\n");
    }
    head.push_str("  docker compose --file docker-compose.prod.yml up --detach --wait");
    for (name, service) in &stack.services {
        if runtime::is_django(service) && stack.is_routed(name) {
            head.push_str(&format!(
                "\n\nThe first administrator:\n  docker compose --file docker-compose.prod.yml run --rm {name} python manage.py createsuperuser"
            ));
        }
    }
    out.yaml("docker-compose.prod.yml", &head, vec![file.into()]);
    secrets::make_script(stack, out);
}

fn of_service(stack: &Stack<'_>, name: &Name, service: &Service, out: &mut Rendered) -> Map {
    let mut made = container(stack, name, service);
    let command = service.command.as_ref().map(exec_form);
    // An entry point of one's own hides the command of the image.
    let command = match stack.carried.script(name) {
        Some(_) => stack.start(name, service),
        None => command,
    };
    made.set_some("command", command.as_deref().map(parts::command));
    for folder in stack.statics.get(name).into_iter().flatten() {
        if !folder.declared && !folder.copied {
            add(
                &mut made,
                "volumes",
                format!("{}:{}", folder.volume, literal(&folder.folder)),
            );
        }
    }
    made.set_full("ports", ports(stack, name, service, out));
    let scheduled = stack.is_scheduled(name, service);
    if let (true, Some(schedule)) = (scheduled, &service.schedule) {
        // Not part of `up`.
        made.set_with_comment(
            format!(
                "For cron ({}, UTC): docker compose --file docker-compose.prod.yml run --rm {name}",
                schedule.cron.replace('\n', " ")
            ),
            "profiles",
            list!["scheduled"],
        );
    }
    made.set_full("depends_on", parts::depends_on(stack, name, service));
    made.set_some("healthcheck", parts::health(stack, name, service));
    let mut deploy = Map::new();
    if service.schedule.is_none() {
        deploy.set("replicas", service.replicas);
    }
    deploy.set_full("resources", stores::resources(service.resources));
    made.set_full("deploy", deploy);
    let grace = service.drain_timeout.saturating_add(service.stop_timeout);
    if service.schedule.is_some() {
        finish(&mut made, &seconds(grace));
        made.set("restart", "no");
    } else {
        finish(&mut made, &seconds(grace));
    }
    made
}

fn of_release(stack: &Stack<'_>, name: &Name, service: &Service) -> Map {
    let mut made = container(stack, name, service);
    if let Some(release) = &service.release {
        made.set("command", parts::command(&exec_form(&release.command)));
    }
    let mut depends = Map::new();
    for store in stack.stores_of(name) {
        depends.set(store.as_str(), map! { "condition" => "service_healthy" });
    }
    made.set_full("depends_on", depends);
    if stack.built(name).is_some() {
        made.set("healthcheck", map! { "disable" => true });
    }
    let mut deploy = Map::new();
    deploy.set_full("resources", stores::resources(service.resources));
    made.set_full("deploy", deploy);
    finish(&mut made, &seconds(service.stop_timeout));
    made.set("restart", "no");
    made
}

/// What every container of a service has: image, rights, environment, secrets, volumes, networks.
fn container(stack: &Stack<'_>, name: &Name, service: &Service) -> Map {
    let mut made = Map::new();
    let image = stack.image(name).map(literal).unwrap_or_default();
    match &service.source {
        Source::Build(_) => {
            let tag = &stack.plan.images.tag;
            made.set(
                "image",
                format!("{image}:{}", parts::operator("TAG", Some(tag))),
            );
            // Without a registry the images are made on the server.
            if stack.plan.images.registry.is_none() {
                made.set_some("build", parts::build(stack, name, Mode::Production));
            }
            made.set("user", "1000:1000");
        }
        Source::Image(_) | Source::Command => {
            made.set("image", image);
        }
    }
    let mut tmpfs = vec!["/tmp".to_owned()];
    for folder in &service.writable {
        let folder = runtime::in_image(folder);
        if folder != "/tmp" {
            // Owned by the user of the image.
            tmpfs.push(format!("{}:uid=1000,gid=1000", literal(&folder)));
        }
    }
    made.set("tmpfs", tmpfs);
    if let Some(script) = stack.carried.script(name) {
        made.set(
            "entrypoint",
            Yaml::Inline(vec!["/bin/sh".into(), ENTRYPOINT.into()]),
        );
        made.set(
            "configs",
            list![map! { "source" => format!("{script}-entrypoint"), "target" => ENTRYPOINT }],
        );
    }
    let mut environment = Map::new();
    for variable in variables(stack.plan, name, &stack.addresses()) {
        if stack.carried.is_written(&variable) {
            let value = parts::value(stack, &variable, Mode::Production);
            environment.set(variable.name.clone(), value);
            continue;
        }
        for piece in &variable.pieces {
            // The script reads it.
            if let crate::values::Piece::Operator { name, default } = piece {
                environment.set(name.clone(), parts::operator(name, default.as_deref()));
            }
        }
    }
    parts::listen(service, &mut environment);
    made.set_full("environment", environment);
    made.set_full("env_file", parts::env_files(stack, service));
    let held: Vec<String> = secrets_of(stack.plan, name, &stack.addresses())
        .into_iter()
        .filter(|secret| stack.carried.is_file(secret))
        .collect();
    made.set_full("secrets", held);
    made.set_full("volumes", parts::volumes(stack, service));
    let mut networks = vec![stack.app.clone()];
    networks.extend(stack.stores_of(name).into_iter().map(Name::to_string));
    made.set("networks", networks);
    made
}

/// The port of a service that no route leads to, but that clients are to reach.
fn ports(stack: &Stack<'_>, name: &Name, service: &Service, out: &mut Rendered) -> Vec<Yaml> {
    let (Some(expose), Some(port)) = (&service.expose, service.primary_port_number()) else {
        return vec![];
    };
    if expose.kind == ExposeKind::ClusterIp || stack.is_routed(name) {
        return vec![];
    }
    let outer = expose.node_port.unwrap_or(expose.port);
    let taken = edge::is_there(stack) && matches!(outer, 80 | 443);
    if taken || service.replicas > 1 {
        out.gap(
            format!("services.{name}.expose"),
            "one port of a server leads to one container; give the service a route",
        );
        return vec![];
    }
    vec![format!("{outer}:{port}").into()]
}

/// What every container has, and the order of its keys.
pub(super) fn finish(made: &mut Map, grace: &str) {
    made.set("read_only", true);
    made.set("cap_drop", list!["ALL"]);
    made.set("security_opt", list!["no-new-privileges:true"]);
    made.set("restart", "unless-stopped");
    made.lead_with(&ORDER);
    made.set("stop_grace_period", grace);
    made.set(
        "logging",
        map! { "driver" => "json-file", "options" => map! { "max-size" => "10m", "max-file" => "5" } },
    );
}

fn add(made: &mut Map, key: &str, item: String) {
    let mut items = match made.get(key) {
        Some(Yaml::List(items)) => items.clone(),
        _ => vec![],
    };
    items.push(item.into());
    made.set(key, items);
}
