//! The program `tidegate`; all of it is in the library beside it.

use std::process::ExitCode;

/// A request is some forty allocations of which few outlive it, most of them on one thread: what this one is made for.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidegate::main()
}
