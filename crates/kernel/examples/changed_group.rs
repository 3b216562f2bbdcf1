//! Measures how long one changed rule of one group takes beside 60,000 others: 1,000 groups of 60 rules (60 is AWS's quota), carried by 200 interfaces,
//! five each (AWS's quota). Prints milliseconds for what is compiled and for what is compared, written and carried out by the kernel.
//!
//! It makes a private network and must not be let near another: in a network namespace of its own, as root,
//! `cargo build --release -p tidegate-kernel --example changed_group && unshare --net target/release/examples/changed_group`

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{Write, stdout};
    use std::net::Ipv4Addr;
    use std::time::{Duration, Instant};

    use kernel::{Cables, Inside, Network, Plug};
    use topology::id::{NetworkInterfaceId, SecurityGroupId, SecurityGroupRuleId, SubnetId, VpcId};
    use topology::net::{Ipv4Net, PortRange, Traffic};
    use topology::ruleset;
    use topology::snapshot::fabric::{Fabric, Group, GroupRule, Interface, Peer, SubnetNet, VpcNet};

    const GROUPS: u16 = 1000;
    const RULES: u16 = 60;
    const GROUPS_OF_ONE: usize = 5;
    const ROUNDS: u16 = 101;

    pub(super) fn main() -> Result<(), Box<dyn std::error::Error>> {
        let vpc = VpcId::from_bits(1);
        let mut fabric = fabric(vpc)?;
        let inside = Inside::start()?;
        let block = fabric.vpcs[0].cidrs.clone();
        let mut network = Network::new(&inside, &block)?;
        network.forward()?;
        let mut cables = Cables::default();
        let mut held = Vec::new();
        let mut ruleset = ruleset::of(&fabric, vpc);
        for door in &ruleset.doors {
            let plug = Plug { cable: network.next_cable()?, address: door.address, gateway: door.gateway };
            held.push(network.add(plug)?);
            cables.doors.insert(door.interface, plug.cable);
        }
        network.enforce(&ruleset, &cables)?;
        let mut taken = [Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            let before = fabric.clone();
            fabric.groups.insert(group(round), rules(round, 1)?.into());
            let start = Instant::now();
            ruleset = ruleset::after(&fabric, vpc, (&before, &ruleset));
            let compiled = start.elapsed();
            network.enforce(&ruleset, &cables)?;
            taken[0].push(compiled);
            taken[1].push(start.elapsed() - compiled);
        }
        for (what, mut taken) in ["compiled", "in force"].into_iter().zip(taken) {
            taken.sort_unstable();
            let ms = |at: usize| taken.get(at).map(Duration::as_secs_f64).unwrap_or_default() * 1000.0;
            writeln!(stdout(), "{what}: best {:.2} ms, median {:.2} ms", ms(0), ms(taken.len() / 2))?;
        }
        Ok(())
    }

    fn group(nth: u16) -> SecurityGroupId {
        SecurityGroupId::from_bits(u128::from(nth))
    }

    /// The rules of the n-th group; the first of them depends on the turn.
    fn rules(nth: u16, turn: u16) -> Result<Group, Box<dyn std::error::Error>> {
        let mut group = Group::default();
        for n in 0..RULES {
            let from = 1000 + n * 10 + if n == 0 { turn } else { 0 };
            let ports = PortRange::new(from, from + nth % 10).ok_or("ports in order")?;
            let [high, low] = nth.to_be_bytes();
            let [_, last] = n.to_be_bytes();
            let peer = Peer::Cidr(Ipv4Net::new(Ipv4Addr::new(172, 16 + high, low, last), 32)?.into());
            let id = SecurityGroupRuleId::from_bits(u128::from(n));
            group.ingress.push(GroupRule { id, traffic: Traffic::Tcp(ports), peer });
        }
        Ok(group)
    }

    fn fabric(vpc: VpcId) -> Result<Fabric, Box<dyn std::error::Error>> {
        let (mut fabric, subnet) = (Fabric::default(), SubnetId::from_bits(1));
        let block = Ipv4Net::new(Ipv4Addr::new(10, 0, 0, 0), 16)?;
        fabric.vpcs.push(VpcNet {
            id: vpc,
            cidrs: vec![block],
            ipv6_cidrs: Vec::new(),
            default_group: None,
            has_resolver: false,
        });
        fabric.subnets.insert(subnet, SubnetNet { vpc, block, ipv6: None });
        for nth in 0..GROUPS {
            fabric.groups.insert(group(nth), rules(nth, 0)?.into());
        }
        let ids: Vec<_> = (0..GROUPS).map(group).collect();
        for (nth, groups) in (10u32..).zip(ids.chunks(GROUPS_OF_ONE)) {
            fabric.interfaces.push(Interface {
                id: NetworkInterfaceId::from_bits(nth.into()),
                vpc,
                subnet,
                zone: "us-east-1a".parse()?,
                private_ip: Ipv4Addr::from_bits(block.network().to_bits() + nth),
                ipv6: None,
                groups: groups.to_vec(),
                is_judged: true,
            });
        }
        Ok(fabric)
    }
}
