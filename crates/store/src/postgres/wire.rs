//! PostgreSQL's protocol, version 3: start, SCRAM login, simple statements with short answers.
//!
//! Format: <https://www.postgresql.org/docs/current/protocol-message-formats.html>. Whoever calls sets the time limit.
//! Only for statements whose answers are small: a message above [`MESSAGE_MAX_BYTES`] ends the connection.

use std::io;

use rustix::rand::GetRandomFlags;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::scram::Login;
use crate::credentials::Credentials;
use crate::error::StoreError;

/// Far above any answer to the statements of this crate, and small enough to hold.
const MESSAGE_MAX_BYTES: usize = 1 << 20;

/// Version 3.0 of the protocol.
const PROTOCOL: i32 = 196_608;

/// An error that the server reported.
#[derive(Debug)]
pub(crate) struct ServerError {
    /// SQLSTATE.
    pub(crate) code: String,
    /// Its words.
    pub(crate) message: String,
}

impl ServerError {
    /// Whether the server closes the connection after it: it shuts down, or lets nobody in.
    pub(super) fn ends_connection(&self) -> bool {
        self.code.starts_with("57P") || self.code.starts_with("28")
    }
}

/// Why a statement gave no answer.
#[derive(Debug)]
pub(crate) enum WireError {
    /// The connection broke, or was never made.
    Io(io::Error),
    /// The server said what a PostgreSQL server does not say here.
    Protocol(&'static str),
    /// The server reported an error.
    Server(ServerError),
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl WireError {
    /// As an error of the crate; `action` is what was tried: `create the database`.
    pub(crate) fn into_store_error(self, action: &str, address: String) -> StoreError {
        match self {
            Self::Io(source) => StoreError::Connection {
                address,
                what: "could not be reached".to_owned(),
                source: Some(source),
            },
            Self::Protocol(what) => StoreError::Connection {
                address,
                what: what.to_owned(),
                source: None,
            },
            Self::Server(ServerError { code, message }) => StoreError::Refused {
                action: action.to_owned(),
                message,
                code,
            },
        }
    }
}

/// What a server says to a client that has not logged in.
pub(crate) enum Greeting {
    /// It asks for a login: one of these SASL mechanisms.
    Sasl(String),
    /// It asks for no password or another kind of login.
    Other,
}

/// A logged-in connection.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects and introduces `user`; does not log in.
    pub(crate) async fn greet(
        credentials: &Credentials,
        user: &str,
        database: &str,
    ) -> Result<(Self, Greeting), WireError> {
        let stream = TcpStream::connect((credentials.host.as_str(), credentials.port)).await?;
        stream.set_nodelay(true)?;
        let mut connection = Self {
            stream: BufReader::new(stream),
        };
        let mut body = PROTOCOL.to_be_bytes().to_vec();
        for word in [
            "user",
            user,
            "database",
            database,
            "application_name",
            "wharf",
        ] {
            push_text(&mut body, word);
        }
        body.push(0);
        connection.send(None, &body).await?;
        let (kind, body) = connection.receive().await?;
        match (kind, code(&body)) {
            (b'R', Some(10)) => {
                let mechanisms = String::from_utf8_lossy(&body[4..]).into_owned();
                Ok((connection, Greeting::Sasl(mechanisms)))
            }
            (b'R', Some(_)) => Ok((connection, Greeting::Other)),
            (b'E', _) => Err(WireError::Server(server_error(&body))),
            _ => Err(WireError::Protocol("does not speak PostgreSQL's protocol")),
        }
    }

    /// Connects and logs in with SCRAM-SHA-256.
    pub(crate) async fn login(
        credentials: &Credentials,
        user: &str,
        password: &str,
        database: &str,
    ) -> Result<Self, WireError> {
        let (mut connection, greeting) = Self::greet(credentials, user, database).await?;
        match greeting {
            Greeting::Sasl(mechanisms)
                if mechanisms.split('\0').any(|name| name == "SCRAM-SHA-256") => {}
            _ => {
                return Err(WireError::Protocol(
                    "asks for no SCRAM-SHA-256 login: it is not the one that was prepared",
                ));
            }
        }
        let mut random = [0; 18];
        rustix::rand::getrandom(&mut random, GetRandomFlags::empty()).map_err(io::Error::from)?;
        let mut login = Login::new(random);
        let first = login.first();
        let mut body = Vec::new();
        push_text(&mut body, "SCRAM-SHA-256");
        let length = i32::try_from(first.len())
            .map_err(|_| WireError::Protocol("was sent too long a login"))?;
        body.extend(length.to_be_bytes());
        body.extend(first.as_bytes());
        connection.send(Some(b'p'), &body).await?;
        let server_first = connection.sasl(11).await?;
        let last = login
            .last(password, &server_first)
            .ok_or(WireError::Protocol("broke off the SCRAM login"))?;
        connection.send(Some(b'p'), last.as_bytes()).await?;
        let server_last = connection.sasl(12).await?;
        if !login.proven(&server_last) {
            return Err(WireError::Protocol(
                "does not know the password: it is not the one that was prepared",
            ));
        }
        connection.until_idle().await?;
        Ok(connection)
    }

    /// Runs statements and gives the first column of every row.
    pub(crate) async fn query(
        &mut self,
        statements: &str,
    ) -> Result<Vec<Option<String>>, WireError> {
        self.ask(statements).await?;
        self.until_idle().await
    }

    /// Sends statements; whoever calls reads the answer.
    pub(super) async fn ask(&mut self, statements: &str) -> Result<(), WireError> {
        let mut body = Vec::new();
        push_text(&mut body, statements);
        self.send(Some(b'Q'), &body).await
    }

    /// Says goodbye, so that the server logs no lost connection.
    pub(crate) async fn close(mut self) {
        // The server ends the connection whether or not the goodbye arrives.
        drop(self.send(Some(b'X'), &[]).await);
    }

    async fn sasl(&mut self, expected: i32) -> Result<String, WireError> {
        let (kind, body) = self.receive().await?;
        match (kind, code(&body)) {
            (b'R', Some(found)) if found == expected => {
                Ok(String::from_utf8_lossy(&body[4..]).into_owned())
            }
            (b'E', _) => Err(WireError::Server(server_error(&body))),
            _ => Err(WireError::Protocol("broke off the SCRAM login")),
        }
    }

    /// Reads to the end of an answer: the rows, or the first error.
    async fn until_idle(&mut self) -> Result<Vec<Option<String>>, WireError> {
        let mut rows = Vec::new();
        let mut error = None;
        loop {
            let (kind, body) = self.receive().await?;
            match kind {
                b'D' => rows.push(first_column(&body)),
                // After a fatal error the server closes without a `Z`, so that reading on would hide it.
                b'E' => {
                    let found = server_error(&body);
                    if found.ends_connection() {
                        return Err(WireError::Server(found));
                    }
                    error.get_or_insert(found);
                }
                b'Z' => return error.map_or(Ok(rows), |error| Err(WireError::Server(error))),
                _ => {}
            }
        }
    }

    async fn send(&mut self, kind: Option<u8>, body: &[u8]) -> Result<(), WireError> {
        let length = i32::try_from(body.len() + 4)
            .map_err(|_| WireError::Protocol("was sent too long a statement"))?;
        let mut message: Vec<u8> = kind.into_iter().collect();
        message.extend(length.to_be_bytes());
        message.extend(body);
        Ok(self.stream.get_mut().write_all(&message).await?)
    }

    pub(super) async fn receive(&mut self) -> Result<(u8, Vec<u8>), WireError> {
        let kind = self.stream.read_u8().await?;
        let length = self.stream.read_i32().await?;
        let length = usize::try_from(length)
            .ok()
            .and_then(|length| length.checked_sub(4))
            .filter(|length| *length <= MESSAGE_MAX_BYTES)
            .ok_or(WireError::Protocol("does not speak PostgreSQL's protocol"))?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok((kind, body))
    }
}

/// An identifier in quotes, so that it may hold anything.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\"").replace('\0', ""))
}

