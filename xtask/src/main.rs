//! The one door to tests, tidy checks and benchmarks.

fn main() {}
