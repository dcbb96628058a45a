//! Pure controllers: observation in, actions out, time as an argument.
//!
//! Nothing here knows tokio, a file, a process or a clock. The local engine drives these controllers today; a
//! cluster is to be driven by the same ones. `sim` runs them against a simulated machine.

pub mod alert;
pub mod restart;
pub mod service;
#[cfg(test)]
mod sim;
