//! The `wabridge` binary.
fn main() {}
