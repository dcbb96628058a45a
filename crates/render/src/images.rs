//! What the image of each service is called: [`wharf_plan::images`], which pipelines ask as well.

pub use wharf_plan::images::{BuiltImage, built, by_service, tagged};
