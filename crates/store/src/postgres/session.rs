//! Short statements whose answers have rows and columns: what a server tells of itself.

use std::path::Path;

use super::files::admin_password;
use super::setup::ADMIN;
use super::wire::{Connection, WireError, code, server_error};
use crate::credentials::Credentials;
use crate::error::StoreError;

/// All rows of one answer; far above what a server tells of itself with thousands of tables.
const TABLE_MAX_BYTES: usize = 16 << 20;

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns' names.
    pub columns: Vec<String>,
    /// Every row has a value for each column; none: NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A logged-in connection to a PostgreSQL or to a pool's console. Whoever calls sets the time limit; dropped in the middle of a
/// statement, the connection is closed.
pub struct Session {
    connection: Connection,
    address: String,
}

impl Session {
    /// Logs in as the credentials say.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn open(credentials: &Credentials) -> Result<Self, StoreError> {
        let Credentials {
            user,
            password,
            database,
            ..
        } = credentials;
        Self::login(credentials, user, password, database).await
    }

    /// Logs in to the same database as the superuser of a server that was prepared in `dir`: it sees every session, and has
    /// connections of its own where all others are taken.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub async fn open_as_admin(credentials: &Credentials, dir: &Path) -> Result<Self, StoreError> {
        let password = admin_password(dir)?;
        Self::login(credentials, ADMIN, &password, &credentials.database).await
    }

    pub(crate) async fn login(
        credentials: &Credentials,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Self, StoreError> {
        let address = credentials.address();
        let connection = Connection::login(credentials, user, password, database)
            .await
            .map_err(|error| error.into_store_error("log in", address.clone()))?;
        Ok(Self {
            connection,
            address,
        })
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: the statement failed, and the session goes on. Else the connection is of no use any more.
    pub async fn table(&mut self, statement: &str) -> Result<Table, StoreError> {
        self.answer(statement)
            .await
            .map_err(|error| error.into_store_error("answer", self.address.clone()))
    }

    async fn answer(&mut self, statement: &str) -> Result<Table, WireError> {
        self.connection.ask(statement).await?;
        let (mut table, mut error, mut bytes) = (Table::default(), None, 0);
        loop {
            let (kind, body) = self.connection.receive().await?;
            bytes += body.len();
            if bytes > TABLE_MAX_BYTES {
                return Err(WireError::Protocol("told more than can be taken"));
            }
            let malformed = WireError::Protocol("sent a malformed row");
            match kind {
                b'T' => table.columns = names(&body).ok_or(malformed)?,
                b'D' => table
                    .rows
                    .push(values(&body, table.columns.len()).ok_or(malformed)?),
                b'E' => {
                    let found = server_error(&body);
                    if found.ends_connection() {
                        return Err(WireError::Server(found));
                    }
                    error.get_or_insert(found);
                }
                b'Z' => return error.map_or(Ok(table), |error| Err(WireError::Server(error))),
                _ => {}
            }
        }
    }

    /// Says goodbye.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

/// The names in a `RowDescription`: each with a zero behind it, and 18 bytes of types.
fn names(body: &[u8]) -> Option<Vec<String>> {
    let (count, mut rest) = count(body)?;
    let mut names = Vec::new();
    for _ in 0..count {
        let end = rest.iter().position(|byte| *byte == 0)?;
        names.push(String::from_utf8_lossy(&rest[..end]).into_owned());
        rest = rest.get(end + 1 + 18..)?;
    }
    Some(names)
}

/// The values in a `DataRow`: each behind its length, -1 for NULL.
fn values(body: &[u8], columns: usize) -> Option<Vec<Option<String>>> {
    let (count, mut rest) = count(body)?;
    if count != columns {
        return None;
    }
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let length = code(rest)?;
        rest = &rest[4..];
        if length == -1 {
            values.push(None);
            continue;
        }
        let (value, behind) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        values.push(Some(String::from_utf8_lossy(value).into_owned()));
        rest = behind;
    }
    Some(values)
}

fn count(body: &[u8]) -> Option<(usize, &[u8])> {
    let (count, rest) = body.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_be_bytes(*count)), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_rows_give_nothing() {
        let mut names_of_two = vec![0, 2];
        for name in [b"a\0", b"b\0"] {
            names_of_two.extend_from_slice(name);
            names_of_two.extend_from_slice(&[0; 18]);
        }
        assert_eq!(
            names(&names_of_two),
            Some(vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(names(&names_of_two[..20]), None);
        assert_eq!(names(&[0, 9]), None);
        let row = [0, 2, 0, 0, 0, 1, b'x', 0xff, 0xff, 0xff, 0xff];
        assert_eq!(values(&row, 2), Some(vec![Some("x".to_owned()), None]));
        assert_eq!(values(&row, 1), None);
        assert_eq!(values(&row[..8], 2), None);
        assert_eq!(values(&[0, 1, 0x7f, 0xff, 0xff, 0xff], 1), None);
        assert_eq!(values(&[0, 1, 0xff, 0xff, 0xff, 0xfe], 1), None);
        assert_eq!(values(&[], 0), None);
    }
}