/// A text in quotes; `standard_conforming_strings` is on in every server that this crate starts.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace('\0', ""))
}

fn push_text(body: &mut Vec<u8>, text: &str) {
    body.extend(text.bytes().filter(|byte| *byte != 0));
    body.push(0);
}

pub(super) fn code(body: &[u8]) -> Option<i32> {
    body.first_chunk().map(|bytes| i32::from_be_bytes(*bytes))
}

/// The first column of a `DataRow`; none for NULL, no column and a malformed row.
fn first_column(body: &[u8]) -> Option<String> {
    let length = code(body.get(2..)?)?;
    let bytes = body.get(6..)?.get(..usize::try_from(length).ok()?)?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// Fields of an `ErrorResponse`: a letter and a text each.
pub(super) fn server_error(body: &[u8]) -> ServerError {
    let field = |letter: u8| {
        body.split(|byte| *byte == 0)
            .find(|field| field.first() == Some(&letter))
            .map(|field| String::from_utf8_lossy(&field[1..]).into_owned())
            .unwrap_or_default()
    };
    ServerError {
        code: field(b'C'),
        message: field(b'M'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_messages_give_nothing() {
        #[track_caller]
        fn check(body: &[u8], expected: Option<&str>) {
            assert_eq!(first_column(body).as_deref(), expected, "{body:?}");
        }
        check(&[], None);
        check(&[0, 1, 0, 0], None);
        check(&[0, 1, 0xff, 0xff, 0xff, 0xff], None);
        check(&[0, 1, 0, 0, 0, 9, b'a'], None);
        check(&[0, 1, 0, 0, 0, 1, b'a'], Some("a"));
        assert_eq!(server_error(&[]).code, "");
        assert_eq!(server_error(b"SFATAL\0C57P03\0Mstarting\0\0").code, "57P03");
    }

    #[test]
    fn quotes() {
        assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
    }
}
