//! A plan as YAML, for people: `wharf check --format yaml`.

use crate::model::Plan;

/// Why a plan could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the plan cannot be written as YAML")]
pub struct ToYamlError(#[from] serde_saphyr::ser::Error);

/// Writes the plan. The same plan gives the same bytes.
///
/// # Errors
/// A number in `x-…` or in a patch that YAML does not have.
pub fn to_yaml(plan: &Plan) -> Result<String, ToYamlError> {
    Ok(serde_saphyr::to_string(plan)?)
}
