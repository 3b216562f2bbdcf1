//! Networks in the kernel, made to be what a snapshot says.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::Ipv4Addr;
use std::sync::Arc;

use kernel::flows::Flows;
use kernel::{CableNumber, Cables, Failure, Inside, Namespace, Network, Plug};
use parking_lot::Mutex;
use thiserror::Error;
use tokio::task::JoinHandle;
use topology::id::{NetworkInterfaceId, Realm, VpcId};
use topology::net::Ipv4Net;
use topology::ruleset::{self, Door, Ruleset};
use topology::snapshot::fabric::{Fabric, VpcNet};
use topology::snapshot::{RealmSnapshot, Snapshot};

use super::{Listened, Place, Progress, Work};

/// A router's namespace, and the socket by which its rules are written.
const DESCRIPTORS_OF_ROUTER: usize = 2;

/// The namespace of its way out, and the socket there.
const DESCRIPTORS_OF_EXIT: usize = 2;

/// The sockets by which it tells of connections, and is asked of them.
const DESCRIPTORS_OF_EARS: usize = 2;

/// All networks.
#[derive(Debug)]
pub(super) struct Builder {
    inside: Inside,
    /// Descriptors that networks may hold.
    descriptors_max: usize,
    realms: BTreeMap<Realm, Built>,
}

/// Why a network is not what it is to be.
#[derive(Debug, Error)]
enum Refused {
    /// The kernel refused a change: what it was before is in force.
    #[error(transparent)]
    Kernel(#[from] Failure),
    /// Another VPC that peering joins to it is not joined.
    #[error(
        "what programs send does not reach {0}, which has addresses in common with another VPC that peering joins to this one"
    )]
    LeftOut(VpcId),
    /// Some of its interfaces are not there.
    #[error(
        "there are as many interfaces as this process has descriptors for; raise the hard limit of open files (ulimit -Hn, LimitNOFILE)"
    )]
    Full,
}

/// Where networks are made.
#[derive(Debug)]
struct Ground {
    inside: Inside,
    /// Descriptors that there may be besides.
    left: usize,
}

impl Ground {
    /// Takes the places of so many.
    fn take(&mut self, descriptors: usize) -> Result<(), Refused> {
        self.left = self.left.checked_sub(descriptors).ok_or(Refused::Full)?;
        Ok(())
    }
}

/// The networks of a realm.
#[derive(Debug, Default)]
struct Built {
    /// What they were made of; `None` where the kernel refused some of it.
    made_of: Option<Arc<Fabric>>,
    /// The rules that were compiled last, and of what.
    compiled: Option<(Arc<Fabric>, BTreeMap<VpcId, Ruleset>)>,
    vpcs: BTreeMap<VpcId, Vpc>,
}

/// A network with its interfaces.
#[derive(Debug)]
struct Vpc {
    network: Network,
    _resolver: Option<Served>,
    /// What carries what leaves by its way out.
    exit: Option<Served>,
    ears: Ears,
    interfaces: BTreeMap<NetworkInterfaceId, Plugged>,
    /// The networks that it is joined to.
    crossings: BTreeMap<VpcId, Joined>,
    /// Addresses of interfaces that were taken away.
    left_by: Vec<Ipv4Net>,
    /// Addresses whose connections this router has to forget.
    stale: Vec<Ipv4Net>,
}

/// Whether the router is listened to.
#[derive(Debug, Default)]
enum Ears {
    /// No flow log is there.
    #[default]
    Shut,
    /// It is.
    Open { _flows: Arc<Mutex<Flows>> },
    /// The kernel refused it, which was told.
    Deaf,
}

/// A cable to another network.
#[derive(Debug)]
struct Joined {
    cable: CableNumber,
    /// The blocks of this network and of the other when they were joined.
    blocks: (Vec<Ipv4Net>, Vec<Ipv4Net>),
}

/// A task that serves sockets of a network: those of its resolver, or of its way out. It ends with the network.
#[derive(Debug)]
struct Served(JoinHandle<()>);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An interface that is there.
#[derive(Debug)]
struct Plugged {
    plug: Plug,
    namespace: Namespace,
}

