//! How label sets, matchers and values are written into saved state.

pub(super) mod labels {
    //! A label set as a map.

    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};
    use wharf_signal::Labels;

    pub(crate) fn serialize<S: Serializer>(
        labels: &Labels,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(labels)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Labels, D::Error> {
        let pairs = BTreeMap::<String, String>::deserialize(deserializer)?;
        Ok(Labels::from_pairs(pairs))
    }
}

pub(super) mod matchers {
    //! Matchers as Alertmanager's API writes them.

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
    use wharf_signal::{MatchOp, Matcher};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Written {
        name: String,
        value: String,
        is_regex: bool,
        is_equal: bool,
    }

    pub(crate) fn serialize<S: Serializer>(
        matchers: &[Matcher],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(matchers.iter().map(|matcher| Written {
            name: matcher.name.clone(),
            value: matcher.value.clone(),
            is_regex: matches!(matcher.op, MatchOp::Regex | MatchOp::NotRegex),
            is_equal: matches!(matcher.op, MatchOp::Equal | MatchOp::Regex),
        }))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Matcher>, D::Error> {
        let written = Vec::<Written>::deserialize(deserializer)?;
        written
            .into_iter()
            .map(|matcher| {
                let op = match (matcher.is_regex, matcher.is_equal) {
                    (false, true) => MatchOp::Equal,
                    (false, false) => MatchOp::NotEqual,
                    (true, true) => MatchOp::Regex,
                    (true, false) => MatchOp::NotRegex,
                };
                Matcher::new(matcher.name, op, matcher.value).map_err(D::Error::custom)
            })
            .collect()
    }
}

pub(super) mod number {
    //! A value as a text, since JSON knows neither infinity nor NaN.

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}
