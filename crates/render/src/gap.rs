//! What a target cannot express.

use std::fmt;

/// One thing of the plan that a target has no words for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// What of the plan: `services.web.rollout.keep_old`.
    pub what: String,
    /// Why it is not in the files, and what stands for it, if anything does.
    pub why: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}