impl Builder {
    pub(super) fn new(inside: Inside, descriptors_max: usize) -> Self {
        Self { inside, descriptors_max, realms: BTreeMap::new() }
    }

    /// Descriptors that there are.
    fn descriptors(&self) -> usize {
        self.realms.values().map(Built::descriptors).sum()
    }

    /// Whether the kernel refused something that is to be tried again.
    pub(super) fn is_wanting(&self) -> bool {
        self.realms.values().any(|built| built.made_of.is_none())
    }

    /// Makes the networks what a snapshot says.
    pub(super) fn work_off(
        &mut self,
        snapshot: &Snapshot,
        progress: impl Fn(&Realm) -> Option<Arc<Progress>>,
        work: &Work,
    ) {
        let gone: Vec<Realm> = self.realms.keys().filter(|realm| snapshot.realm(realm).is_none()).cloned().collect();
        for realm in gone {
            if let Some(built) = self.realms.remove(&realm) {
                built.vpcs.into_values().for_each(|vpc| _ = vpc.forget(work));
            }
            work.faults.lock().retain(|(of, _), _| *of != realm);
        }
        let left = self.descriptors_max.saturating_sub(self.descriptors());
        let mut ground = Ground { inside: self.inside.clone(), left };
        for realm in &snapshot.realms {
            let built = self.realms.entry(realm.realm.clone()).or_default();
            if built.made_of.as_ref().is_some_and(|made_of| Arc::ptr_eq(made_of, &realm.fabric)) {
                continue;
            }
            let progress = progress(&realm.realm).unwrap_or_default();
            let faults = built.become_what(&mut ground, realm, (work, &progress));
            let is_done = faults.iter().all(|(_, why)| matches!(why, Refused::LeftOut(_)));
            built.made_of = is_done.then(|| Arc::clone(&realm.fabric));
            let mut told = work.faults.lock();
            told.retain(|(of, _), _| *of != realm.realm);
            for (vpc, why) in faults {
                tracing::error!(%vpc, %why, "a private network is not what it is to be");
                told.insert((realm.realm.clone(), vpc), why.to_string());
            }
        }
    }
}

impl Built {
    fn descriptors(&self) -> usize {
        self.vpcs.values().map(Vpc::descriptors).sum()
    }

    /// Makes the networks of a realm; says which are not what they are to be.
    fn become_what(
        &mut self,
        ground: &mut Ground,
        realm: &RealmSnapshot,
        (work, progress): (&Work, &Arc<Progress>),
    ) -> Vec<(VpcId, Refused)> {
        let fabric = &realm.fabric;
        let mut faults = Vec::new();
        let is_there = |id: &VpcId| fabric.vpcs.iter().any(|net| net.id == *id);
        let gone: Vec<VpcId> = self.vpcs.keys().filter(|id| !is_there(id)).copied().collect();
        gone.iter().filter_map(|id| self.vpcs.remove(id)).for_each(|vpc| ground.left += vpc.forget(work));
        let has_somebody =
            |door: &Door| fabric.interface_by_id(door.interface).is_some_and(|index| fabric.is_inhabited(index));
        let before = self.compiled.take();
        let rulesets = fabric.vpcs.iter().map(|net| {
            let known = before.as_ref().and_then(|(fabric, rulesets)| Some((&**fabric, rulesets.get(&net.id)?)));
            let mut ruleset = match known {
                Some(before) => ruleset::after(fabric, net.id, before),
                None => ruleset::of(fabric, net.id),
            };
            ruleset.doors.retain(has_somebody);
            match work.exits.0.get() {
                Some(_) => ruleset.open(fabric),
                None => ruleset.seal(),
            }
            (net.id, ruleset)
        });
        let rulesets: BTreeMap<VpcId, Ruleset> = rulesets.collect();
        for net in &fabric.vpcs {
            let Some(ruleset) = rulesets.get(&net.id) else { continue };
            faults.extend(ruleset.left_out.iter().map(|other| (net.id, Refused::LeftOut(*other))));
            faults.extend(self.furnish(ground, (realm, net, ruleset), work).err().map(|why| (net.id, why)));
        }
        self.tell_what_is_stale();
        faults.extend(self.part_and_join(&rulesets));
        for (id, ruleset) in &rulesets {
            let settled = self.vpcs.get_mut(id).map_or(Ok(()), |vpc| vpc.settle(ruleset, (work, progress)));
            faults.extend(settled.err().map(|why| (*id, why.into())));
        }
        self.compiled = Some((Arc::clone(fabric), rulesets));
        faults
    }

