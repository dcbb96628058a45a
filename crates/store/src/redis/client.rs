//! A connection to a Redis over its protocol (RESP2): <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::credentials::Credentials;

/// A line of an answer; one beyond this is no Redis.
const LINE_MAX_BYTES: u64 = 64 << 10;
/// One answer as a whole: `INFO all` of a server with thousands of commands and clients stays far below.
const ANSWER_MAX_BYTES: usize = 8 << 20;
/// Lists within lists: none of the commands that are sent here has more.
const DEPTH_MAX: usize = 4;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisAnswer {
    /// A word, or a text.
    Text(String),
    /// A number.
    Number(i64),
    /// Several.
    List(Vec<RedisAnswer>),
    /// Nothing.
    Nil,
    /// It was refused: why, as Redis says it.
    Error(String),
}

/// A connection that has logged in. Whoever calls sets the time limit.
pub struct RedisSession {
    stream: BufReader<TcpStream>,
    address: String,
}

impl RedisSession {
    /// Connects and logs in.
    ///
    /// # Errors
    /// It cannot be reached, or refuses; why, as a lowercase fragment.
    pub async fn open(credentials: &Credentials) -> Result<Self, String> {
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
            .expect(&["AUTH", &credentials.password], "OK")
            .await?;
        Ok(client)
    }

    pub(crate) async fn expect(&mut self, words: &[&str], expected: &str) -> Result<(), String> {
        match self.call(words).await? {
            RedisAnswer::Text(text) if text == expected => Ok(()),
            answer => Err(self.refusal(&answer)),
        }
    }

    /// Why an answer is not the one that was wanted, as a lowercase fragment.
    #[must_use]
    pub fn refusal(&self, answer: &RedisAnswer) -> String {
        refusal(answer, &self.address)
    }

    /// Sends a command.
    ///
    /// # Errors
    /// The connection broke, or the server speaks another protocol; why, as a lowercase fragment.
    pub async fn call(&mut self, words: &[&str]) -> Result<RedisAnswer, String> {
        let request = command(words);
        let lost = |e: std::io::Error| format!("cannot reach Redis on {}: {e}", self.address);
        let stream = self.stream.get_mut();
        stream.write_all(request.as_bytes()).await.map_err(lost)?;
        let mut left = ANSWER_MAX_BYTES;
        self.answer(0, &mut left).await
    }

    async fn answer(&mut self, depth: usize, left: &mut usize) -> Result<RedisAnswer, String> {
        let line = self.line(left).await?;
        let other = || refusal_of_protocol(&self.address);
        let Some((kind, rest)) = line.split_at_checked(1) else {
            return Err(other());
        };
        let number = rest.parse::<i64>();
        match (kind, number) {
            ("+", _) => Ok(RedisAnswer::Text(rest.to_owned())),
            ("-", _) => Ok(RedisAnswer::Error(rest.to_owned())),
            (":", Ok(number)) => Ok(RedisAnswer::Number(number)),
            ("$" | "*", Ok(-1)) => Ok(RedisAnswer::Nil),
            ("$", Ok(length)) => {
                let length = usize::try_from(length).map_err(|_| other())?;
                self.text(length, left).await
            }
            ("*", Ok(length)) if depth < DEPTH_MAX => {
                let mut all = vec![];
                for _ in 0..length {
                    all.push(Box::pin(self.answer(depth + 1, left)).await?);
                }
                Ok(RedisAnswer::List(all))
            }
            _ => Err(other()),
        }
    }

    async fn line(&mut self, left: &mut usize) -> Result<String, String> {
        let lost = |e: std::io::Error| format!("cannot reach Redis on {}: {e}", self.address);
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(LINE_MAX_BYTES);
        if bounded.read_until(b'\n', &mut line).await.map_err(lost)? == 0 {
            return Err(format!("Redis on {} closed the connection", self.address));
        }
        self.spend(line.len(), left)?;
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    async fn text(&mut self, length: usize, left: &mut usize) -> Result<RedisAnswer, String> {
        self.spend(length, left)?;
        let lost = |e: std::io::Error| format!("cannot reach Redis on {}: {e}", self.address);
        // The line's end comes behind it.
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).await.map_err(lost)?;
        bytes.truncate(length);
        Ok(RedisAnswer::Text(
            String::from_utf8_lossy(&bytes).into_owned(),
        ))
    }

