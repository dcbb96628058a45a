//! `docker-compose.yml`: for whoever changes the program. The source is mounted and reloaded, every port is open on
//! loopback, stores keep their data between starts.

use std::collections::BTreeSet;

use wharf_base::ids::Name;
use wharf_plan::model::{Framework, Language, Service, Source};

use super::addresses::InStack;
use super::parts::{self, Mode, literal};
use super::stack::Stack;
use super::stores;
use crate::Rendered;
use crate::dockerfile::runtime::{FOLDER, Runtime};
use crate::values::variables;
use crate::yaml::{Map, Yaml};
use crate::{list, map};

pub(super) fn make(stack: &Stack<'_>, out: &mut Rendered) {
    let mut ports = Ports::default();
    let mut services = Map::new();
    for (name, service) in &stack.services {
        services.set(name.as_str(), of_service(stack, name, service, &mut ports));
        if let Some(release) = stack.release(name) {
            services.set(release, of_release(stack, name, service));
        }
    }
    let mut volumes = Map::new();
    for name in parts::named_volumes(stack) {
        volumes.set(name, Yaml::Null);
    }
    for (name, store) in &stack.plan.stores {
        if store.external_url.is_some() {
            continue;
        }
        let mut server = stores::server(stack, name, store, Mode::Development);
        let port = match store.engine {
            wharf_plan::model::StoreEngine::Postgres => 5432,
            wharf_plan::model::StoreEngine::Redis => 6379,
        };
        server.set("ports", list![ports.publish(port)]);
        services.set(name.as_str(), server);
        volumes.set(stores::volume(name), Yaml::Null);
    }
    let mut file = map! {
        "name" => format!("{}-dev", stack.plan.name),
        "services" => services,
    };
    file.set_full("volumes", volumes);
    let head = format!(
        "{}\n\nDevelopment: docker compose up --build --watch",
        stack.header
    );
    out.yaml("docker-compose.yml", &head, vec![file.into()]);
}

fn of_service(stack: &Stack<'_>, name: &Name, service: &Service, ports: &mut Ports) -> Map {
    let mut made = Map::new();
    common(stack, name, service, &mut made);
    if let Some(command) = reloading(stack, name, service) {
        made.set("command", parts::command(&command));
    }
    if stack.is_scheduled(name, service) {
        made.set("profiles", list!["scheduled"]);
    }
    let published: Vec<Yaml> = service
        .ports
        .values()
        .map(|port| ports.publish(*port))
        .collect();
    made.set_full("ports", published);
    made.set_full("depends_on", parts::depends_on(stack, name, service));
    // What runs here is not what the image was made for.
    let replaced = matches!(
        Runtime::of_service(service),
        Some(Runtime::Nginx | Runtime::Node)
    );
    match parts::health(stack, name, service) {
        Some(health) if !replaced => made.set("healthcheck", health),
        _ => &mut made,
    };
    made.set_full("develop", watch(stack, name, service));
    made.lead_with(&["image", "build", "command"]);
    made
}

fn of_release(stack: &Stack<'_>, name: &Name, service: &Service) -> Map {
    let mut made = Map::new();
    common(stack, name, service, &mut made);
    if let Some(release) = &service.release {
        let command = wharf_plan::exec_form::exec_form(&release.command);
        made.set("command", parts::command(&command));
    }
    let mut depends = Map::new();
    for store in stack.stores_of(name) {
        depends.set(store.as_str(), map! { "condition" => "service_healthy" });
    }
    made.set_full("depends_on", depends);
    if stack.built(name).is_some() {
        made.set("healthcheck", map! { "disable" => true });
    }
    made.set("restart", "no");
    made
}

