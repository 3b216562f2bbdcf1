//! A private network: a router in a namespace of its own, and interfaces each in theirs. Nothing leads out of it but a way out that it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use topology::net::Ipv4Net;
use topology::ruleset::{Onward, Route, Ruleset};

use crate::cable::{self, CableNumber, Far, Leads};
use crate::exit::{self, Beyond, Exit};
use crate::failure::{Failure, Wanted};
use crate::flows::Flows;
use crate::namespace::{Inside, Namespace, without_ipv6};
use crate::netlink::Netlink;
use crate::ruleset::{Cables, Enforced, NAMES};
use crate::tracked;

/// How often it is looked whether packets pass a new cable: for a second in all. Without load it takes less than a millisecond.
const OPERATION_LOOKS_MAX: usize = 10_000;
/// How long it is waited between two looks.
const OPERATION_LOOK_INTERVAL: Duration = Duration::from_micros(100);

/// A network. What is in it goes with it, but for interfaces that somebody holds or works in.
#[derive(Debug)]
pub struct Network {
    inside: Inside,
    router: Namespace,
    blocks: Vec<Ipv4Net>,
    forwards: bool,
    plugged: BTreeMap<CableNumber, Plugged>,
    /// Cables to other routers.
    crossings: BTreeSet<CableNumber>,
    exit: Option<Exit>,
    /// Where the next cable is looked for, so that a number that was used comes back as late as can be.
    next: usize,
    resolver: Option<Ipv4Addr>,
    enforced: Option<Enforced>,
    /// Whether packets that are dropped are told of.
    is_telling: bool,
    /// By which rules are written, once there are some. To close it takes the kernel ten milliseconds after a change.
    rules: Option<Netlink>,
}

/// An interface that is there.
#[derive(Debug)]
struct Plugged {
    plug: Plug,
    own: Namespace,
    /// Those that leave the network's blocks.
    routes: BTreeSet<Route>,
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

impl Plug {
    /// Where what it sends goes out.
    const fn out(&self) -> Leads {
        Leads::Out { address: self.address, gateway: self.gateway }
    }
}

impl Network {
    /// A router without interfaces, for addresses of these blocks.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn new(inside: &Inside, blocks: &[Ipv4Net]) -> Result<Self, Failure> {
        let router = Namespace::new()?;
        inside.run(&router, without_ipv6)??;
        let (inside, blocks) = (inside.clone(), blocks.to_vec());
        Ok(Self {
            inside,
            router,
            blocks,
            forwards: false,
            plugged: BTreeMap::new(),
            crossings: BTreeSet::new(),
            exit: None,
            next: 0,
            resolver: None,
            enforced: None,
            is_telling: false,
            rules: None,
        })
    }

    /// Where the router is.
    #[must_use]
    pub const fn router(&self) -> &Namespace {
        &self.router
    }

