//! A local certificate authority.
