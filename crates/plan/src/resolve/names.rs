//! Names that are made of others, short enough for whoever takes them.

/// The longest prefix of names in AWS: a role may have 64 characters, and every suffix is shorter than 24.
pub(super) const PREFIX_MAX: usize = 40;

/// The longest DNS label (RFC 1123), and the longest identifier of RDS.
pub(super) const LABEL_MAX: usize = 63;

/// The parts with `-` between them. Where that is longer than `max`, its end is replaced by a digest of the whole, so that
/// two long names stay two.
pub(crate) fn joined(parts: &[&str], max: usize) -> String {
    let whole = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    if whole.len() <= max {
        return whole;
    }
    let digest = format!("{:08x}", digest(&whole));
    // The parts are names, so every byte is a character.
    let kept = whole.get(..max - digest.len() - 1).unwrap_or_default();
    format!("{}-{digest}", kept.trim_end_matches('-'))
}

/// The parts with one `-` between them, and never two in a row.
fn squeezed(parts: &[&str]) -> String {
    let words = parts.iter().flat_map(|part| part.split('-'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("-")
}

/// What the names of an environment's resources begin with.
pub(super) fn prefix(parts: &[&str]) -> String {
    joined(&[&squeezed(parts)], PREFIX_MAX)
}

/// A name of the cloud: a letter first, no two `-` in a row.
pub(super) fn cloud_name(parts: &[&str], max: usize) -> String {
    let mut whole = squeezed(parts);
    if whole.starts_with(|c: char| c.is_ascii_digit()) {
        whole.insert_str(0, "w-");
    }
    joined(&[&whole], max)
}

/// A repository of images. ECR takes no two `-` in a row, which names may have; two names stay two.
pub(crate) fn repository(name: &str) -> String {
    if name.contains("--") {
        let parts: Vec<String> = name.split('/').map(|part| squeezed(&[part])).collect();
        format!("{}-{:08x}", parts.join("/"), digest(name))
    } else {
        name.to_owned()
    }
}

/// FNV-1a with 32 bits: stable, and good enough to tell two names apart.
fn digest(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_stay_apart_and_fit() {
        assert_eq!(
            joined(&["shop", "prod", "nodes"], LABEL_MAX),
            "shop-prod-nodes"
        );
        assert_eq!(joined(&["shop", ""], LABEL_MAX), "shop");
        let long = "a".repeat(60);
        let one = joined(&[&long, "one"], LABEL_MAX);
        let two = joined(&[&long, "two"], LABEL_MAX);
        assert!(one.len() == LABEL_MAX && two.len() == LABEL_MAX && one != two);
        assert_eq!(cloud_name(&["1a--b", "db"], 40), "w-1a-b-db");
        assert_eq!(repository("shop/web"), "shop/web");
        assert!(repository("a--b/web").starts_with("a-b/web-"));
        assert_eq!(prefix(&["1a--b", ""]), "1a-b");
        assert_eq!(prefix(&[&long, "prod"]).len(), PREFIX_MAX);
    }
}
