//! Whether PostgreSQL takes connections: it asks for a login, as `pg_isready` finds out.

use super::wire::{Connection, WireError};
use crate::credentials::Credentials;

/// SQLSTATE `too_many_connections`: the server is up and busy.
const TOO_MANY_CONNECTIONS: &str = "53300";

/// # Errors
/// It does not; why, as a lowercase fragment.
pub(crate) async fn ask(credentials: &Credentials) -> Result<(), String> {
    match Connection::greet(credentials, &credentials.user, &credentials.database).await {
        Ok(_) => Ok(()),
        Err(WireError::Server(error)) if error.code == TOO_MANY_CONNECTIONS => Ok(()),
        Err(WireError::Server(error)) => Err(format!("PostgreSQL says: {}", error.message)),
        Err(WireError::Protocol(what)) => {
            Err(format!("the server on {} {what}", credentials.address()))
        }
        Err(WireError::Io(error)) => Err(format!(
            "cannot reach PostgreSQL on {}: {error}",
            credentials.address()
        )),
    }
}
