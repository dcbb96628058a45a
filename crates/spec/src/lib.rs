//! `wharf.yaml`: its model, its parser with spans, its diagnostics, its JSON Schema.
//!
//! Nothing here does I/O.

pub mod diagnostic;
