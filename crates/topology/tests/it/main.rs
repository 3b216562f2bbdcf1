//! The tests of topology that need a whole estate: compiling it, and explaining what happens in it.

#![allow(clippy::unwrap_used)]

mod compile;
mod explain;
mod families;
mod recompile;
mod rest;
mod slice;
mod world;
