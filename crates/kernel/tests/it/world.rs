//! What tests build, and connections whose outcome is known without waiting.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;

use kernel::{Cables, Inside, Namespace, Network, Plug};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, getpeername, socket_with};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use topology::id::{NetworkAclId, SubnetId, VpcId};
use topology::net::Ipv4Net;
use topology::ruleset::{Ruleset, after, of};
use topology::snapshot::fabric::{Acl, AclRule, BesideTcp, Fabric, SubnetNet};

pub(crate) use crate::isolated::{Who, isolated};

/// How long the kernel may take for a connection on this machine before a test fails.
const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };
/// Keeps what this thread starts from here on to one processor: there packets are handled in the order in which they were sent, so that
/// what was sent before a connection that has arrived has arrived too, or never will.
pub(crate) fn on_one_processor() {
    let allowed = sched_getaffinity(None).unwrap();
    let one = (0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).unwrap();
    let mut only = CpuSet::new();
    only.set(one);
    sched_setaffinity(None, &only).unwrap();
}

/// The VPCs of a fabric in the kernel.
pub(crate) struct Vpcs {
    pub(crate) inside: Inside,
    pub(crate) networks: Vec<(VpcId, Network, Cables)>,
    /// What the rules in force were compiled of, and to what.
    compiled: Option<(Fabric, Vec<Ruleset>)>,
    /// The namespace of each interface, as the fabric numbers them.
    pub(crate) namespaces: Vec<Namespace>,
}

/// The two VPCs that a fabric of a test may have: what is in 10.0.0.0/16, and what is in 10.1.0.0/16.
pub(crate) const VPCS: [u128; 2] = [1, 2];

impl Vpcs {
    /// All interfaces of the fabric, with the rules of their VPCs. Two of them are joined.
    pub(crate) fn build(inside: &Inside, fabric: &Fabric) -> Self {
        let mut networks = Vec::new();
        let mut namespaces = std::collections::BTreeMap::new();
        for vpc in VPCS.map(VpcId::from_bits) {
            let ruleset = of(fabric, vpc);
            if ruleset.doors.is_empty() {
                continue;
            }
            let mut network = Network::new(inside, &[block(vpc)]).unwrap();
            network.forward().unwrap();
            let mut cables = Cables::default();
            for door in &ruleset.doors {
                let cable = network.next_cable().unwrap();
                let plug = Plug { cable, address: door.address, gateway: door.gateway };
                namespaces.insert(door.interface, network.add(plug).unwrap());
                cables.doors.insert(door.interface, cable);
            }
            networks.push((vpc, network, cables));
        }
        if let [(one, near, cables), (other, far, far_cables)] = networks.as_mut_slice() {
            let (cable, far_cable) = near.join(far).unwrap();
            cables.crossings.insert(*other, cable);
            far_cables.crossings.insert(*one, far_cable);
        }
        let namespaces = fabric.interfaces.iter().map(|interface| namespaces[&interface.id].clone()).collect();
        let mut vpcs = Self { inside: inside.clone(), networks, compiled: None, namespaces };
        vpcs.enforce(fabric);
        vpcs
    }

    /// Has the rules and routes of a fabric carried out.
    pub(crate) fn enforce(&mut self, fabric: &Fabric) {
        let before = self.compiled.take();
        let mut rulesets = Vec::new();
        for (nth, (vpc, network, cables)) in self.networks.iter_mut().enumerate() {
            let ruleset = match &before {
                Some((before, rulesets)) => after(fabric, *vpc, (before, &rulesets[nth])),
                None => of(fabric, *vpc),
            };
            assert_eq!(ruleset, of(fabric, *vpc), "what is taken over is what it would be");
            for door in &ruleset.doors {
                network.reroute(cables.doors[&door.interface], &door.routes).unwrap();
            }
            network.enforce(&ruleset, cables).unwrap();
            rulesets.push(ruleset);
        }
        self.compiled = Some((fabric.clone(), rulesets));
    }

    /// The network of the only VPC.
    pub(crate) fn network(&mut self) -> &mut Network {
        &mut self.networks[0].1
    }

    /// A socket that listens at an address of an interface.
    pub(crate) fn listen(&self, at: usize, address: SocketAddrV4) -> TcpListener {
        self.inside.run(&self.namespaces[at], move || TcpListener::bind(address)).unwrap().unwrap()
    }

    /// Begins connections from an interface.
    pub(crate) fn begin(&self, from: usize, to: Vec<SocketAddrV4>) -> Vec<Begun> {
        self.inside.run(&self.namespaces[from], move || to.into_iter().map(Begun::to).collect()).unwrap()
    }
}

/// The rules of the first VPC.
pub(crate) fn ruleset(fabric: &Fabric) -> Ruleset {
    of(fabric, VpcId::from_bits(VPCS[0]))
}

/// The block of a VPC.
pub(crate) fn block(vpc: VpcId) -> Ipv4Net {
    let second = if vpc == VpcId::from_bits(VPCS[0]) { 0 } else { 1 };
    Ipv4Net::new([10, second, 0, 0].into(), 16).unwrap()
}

/// An ACL: what may come in, of TCP and beside it, and what may leave.
pub(crate) fn acl(id: NetworkAclId, comes_in: (Vec<AclRule>, BesideTcp), leaves: (Vec<AclRule>, BesideTcp)) -> Acl {
    let (ingress, ingress_beside) = comes_in;
    let (egress, egress_beside) = leaves;
    Acl { id, ingress, egress, ingress_beside, egress_beside, taken: Vec::new() }
}

/// The subnet of an address, of 256, with the VPC that it is in.
pub(crate) fn subnet(address: Ipv4Addr) -> (SubnetId, SubnetNet) {
    let [_, second, third, _] = address.octets();
    let vpc = VpcId::from_bits(VPCS[usize::from(second) % VPCS.len()]);
    let id = SubnetId::from_bits(u128::from(second) * 256 + u128::from(third));
    (id, SubnetNet { vpc, block: Ipv4Net::new([10, second, third, 0].into(), 24).unwrap(), ipv6: None })
}

/// A connection that was begun.
pub(crate) struct Begun(OwnedFd);

impl From<Begun> for OwnedFd {
    fn from(Begun(socket): Begun) -> Self {
        rustix::io::ioctl_fionbio(&socket, false).unwrap();
        socket
    }
}

impl Begun {
    fn to(address: SocketAddrV4) -> Self {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        // On its way, or without a way.
        let begun = connect(&socket, &SocketAddr::V4(address)).unwrap_err();
        assert!([Errno::INPROGRESS, Errno::NETUNREACH, Errno::HOSTUNREACH].contains(&begun), "{address}: {begun}");
        Self(socket)
    }

    /// Waits until it has arrived.
    pub(crate) fn arrived(&self) {
        let mut waited = [PollFd::new(&self.0, PollFlags::OUT)];
        assert_eq!(poll(&mut waited, Some(&PATIENCE)), Ok(1), "what everybody lets through has not arrived");
        assert!(self.has_arrived());
    }

    /// Whether it has arrived by now.
    pub(crate) fn has_arrived(&self) -> bool {
        match getpeername(&self.0) {
            Ok(_) => true,
            Err(Errno::NOTCONN) => false,
            Err(errno) => panic!("{errno}"),
        }
    }
}
