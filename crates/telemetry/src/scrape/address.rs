//! Where a target is: `http://host:port/path`, the same with `https`, or `unix:/run/x.sock:/path` for a socket of this machine.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use http::Uri;

/// Where a target answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Over TCP.
    Http {
        /// Whether TLS is spoken.
        tls: bool,
        /// `host:port`, which is also the `Host` header and the usual `instance`.
        authority: String,
        /// An address or a name, without brackets.
        host: String,
        /// The port.
        port: u16,
        /// Path and query.
        path: String,
    },
    /// Over a unix socket.
    Unix {
        /// The socket.
        socket: PathBuf,
        /// Path and query.
        path: String,
    },
}

/// An address that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is no address of metrics: {reason}; write http://host:port/metrics or unix:/path/to.sock:/metrics"
)]
pub struct AddressError {
    given: String,
    reason: &'static str,
}

impl Address {
    /// The usual value of the label `instance`.
    #[must_use]
    pub fn instance(&self) -> String {
        match self {
            Self::Http { authority, .. } => authority.clone(),
            Self::Unix { socket, .. } => socket.display().to_string(),
        }
    }

    /// Path and query of the request.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Http { path, .. } | Self::Unix { path, .. } => path,
        }
    }

    /// The `Host` header.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Http { authority, .. } => authority,
            Self::Unix { .. } => "localhost",
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |reason| AddressError {
            // A password that somebody wrote into it is not repeated.
            given: text.rsplit('@').next().unwrap_or_default().to_owned(),
            reason,
        };
        if let Some(rest) = text.strip_prefix("unix:") {
            let (socket, path) = rest.split_once(':').unwrap_or((rest, "/metrics"));
            if !socket.starts_with('/') || !path.starts_with('/') {
                return Err(wrong("socket and path begin with a slash"));
            }
            let path: http::uri::PathAndQuery =
                path.parse().map_err(|_| wrong("the path is none"))?;
            return Ok(Self::Unix {
                socket: socket.into(),
                path: path.as_str().to_owned(),
            });
        }
        let uri: Uri = text.parse().map_err(|_| wrong("it is no URL"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("a user and a password do not belong into it"));
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            None | Some("") if tls => 443,
            None | Some("") => 80,
            Some(rest) => rest
                .strip_prefix(':')
                .and_then(|port| port.parse().ok())
                .ok_or_else(|| wrong("the port is none"))?,
        };
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        let path = match uri.path_and_query().map(|path| path.as_str()) {
            None | Some("" | "/") => "/metrics".to_owned(),
            Some(path) => path.to_owned(),
        };
        Ok(Self::Http {
            tls,
            authority: format!("{}:{port}", authority.host()),
            host,
            port,
            path,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http {
                tls,
                authority,
                path,
                ..
            } => {
                let scheme = if *tls { "https" } else { "http" };
                write!(f, "{scheme}://{authority}{path}")
            }
            Self::Unix { socket, path } => write!(f, "unix:{}:{path}", socket.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        #[track_caller]
        fn check(text: &str, expected: Result<(&str, &str), &str>) {
            let found = text.parse::<Address>();
            match (&found, expected) {
                (Ok(address), Ok((whole, instance))) => {
                    assert_eq!(
                        (&*address.to_string(), &*address.instance()),
                        (whole, instance)
                    );
                }
                (Err(error), Err(part)) => {
                    assert!(error.to_string().contains(part), "{error}");
                    assert!(!error.to_string().contains("secret"), "{error}");
                }
                _ => panic!("{text}: {found:?}"),
            }
        }
        check("http://a:1/x?y=1", Ok(("http://a:1/x?y=1", "a:1")));
        check("http://a", Ok(("http://a:80/metrics", "a:80")));
        check("http://[::1]:9/", Ok(("http://[::1]:9/metrics", "[::1]:9")));
        check("unix:/a b.sock:/m", Ok(("unix:/a b.sock:/m", "/a b.sock")));
        check("unix:/a.sock", Ok(("unix:/a.sock:/metrics", "/a.sock")));
        check("https://a/x", Ok(("https://a:443/x", "a:443")));
        check("ftp://a/x", Err("https://"));
        check("a:1", Err("http://"));
        check("http://u:secret@a/", Err("password"));
        check("http://a:99999/", Err("port"));
        check("http://a:/", Err("port"));
        check("unix:a.sock", Err("slash"));
        check("", Err("no URL"));
    }
}
