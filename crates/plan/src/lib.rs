//! `Spec` + environment -> [`model::Plan`], the one intermediate form that every back end reads.
//!
//! Nothing here does I/O.

pub mod model;
pub mod template;
