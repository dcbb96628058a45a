//! The OpenAPI document of what the routes lead to, as clients see it: with the prefixes of the routes, the limits of the
//! ingress among the answers, and the header under which a request is found in the logs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use wharf_base::ids::Name;
use wharf_plan::model::{Operation, Plan, Route, RouteAction, Tls};

use crate::names;
use crate::yaml::{Map, Yaml};
use crate::{Input, Rendered, Scope, Target, header, map};

/// The target.
pub const TARGET: Target = Target {
    name: "openapi",
    summary: "an OpenAPI document of the routes",
    scope: Scope::Project,
    applies,
    make,
};

/// What the ingress may refuse, whoever answers behind it.
const RATE_LIMITED: u16 = 429;
const TOO_LARGE: u16 = 413;

fn applies(input: &Input<'_>) -> Result<(), &'static str> {
    let mut services = input.base.services.values();
    if services.all(|service| service.api.is_empty()) {
        return Err("no service says what its API is (`api:`)");
    }
    Ok(())
}

fn make(input: &Input<'_>, out: &mut Rendered) {
    let plan = input.base;
    let mut document = Document::default();
    for (name, service) in &plan.services {
        for operation in &service.api {
            document.add(plan, name, operation, out);
        }
    }
    let operations: Vec<String> = document
        .paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item
                .entries()
                .iter()
                .map(|entry| entry.key.to_ascii_uppercase());
            methods.map(move |method| format!("{method} {path}"))
        })
        .collect();
    let mut info = map! {
        "title" => format!("{} REST API", plan.name),
        "version" => version(plan),
    };
    info.set(
        "description",
        "Every answer carries `X-Trace-ID`, the id under which the request is found in logs and traces.",
    );
    let servers = servers(input);
    let tags: Vec<Yaml> = document
        .tags
        .iter()
        .map(|tag| map! { "name" => tag.as_str() }.into())
        .collect();
    let mut schemas = Map::new();
    for (name, schema) in document.schemas {
        schemas.set(name, ordered(Yaml::from(schema)));
    }
    schemas.set("Problem", ordered(Yaml::from(problem())));
    let mut responses = Map::new();
    for (status, name, description) in REFUSALS {
        if document.refused.contains(&status) {
            responses.set(name, refusal(description));
        }
    }
    let file = map! {
        "openapi" => "3.1.0",
        "info" => info,
        "servers" => servers,
        "tags" => tags,
        "paths" => document.paths.into_iter().fold(Map::new(), |mut paths, (path, item)| {
            paths.set(path, item);
            paths
        }),
        "components" => map! {
            "headers" => map! {
                "TraceId" => map! {
                    "description" => "The id of the request in logs and traces.",
                    "schema" => map! { "type" => "string", "format" => "uuid" },
                },
            },
            "responses" => responses,
            "schemas" => schemas,
        },
    };
    let head = format!("{}\n\n{}", header(plan), operations.join(", "));
    out.yaml("openapi.yaml", &head, vec![file.into()]);
}

/// The refusals that operations share.
const REFUSALS: [(u16, &str, &str); 4] = [
    (
        400,
        "BadRequest",
        "The request is not as it has to be; the body says what is wrong.",
    ),
    (404, "NotFound", "There is nothing of this name."),
    (
        TOO_LARGE,
        "TooLarge",
        "The body is larger than the route lets through.",
    ),
    (
        RATE_LIMITED,
        "TooManyRequests",
        "The client has asked too often; `Retry-After` says how long to wait.",
    ),
];

#[derive(Default)]
struct Document {
    tags: BTreeSet<String>,
    paths: BTreeMap<String, Map>,
    schemas: BTreeMap<String, Value>,
    refused: BTreeSet<u16>,
    ids: BTreeSet<String>,
}

impl Document {
    fn add(&mut self, plan: &Plan, service: &Name, operation: &Operation, out: &mut Rendered) {
        let ways = ways(plan, service, &operation.path);
        if ways.is_empty() {
            out.gap(
                format!(
                    "services.{service}.api `{} {}`",
                    operation.method, operation.path
                ),
                "no route leads to it, so clients do not see it",
            );
        }
        for (path, route) in ways {
            let method = operation.method.to_ascii_lowercase();
            let item = self.paths.entry(path.clone()).or_default();
            if item.get(&method).is_some() {
                continue;
            }
            let made = self.operation(service, operation, &path, route);
            let item = self.paths.entry(path).or_default();
            item.set(method, made);
        }
    }

