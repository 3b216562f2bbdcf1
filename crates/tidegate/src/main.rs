//! The one binary: see ARCHITECTURE.md.
fn main() {}
