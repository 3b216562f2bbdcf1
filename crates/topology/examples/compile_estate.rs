//! Measures `compile` on an estate of some ten thousand resources: many small chains, and one API and one listener that
//! hold as much as AWS lets them. Prints milliseconds; a write costs one compile of its realm.
//!
//! `cargo run --release -p tidegate-topology --example compile_estate`

#[allow(dead_code, clippy::unwrap_used)]
#[path = "../tests/it/world.rs"]
mod world;

use std::io::{Write, stdout};
use std::sync::Arc;
use std::time::Instant;

use topology::compile::compile;
use topology::id::{IntegrationId, RouteId};
use topology::net::Traffic;
use topology::resource::listener::RuleCondition;
use topology::resource::security_group::RulePeer;
use topology::snapshot::Snapshot;
use topology::verdict::Direction;
use world::{ALB_GROUP, World, realm};

/// Chains; each holds 27 resources of its own.
const CHAINS: u128 = 412;
/// Routes and integrations of the large API (300 is AWS's quota; more shows what grows faster than it should).
const ROUTES: u64 = 500;
/// Rules of the large listener and targets of the large group (100 and 1,000 are AWS's quotas).
const LISTENER_RULES: u64 = 90;
const TARGETS: u16 = 1000;
/// Rules of the large security group.
const GROUP_RULES: u128 = 40;
const ROUNDS: usize = 101;

fn main() -> std::io::Result<()> {
    let world = large();
    let mut micros: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let compiled = compile(&realm(), &world.estate);
            let snapshot = Snapshot::new(1, vec![Arc::new(compiled)]);
            let taken = start.elapsed().as_micros();
            assert!(snapshot.realms[0].problems().next().is_none(), "the estate is whole");
            taken
        })
        .collect();
    micros.sort_unstable();
    let ms = |at: usize| micros.get(at).copied().unwrap_or_default() as f64 / 1000.0;
    let count = world.estate.len();
    writeln!(stdout(), "{count} resources: best {:.2} ms, median {:.2} ms", ms(0), ms(ROUNDS / 2))
}

fn large() -> World {
    let mut world = World::open();
    for n in (0..CHAINS).rev() {
        world.add_chain(n);
        world.open_chain();
    }
    // Chain 0 is the current one again, and grows.
    let deployment = world.deployment();
    if let Some(deployment) = world.estate.deployments.edit(&deployment) {
        let (route, integration) = (deployment.frozen.routes[0].clone(), deployment.frozen.integrations[0].clone());
        for n in 0..ROUTES {
            let mut integration = (*integration).clone();
            integration.id = IntegrationId::from_bits(1000 + n);
            let mut route = (*route).clone();
            route.id = RouteId::from_bits(1000 + n);
            route.key = format!("GET /orders/{n}/{{id}}").parse().unwrap_or(route.key);
            route.target = Some(integration.id);
            deployment.frozen.routes.push(route.into());
            deployment.frozen.integrations.push(integration.into());
        }
    }
    for n in 2..LISTENER_RULES {
        world.add_listener_rule(
            n,
            vec![RuleCondition::PathPattern(vec![format!("/orders/{n}/*")].into())],
            world.forward(1),
        );
    }
    let targets: Vec<_> = (0..TARGETS).map(|n| (world.address(5), 8000 + n)).collect();
    world.add_target_group(1, &targets);
    for n in 10..10 + GROUP_RULES {
        let peer = RulePeer::Group(world.sg(n));
        world.add_rule(n, ALB_GROUP, (Direction::Ingress, Traffic::All, peer));
    }
    world
}