    fn operation(
        &mut self,
        service: &Name,
        operation: &Operation,
        path: &str,
        route: Option<&Route>,
    ) -> Map {
        self.tags.insert(service.to_string());
        let id = self.id(&format!("{} {path}", operation.method.to_ascii_lowercase()));
        let mut made = map! { "operationId" => id.as_str() };
        made.set_some("summary", operation.summary.as_deref());
        made.set("tags", Yaml::Inline(vec![service.into()]));
        let parameters: Vec<Yaml> = parameters(path)
            .into_iter()
            .map(|name| {
                map! {
                    "name" => name,
                    "in" => "path",
                    "required" => true,
                    "schema" => map! { "type" => "string" },
                }
                .into()
            })
            .collect();
        let has_parameters = !parameters.is_empty();
        made.set_full("parameters", parameters);
        if let Some(schema) = &operation.request {
            let content = self.content(&format!("{id}-request"), schema);
            made.set(
                "requestBody",
                map! { "required" => true, "content" => content },
            );
        }
        let mut responses = Map::new();
        let mut good = map! { "description" => good(operation.status) };
        good.set("headers", trace_header());
        if let Some(schema) = &operation.response {
            good.set("content", self.content(&format!("{id}-response"), schema));
        }
        responses.set(operation.status.to_string(), good);
        let limits = route.map(|route| &route.limits);
        for (status, applies) in [
            (400, operation.request.is_some() || has_parameters),
            (404, has_parameters),
            (
                TOO_LARGE,
                operation.request.is_some() && limits.is_some_and(|limits| limits.body.is_some()),
            ),
            (
                RATE_LIMITED,
                limits.is_some_and(|limits| limits.rate.is_some()),
            ),
        ] {
            let named = REFUSALS.iter().find(|(other, ..)| *other == status);
            if let (true, Some((_, name, _))) = (applies, named) {
                self.refused.insert(status);
                responses.set(
                    status.to_string(),
                    map! { "$ref" => format!("#/components/responses/{name}") },
                );
            }
        }
        made.set("responses", responses);
        made
    }

    fn content(&mut self, name: &str, schema: &Value) -> Map {
        let name = names::camel_case(name);
        self.schemas.insert(name.clone(), schema.clone());
        let reference = map! { "$ref" => format!("#/components/schemas/{name}") };
        map! { "application/json" => map! { "schema" => reference } }
    }

    /// An id that no other operation has: `get-items-id`.
    fn id(&mut self, text: &str) -> String {
        let base = names::dns_label(text, 100);
        let mut id = base.clone();
        let mut number = 2;
        while !self.ids.insert(id.clone()) {
            id = format!("{base}-{number}");
            number += 1;
        }
        id
    }
}

/// The paths under which clients reach `path` of a service, and the route of each.
fn ways<'a>(plan: &'a Plan, service: &Name, path: &str) -> Vec<(String, Option<&'a Route>)> {
    let mut ways = vec![];
    for route in &plan.routes {
        for (prefix, action) in &route.paths {
            let RouteAction::Service {
                service: to,
                strip_prefix,
                ..
            } = action
            else {
                continue;
            };
            let root = prefix.trim_end_matches('/');
            let client = if *strip_prefix {
                format!("{root}{path}")
            } else {
                path.to_owned()
            };
            let leads = to == service && chosen(route, &client) == Some(prefix);
            if leads && !ways.iter().any(|(other, _)| *other == client) {
                ways.push((client, Some(route)));
            }
        }
    }
    // Without any route the service is reached by its own port.
    let exposed = plan
        .services
        .get(service)
        .is_some_and(|service| service.expose.is_some());
    if ways.is_empty() && (plan.routes.is_empty() || exposed) {
        ways.push((path.to_owned(), None));
    }
    ways
}

