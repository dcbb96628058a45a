//! Whether Redis takes commands, and how long its lists are: AUTH, PING, LLEN over its protocol (RESP2).

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::credentials::Credentials;

/// The answers are a few words; a line beyond this is no Redis.
const LINE_MAX_BYTES: u64 = 1024;

/// A list of a Redis.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RedisList {
    /// The number of its database.
    pub database: u32,
    /// Its key.
    pub key: String,
}

/// # Errors
/// It does not; why, as a lowercase fragment.
pub(crate) async fn ask(credentials: &Credentials) -> Result<(), String> {
    let mut client = Client::connect(credentials).await?;
    client.expect(&["PING"], "+PONG").await
}

/// # Errors
/// It does not answer; why, as a lowercase fragment.
pub(crate) async fn lengths(
    credentials: &Credentials,
    lists: &[RedisList],
) -> Result<Vec<u64>, String> {
    let mut client = Client::connect(credentials).await?;
    let mut lengths = vec![];
    for list in lists {
        client
            .expect(&["SELECT", &list.database.to_string()], "+OK")
            .await?;
        let answer = client.call(&["LLEN", &list.key]).await?;
        let length = answer
            .strip_prefix(':')
            .and_then(|number| number.parse().ok());
        match (length, answer.strip_prefix("-WRONGTYPE")) {
            (Some(length), _) => lengths.push(length),
            // Celery and its like keep other things under other names; such a key is no queue.
            (None, Some(_)) => lengths.push(0),
            (None, None) => return Err(refusal(&answer, &client.address)),
        }
    }
    Ok(lengths)
}

/// A connection that has logged in.
struct Client {
    stream: BufReader<TcpStream>,
    address: String,
}

impl Client {
    async fn connect(credentials: &Credentials) -> Result<Self, String> {
        let address = credentials.address();
        let lost = |e: std::io::Error| format!("cannot reach Redis on {address}: {e}");
        let stream = TcpStream::connect((credentials.host.as_str(), credentials.port))
            .await
            .map_err(lost)?;
        stream.set_nodelay(true).map_err(lost)?;
        let mut client = Self {
            stream: BufReader::new(stream),
            address,
        };
        client
            .expect(&["AUTH", &credentials.password], "+OK")
            .await?;
        Ok(client)
    }

    async fn expect(&mut self, words: &[&str], expected: &str) -> Result<(), String> {
        let answer = self.call(words).await?;
        if answer == expected {
            Ok(())
        } else {
            Err(refusal(&answer, &self.address))
        }
    }

    /// Sends a command whose answer is one line.
    async fn call(&mut self, words: &[&str]) -> Result<String, String> {
        let lost = |e: std::io::Error| format!("cannot reach Redis on {}: {e}", self.address);
        let request = command(words);
        let stream = self.stream.get_mut();
        stream.write_all(request.as_bytes()).await.map_err(lost)?;
        let mut line = String::new();
        let mut bounded = (&mut self.stream).take(LINE_MAX_BYTES);
        if bounded.read_line(&mut line).await.map_err(lost)? == 0 {
            return Err(format!("Redis on {} closed the connection", self.address));
        }
        Ok(line.trim_end().to_owned())
    }
}

fn command(words: &[&str]) -> String {
    let bulk: String = words
        .iter()
        .map(|word| format!("${}\r\n{word}\r\n", word.len()))
        .collect();
    format!("*{}\r\n{bulk}", words.len())
}

fn refusal(line: &str, address: &str) -> String {
    match line.strip_prefix('-') {
        Some(error) if error.starts_with("LOADING") => "Redis is loading its data".to_owned(),
        Some(error) => format!("Redis says: {error}"),
        None => format!("the server on {address} does not speak Redis's protocol"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals() {
        #[track_caller]
        fn check(line: &str, expected: &str) {
            assert_eq!(refusal(line, "h:1"), expected);
        }
        check(
            "-LOADING Redis is loading the dataset in memory",
            "Redis is loading its data",
        );
        check("-WRONGPASS invalid", "Redis says: WRONGPASS invalid");
        check(
            "HTTP/1.1 400 Bad Request",
            "the server on h:1 does not speak Redis's protocol",
        );
    }
}
