//! A way out of a private network: a namespace beside the router that takes every connection of TCP which the router lets out, whomever it is meant for. Whoever
//! listens there carries it on, by sockets of its own elsewhere: no packet leaves the namespace but those that answer.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::AsFd;

use topology::net::Ipv4Net;

use crate::cable::{self, CableNumber, Far, Leads};
use crate::failure::{Failure, Wanted};
use crate::namespace::{Inside, Namespace, without_ipv6};
use crate::netlink::Netlink;
use crate::nft::{Fate, Field, Hook, Step, Table};
use crate::ruleset::TCP;

const TABLE: &str = "tidegate";
/// The address of the namespace, to which the kernel redirects. Nobody reaches it by its name: what is meant for it is meant for a link.
const OWN: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 1);
/// Where receivers are translated (`NF_IP_PRI_NAT_DST`).
const TRANSLATION: i32 = -100;

/// A way out that is there.
#[derive(Debug)]
pub(crate) struct Exit {
    /// Its cable in the router.
    pub(crate) cable: CableNumber,
    /// Blocks that the router swallows for as long as it is there, but for what is led elsewhere.
    pub(crate) shut: Vec<Ipv4Net>,
    _own: Namespace,
}

/// What may be reached beyond a private network, whatever its rules say: all that is not shut, and of that what is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beyond {
    /// Blocks that nobody reaches: what is sent there is swallowed.
    pub shut: Vec<Ipv4Net>,
    /// Blocks that are reached all the same.
    pub open: Vec<Ipv4Net>,
}

/// Makes one by this cable, and the socket that everything is taken by. What is beyond is led there.
pub(crate) fn open(
    (inside, router): (&Inside, &Namespace),
    cable: CableNumber,
    beyond: &Beyond,
) -> Result<(Exit, TcpListener), Failure> {
    let own = Namespace::new()?;
    let other = own.clone();
    inside.run(router, move || cable::pair(&mut Netlink::route()?, cable, (Far::Interface, &other)))??;
    let exit = Exit { cable, shut: beyond.shut.clone(), _own: own.clone() };
    let listener = inside.run(&own, take).and_then(|taken| taken);
    let Beyond { shut, open } = beyond.clone();
    let led = listener.and_then(|listener| {
        let led = move || {
            let mut router = Netlink::route()?;
            cable::up_at(&mut router, cable)?;
            // What is led into another VPC is led there, even if the block is the same.
            let mut lead = |block, leads| cable::lead_last(&mut router, block, leads);
            shut.into_iter().try_for_each(|block| lead(block, Leads::Swallowed))?;
            open.into_iter().chain([Ipv4Net::default()]).try_for_each(|block| lead(block, Leads::By(cable)))
        };
        inside.run(router, led).and_then(|led| led).map(|()| listener)
    });
    match led {
        Ok(listener) => Ok((exit, listener)),
        Err(failure) => {
            inside.run(router, move || cable::cut(&mut Netlink::route()?, cable))??;
            open_again(inside, router, exit.shut)?;
            Err(failure)
        }
    }
}

/// Has the router swallow these no more.
pub(crate) fn open_again(inside: &Inside, router: &Namespace, shut: Vec<Ipv4Net>) -> Result<(), Failure> {
    let opened = move || {
        let mut router = Netlink::route()?;
        shut.into_iter().try_for_each(|block| cable::lead_last_no_more(&mut router, block, Leads::Swallowed))
    };
    inside.run(router, opened)?
}

/// Furnishes the namespace that this runs in.
fn take() -> Result<TcpListener, Failure> {
    without_ipv6()?;
    let mut netlink = Netlink::route()?;
    cable::up(&mut netlink)?;
    cable::stand_by(&mut netlink, OWN)?;
    cable::lead(&mut netlink, Ipv4Net::default(), Leads::By(CableNumber::INNER))?;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0));
    let listener = listener.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    let listener = listener.wanted("listen at a way out")?;
    let port = listener.local_addr().wanted("listen at a way out")?.port();
    table(port).replacing(TABLE).carry_out(&mut Netlink::netfilter()?)?;
    Ok(listener)
}

/// Connections of TCP come to this port, and nothing else comes in or passes.
fn table(port: u16) -> Table {
    let is_tcp = [Step::Read(Field::Protocol, 0), Step::Is(0, vec![TCP])];
    let mut table = Table::default();
    table.base_chain("redirected", (Hook::Translation, TRANSLATION), Fate::Accept);
    let redirect = [Step::Put(0, port.to_be_bytes().to_vec()), Step::RedirectTo(0)];
    table.rule("redirected", &[&is_tcp[..], &redirect].concat());
    table.base_chain("taken", (Hook::Input, 0), Fate::Drop);
    let is_taken = [Step::Read(Field::PortTo, 0), Step::Is(0, port.to_be_bytes().to_vec()), Step::Then(Fate::Accept)];
    table.rule("taken", &[&is_tcp[..], &is_taken].concat());
    table.base_chain("passed", (Hook::Forward, 0), Fate::Drop);
    table
}

/// Whom a connection was meant for that a way out took.
///
/// # Errors
/// What the kernel answers: `ENOENT` for one that was not taken so.
pub fn meant_for(connection: impl AsFd) -> io::Result<SocketAddrV4> {
    Ok(rustix::net::sockopt::ip_original_dst(connection)?)
}
