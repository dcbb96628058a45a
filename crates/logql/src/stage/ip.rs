//! Addresses in texts.

use std::net::IpAddr;

/// An address, a range of them (`a-b`) or a network (`a/8`): all from one to another of a family.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IpRange {
    first: IpAddr,
    last: IpAddr,
}

impl IpRange {
    /// Reads one.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).ok_or_else(|| format!("ip: invalid pattern: {}", crate::text::quote(text)))
    }

    fn read(text: &str) -> Option<Self> {
        if let Ok(ip) = text.parse() {
            return Some(Self {
                first: ip,
                last: ip,
            });
        }
        if let Some((ip, bits)) = text.split_once('/') {
            return Self::network(ip.parse().ok()?, bits.parse().ok()?);
        }
        let (first, last) = text.split_once('-')?;
        let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last })
    }

    fn network(ip: IpAddr, bits: u32) -> Option<Self> {
        Some(match ip {
            IpAddr::V4(ip) if bits <= 32 => {
                let mask = u32::MAX.checked_shr(bits).unwrap_or(0);
                let ip = u32::from(ip);
                Self {
                    first: IpAddr::V4((ip & !mask).into()),
                    last: IpAddr::V4((ip | mask).into()),
                }
            }
            IpAddr::V6(ip) if bits <= 128 => {
                let mask = u128::MAX.checked_shr(bits).unwrap_or(0);
                let ip = u128::from(ip);
                Self {
                    first: IpAddr::V6((ip & !mask).into()),
                    last: IpAddr::V6((ip | mask).into()),
                }
            }
            _ => return None,
        })
    }

    fn contains(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() == self.first.is_ipv4() && self.first <= ip && ip <= self.last
    }

    /// Whether one of the addresses in a text is inside.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let length = if begins_v4(rest) {
                span(rest, |b| b.is_ascii_digit() || b == b'.')
            } else if begins_v6(rest) {
                span(rest, |b| b.is_ascii_hexdigit() || b == b':' || b == b'.')
            } else {
                at += 1;
                continue;
            };
            let ip = text.get(at..at + length).and_then(|ip| ip.parse().ok());
            if ip.is_some_and(|ip| self.contains(ip)) {
                return true;
            }
            at += length + 1;
        }
        false
    }
}

fn begins_v4(text: &[u8]) -> bool {
    matches!(text, [first, rest @ ..] if first.is_ascii_digit() && rest.len() >= 3 && rest[..3].contains(&b'.'))
}

fn begins_v6(text: &[u8]) -> bool {
    if text.len() < 5 {
        // `::1` at the end of a text is one, too.
        return text.starts_with(b"::") && text.get(2).is_some_and(u8::is_ascii_hexdigit);
    }
    if text.starts_with(b"::") {
        return text[2].is_ascii_hexdigit();
    }
    let digits = span(text, |b| b.is_ascii_hexdigit());
    (1..=4).contains(&digits) && text[digits] == b':'
}

fn span(text: &[u8], of: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|b| !of(*b)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(range: &str, yes: &[&str], no: &[&str]) {
        let range = IpRange::parse(range).expect(range);
        for text in yes {
            assert!(range.is_in(text), "{range:?} in {text}");
        }
        for text in no {
            assert!(!range.is_in(text), "{range:?} in {text}");
        }
    }

    #[test]
    fn addresses_are_found_in_lines() {
        check(
            "192.168.0.1",
            &["from 192.168.0.1:80", "192.168.0.1"],
            &["192.168.0.10", "", "x"],
        );
        check("192.168.0.0/16", &["a=192.168.3.4,"], &["192.169.0.1"]);
        check(
            "10.0.0.1-10.0.0.9",
            &["[10.0.0.5]"],
            &["10.0.0.10", "1.0.0.5"],
        );
        check(
            "2001:db8::/32",
            &["at 2001:db8::1 x"],
            &["2001:db9::1", "12:30:45"],
        );
        check("::1", &["on ::1 now"], &["on ::2 now"]);
        check("0.0.0.0/0", &["1.2.3.4"], &["::1"]);
    }

    #[test]
    fn what_is_none_is_refused() {
        for bad in [
            "",
            "x",
            "1.2.3",
            "1.2.3.4/33",
            "1.2.3.9-1.2.3.1",
            "1.2.3.4-::1",
            "::/129",
        ] {
            assert!(IpRange::parse(bad).is_err(), "{bad}");
        }
    }
}