    /// Tells the routers that knew the addresses of interfaces that were taken away.
    fn tell_what_is_stale(&mut self) {
        let mut told: Vec<(VpcId, Vec<Ipv4Net>)> = Vec::new();
        for (id, vpc) in self.vpcs.iter_mut().filter(|(_, vpc)| !vpc.left_by.is_empty()) {
            let left_by = std::mem::take(&mut vpc.left_by);
            told.extend(vpc.crossings.keys().chain([id]).map(|router| (*router, left_by.clone())));
        }
        for (router, left_by) in told {
            self.vpcs.entry(router).and_modify(|vpc| vpc.stale.extend(left_by));
        }
    }

    /// Parts networks that no peering joins any more, and joins those that one does now.
    fn part_and_join(&mut self, rulesets: &BTreeMap<VpcId, Ruleset>) -> Vec<(VpcId, Refused)> {
        let mut faults: Vec<(VpcId, Refused)> = Vec::new();
        let blocks = |of: VpcId, other: VpcId| {
            let crossing = rulesets.get(&of)?.crossings.iter().find(|crossing| crossing.vpc == other)?;
            Some(crossing.blocks.clone())
        };
        let there: Vec<VpcId> = self.vpcs.keys().copied().collect();
        let joined = |one: VpcId, other: VpcId| {
            let are_there = there.contains(&one) && there.contains(&other);
            blocks(one, other).zip(blocks(other, one)).filter(|_| are_there)
        };
        for (id, vpc) in &mut self.vpcs {
            let stale = |(other, crossing): &(&VpcId, &Joined)| {
                joined(*id, **other).is_none_or(|(theirs, own)| (own, theirs) != crossing.blocks)
            };
            let stale: Vec<_> = vpc.crossings.iter().filter(stale).map(|(id, joined)| (*id, joined.cable)).collect();
            for (other, cable) in stale {
                match vpc.network.part(cable) {
                    Ok(()) => {
                        let parted = vpc.crossings.remove(&other);
                        vpc.stale.extend(parted.into_iter().flat_map(|Joined { blocks: (_, theirs), .. }| theirs));
                    }
                    Err(failure) => faults.push((*id, failure.into())),
                }
            }
        }
        let pairs = there.iter().flat_map(|one| there.iter().filter(move |other| one < other).map(move |o| (*one, *o)));
        for (one, other) in pairs {
            let Some((theirs, own)) = joined(one, other) else { continue };
            let Some(mut near) = self.vpcs.remove(&one) else { continue };
            let is_new = !near.crossings.contains_key(&other);
            if let Some(far) = self.vpcs.get_mut(&other).filter(|_| is_new) {
                match near.network.join(&mut far.network) {
                    Ok((cable, far_cable)) => {
                        far.crossings.insert(one, Joined { cable: far_cable, blocks: (theirs.clone(), own.clone()) });
                        near.crossings.insert(other, Joined { cable, blocks: (own, theirs) });
                    }
                    Err(failure) => faults.push((one, failure.into())),
                }
            }
            self.vpcs.insert(one, near);
        }
        faults
    }

