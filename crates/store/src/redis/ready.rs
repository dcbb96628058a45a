//! Whether Redis takes commands: AUTH and PING over its protocol (RESP2).

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::credentials::Credentials;

/// The answers are a few words; a line beyond this is no Redis.
const LINE_MAX_BYTES: u64 = 1024;

/// # Errors
/// It does not; why, as a lowercase fragment.
pub(crate) async fn ask(credentials: &Credentials) -> Result<(), String> {
    let address = credentials.address();
    let lost = |e: std::io::Error| format!("cannot reach Redis on {address}: {e}");
    let stream = TcpStream::connect((credentials.host.as_str(), credentials.port))
        .await
        .map_err(lost)?;
    stream.set_nodelay(true).map_err(lost)?;
    let mut stream = BufReader::new(stream);
    let request = [
        command(&["AUTH", &credentials.password]),
        command(&["PING"]),
    ]
    .concat();
    stream
        .get_mut()
        .write_all(request.as_bytes())
        .await
        .map_err(lost)?;
    for expected in ["+OK", "+PONG"] {
        let mut line = String::new();
        let read = (&mut stream)
            .take(LINE_MAX_BYTES)
            .read_line(&mut line)
            .await
            .map_err(lost)?;
        let line = line.trim_end();
        if read == 0 {
            return Err(format!("Redis on {address} closed the connection"));
        }
        if line != expected {
            return Err(refusal(line, &address));
        }
    }
    Ok(())
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
