//! What one client knows of its room, by revisions: those without a gap, and those that came before one that is missing.
//! The same rules as the front end's (`examples/chat/frontend/src/timeline.ts`), for a room in which nothing is edited.

use std::collections::BTreeSet;

/// Revisions that a client has.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    known: i64,
    ahead: BTreeSet<i64>,
}

impl Timeline {
    /// Every change up to this revision is known.
    pub(crate) fn known(&self) -> i64 {
        self.known
    }

    /// Whether a change is known while one before it is not.
    pub(crate) fn is_behind(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// A change that the socket told; false when it was known.
    pub(crate) fn event(&mut self, revision: i64) -> bool {
        if revision <= self.known || !self.ahead.insert(revision) {
            return false;
        }
        self.settle();
        true
    }

    /// A change of the history, which is read in the order of revisions from the one after `known` on. Whether it was new,
    /// and how many revisions the history left out before it.
    pub(crate) fn catch_up(&mut self, before: i64, revision: i64) -> (bool, u64) {
        let left_out = revision.saturating_sub(before).saturating_sub(1).max(0);
        let new = revision > self.known && !self.ahead.contains(&revision);
        self.known = self.known.max(revision);
        self.ahead = self.ahead.split_off(&(self.known + 1));
        self.settle();
        (new, left_out.unsigned_abs())
    }

    fn settle(&mut self) {
        while self.ahead.first() == Some(&(self.known + 1)) {
            self.ahead.pop_first();
            self.known += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_may_overtake_each_other_and_count_once() {
        let mut timeline = Timeline::default();
        assert!(timeline.event(1));
        assert!(timeline.event(3));
        assert!(timeline.is_behind());
        assert!(!timeline.event(3));
        assert!(timeline.event(2));
        assert!(!timeline.is_behind());
        assert_eq!(timeline.known(), 3);
        assert!(!timeline.event(1));
    }

    #[test]
    fn the_history_fills_holes_and_shows_its_own() {
        let mut timeline = Timeline::default();
        timeline.event(1);
        timeline.event(4);
        assert_eq!(timeline.catch_up(1, 2), (true, 0));
        assert_eq!(timeline.catch_up(2, 3), (true, 0));
        assert_eq!(timeline.known(), 4);
        assert_eq!(timeline.catch_up(3, 4), (false, 0));
        assert_eq!(timeline.catch_up(4, 7), (true, 2));
        assert_eq!(timeline.known(), 7);
    }
}