    fn spend(&self, bytes: usize, left: &mut usize) -> Result<(), String> {
        *left = left
            .checked_sub(bytes)
            .ok_or_else(|| format!("Redis on {} told more than can be taken", self.address))?;
        Ok(())
    }
}

fn command(words: &[&str]) -> String {
    let bulk: String = words
        .iter()
        .map(|word| format!("${}\r\n{word}\r\n", word.len()))
        .collect();
    format!("*{}\r\n{bulk}", words.len())
}

fn refusal(answer: &RedisAnswer, address: &str) -> String {
    match answer {
        RedisAnswer::Error(error) if error.starts_with("LOADING") => {
            "Redis is loading its data".to_owned()
        }
        RedisAnswer::Error(error) => format!("Redis says: {error}"),
        _ => refusal_of_protocol(address),
    }
}

fn refusal_of_protocol(address: &str) -> String {
    format!("the server on {address} does not speak Redis's protocol")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn credentials(port: u16) -> Credentials {
        Credentials {
            user: "default".to_owned(),
            password: "x".to_owned(),
            database: "0".to_owned(),
            host: "127.0.0.1".to_owned(),
            port,
        }
    }

    /// What a client makes of an answer to its second command.
    async fn told(bytes: &[u8]) -> Result<RedisAnswer, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let credentials = credentials(listener.local_addr().unwrap().port());
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut command = [0; 1024];
            assert!(stream.read(&mut command).await.unwrap() > 0);
            stream.write_all(b"+OK\r\n").await.unwrap();
            assert!(stream.read(&mut command).await.unwrap() > 0);
            stream.write_all(bytes).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let ask = async {
            let mut session = RedisSession::open(&credentials).await?;
            session.call(&["X"]).await
        };
        let (_, answer) = tokio::join!(serve, ask);
        answer.map_err(|error| error.replace(&credentials.address(), "h:1"))
    }

    #[tokio::test]
    async fn answers() {
        use RedisAnswer::{List, Nil, Number, Text};
        let text = |text: &str| Text(text.to_owned());
        assert_eq!(
            told(b"$9\r\na\r\nb!\r\n").await,
            Err("cannot reach Redis on h:1: early eof".to_owned())
        );
        assert_eq!(told(b"$4\r\na\r\nb\r\n").await, Ok(text("a\r\nb")));
        assert_eq!(
            told(b"*3\r\n:7\r\n*1\r\n+x\r\n$-1\r\n").await,
            Ok(List(vec![Number(7), List(vec![text("x")]), Nil]))
        );
        let other = Err("the server on h:1 does not speak Redis's protocol".to_owned());
        assert_eq!(told(b"HTTP/1.1 400 Bad Request\r\n").await, other);
        assert_eq!(
            told(b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n+x\r\n").await,
            other
        );
        assert_eq!(told(b"$-7\r\n").await, other);
        assert_eq!(told(b"\r\n").await, other);
        let much = "Redis on h:1 told more than can be taken";
        assert_eq!(told(b"$999999999\r\n").await, Err(much.to_owned()));
        assert_eq!(
            told(b"").await,
            Err("Redis on h:1 closed the connection".to_owned())
        );
    }

    #[test]
    fn refusals() {
        #[track_caller]
        fn check(error: &str, expected: &str) {
            assert_eq!(
                refusal(&RedisAnswer::Error(error.to_owned()), "h:1"),
                expected
            );
        }
        check(
            "LOADING Redis is loading the dataset in memory",
            "Redis is loading its data",
        );
        check("WRONGPASS invalid", "Redis says: WRONGPASS invalid");
    }
}
