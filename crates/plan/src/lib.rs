//! `Spec` + environment -> [`model::Plan`], the one intermediate form that every back end reads.
//!
//! [`resolve()`] takes the text of a `wharf.yaml` and says what it means, or everything that is wrong with it. Nothing
//! here does I/O.

pub mod diff;
pub mod exec_form;
pub mod flows;
pub mod images;
pub mod languages;
pub mod model;
pub mod pipeline;
pub mod resolve;
pub mod routing;
pub mod rules;
pub mod template;
pub mod yaml;

pub use resolve::{environments, resolve};
