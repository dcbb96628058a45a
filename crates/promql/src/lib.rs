//! PromQL: its grammar, its printer and its evaluator over any [`wharf_signal::SampleSource`].
//!
//! Pure: no I/O, no clock.
