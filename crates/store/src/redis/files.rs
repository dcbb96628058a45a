//! Redis's folder: `data` with the append-only files, and `redis.conf`, written anew at each start.

use std::path::{Path, PathBuf};

use crate::account::{self, Account};
use crate::credentials::Credentials;
use crate::error::StoreError;

/// Writes the configuration; gives its path.
pub(crate) fn configuration(
    dir: &Path,
    credentials: &Credentials,
    account: Option<Account>,
) -> Result<PathBuf, StoreError> {
    let path = dir.join("redis.conf");
    account::private_file(&path, &settings(dir, credentials), account)?;
    Ok(path)
}

fn settings(dir: &Path, credentials: &Credentials) -> String {
    let data = quoted(&dir.join("data").to_string_lossy());
    let (port, password) = (credentials.port, quoted(&credentials.password));
    format!(
        "# Written by wharf at each start.\n\
         bind 127.0.0.1\n\
         port {port}\n\
         protected-mode yes\n\
         requirepass {password}\n\
         dir {data}\n\
         daemonize no\n\
         pidfile \"\"\n\
         logfile \"\"\n\
         # A write is on disk within a second; the tail that a crash cut off is dropped at the next start.\n\
         appendonly yes\n\
         appendfsync everysec\n\
         aof-load-truncated yes\n\
         # A snapshot an hour, and one when it is stopped: with a `save` line SIGTERM saves.\n\
         save 3600 1\n"
    )
}

/// A word of redis.conf: in double quotes, with the escapes that Redis reads there.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(quoted(text), expected);
        }
        check("plain", "\"plain\"");
        check("/a b\"c\\d", "\"/a b\\\"c\\\\d\"");
        check("x\nrequirepass y", "\"x\\nrequirepass y\"");
    }
}
