//! Silences: what a person does not want to hear of for a while.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wharf_base::clock::Timestamp;
use wharf_signal::{Labels, Matcher};

/// More than anybody keeps an eye on; each costs a comparison for every alert.
pub const SILENCES_MAX: usize = 1000;

/// How long one that is over can still be looked up, as Alertmanager's `--data.retention`.
const RETENTION: Duration = Duration::from_secs(120 * 60 * 60);

/// The longest text of a silence: it is shown in lists.
const TEXT_MAX_BYTES: usize = 4096;

/// Alerts that match all matchers are not told between two times.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    /// Its name; whoever makes it chooses one that is not taken.
    pub id: String,
    /// All have to match.
    #[serde(with = "super::saved::matchers")]
    pub matchers: Vec<Matcher>,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Who wanted it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// Whether a silence counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SilencePhase {
    /// Not yet.
    Pending,
    /// Now.
    Active,
    /// No more.
    Expired,
}

impl SilencePhase {
    /// As Alertmanager writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

/// Why a silence is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// It would keep everything back.
    #[error(
        "a silence needs at least one matcher that does not match an empty value, such as alertname=\"HighLatency\""
    )]
    MatchesEverything,
    /// It is over before it begins, or is over already.
    #[error("a silence has to end after it starts, and in the future")]
    Ends,
    /// Nobody said why, or at too great length.
    #[error("a silence needs an author and a comment of at most {TEXT_MAX_BYTES} bytes each")]
    Text,
    /// There are too many.
    #[error("there are {SILENCES_MAX} silences already; remove some that are not needed any more")]
    TooMany,
    /// There is none of this name.
    #[error("there is no silence `{0}`")]
    Unknown(String),
}

impl Silence {
    /// Whether it counts at `now`.
    #[must_use]
    pub fn phase(&self, now: Timestamp) -> SilencePhase {
        if now >= self.ends_at {
            SilencePhase::Expired
        } else if now < self.starts_at {
            SilencePhase::Pending
        } else {
            SilencePhase::Active
        }
    }

    /// Whether it keeps an alert back at `now`.
    #[must_use]
    pub fn mutes(&self, labels: &Labels, now: Timestamp) -> bool {
        self.phase(now) == SilencePhase::Active
            && self.matchers.iter().all(|m| m.matches_labels(labels))
    }
}

/// Every silence, those that are over for some days included.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Silences(BTreeMap<String, Silence>);

impl Silences {
    /// Adds a silence, or replaces the one of the same name.
    ///
    /// # Errors
    /// It keeps back everything or nothing, says not why, or there are too many.
    pub fn set(&mut self, mut silence: Silence, now: Timestamp) -> Result<(), SilenceError> {
        if silence.matchers.iter().all(Matcher::matches_empty) {
            return Err(SilenceError::MatchesEverything);
        }
        if silence.ends_at <= silence.starts_at || silence.ends_at <= now {
            return Err(SilenceError::Ends);
        }
        let bad = |text: &str| text.trim().is_empty() || text.len() > TEXT_MAX_BYTES;
        if bad(&silence.created_by) || bad(&silence.comment) {
            return Err(SilenceError::Text);
        }
        self.0.retain(|_, s| now.since(s.ends_at) <= RETENTION);
        if self.0.len() >= SILENCES_MAX && !self.0.contains_key(&silence.id) {
            return Err(SilenceError::TooMany);
        }
        silence.updated_at = now;
        self.0.insert(silence.id.clone(), silence);
        Ok(())
    }

    /// Ends a silence now.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn expire(&mut self, id: &str, now: Timestamp) -> Result<(), SilenceError> {
        let silence = self.0.get_mut(id);
        let silence = silence.ok_or_else(|| SilenceError::Unknown(id.to_owned()))?;
        if silence.phase(now) != SilencePhase::Expired {
            silence.ends_at = now;
            silence.starts_at = silence.starts_at.min(now);
            silence.updated_at = now;
        }
        Ok(())
    }

    /// Every silence, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Silence> {
        self.0.values()
    }

    /// The silence of a name.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Silence> {
        self.0.get(id)
    }

    /// The silences that keep an alert back at `now`.
    pub fn muting<'a>(
        &'a self,
        labels: &'a Labels,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Silence> {
        self.iter().filter(move |s| s.mutes(labels, now))
    }

    /// When the next one begins or ends.
    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let times = self.iter().flat_map(|s| [s.starts_at, s.ends_at]);
        times.filter(|at| *at > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence(id: &str) -> Silence {
        Silence {
            id: id.to_owned(),
            matchers: vec![Matcher::equal("service", "web")],
            starts_at: Timestamp(1000),
            ends_at: Timestamp(2000),
            created_by: "ada".to_owned(),
            comment: "the disk is being replaced".to_owned(),
            updated_at: Timestamp(0),
        }
    }

    #[test]
    fn it_counts_between_its_times() {
        let web = Labels::from_pairs([("service", "web")]);
        let mut silences = Silences::default();
        silences.set(silence("a"), Timestamp(500)).unwrap();
        let muted = |silences: &Silences, now| silences.muting(&web, Timestamp(now)).count() == 1;
        assert!(!muted(&silences, 999) && muted(&silences, 1000));
        assert!(muted(&silences, 1999) && !muted(&silences, 2000));
        silences.expire("a", Timestamp(1500)).unwrap();
        assert!(!muted(&silences, 1500));
        let text = serde_json::to_string(&silences).unwrap();
        assert_eq!(serde_json::from_str::<Silences>(&text).unwrap(), silences);
    }

    #[test]
    fn bad_ones_are_refused() {
        #[track_caller]
        fn check(change: impl Fn(&mut Silence), expected: &SilenceError) {
            let mut bad = silence("a");
            change(&mut bad);
            let refused = Silences::default().set(bad, Timestamp(0));
            assert_eq!(refused.as_ref(), Err(expected));
        }
        let everything = SilenceError::MatchesEverything;
        check(|s| s.matchers.clear(), &everything);
        check(
            |s| s.matchers = vec![Matcher::new("a", wharf_signal::MatchOp::Regex, ".*").unwrap()],
            &everything,
        );
        check(|s| s.ends_at = s.starts_at, &SilenceError::Ends);
        check(|s| s.comment = " ".to_owned(), &SilenceError::Text);
        let unknown = Silences::default().expire("b", Timestamp(0));
        assert_eq!(unknown, Err(SilenceError::Unknown("b".to_owned())));
    }

    #[test]
    fn there_are_not_too_many() {
        let mut silences = Silences::default();
        for n in 0..SILENCES_MAX {
            silences.set(silence(&n.to_string()), Timestamp(0)).unwrap();
        }
        let one_more = || silence("one more");
        assert_eq!(
            silences.set(one_more(), Timestamp(0)),
            Err(SilenceError::TooMany)
        );
        // Those that have long been over make room.
        let mut later = one_more();
        later.ends_at = Timestamp(u64::MAX);
        assert_eq!(silences.set(later, Timestamp(1 << 40)), Ok(()));
    }
}
