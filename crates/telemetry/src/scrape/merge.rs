//! The labels of a series, from those that the target told and those that the target has.

use wharf_signal::{Labels, NAME};

use super::ScrapeError;
use super::target::{Limits, Target};

/// What a label that the target told is called when the target's own has its name.
const EXPORTED: &str = "exported_";

/// The labels under which a series is kept.
pub(super) fn merged(told: &Labels, target: &Target) -> Result<Labels, ScrapeError> {
    if told.name().is_empty() {
        return Err(ScrapeError::Labels(format!(
            "a sample without a metric's name: {told}"
        )));
    }
    let mut labels = told.edit();
    let mut conflicts = vec![];
    for (name, value) in &target.labels {
        match told.get(name) {
            Some(_) if target.honor_labels => continue,
            Some(told) => conflicts.push((name, told)),
            None => {}
        }
        labels.set(name, value);
    }
    conflicts.sort_by_key(|(name, _)| name.len());
    for (name, value) in conflicts {
        let mut name = format!("{EXPORTED}{name}");
        while labels.get(&name).is_some() {
            name.insert_str(0, EXPORTED);
        }
        labels.set(name, value);
    }
    let labels = labels.build();
    check(&labels, &target.limits)?;
    Ok(labels)
}

/// The labels of a series that tells of the target itself.
pub(super) fn of_target(metric: &str, target: &Target) -> Labels {
    let mut labels = target.labels.edit();
    labels.set(NAME, metric);
    labels.build()
}

fn check(labels: &Labels, limits: &Limits) -> Result<(), ScrapeError> {
    let beyond = |what: &str, found: usize, limit: usize| {
        // Long texts would make long messages.
        let metric: String = labels.name().chars().take(50).collect();
        ScrapeError::Labels(format!(
            "{what} limit exceeded (metric {metric}: {found}, limit {limit})"
        ))
    };
    if let Some(limit) = limits.labels
        && labels.len() > limit
    {
        return Err(beyond("label", labels.len(), limit));
    }
    for (name, value) in labels {
        if let Some(limit) = limits.label_name_bytes
            && name.len() > limit
        {
            return Err(beyond("label name length", name.len(), limit));
        }
        if let Some(limit) = limits.label_value_bytes
            && value.len() > limit
        {
            return Err(beyond("label value length", value.len(), limit));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scrape::Source;

    #[test]
    fn conflicts_are_renamed_or_won() {
        #[track_caller]
        fn check(honor: bool, told: &[(&str, &str)], expected: &str) {
            let source = Source::Url("http://h:1/".parse().unwrap());
            let mut target = Target::new("j", source, Duration::from_secs(1)).completed();
            target.honor_labels = honor;
            let mut pairs = vec![(NAME, "m")];
            pairs.extend_from_slice(told);
            let labels = merged(&Labels::from_pairs(pairs), &target).unwrap();
            let expected = format!("{{__name__=\"m\", {expected}}}");
            assert_eq!(labels.to_string(), expected);
        }
        check(false, &[("a", "1")], r#"a="1", instance="h:1", job="j""#);
        check(
            false,
            &[("job", "x")],
            r#"exported_job="x", instance="h:1", job="j""#,
        );
        check(
            false,
            &[("job", "x"), ("exported_job", "y")],
            r#"exported_exported_job="x", exported_job="y", instance="h:1", job="j""#,
        );
        check(true, &[("job", "x")], r#"instance="h:1", job="x""#);
    }
}
