//! `wharf init`
use crate::args::Init;
use crate::exit::Code;
use crate::output::Output;
pub(crate) fn run(_args: &Init, _output: &Output) -> anyhow::Result<Code> { anyhow::bail!("temporary") }
