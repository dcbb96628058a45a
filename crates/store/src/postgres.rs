//! PostgreSQL: its data folder, its configuration, its protocol as far as a login and simple statements need it.

pub(crate) mod files;
pub(crate) mod ready;
pub(crate) mod scram;
pub(crate) mod session;
pub(crate) mod setup;
pub(crate) mod wire;
