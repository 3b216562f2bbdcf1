//! What an agent is told of its VPC, and what it makes of it.

use std::collections::BTreeSet;

use topology::compile::compile;
use topology::estate::RealmEstate;
use topology::id::{AgentId, AuthorityPin, FlowLogId};
use topology::reason::Reason;
use topology::resource::Tags;
use topology::resource::agent::{Agent, Knows, Standing};
use topology::resource::attachment::{Attachment, ServedAt};
use topology::resource::flow_log::{FlowDestination, FlowFormat, FlowInterval, FlowLog, FlowSource, FlowTraffic};
use topology::resource::network_interface::NetworkInterface;
use topology::slice::{agent_of, slice};
use topology::snapshot::fabric::Attached;
use topology::time::Moment;
use topology::verdict::End;
use topology::way::{Destination, Way, answers};

use crate::world::{World, realm};

const AGENT: AgentId = AgentId::from_bits(1);
const OTHER: AgentId = AgentId::from_bits(2);

fn agent(world: &World, id: AgentId, native: &[&str]) -> Agent {
    Agent {
        id,
        vpc: world.vpc(),
        zones: BTreeSet::new(),
        native: native.iter().map(|block| block.parse().unwrap()).collect(),
        generation: 1,
        fallback: None,
        since: Moment(0),
        standing: Standing::Active,
        enrolled: Moment(0),
        knows: Knows { issuer: AuthorityPin::from_bytes([0; 32]), trusted: BTreeSet::new() },
    }
}

/// Two chains in VPCs of their own, the first of them with an agent.
fn two(native: &[&str]) -> World {
    let mut world = World::open();
    world.add_chain(2);
    world.open_chain();
    world.at_chain(0);
    let agent = agent(&world, AGENT, native);
    world.estate.agents.insert(AGENT, agent);
    world
}

#[test]
fn a_slice_has_its_vpc_and_nothing_of_another_or_of_the_gateway() {
    let world = two(&[]);
    let own = slice(&world.estate, AGENT);
    assert_eq!(agent_of(&own), Some((AGENT, world.vpc())));
    assert!(own.vpcs.values().all(|vpc| vpc.id == world.vpc()) && own.vpcs.len() == 1);
    assert!(own.network_interfaces.values().all(|interface| interface.vpc == world.vpc()));
    let counts = |estate: &RealmEstate| {
        (estate.load_balancers.len(), estate.listeners.len(), estate.target_groups.len(), estate.vpc_links.len())
    };
    assert_eq!((counts(&own), counts(&world.estate)), ((1, 1, 1, 1), (2, 2, 2, 2)));
    assert!(!world.estate.apis.is_empty());
    assert!(own.apis.is_empty() && own.routes.is_empty() && own.integrations.is_empty() && own.stages.is_empty());
    // What the agent compiles leads where the gateway's own does.
    let compiled = compile(&realm(), &own);
    assert!(compiled.balancers.listener_by_id(world.listener()).is_some());
    assert!(compiled.problems().next().is_none());
    assert_eq!(slice(&world.estate, OTHER), RealmEstate::default());
}

#[test]
fn a_slice_has_the_flow_logs_that_tell_of_its_vpc() {
    let mut world = two(&[]);
    let own = slice(&world.estate, AGENT);
    let other = |known: bool| {
        let mut interfaces = world.estate.network_interfaces.values();
        interfaces.find(|interface| (interface.vpc == world.vpc()) == known).map(|found| (**found).clone()).unwrap()
    };
    let (here, there) = (other(true), other(false));
    assert!(own.network_interfaces.contains(&here.id) && !own.network_interfaces.contains(&there.id));
    let sources = [here.clone(), there].map(|interface| {
        let NetworkInterface { id, subnet, vpc, .. } = interface;
        [FlowSource::Vpc(vpc), FlowSource::Subnet(subnet), FlowSource::Interface(id)]
    });
    for (number, source) in (1..).zip(sources.into_iter().flatten()) {
        let log = FlowLog {
            id: FlowLogId::from_bits(number),
            source,
            traffic: FlowTraffic::All,
            format: FlowFormat::default(),
            interval: FlowInterval::Minute,
            destination: FlowDestination::Group("/flows".parse().unwrap()),
            role: None,
            tags: Tags::default(),
            created: Moment(0),
        };
        world.estate.flow_logs.insert(log.id, log);
    }
    let own = slice(&world.estate, AGENT);
    let told: Vec<FlowLogId> = own.flow_logs.values().map(|log| log.id).collect();
    assert_eq!(told, [1, 2, 3].map(FlowLogId::from_bits));
    assert!(own.log_groups.is_empty());
}

#[test]
fn a_slice_that_did_not_change_shares_what_it_is_made_of() {
    let mut world = two(&[]);
    let before = slice(&world.estate, AGENT);
    world.at_chain(2);
    world.revoke(1);
    let after = slice(&world.estate, AGENT);
    assert_eq!(before.security_group_rules.changes(&after.security_group_rules), []);
    world.at_chain(0);
    world.revoke(1);
    let after = slice(&world.estate, AGENT);
    assert_eq!(before.security_group_rules.changes(&after.security_group_rules).len(), 1);
}

#[test]
fn an_attachment_is_told_to_the_agent_on_whose_machine_it_is() {
    let mut world = two(&[]);
    let host = "127.0.0.1:8080".parse().unwrap();
    for (n, agent) in [(1, None), (2, Some(AGENT)), (3, Some(OTHER))] {
        let attachment =
            Attachment { interface: world.eni(n), port: None, host: ServedAt::Host(host), lease: false, agent };
        world.estate.attachments.insert(attachment.key(), attachment);
    }
    let own = slice(&world.estate, AGENT);
    assert!(own.attachments.values().all(|attachment| attachment.agent == Some(AGENT)));
    // Once there is no agent any more, the server serves what was attached on its own machine, and nothing else.
    world.estate.agents.remove(&AGENT);
    let compiled = compile(&realm(), &world.estate);
    let attached = |n| {
        let index = compiled.fabric.interface_by_id(world.eni(n)).unwrap();
        compiled.fabric.attached(index, 8080)
    };
    assert_eq!((attached(1), attached(2), attached(3)), (Attached::Host(host), Attached::Nothing, Attached::Nothing));
}

#[test]
fn real_addresses_are_dialled_by_the_agent_alone() {
    let world = two(&["10.0.0.0/8"]);
    let target = world.address(9);
    let ways = |estate: &RealmEstate| {
        let compiled = compile(&realm(), estate);
        let from = compiled.fabric.interface_by_id(world.eni(2)).unwrap();
        answers(&compiled.fabric, (End::Interface(from), Destination::Address(world.vpc(), target.into())), 8080)
    };
    // The gateway has no other way than its agents.
    assert_eq!(ways(&world.estate), Way::Silent(Reason::LinkNoConnector));
    assert_eq!(ways(&slice(&world.estate, AGENT)), Way::Host((target, 8080).into()));
    let narrow = two(&["10.250.0.0/16"]);
    assert_eq!(ways(&slice(&narrow.estate, AGENT)), Way::Silent(Reason::NoInterface));
}
