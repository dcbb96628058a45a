//! The environment variables of a service, as a target has to write them: texts, and secrets by reference.

use wharf_base::ids::Name;
use wharf_plan::model::{Plan, Service, StoreEngine};
use wharf_plan::template::{Field, Own, Part, Reference, Template};

use crate::names;

/// Where a target finds stores and services.
pub trait Addresses {
    /// Where `store` is reached.
    fn store(&self, store: &Name) -> StoreAddress;
    /// The host under which `service` is reached by the others.
    fn service_host(&self, service: &Name) -> String;
    /// The port under which `service` is reached by the others; its own unless a target says otherwise.
    fn service_port(&self, plan: &Plan, service: &Name) -> u16 {
        let service = plan.services.get(service);
        service.and_then(Service::primary_port_number).unwrap_or(0)
    }
    /// Where the named volume is found by the program of `service`.
    fn volume(&self, service: &Service, volume: &Name) -> String {
        let mounted = service.volumes.iter().find(|mounted| {
            matches!(&mounted.source, wharf_plan::model::VolumeSource::Named(name) if name == volume)
        });
        mounted.map_or_else(String::new, |mounted| mounted.target.clone())
    }
}

/// Where a store is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreAddress {
    /// A host name, or an expression of the target's own language that gives one.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user; none for a Redis without accounts.
    pub user: Option<String>,
    /// The database: a name for PostgreSQL, a number for Redis.
    pub database: String,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// Whether there is a password; its secret is [`store_password`].
    pub password: bool,
}

/// The secret that holds a store's password.
#[must_use]
pub fn store_password(store: &Name) -> String {
    format!("{store}-password")
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value, piece by piece; no two texts are neighbours.
    pub pieces: Vec<Piece>,
}

impl Variable {
    /// The value, if no secret and no variable of the operator is in it.
    #[must_use]
    pub fn plain(&self) -> Option<String> {
        match self.pieces.as_slice() {
            [] => Some(String::new()),
            [Piece::Text(text)] => Some(text.clone()),
            _ => None,
        }
    }

    /// The secrets in its value, by name.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Secret(name) => Some(name.as_str()),
            Piece::Text(_) | Piece::Operator { .. } => None,
        })
    }

    /// The value with each secret and each variable of the operator written by `write`.
    #[must_use]
    pub fn written(&self, write: impl Fn(&Piece) -> String) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Secret(_) | Piece::Operator { .. } => write(piece),
            })
            .collect()
    }
}

/// A piece of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// A secret, by its name: one of the plan's, or a store's password ([`store_password`]).
    Secret(String),
    /// `${env.NAME}`: whoever deploys sets it.
    Operator {
        /// The variable.
        name: String,
        /// Used where it is not set.
        default: Option<String>,
    },
}

/// The variables of a service in the order of their names, `PORT` included.
#[must_use]
pub fn variables(plan: &Plan, service: &Name, addresses: &impl Addresses) -> Vec<Variable> {
    let Some(meant) = plan.services.get(service) else {
        return vec![];
    };
    let mut variables: Vec<Variable> = meant
        .environment
        .iter()
        .map(|(name, template)| Variable {
            name: name.clone(),
            pieces: pieces(plan, service, meant, template, addresses),
        })
        .collect();
    if let (Some(port), false) = (
        meant.primary_port_number(),
        meant.environment.contains_key("PORT"),
    ) {
        variables.push(Variable {
            name: "PORT".to_owned(),
            pieces: vec![Piece::Text(port.to_string())],
        });
        variables.sort_by(|a, b| a.name.cmp(&b.name));
    }
    variables
}

/// The secrets that a service needs, by name, each once, in order: the plan's, and the passwords of stores.
#[must_use]
pub fn secrets_of(plan: &Plan, service: &Name, addresses: &impl Addresses) -> Vec<String> {
    let mut names: Vec<String> = variables(plan, service, addresses)
        .iter()
        .flat_map(Variable::secrets)
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The environment variable that carries a secret of this name into a program: `db-password` is `DB_PASSWORD`.
#[must_use]
pub fn secret_variable(secret: &str) -> String {
    names::variable(secret)
}

fn pieces(
    plan: &Plan,
    name: &Name,
    service: &Service,
    template: &Template,
    addresses: &impl Addresses,
) -> Vec<Piece> {
    let mut pieces = vec![];
    for part in &template.parts {
        match part {
            Part::Text(text) => push(&mut pieces, text),
            Part::Reference(reference) => match reference {
                Reference::Field { of, field } if plan.stores.contains_key(of) => {
                    store_field(plan, of, *field, &addresses.store(of), &mut pieces);
                }
                Reference::Field { of, field } => {
                    let host = addresses.service_host(of);
                    let port = addresses.service_port(plan, of);
                    match field {
                        Field::Host => push(&mut pieces, &host),
                        Field::Port => push(&mut pieces, &port.to_string()),
                        _ => push(&mut pieces, &format!("http://{host}:{port}")),
                    }
                }
                Reference::Env { name, default } => pieces.push(Piece::Operator {
                    name: name.clone(),
                    default: default.clone(),
                }),
                Reference::Secret(secret) => pieces.push(Piece::Secret(secret.to_string())),
                Reference::Volume(volume) => push(&mut pieces, &addresses.volume(service, volume)),
                Reference::Wharf(own) => push(
                    &mut pieces,
                    match own {
                        Own::Project => plan.name.as_str(),
                        Own::Service => name.as_str(),
                        Own::Release => &plan.images.tag,
                        Own::Environment => {
                            plan.environment.as_ref().map_or("", |name| name.as_str())
                        }
                    },
                ),
            },
        }
    }
    pieces
}

fn store_field(
    plan: &Plan,
    store: &Name,
    field: Field,
    address: &StoreAddress,
    pieces: &mut Vec<Piece>,
) {
    let engine = plan.stores.get(store).map(|store| store.engine);
    let password = || Piece::Secret(store_password(store));
    match field {
        Field::Host => push(pieces, &address.host),
        Field::Port => push(pieces, &address.port.to_string()),
        Field::User => push(pieces, address.user.as_deref().unwrap_or_default()),
        Field::Database => push(pieces, &address.database),
        Field::Password if address.password => pieces.push(password()),
        Field::Password => {}
        Field::Url => {
            let scheme = match (engine, address.tls) {
                (Some(StoreEngine::Redis), true) => "rediss",
                (Some(StoreEngine::Redis), false) => "redis",
                _ => "postgresql",
            };
            push(pieces, &format!("{scheme}://"));
            push(pieces, address.user.as_deref().unwrap_or_default());
            if address.password {
                push(pieces, ":");
                pieces.push(password());
            }
            if address.user.is_some() || address.password {
                push(pieces, "@");
            }
            push(pieces, &format!("{}:{}", address.host, address.port));
            if engine == Some(StoreEngine::Postgres) {
                push(pieces, &format!("/{}", address.database));
                if address.tls {
                    push(pieces, "?sslmode=require");
                }
            }
        }
    }
}

fn push(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(before)) => before.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}
