//! LogQL: its grammar, its printer and its evaluator over any [`wharf_signal::LogSource`].
//!
//! Pure: no I/O, no clock.
