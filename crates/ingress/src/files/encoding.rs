//! Packed neighbours of files: `app.js.br` and `app.js.gz` beside `app.js`.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// How a neighbour is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
}

impl Encoding {
    /// As headers name it.
    pub(super) fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// What its files end in.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }
}

/// What a client names in `Accept-Encoding` with a weight above zero, the smaller first. `*` is not taken at its word.
pub(super) fn accepted(headers: &HeaderMap) -> Vec<Encoding> {
    let takes = |token: &str| {
        headers.get_all(ACCEPT_ENCODING).iter().any(|value| {
            let mut items = value.to_str().unwrap_or_default().split(',');
            items.any(|item| {
                let (name, weight) = item.split_once(';').unwrap_or((item, "q=1"));
                let weight = weight.trim().to_ascii_lowercase();
                let weight = weight
                    .strip_prefix("q=")
                    .and_then(|q| q.trim().parse::<f32>().ok());
                name.trim().eq_ignore_ascii_case(token) && weight.is_some_and(|weight| weight > 0.0)
            })
        })
    };
    let both = [Encoding::Brotli, Encoding::Gzip];
    both.into_iter().filter(|one| takes(one.token())).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(value: &'static str, expected: &[Encoding]) {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))]);
        assert_eq!(accepted(&headers), expected, "{value}");
    }

    #[test]
    fn only_what_is_named_with_a_weight() {
        check("gzip, deflate, br", &[Encoding::Brotli, Encoding::Gzip]);
        check("GZIP;q=0.5", &[Encoding::Gzip]);
        check("br;q=0, gzip; q=1.0", &[Encoding::Gzip]);
        check("br;q=nonsense", &[]);
        check("identity, *", &[]);
        check("", &[]);
    }
}
