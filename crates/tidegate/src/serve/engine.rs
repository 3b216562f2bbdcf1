//! The engine of the fabric that the configuration asks for. One that is asked for by name and cannot be had is an error, never another one in
//! its place; `auto` takes what this machine can carry, and keeps why it is not the kernel.

use plane::Engine;

use crate::config::{Config, Fabric};
use crate::doctor::{self, Unfit};

/// The first port that everybody may listen at.
const UNPRIVILEGED_PORT: u16 = 1024;

/// The engine that is in force.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) engine: Engine,
    /// Why it is not the kernel engine, where that would have been taken.
    pub(crate) unfit: Option<Unfit>,
}

impl Chosen {
    /// One that was asked for.
    pub(crate) const fn by_wish(engine: Engine) -> Self {
        Self { engine, unfit: None }
    }
}

/// Makes it. The process must have one thread still: without privileges it enters a user namespace of its own here.
///
/// # Errors
/// The first step that this machine refuses, with its remedy.
pub(crate) fn make(config: &Config) -> Result<Chosen, String> {
    let cannot = |why: String| format!("--fabric kernel cannot be had here: {why}");
    match (config.fabric, unfit(config)) {
        (Fabric::Proxy, _) => Ok(Chosen::by_wish(Engine::Proxy)),
        (Fabric::Auto, Some(unfit)) => Ok(Chosen { engine: Engine::Proxy, unfit: Some(unfit) }),
        (Fabric::Kernel, Some(unfit)) => Err(cannot(unfit.to_string())),
        // What a process of its own could do a moment before this one can. Half of the way into namespaces there is no way back.
        (Fabric::Auto | Fabric::Kernel, None) => kernel().map(Chosen::by_wish).map_err(cannot),
    }
}

/// Why the kernel engine is not to be taken, where it is asked for.
fn unfit(config: &Config) -> Option<Unfit> {
    match config.fabric {
        Fabric::Proxy => None,
        Fabric::Auto if loses_a_listener(config) => Some(Unfit {
            step: "listeners".to_owned(),
            why: "a listener below port 1024 needs CAP_NET_BIND_SERVICE, which is worth nothing in the user namespace that private networks \
                  need without root; start as root, or let it listen at another port"
                .to_owned(),
        }),
        Fabric::Auto | Fabric::Kernel => doctor::first_failure(),
    }
}

/// Whether a listener that can be opened now could not in a user namespace.
fn loses_a_listener(config: &Config) -> bool {
    let Config { api, api_tls, metrics, redirect, public, public_tls, link, .. } = config;
    let others = [*api_tls, *metrics, *redirect, *public, *link].into_iter().flatten();
    let ports = others.chain([*api, public_tls.address]).map(|address| address.port());
    ports.into_iter().any(|port| (1..UNPRIVILEGED_PORT).contains(&port)) && kernel::loses_low_ports()
}

#[cfg(target_os = "linux")]
fn kernel() -> Result<Engine, String> {
    let told = |why: &dyn std::fmt::Display| format!("{why}; --fabric proxy works everywhere");
    kernel::acquire_privilege().map_err(|failure| told(&failure))?;
    let engine = plane::KernelEngine::start(super::descriptors::of_networks()).map_err(|error| told(&error))?;
    kernel::renounce_privilege().map_err(|failure| told(&failure))?;
    Ok(Engine::Kernel(std::sync::Arc::new(engine)))
}

#[cfg(not(target_os = "linux"))]
fn kernel() -> Result<Engine, String> {
    Err("the kernel fabric needs Linux".to_owned())
}
