//! The binary: wires, decides nothing.

fn main() {}
