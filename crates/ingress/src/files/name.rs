//! From the path of a request to the name of a file below a folder.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// The file that the rest of a path (`/css/app.css`) names. Each segment is decoded once. None: it names none that is served,
/// because a segment is empty, begins with a dot (hidden files, `.`, `..`), or holds what no name of a web page's file does: a
/// slash or backslash, NUL, or a percent sign that encodes nothing.
pub(super) fn of_path(path: &str) -> Option<PathBuf> {
    let mut name = PathBuf::new();
    for segment in path.strip_prefix('/')?.split('/') {
        let segment = decoded(segment)?;
        if matches!(segment.first(), None | Some(b'.'))
            || segment.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0))
        {
            return None;
        }
        name.push(OsString::from_vec(segment));
    }
    Some(name)
}

fn decoded(segment: &str) -> Option<Vec<u8>> {
    let mut bytes = segment.bytes();
    let mut out = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        out.push(u8::try_from(value).ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<&str>) {
        assert_eq!(of_path(path).as_deref(), expected.map(Path::new), "{path}");
    }

    #[test]
    fn segments_are_decoded_once() {
        check("/a", Some("a"));
        check("/css/app.css", Some("css/app.css"));
        check("/a%20b%2e", Some("a b."));
        check("/%25%32%65", Some("%2e"));
        check("/a..b", Some("a..b"));
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_name() {
        for path in [
            "",
            "/",
            "a",
            "//",
            "//a",
            "/a/",
            "/a//b",
            "/.",
            "/..",
            "/a/../b",
            "/.env",
            "/a/.git/config",
            "/%2e%2e/b",
            "/%2E./b",
            "/a%2fb",
            "/a%2F..%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%-1",
        ] {
            check(path, None);
        }
    }

    /// Whatever is sent, the name leads down and nowhere else.
    #[test]
    fn every_name_stays_below() {
        let parts = [
            "/", "//", ".", "..", "%2e", "%2E", "%2f", "%5c", "\\", "%00", "%", "%25", "a", "é",
            ".env", "%c0%ae", " ", "~",
        ];
        let mut random = fastrand::Rng::with_seed(7);
        let mut named = 0;
        for _ in 0..50_000 {
            let path: String = (0..random.usize(1..9))
                .map(|_| parts[random.usize(..parts.len())])
                .collect();
            let Some(name) = of_path(&path) else { continue };
            named += 1;
            for part in name.components() {
                let Component::Normal(part) = part else {
                    panic!("{path}: {name:?}")
                };
                let bytes = part.as_encoded_bytes();
                assert!(
                    !bytes.starts_with(b".") && !bytes.contains(&b'\\') && !bytes.contains(&0),
                    "{path}: {name:?}"
                );
            }
        }
        assert!(named > 100, "{named} names of 50,000");
    }
}
