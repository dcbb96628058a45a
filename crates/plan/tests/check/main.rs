//! The crate's tests over its public interface.

mod fixtures;
