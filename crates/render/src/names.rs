//! Names and labels that are the same in every target.

use std::collections::BTreeMap;

use wharf_plan::model::Plan;

/// The labels of everything of a project (<https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>);
/// the other targets use the same words as tags.
#[must_use]
pub fn labels(plan: &Plan, component: &str) -> BTreeMap<String, String> {
    let mut labels = selector(plan, component);
    labels.insert("app.kubernetes.io/managed-by".into(), "wharf".into());
    if let Some(environment) = &plan.environment {
        labels.insert(
            "app.kubernetes.io/environment".into(),
            environment.to_string(),
        );
    }
    labels
}

/// The labels that select the replicas of a component; they never change.
#[must_use]
pub fn selector(plan: &Plan, component: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".into(), component.to_owned()),
        ("app.kubernetes.io/part-of".into(), plan.name.to_string()),
    ])
}

/// `text` as a DNS label (RFC 1123) of at most `max` bytes: lower case letters, digits and `-`, beginning and ending with a
/// letter or digit. A text that is cut ends with a hash of the whole, so that two long names stay two.
///
/// # Panics
/// If `max` is below 12.
#[must_use]
pub fn dns_label(text: &str, max: usize) -> String {
    assert!(max >= 12, "no room for a hash");
    let mut label = String::new();
    for character in text.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_alphanumeric() {
            label.push(character);
        } else if !label.ends_with('-') && !label.is_empty() {
            label.push('-');
        }
    }
    let label = label.trim_matches('-');
    if label.is_empty() {
        return format!("x-{:08x}", hash(text));
    }
    if label.len() <= max {
        return label.to_owned();
    }
    let kept = label[..max - 9].trim_end_matches('-');
    format!("{kept}-{:08x}", hash(text))
}

/// What the names of resources in AWS begin with. Roles may have 64 characters, and the longest suffix is shorter than 24.
#[must_use]
pub fn prefix(prefix: &str) -> String {
    dns_label(prefix, 40)
}

/// The name of the role of AWS that `purpose` takes, for whoever makes it and whoever refers to it.
#[must_use]
pub fn role(prefix: &str, purpose: &str) -> String {
    dns_label(&format!("{}-{purpose}", self::prefix(prefix)), 64)
}

/// `text` as an identifier of HCL, Python or an environment variable: letters, digits and `_`, not beginning with a digit.
#[must_use]
pub fn identifier(text: &str) -> String {
    let mut identifier: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if identifier.starts_with(|c: char| c.is_ascii_digit()) || identifier.is_empty() {
        identifier.insert(0, '_');
    }
    identifier
}

/// `text` as the name of an environment variable: `db-main` is `DB_MAIN`.
#[must_use]
pub fn variable(text: &str) -> String {
    identifier(text).to_ascii_uppercase()
}

/// `text` in CamelCase, for CloudFormation and alerts: `django-app` is `DjangoApp`.
#[must_use]
pub fn camel_case(text: &str) -> String {
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter_map(|word| {
            let first = word.chars().next()?;
            Some(format!("{}{}", first.to_ascii_uppercase(), &word[1..]))
        })
        .collect()
}

/// FNV-1a, which is the same on every machine and in every version.
pub(crate) fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_legal_and_stay_apart() {
        assert_eq!(dns_label("Django_App", 63), "django-app");
        assert_eq!(dns_label("--a..b--", 63), "a-b");
        let (a, b) = (
            dns_label(&"x".repeat(80), 20),
            dns_label(&"x".repeat(81), 20),
        );
        assert_eq!((a.len(), b.len()), (20, 20));
        assert_ne!(a, b);
        assert_eq!(role("shop-prod", "loki"), "shop-prod-loki");
        let (a, b) = (role(&"x".repeat(50), "loki"), prefix(&"x".repeat(50)));
        assert_eq!((a, b.len()), (format!("{b}-loki"), 40));
        assert_eq!(role(&"x".repeat(50), &"y".repeat(63)).len(), 64);
        assert_eq!(identifier("1-a"), "_1_a");
        assert_eq!(variable("db-main"), "DB_MAIN");
        assert_eq!(camel_case("django-app_2"), "DjangoApp2");
    }
}