/// Image, environment and volumes.
fn common(stack: &Stack<'_>, name: &Name, service: &Service, made: &mut Map) {
    match (
        &service.source,
        parts::build(stack, name, Mode::Development),
    ) {
        (Source::Build(_), Some(build)) => {
            made.set("build", build);
        }
        _ => {
            made.set_some("image", stack.image(name).map(literal));
        }
    }
    if let (Source::Image(_) | Source::Build(_), Some(command)) =
        (&service.source, &service.command)
    {
        made.set(
            "command",
            parts::command(&wharf_plan::exec_form::exec_form(command)),
        );
    }
    let addresses = InStack {
        plan: stack.plan,
        redis_password: false,
    };
    let mut environment = Map::new();
    for variable in variables(stack.plan, name, &addresses) {
        environment.set(
            variable.name.clone(),
            parts::value(stack, &variable, Mode::Development),
        );
    }
    parts::listen(service, &mut environment);
    for (variable, value) in debugging(service) {
        environment.set(variable, value);
    }
    made.set_full("environment", environment);
    made.set_full("env_file", parts::env_files(stack, service));
    let mut volumes = vec![];
    if let (true, Some(image)) = (parts::mounts_source(service), stack.built(name)) {
        let source = literal(&stack.source_path(&image.build.context));
        volumes.push(format!("{source}:{FOLDER}").into());
        if matches!(
            Runtime::of(image.build),
            Some(Runtime::Node | Runtime::Nginx)
        ) {
            // Those of the image, not those of the host.
            volumes.push(format!("{FOLDER}/node_modules").into());
        }
    }
    volumes.extend(parts::volumes(stack, service));
    made.set_full("volumes", volumes);
}

/// What makes programs say more.
fn debugging(service: &Service) -> Vec<(&'static str, &'static str)> {
    let Source::Build(build) = &service.source else {
        return vec![];
    };
    let Some(toolchain) = &build.toolchain else {
        return vec![];
    };
    let mut variables = match (toolchain.language, toolchain.framework) {
        (Language::Rust, _) => vec![("RUST_BACKTRACE", "1"), ("RUST_LOG", "debug")],
        (Language::Python, Some(Framework::Django)) => vec![("DEBUG", "1")],
        (Language::Python, Some(Framework::Flask)) => vec![("FLASK_DEBUG", "1")],
        (Language::Python, _) => vec![("PYTHONASYNCIODEBUG", "1")],
        (Language::Node, _) => vec![("NODE_ENV", "development")],
        (Language::Go, _) => vec![("GOTRACEBACK", "all")],
    };
    if service.environment.contains_key("LOG_LEVEL") {
        variables.push(("LOG_LEVEL", "debug"));
    }
    variables
}

/// The command that reloads the source by itself; none: nothing is known that does.
fn reloading(stack: &Stack<'_>, name: &Name, service: &Service) -> Option<Vec<String>> {
    match Runtime::of_service(service)? {
        Runtime::Nginx => {
            let port = service.primary_port_number()?.to_string();
            let words = [
                "npm", "run", "dev", "--", "--host", "0.0.0.0", "--port", &port,
            ];
            Some(words.map(str::to_owned).to_vec())
        }
        Runtime::Node => Some(["npm", "run", "dev"].map(str::to_owned).to_vec()),
        Runtime::Python => {
            let image = stack.built(name).map_or(name, |image| image.name);
            let mut command = crate::dockerfile::runtime::start(image, service)?;
            let option = match command.first()?.as_str() {
                "gunicorn" | "uvicorn" => "--reload",
                "flask" => "--debug",
                _ => return None,
            };
            command.push(option.to_owned());
            Some(command)
        }
        Runtime::Bare => None,
    }
}

/// What happens on a change: a new image for new dependencies and for compiled programs, a restart for a program that
/// does not reload itself.
fn watch(stack: &Stack<'_>, name: &Name, service: &Service) -> Map {
    let (Some(image), Some(runtime)) = (stack.built(name), Runtime::of_service(service)) else {
        return Map::new();
    };
    let context = stack.source_path(&image.build.context);
    let on = |action: &str, path: &str| {
        let path = match path {
            "" => context.clone(),
            path => format!("{context}/{path}"),
        };
        map! { "action" => action, "path" => literal(&path) }
    };
    let mut rules: Vec<Yaml> = vec![];
    match runtime {
        Runtime::Bare => rules.push(on("rebuild", "").into()),
        Runtime::Python => {
            rules.push(on("rebuild", "requirements.txt").into());
            if reloading(stack, name, service).is_none() {
                rules.push(on("restart", "").into());
            }
        }
        Runtime::Node | Runtime::Nginx => rules.push(on("rebuild", "package-lock.json").into()),
    }
    map! { "watch" => rules }
}

/// Ports of loopback, each given once.
#[derive(Default)]
struct Ports(BTreeSet<u16>);

impl Ports {
    fn publish(&mut self, port: u16) -> Yaml {
        let free = (port..=u16::MAX)
            .chain(1024..port)
            .find(|port| self.0.insert(*port))
            .unwrap_or(port);
        format!("127.0.0.1:{free}:{port}").into()
    }
}
