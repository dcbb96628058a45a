//! The items API.

fn main() {}