    /// Lets the router forward. What is for addresses of the network's blocks that no interface has is swallowed, as on AWS.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn forward(&mut self) -> Result<(), Failure> {
        let blocks = self.blocks.clone();
        self.inside.run(&self.router, move || {
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").wanted("let a router forward")?;
            let mut netlink = Netlink::route()?;
            blocks.into_iter().try_for_each(|block| cable::lead(&mut netlink, block, Leads::Swallowed))
        })??;
        self.forwards = true;
        Ok(())
    }

    /// Opens the sockets of the network's resolver at an address of the router's own, which wait for nothing. Once rules are enforced, every interface
    /// reaches them, whatever its groups say, as on AWS, and nothing else of the router.
    ///
    /// # Errors
    /// What the kernel answers: `EEXIST` where there is one already.
    pub fn resolve_at(&mut self, address: Ipv4Addr) -> Result<(UdpSocket, TcpListener), Failure> {
        let wanted = "open the sockets of a resolver";
        let sockets = self.inside.run(&self.router, move || {
            cable::stand_at(&mut Netlink::route()?, address)?;
            let open = || {
                let sockets = (UdpSocket::bind((address, NAMES))?, TcpListener::bind((address, NAMES))?);
                sockets.0.set_nonblocking(true)?;
                sockets.1.set_nonblocking(true)?;
                Ok(sockets)
            };
            io::Result::wanted(open(), wanted)
        })??;
        self.resolver = Some(address);
        Ok(sockets)
    }

    /// Makes these the network's blocks: every interface reaches the addresses of a new one, and none those of one that is gone.
    ///
    /// # Errors
    /// What the kernel answers; what was not reached yet is done by another call.
    pub fn reblock(&mut self, blocks: &[Ipv4Net]) -> Result<(), Failure> {
        let swallowed = self.forwards.then_some(Leads::Swallowed);
        let gone: Vec<_> = self.blocks.iter().filter(|block| !blocks.contains(block)).copied().collect();
        for block in gone {
            for plugged in self.plugged.values() {
                lead_no_more(&self.inside, &plugged.own, block, plugged.plug.out())?;
            }
            swallowed.map_or(Ok(()), |swallowed| lead_no_more(&self.inside, &self.router, block, swallowed))?;
            self.blocks.retain(|own| *own != block);
        }
        let new: Vec<_> = blocks.iter().filter(|block| !self.blocks.contains(block)).copied().collect();
        for block in new {
            swallowed.map_or(Ok(()), |swallowed| lead(&self.inside, &self.router, block, swallowed))?;
            for plugged in self.plugged.values() {
                lead(&self.inside, &plugged.own, block, plugged.plug.out())?;
            }
            self.blocks.push(block);
        }
        Ok(())
    }

    fn cut(&self, cable: CableNumber) -> Result<(), Failure> {
        self.inside.run(&self.router, move || cable::cut(&mut Netlink::route()?, cable))?
    }

    /// The cable of the next interface: none that is there, nor soon one that was.
    ///
    /// # Errors
    /// `ENOSPC` where there are a million.
    pub fn next_cable(&mut self) -> Result<CableNumber, Failure> {
        let all = (0..CableNumber::COUNT).map(|ahead| (self.next + ahead) % CableNumber::COUNT);
        let mut free = all.filter_map(|n| Some((n, CableNumber::nth(n)?)));
        let is_exit = |cable: CableNumber| self.exit.as_ref().is_some_and(|exit| exit.cable == cable);
        let is_taken = |cable| self.plugged.contains_key(&cable) || self.crossings.contains(&cable) || is_exit(cable);
        let found = free.find(|(_, cable)| !is_taken(*cable));
        let (n, cable) = found.ok_or_else(|| Failure::to("number a virtual cable", Errno::NOSPC))?;
        self.next = n + 1;
        Ok(cable)
    }

    /// Adds an interface. Its namespace keeps it there.
    ///
    /// # Errors
    /// What the kernel answers, and nothing of the interface is left: `EEXIST` for a cable that is taken.
    pub fn add(&mut self, plug: Plug) -> Result<Namespace, Failure> {
        let Plug { cable, address, gateway } = plug;
        let (own, blocks) = (Namespace::new()?, self.blocks.clone());
        self.inside.run(&own, without_ipv6)??;
        let other = own.clone();
        self.inside
            .run(&self.router, move || cable::pair(&mut Netlink::route()?, cable, (Far::Interface, &other)))??;
        let lead = move || {
            let mut netlink = Netlink::route()?;
            cable::lead_to(&mut netlink, cable, address, gateway)?;
            Ok(netlink)
        };
        let furnish = move || {
            let mut netlink = Netlink::route()?;
            cable::up(&mut netlink)?;
            cable::furnish(&mut netlink, address, gateway, &blocks)
        };
        let furnished = self.inside.run(&self.router, lead).and_then(|router| {
            let router = router?;
            self.inside.run(&own, furnish)??;
            in_operation(router, cable)
        });
        self.plugged.insert(cable, Plugged { plug, own: own.clone(), routes: BTreeSet::new() });
        match furnished {
            Ok(()) => Ok(own),
            Err(failure) => {
                self.remove(cable)?;
                Err(failure)
            }
        }
    }

    /// Takes an interface away. What is open in its namespace reaches nobody from now on.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn remove(&mut self, cable: CableNumber) -> Result<(), Failure> {
        if self.plugged.contains_key(&cable) {
            self.cut(cable)?;
            self.plugged.remove(&cable);
        }
        Ok(())
    }

    /// Forgets the connections of addresses whose interface is gone, or is about to be another's: no packet passes any more for the sake of what
    /// was let through before. Kernels without `nf_conntrack_netlink` forget none.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn forget(&self, blocks: &[Ipv4Net]) -> Result<(), Failure> {
        let blocks = blocks.to_vec();
        self.inside.run(&self.router, move || tracked::forget(&mut Netlink::netfilter()?, &blocks))?
    }

    /// Makes these the routes by which an interface leaves the network's blocks.
    ///
    /// # Errors
    /// What the kernel answers; what was not reached yet is done by another call.
    pub fn reroute(&mut self, cable: CableNumber, routes: &[Route]) -> Result<(), Failure> {
        let inside = &self.inside;
        let Some(Plugged { plug, own, routes: now }) = self.plugged.get_mut(&cable) else { return Ok(()) };
        let leads = |route: &Route| if route.leads == Onward::Nowhere { Leads::Nowhere } else { plug.out() };
        let wanted: BTreeSet<Route> = routes.iter().copied().collect();
        let gone: Vec<Route> = now.difference(&wanted).copied().collect();
        for route in gone {
            lead_no_more(inside, own, route.block, leads(&route))?;
            now.remove(&route);
        }
        let new: Vec<Route> = wanted.difference(now).copied().collect();
        for route in new {
            lead(inside, own, route.block, leads(&route))?;
            now.insert(route);
        }
        Ok(())
    }

    /// Joins this network's router to another's; their blocks have no address in common. The cables are each one's own.
    ///
    /// # Errors
    /// What the kernel answers, and they are not joined.
    pub fn join(&mut self, other: &mut Self) -> Result<(CableNumber, CableNumber), Failure> {
        let (near, far) = (self.next_cable()?, other.next_cable()?);
        let router = other.router.clone();
        self.inside
            .run(&self.router, move || cable::pair(&mut Netlink::route()?, near, (Far::Router(far), &router)))??;
        self.crossings.insert(near);
        other.crossings.insert(far);
        let cross = |of: &Self, cable, blocks: Vec<Ipv4Net>| {
            of.inside.run(&of.router, move || {
                let mut netlink = Netlink::route()?;
                cable::cross(&mut netlink, cable, &blocks)?;
                Ok(netlink)
            })?
        };
        let crossed = cross(other, far, self.blocks.clone())
            .and_then(|_| cross(self, near, other.blocks.clone()))
            .and_then(|router| in_operation(router, near));
        match crossed {
            Ok(()) => Ok((near, far)),
            Err(failure) => {
                other.crossings.remove(&far);
                self.part(near)?;
                Err(failure)
            }
        }
    }

    /// Takes away a cable to another router; the other end is gone with it, or was before.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn part(&mut self, cable: CableNumber) -> Result<(), Failure> {
        if self.crossings.contains(&cable) {
            self.cut(cable)?;
            self.crossings.remove(&cable);
        }
        Ok(())
    }

    /// Opens a way out, and answers the socket that every connection of TCP is taken by which rules let out there; for whom, says
    /// [`meant_for`](crate::meant_for). A way out that was there is gone.
    ///
    /// # Errors
    /// What the kernel answers, and there is none: `ENOENT` without `nft_redir` or `nft_chain_nat`.
    pub fn open_exit(&mut self, beyond: &Beyond) -> Result<TcpListener, Failure> {
        self.close_exit()?;
        let cable = self.next_cable()?;
        let (exit, listener) = exit::open((&self.inside, &self.router), cable, beyond)?;
        self.exit = Some(exit);
        in_operation(self.inside.run(&self.router, Netlink::route)??, cable)?;
        Ok(listener)
    }

    /// Closes it. Connections that it took are still open at the socket, and carry nothing.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn close_exit(&mut self) -> Result<(), Failure> {
        if let Some(Exit { cable, shut, .. }) = &self.exit {
            let (cable, shut) = (*cable, shut.clone());
            self.cut(cable)?;
            exit::open_again(&self.inside, &self.router, shut)?;
            self.exit = None;
        }
        Ok(())
    }

    /// Begins to listen to what passes the router. What its rules drop is told of from the next [`Self::enforce`] on.
    ///
    /// # Errors
    /// What the kernel answers: `ENOENT` without `nf_conntrack`, `EINVAL` without `nf_conntrack_netlink` or `nfnetlink_log`.
    pub fn listen(&mut self) -> Result<Flows, Failure> {
        let flows = Flows::listen(&self.inside, &self.router)?;
        self.is_telling = true;
        Ok(flows)
    }

    /// Has rules tell of nothing any more, from the next [`Self::enforce`] on.
    pub const fn be_silent(&mut self) {
        self.is_telling = false;
    }

    /// Has the router carry these rules out and no others, from one packet to the next; only what differs from those before is written.
    /// Connections that were let through go on, as on AWS, but for what network ACLs say.
    ///
    /// # Errors
    /// What the kernel answers, with the rules as they were: `EMSGSIZE` where one change of a process without privileges is more than twice
    /// `net.core.wmem_max`. First rules may be: they are written in parts, and let nothing through before they are whole.
    pub fn enforce(&mut self, ruleset: &Ruleset, cables: &Cables) -> Result<(), Failure> {
        let enforced = Enforced {
            ruleset: ruleset.clone(),
            cables: cables.clone(),
            resolver: self.resolver,
            exit: self.exit.as_ref().map(|exit| (exit.cable, self.blocks.clone())),
            is_telling: self.is_telling,
        };
        let transaction = enforced.instead_of(self.enforced.as_ref());
        let mut rules = match self.rules.take() {
            Some(rules) => rules,
            None => self.inside.run(&self.router, Netlink::netfilter)??,
        };
        match transaction.carry_out(&mut rules) {
            // A kernel without `nft_log` knows no such step.
            Err(failure) if self.is_telling && failure.errno() == Errno::NOENT => {
                self.is_telling = false;
                return self.enforce(ruleset, cables);
            }
            carried_out => carried_out?,
        }
        // After a failure there may be more to be heard from it, so that it is not used again.
        self.rules = Some(rules);
        self.enforced = Some(enforced);
        Ok(())
    }
}

/// Waits until packets pass a cable. Where that takes too long, the first ones are lost and sent again.
fn in_operation(mut router: Netlink, cable: CableNumber) -> Result<(), Failure> {
    for _ in 0..OPERATION_LOOKS_MAX {
        if cable::is_in_operation(&mut router, cable)? {
            break;
        }
        thread::sleep(OPERATION_LOOK_INTERVAL);
    }
    Ok(())
}

fn lead(inside: &Inside, within: &Namespace, block: Ipv4Net, leads: Leads) -> Result<(), Failure> {
    inside.run(within, move || cable::lead(&mut Netlink::route()?, block, leads))?
}

fn lead_no_more(inside: &Inside, within: &Namespace, block: Ipv4Net, leads: Leads) -> Result<(), Failure> {
    inside.run(within, move || cable::lead_no_more(&mut Netlink::route()?, block, leads))?
}
