//! The engine of the fabric that the configuration asks for. One that cannot be had is an error, never another one in its place.

use plane::{Enforcement, Engine};

use crate::config::Config;
use crate::doctor;

/// Makes it. The process must have one thread still: without privileges it enters a user namespace of its own here.
///
/// # Errors
/// The first step that this machine refuses, with its remedy.
pub(crate) fn make(config: &Config) -> Result<Engine, String> {
    match config.fabric {
        Enforcement::Proxy => Ok(Engine::Proxy),
        Enforcement::Kernel => {
            doctor::first_failure().map_or(Ok(()), |why| Err(format!("--fabric kernel cannot be had here: {why}")))?;
            kernel()
        }
    }
}

#[cfg(target_os = "linux")]
fn kernel() -> Result<Engine, String> {
    let cannot = |why: &dyn std::fmt::Display| format!("--fabric kernel cannot be had here: {why}");
    kernel::acquire_privilege().map_err(|failure| cannot(&failure))?;
    let engine = plane::KernelEngine::start(super::descriptors::of_networks()).map_err(|error| cannot(&error))?;
    kernel::renounce_privilege().map_err(|failure| cannot(&failure))?;
    Ok(Engine::Kernel(std::sync::Arc::new(engine)))
}

#[cfg(not(target_os = "linux"))]
fn kernel() -> Result<Engine, String> {
    Err("the kernel fabric needs Linux".to_owned())
}
