//! `wharf.yaml`: its model, its parser with spans, its diagnostics, its JSON Schema.
//!
//! What was typed, with the place of every part; what it means is for `wharf_plan` to say. Nothing here does I/O.

pub mod compose;
pub mod decode;
pub mod diagnostic;
pub mod document;
pub mod model;
pub mod reference;
pub mod schema;
pub mod span;
pub mod yaml;

pub use reference::reference;
pub use schema::schema;
