//! A Dockerfile, as far as it says which port is served.

use std::path::Path;

use super::read;
use crate::error::DetectError;

pub(super) struct Dockerfile {
    pub(super) port: Option<u16>,
}

pub(super) fn read_text(text: &str) -> Dockerfile {
    let port = text
        .lines()
        .filter_map(|line| {
            let (word, rest) = line.trim().split_once(char::is_whitespace)?;
            word.eq_ignore_ascii_case("expose").then_some(rest)
        })
        .flat_map(str::split_whitespace)
        .filter(|port| !port.ends_with("/udp"))
        .find_map(|port| port.split('/').next()?.parse().ok());
    Dockerfile { port }
}

pub(super) fn read_in(dir: &Path) -> Result<Option<Dockerfile>, DetectError> {
    for name in ["Dockerfile", "Containerfile"] {
        if let Some(text) = read(&dir.join(name))? {
            return Ok(Some(read_text(&text)));
        }
    }
    Ok(None)
}
