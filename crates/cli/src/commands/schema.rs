//! `wharf schema`

use crate::exit::Code;
use crate::output::Output;

pub(crate) fn run(output: &Output) -> anyhow::Result<Code> {
    output.value(&wharf_spec::schema())?;
    Ok(Code::Done)
}
