//! What a fresh server lacks: the application's role, its database and its extensions.
//!
//! Every step looks first and changes only what differs, so that it may be repeated after any interruption. The role
//! owns its database and may create others (test suites do), and is no superuser.

use std::path::Path;

use rustix::rand::GetRandomFlags;

use super::scram;
use super::wire::{Connection, WireError, identifier, literal};
use crate::credentials::Credentials;
use crate::error::{Extension, StoreError};
use crate::locate::Distribution;

/// The bootstrap superuser, which only Wharf logs in as.
pub(crate) const ADMIN: &str = "postgres";

/// SQLSTATE `undefined_file`, `feature_not_supported`: no control file of that name, by server version.
const NO_SUCH_EXTENSION: [&str; 2] = ["58P01", "0A000"];

/// What is to be there.
#[derive(Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) credentials: &'a Credentials,
    pub(crate) admin_password: &'a str,
    pub(crate) data: &'a Path,
    pub(crate) major: &'a str,
    pub(crate) extensions: &'a [String],
}

/// Makes role, database and extensions as wanted.
pub(crate) async fn set_up(wanted: &Wanted<'_>) -> Result<(), StoreError> {
    let credentials = wanted.credentials;
    let address = || credentials.address();
    let failed = |action: &'static str| {
        move |e: WireError| e.into_store_error(action, credentials.address())
    };
    let mut admin = Connection::login(credentials, ADMIN, wanted.admin_password, "postgres")
        .await
        .map_err(failed("log in"))?;
    same_server(&mut admin, wanted).await?;
    role(&mut admin, credentials)
        .await
        .map_err(failed("set up the role"))?;
    database(&mut admin, credentials)
        .await
        .map_err(failed("create the database"))?;
    admin.close().await;

    if wanted.extensions.is_empty() {
        return Ok(());
    }
    let mut admin = Connection::login(
        credentials,
        ADMIN,
        wanted.admin_password,
        &credentials.database,
    )
    .await
    .map_err(failed("log in"))?;
    for extension in wanted.extensions {
        let statement = format!(
            "CREATE EXTENSION IF NOT EXISTS {} CASCADE",
            identifier(extension)
        );
        match admin.query(&statement).await {
            Ok(_) => {}
            Err(WireError::Server(error)) if NO_SUCH_EXTENSION.contains(&error.code.as_str()) => {
                return Err(StoreError::ExtensionMissing {
                    extension: Extension(extension.clone()),
                    major: wanted.major.to_owned(),
                    install: install_hint(extension, wanted.major, Distribution::this()),
                });
            }
            Err(error) => {
                return Err(error
                    .into_store_error(&format!("create the extension `{extension}`"), address()));
            }
        }
    }
    admin.close().await;
    Ok(())
}

async fn same_server(admin: &mut Connection, wanted: &Wanted<'_>) -> Result<(), StoreError> {
    let address = wanted.credentials.address();
    let rows = admin
        .query("SHOW data_directory")
        .await
        .map_err(|e| e.into_store_error("name its data folder", address.clone()))?;
    let found = rows.into_iter().next().flatten().unwrap_or_default();
    if Path::new(&found) == wanted.data {
        Ok(())
    } else {
        Err(StoreError::OtherServer {
            address,
            found,
            data: wanted.data.to_owned(),
        })
    }
}

async fn role(admin: &mut Connection, credentials: &Credentials) -> Result<(), WireError> {
    let statement = format!(
        "SELECT rolpassword FROM pg_authid WHERE rolname = {}",
        literal(&credentials.user)
    );
    let found = admin.query(&statement).await?;
    let verb = match found.first() {
        Some(Some(kept)) if scram::verifies(kept, &credentials.password) => return Ok(()),
        Some(_) => "ALTER",
        None => "CREATE",
    };
    let mut salt = [0; 16];
    rustix::rand::getrandom(&mut salt, GetRandomFlags::empty()).map_err(std::io::Error::from)?;
    let verifier = literal(&scram::verifier(&credentials.password, salt));
    let statement = format!(
        "{verb} ROLE {} LOGIN CREATEDB PASSWORD {verifier}",
        identifier(&credentials.user)
    );
    admin.query(&statement).await.map(drop)
}

async fn database(admin: &mut Connection, credentials: &Credentials) -> Result<(), WireError> {
    let statement = format!(
        "SELECT 1 FROM pg_database WHERE datname = {}",
        literal(&credentials.database)
    );
    if !admin.query(&statement).await?.is_empty() {
        return Ok(());
    }
    let (database, owner) = (
        identifier(&credentials.database),
        identifier(&credentials.user),
    );
    admin
        .query(&format!("CREATE DATABASE {database} OWNER {owner}"))
        .await
        .map(drop)
}

fn install_hint(extension: &str, major: &str, distribution: Distribution) -> String {
    match (distribution, extension) {
        (Distribution::Debian, "postgis") => format!("{distribution} postgresql-{major}-postgis-3"),
        (Distribution::Debian, "vector") => format!("{distribution} postgresql-{major}-pgvector"),
        (Distribution::Debian, "timescaledb") => {
            format!("{distribution} postgresql-{major}-timescaledb")
        }
        (_, "postgis") => format!("{distribution} postgis"),
        (_, "vector") => format!("{distribution} pgvector"),
        _ => format!("{distribution} postgresql-contrib"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_extension_names_its_package() {
        #[track_caller]
        fn check(extension: &str, distribution: Distribution, expected: &str) {
            assert_eq!(install_hint(extension, "15", distribution), expected);
        }
        check(
            "vector",
            Distribution::Debian,
            "sudo apt-get install postgresql-15-pgvector",
        );
        check(
            "hstore",
            Distribution::RedHat,
            "sudo dnf install postgresql-contrib",
        );
        check("postgis", Distribution::Mac, "brew install postgis");
    }
}