/// The prefix that a route chooses for `path`: the longest, on segment borders.
fn chosen<'a>(route: &'a Route, path: &str) -> Option<&'a String> {
    route
        .paths
        .keys()
        .filter(|prefix| {
            let root = prefix.trim_end_matches('/');
            path.strip_prefix(root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .max_by_key(|prefix| prefix.len())
}

/// Where the API is: on the hosts of each environment, and wherever the document itself is served.
fn servers(input: &Input<'_>) -> Vec<Yaml> {
    let mut servers: Vec<(String, Option<&Name>)> = vec![];
    let environments = input.environments.iter();
    let plans = environments.map(|(name, plan)| (Some(name), plan));
    for (name, plan) in std::iter::once((None, input.base)).chain(plans) {
        for route in &plan.routes {
            let Some(host) = route.host.as_ref().filter(|host| !host.starts_with('*')) else {
                continue;
            };
            let url = match route.tls {
                Tls::Auto => format!("https://{host}"),
                Tls::Off => format!("http://{host}"),
            };
            match servers.iter_mut().find(|(other, _)| *other == url) {
                // The file's own host, in the environment that keeps it.
                Some((_, environment)) if environment.is_none() => *environment = name,
                Some(_) => {}
                None => servers.push((url, name)),
            }
        }
    }
    if servers.is_empty() {
        return vec![map! { "url" => "/" }.into()];
    }
    servers
        .into_iter()
        .map(|(url, environment)| {
            let mut server = map! { "url" => url };
            server.set_some("description", environment);
            server.into()
        })
        .collect()
}

/// The version of the project: what its services tell of themselves, else the tag of their images.
fn version(plan: &Plan) -> String {
    let told = plan
        .services
        .values()
        .filter(|service| !service.api.is_empty())
        .find_map(|service| {
            let template = service.environment.get("VERSION")?;
            match template.parts.as_slice() {
                [wharf_plan::template::Part::Text(text)] => Some(text.clone()),
                _ => None,
            }
        });
    // `latest` is no version.
    let tag = Some(&plan.images.tag).filter(|tag| *tag != "latest");
    told.or_else(|| tag.cloned())
        .unwrap_or_else(|| "1.0.0".to_owned())
}

/// The names between braces of a path.
fn parameters(path: &str) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    let mut rest = path;
    while let Some((_, behind)) = rest.split_once('{') {
        let Some((name, behind)) = behind.split_once('}') else {
            break;
        };
        if !name.is_empty() && !names.iter().any(|other| other == name) {
            names.push(name.to_owned());
        }
        rest = behind;
    }
    names
}

fn good(status: u16) -> &'static str {
    match status {
        201 => "It has been made.",
        202 => "It will be done.",
        204 => "It is done; there is nothing to say.",
        _ => "The answer.",
    }
}

fn trace_header() -> Map {
    map! { "X-Trace-ID" => map! { "$ref" => "#/components/headers/TraceId" } }
}

fn refusal(description: &str) -> Map {
    let schema = map! { "schema" => map! { "$ref" => "#/components/schemas/Problem" } };
    let mut headers = trace_header();
    if description.contains("Retry-After") {
        headers.set(
            "Retry-After",
            map! { "description" => "Seconds to wait.", "schema" => map! { "type" => "integer", "minimum" => 0 } },
        );
    }
    map! {
        "description" => description,
        "headers" => headers,
        "content" => map! { "application/json" => schema.clone(), "application/problem+json" => schema },
    }
}

/// A JSON Schema with its keywords in the order in which people write them.
fn ordered(schema: Yaml) -> Yaml {
    const ORDER: [&str; 8] = [
        "$ref",
        "title",
        "description",
        "type",
        "format",
        "enum",
        "required",
        "properties",
    ];
    match schema {
        Yaml::Map(map) => {
            let mut ordered_map = Map::new();
            for entry in map.entries() {
                ordered_map.set(entry.key.clone(), ordered(entry.value.clone()));
            }
            ordered_map.lead_with(&ORDER);
            Yaml::Map(ordered_map)
        }
        Yaml::List(items) => Yaml::List(items.into_iter().map(ordered).collect()),
        other => other,
    }
}

/// What a refusal says: RFC 9457, or a service's own words beside it.
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "What is wrong (RFC 9457); a service may say it in members of its own.",
        "properties": {
            "type": { "type": "string", "format": "uri-reference" },
            "title": { "type": "string" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string" },
        },
    })
}

#[cfg(test)]
mod tests;
