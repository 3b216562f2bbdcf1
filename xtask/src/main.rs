//! Development tasks; `cargo xtask help` lists them. Nothing here ships in the binary.
fn main() {}
