//! A private network: a router in a namespace of its own, and interfaces each in theirs. Nothing leads out of it.

use std::net::Ipv4Addr;

use rustix::io::Errno;
use topology::net::Ipv4Net;
use topology::ruleset::Ruleset;

use crate::cable::{self, CableNumber};
use crate::failure::{Failure, Wanted};
use crate::namespace::{Inside, Namespace};
use crate::netlink::Netlink;
use crate::ruleset::{Cables, Enforced};

/// A network. What is in it goes with it, but for interfaces that somebody holds or works in.
#[derive(Debug)]
pub struct Network {
    inside: Inside,
    router: Namespace,
    blocks: Vec<Ipv4Net>,
    enforced: Option<Enforced>,
}

/// An interface that is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plug {
    /// Its cable in the router; no other interface of the network has it.
    pub cable: CableNumber,
    /// Its address.
    pub address: Ipv4Addr,
    /// The address of the router that it sends everything to: the first of its subnet, as on AWS. Interfaces of a subnet share it.
    pub gateway: Ipv4Addr,
}

impl Network {
    /// A router without interfaces, for addresses of these blocks.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn new(inside: &Inside, blocks: &[Ipv4Net]) -> Result<Self, Failure> {
        let router = Namespace::new()?;
        inside.run(&router, without_ipv6)??;
        Ok(Self { inside: inside.clone(), router, blocks: blocks.to_vec(), enforced: None })
    }

    /// Lets the router forward. What is for addresses of the network's blocks that no interface has is swallowed, as on AWS.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn forward(&self) -> Result<(), Failure> {
        let blocks = self.blocks.clone();
        self.inside.run(&self.router, move || {
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").wanted("let a router forward")?;
            let mut netlink = Netlink::route()?;
            blocks.into_iter().try_for_each(|block| cable::swallow(&mut netlink, block))
        })?
    }

    /// Adds an interface. Its namespace keeps it there.
    ///
    /// # Errors
    /// What the kernel answers: `EEXIST` for a cable that is taken.
    pub fn add(&self, plug: Plug) -> Result<Namespace, Failure> {
        let Plug { cable, address, gateway } = plug;
        let (own, blocks) = (Namespace::new()?, self.blocks.clone());
        self.inside.run(&own, without_ipv6)??;
        let other = own.clone();
        self.inside.run(&self.router, move || {
            let mut netlink = Netlink::route()?;
            cable::pair(&mut netlink, cable, &other)?;
            cable::lead_to(&mut netlink, cable, address, gateway)
        })??;
        self.inside.run(&own, move || {
            let mut netlink = Netlink::route()?;
            cable::up(&mut netlink)?;
            cable::furnish(&mut netlink, address, gateway, &blocks)
        })??;
        Ok(own)
    }

    /// Has the router carry these rules out and no others, from one packet to the next; only what differs from those before is written.
    /// Connections that were let through go on, as on AWS, but for what network ACLs say.
    ///
    /// # Errors
    /// What the kernel answers, with the rules as they were: `EMSGSIZE` where one change of a process without privileges is more than twice
    /// `net.core.wmem_max`. First rules may be: they are written in parts, and let nothing through before they are whole.
    pub fn enforce(&mut self, ruleset: &Ruleset, cables: &Cables) -> Result<(), Failure> {
        let enforced = Enforced { ruleset: ruleset.clone(), cables: cables.clone() };
        let transaction = enforced.instead_of(self.enforced.as_ref());
        self.inside.run(&self.router, move || transaction.carry_out(&mut Netlink::netfilter()?))??;
        self.enforced = Some(enforced);
        Ok(())
    }
}

/// Switches IPv6 off in the namespace that this runs in: no rule speaks of it yet.
fn without_ipv6() -> Result<(), Failure> {
    for which in ["all", "default"] {
        let written = std::fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1");
        match written.wanted("switch IPv6 off") {
            // A kernel without IPv6.
            Err(failure) if failure.errno() == Errno::NOENT => {}
            other => other?,
        }
    }
    Ok(())
}
