//! Project chores: generated references, tidy checks, benchmarks.

fn main() {}