    /// Makes the network of a VPC, with its interfaces.
    fn furnish(
        &mut self,
        ground: &mut Ground,
        (RealmSnapshot { realm, fabric, .. }, net, ruleset): (&RealmSnapshot, &VpcNet, &Ruleset),
        work: &Work,
    ) -> Result<(), Refused> {
        if ruleset.doors.is_empty() {
            // A VPC that nobody is in costs nothing.
            self.vpcs.remove(&net.id).into_iter().for_each(|vpc| ground.left += vpc.forget(work));
            return Ok(());
        }
        let vpc = match self.vpcs.entry(net.id) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                ground.take(DESCRIPTORS_OF_ROUTER)?;
                let mut network = Network::new(&ground.inside, &net.cidrs)?;
                network.forward()?;
                let _resolver = resolver(&mut network, (realm, net), work)?;
                place.insert(Vpc {
                    network,
                    _resolver,
                    exit: None,
                    ears: Ears::Shut,
                    interfaces: BTreeMap::new(),
                    crossings: BTreeMap::new(),
                    left_by: Vec::new(),
                    stale: Vec::new(),
                })
            }
        };
        vpc.listen(ground, (realm, net.id, fabric), work)?;
        vpc.network.reblock(&net.cidrs)?;
        ground.left += vpc.take_away(&ruleset.doors, work)?;
        vpc.add(&ruleset.doors, ground)?;
        vpc.open_or_close(ground, (realm, net.id, ruleset), work)
    }
}

/// Has somebody answer for the names of a VPC. Whether there are answers is the newest snapshot's to say.
fn resolver(network: &mut Network, (realm, net): (&Realm, &VpcNet), work: &Work) -> Result<Option<Served>, Failure> {
    let Some((serve, address)) = work.names.0.get().zip(net.resolver_address()) else { return Ok(None) };
    let sockets = network.resolve_at(address)?;
    match serve((realm, net.id), sockets) {
        Ok(task) => Ok(Some(Served(task))),
        Err(error) => {
            tracing::error!(vpc = %net.id, %error, "names of a private network are not answered for");
            Ok(None)
        }
    }
}

impl Vpc {
    /// The router's and those of interfaces.
    fn descriptors(&self) -> usize {
        let ears = if let Ears::Open { .. } = self.ears { DESCRIPTORS_OF_EARS } else { 0 };
        let exit = if self.exit.is_some() { DESCRIPTORS_OF_EXIT } else { 0 };
        DESCRIPTORS_OF_ROUTER + ears + exit + self.interfaces.len()
    }

