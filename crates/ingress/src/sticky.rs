//! Sticky paths: a cookie leads a client back to the replica that answered it first, for as long as that one serves.
//!
//! The cookie holds a hash of the replica's id. It tells nothing of addresses or processes, is the same in every worker and in
//! every ingress that follows, and gives no right: whoever makes one up chooses among the replicas that serve the path anyway.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// The cookie of a path.
#[derive(Debug)]
pub(crate) struct Sticky {
    name: String,
    /// `; Path=…` and what else never changes.
    attributes: String,
}

impl Sticky {
    /// The cookie of `upstream` below `prefix`, which has no slash at its end.
    pub(crate) fn new(upstream: &str, prefix: &str) -> Self {
        let path = if prefix.is_empty() { "/" } else { prefix };
        Self {
            // A further port is `web:admin`, which no cookie may be called.
            name: format!("wharf-{}", upstream.replace(':', "-")),
            attributes: format!("; Path={path}; HttpOnly; SameSite=Lax"),
        }
    }

    /// The replicas that a client's cookies name: more than one where cookies of several paths reach this one.
    pub(crate) fn named(&self, headers: &HeaderMap) -> Vec<u64> {
        let pairs = headers
            .get_all(COOKIE)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
        pairs
            .filter_map(|pair| {
                let value = pair
                    .trim_ascii()
                    .strip_prefix(self.name.as_bytes())?
                    .strip_prefix(b"=")?;
                u64::from_str_radix(std::str::from_utf8(value).ok()?, 16).ok()
            })
            .collect()
    }

    /// The `Set-Cookie` that leads to a replica, until the browser is closed.
    pub(crate) fn cookie(&self, replica: u64, https: bool) -> Option<HeaderValue> {
        let (name, attributes) = (&self.name, &self.attributes);
        let secure = if https { "; Secure" } else { "" };
        HeaderValue::try_from(format!("{name}={replica:016x}{attributes}{secure}")).ok()
    }
}

/// What stands for a replica in a cookie: FNV-1a, 64 bits, of its id.
pub(crate) fn of_replica(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cookies: &[&'static str], expected: &[u64]) {
        let headers: HeaderMap = cookies
            .iter()
            .map(|value| (COOKIE, HeaderValue::from_static(value)))
            .collect();
        let sticky = Sticky::new("web", "/ws");
        assert_eq!(sticky.named(&headers), expected, "{cookies:?}");
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        check(&["a=b; wharf-web=00000000000000ff; c=d"], &[255]);
        check(&["wharf-web=1", "wharf-web=2;wharf-web=3"], &[1, 2, 3]);
        check(&["wharf-website=1; xwharf-web=2; wharf-web"], &[]);
        check(
            &["wharf-web=; wharf-web=zz; wharf-web=10000000000000000"],
            &[],
        );
    }

    #[test]
    fn a_cookie_is_for_its_path() {
        let shown = |upstream, prefix, https| Sticky::new(upstream, prefix).cookie(255, https);
        assert_eq!(
            shown("web", "/ws", false).expect("a cookie"),
            "wharf-web=00000000000000ff; Path=/ws; HttpOnly; SameSite=Lax"
        );
        assert_eq!(
            shown("web:admin", "", true).expect("a cookie"),
            "wharf-web-admin=00000000000000ff; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        // The value of the specification's test vector.
        assert_eq!(of_replica("foobar"), 0x8594_4171_f739_67e8);
    }
}
