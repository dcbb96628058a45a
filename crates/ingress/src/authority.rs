//! A local certificate authority.
use crate::config::Certificate;
/// Temporary.
pub struct Authority;
impl Authority {
    /// t
    pub fn open(_d: &std::path::Path) -> std::io::Result<Self> { Ok(Self) }
    /// t
    pub fn issue(&self, _n: &[String]) -> std::io::Result<Certificate> { Err(std::io::Error::other("no")) }
}