    /// Opens a way out where rules let something out, and closes one where they do not.
    fn open_or_close(
        &mut self,
        ground: &mut Ground,
        (realm, id, ruleset): (&Realm, VpcId, &Ruleset),
        work: &Work,
    ) -> Result<(), Refused> {
        let wanted = work.exits.0.get().filter(|_| ruleset.has_exits());
        match (wanted, &self.exit) {
            (Some((beyond, serve)), None) => {
                ground.take(DESCRIPTORS_OF_EXIT)?;
                let opened = self.network.open_exit(beyond).inspect_err(|_| ground.left += DESCRIPTORS_OF_EXIT)?;
                match serve((realm, id), opened) {
                    Ok(task) => self.exit = Some(Served(task)),
                    Err(error) => {
                        tracing::error!(vpc = %id, %error, "nothing leaves a private network");
                        ground.left += DESCRIPTORS_OF_EXIT;
                        self.network.close_exit()?;
                    }
                }
            }
            (None, Some(_)) => {
                self.network.close_exit()?;
                ground.left += DESCRIPTORS_OF_EXIT;
                self.exit = None;
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        Ok(())
    }

    /// Listens to the router where a flow log is. Where that cannot be, flow logs tell of what Tidegate itself carries.
    fn listen(
        &mut self,
        ground: &mut Ground,
        (realm, id, fabric): (&Realm, VpcId, &Fabric),
        work: &Work,
    ) -> Result<(), Refused> {
        let is_wanted = fabric.flow_logs.values().any(|logged| logged.interface.vpc == id);
        match &self.ears {
            Ears::Shut if is_wanted => {
                ground.take(DESCRIPTORS_OF_EARS)?;
                self.ears = match self.network.listen() {
                    Ok(flows) => {
                        let flows = Arc::new(Mutex::new(flows));
                        let (realm, flows_of) = (realm.clone(), Arc::downgrade(&flows));
                        work.listened.lock().push(Listened { realm, vpc: id, flows: flows_of });
                        Ears::Open { _flows: flows }
                    }
                    Err(failure) => {
                        ground.left += DESCRIPTORS_OF_EARS;
                        tracing::warn!(vpc = %id, %failure, "flow logs do not tell of what programs send each other");
                        Ears::Deaf
                    }
                };
            }
            Ears::Open { .. } if !is_wanted => {
                ground.left += DESCRIPTORS_OF_EARS;
                self.network.be_silent();
                self.ears = Ears::Shut;
            }
            Ears::Shut | Ears::Open { .. } | Ears::Deaf => {}
        }
        Ok(())
    }

    /// Has the rules and routes in force, and tells of the interfaces: of none before.
    fn settle(&mut self, ruleset: &Ruleset, (work, progress): (&Work, &Arc<Progress>)) -> Result<(), Failure> {
        for door in &ruleset.doors {
            if let Some(plugged) = self.interfaces.get(&door.interface) {
                self.network.reroute(plugged.plug.cable, &door.routes)?;
            }
        }
        if !self.stale.is_empty() {
            self.network.forget(&self.stale)?;
            self.stale.clear();
        }
        self.network.enforce(ruleset, &self.cables())?;
        let place = |plugged: &Plugged| Place {
            namespace: plugged.namespace.clone(),
            address: plugged.plug.address,
            progress: Arc::clone(progress),
            is_told: matches!(self.ears, Ears::Open { .. }),
        };
        work.places.write().extend(self.interfaces.iter().map(|(id, plugged)| (*id, place(plugged))));
        Ok(())
    }

    /// Takes away what is there no longer, or at another address; says how many.
    fn take_away(&mut self, doors: &[Door], work: &Work) -> Result<usize, Failure> {
        let stays: BTreeMap<NetworkInterfaceId, (Ipv4Addr, Ipv4Addr)> =
            doors.iter().map(|door| (door.interface, (door.address, door.gateway))).collect();
        let gone = |(id, plugged): &(&NetworkInterfaceId, &Plugged)| {
            stays.get(id) != Some(&(plugged.plug.address, plugged.plug.gateway))
        };
        let gone: Vec<_> = self.interfaces.iter().filter(gone).map(|(id, plugged)| (*id, plugged.plug.cable)).collect();
        for (id, cable) in &gone {
            work.places.write().remove(id);
            self.network.remove(*cable)?;
            self.left_by.extend(self.interfaces.remove(id).map(|plugged| Ipv4Net::from(plugged.plug.address)));
        }
        Ok(gone.len())
    }

    /// Adds what is new. It reaches nobody before the rules know of its cable.
    fn add(&mut self, doors: &[Door], ground: &mut Ground) -> Result<(), Refused> {
        for door in doors {
            if self.interfaces.contains_key(&door.interface) {
                continue;
            }
            ground.take(1)?;
            let plug = Plug { cable: self.network.next_cable()?, address: door.address, gateway: door.gateway };
            let namespace = self.network.add(plug)?;
            self.interfaces.insert(door.interface, Plugged { plug, namespace });
        }
        Ok(())
    }

    fn cables(&self) -> Cables {
        let doors = self.interfaces.iter().map(|(id, plugged)| (*id, plugged.plug.cable)).collect();
        let crossings = self.crossings.iter().map(|(id, joined)| (*id, joined.cable)).collect();
        Cables { doors, crossings }
    }

    /// Lets go of the network, and says how many descriptors it had. What is still open in it reaches nobody.
    fn forget(self, work: &Work) -> usize {
        let mut places = work.places.write();
        self.interfaces.keys().for_each(|id| drop(places.remove(id)));
        self.descriptors()
    }
}
