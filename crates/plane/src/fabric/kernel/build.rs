//! Networks in the kernel, made to be what a snapshot says.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::Ipv4Addr;
use std::sync::Arc;

use kernel::{Cables, Failure, Inside, Namespace, Network, Plug};
use topology::id::{NetworkInterfaceId, Realm, VpcId};
use topology::ruleset::{self, Door, Ruleset};
use topology::snapshot::Snapshot;
use topology::snapshot::fabric::{Fabric, VpcNet};

use super::{Place, Progress, Work};

/// All networks.
#[derive(Debug)]
pub(super) struct Builder {
    inside: Inside,
    realms: BTreeMap<Realm, Built>,
}

/// The networks of a realm.
#[derive(Debug, Default)]
struct Built {
    /// What they were made of; `None` where the kernel refused some of it.
    made_of: Option<Arc<Fabric>>,
    vpcs: BTreeMap<VpcId, Vpc>,
}

/// A network with its interfaces.
#[derive(Debug)]
struct Vpc {
    network: Network,
    interfaces: BTreeMap<NetworkInterfaceId, Plugged>,
}

/// An interface that is there.
#[derive(Debug)]
struct Plugged {
    plug: Plug,
    namespace: Namespace,
}

impl Builder {
    pub(super) fn new(inside: Inside) -> Self {
        Self { inside, realms: BTreeMap::new() }
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
                built.vpcs.into_values().for_each(|vpc| vpc.forget(work));
            }
            work.faults.lock().retain(|(of, _), _| *of != realm);
        }
        for realm in &snapshot.realms {
            let built = self.realms.entry(realm.realm.clone()).or_default();
            if built.made_of.as_ref().is_some_and(|made_of| Arc::ptr_eq(made_of, &realm.fabric)) {
                continue;
            }
            let progress = progress(&realm.realm).unwrap_or_default();
            let faults = built.become_what(&self.inside, &realm.fabric, (work, &progress));
            built.made_of = faults.is_empty().then(|| Arc::clone(&realm.fabric));
            let mut told = work.faults.lock();
            told.retain(|(of, _), _| *of != realm.realm);
            for (vpc, failure) in faults {
                tracing::error!(%vpc, %failure, "the kernel refused a change of a private network; it is tried again");
                told.insert((realm.realm.clone(), vpc), failure.to_string());
            }
        }
    }
}

impl Built {
    /// Makes the networks of a realm; says what the kernel refused.
    fn become_what(
        &mut self,
        inside: &Inside,
        fabric: &Fabric,
        (work, progress): (&Work, &Arc<Progress>),
    ) -> Vec<(VpcId, Failure)> {
        let mut faults = Vec::new();
        let is_there = |id: &VpcId| fabric.vpcs.iter().any(|net| net.id == *id);
        let gone: Vec<VpcId> = self.vpcs.keys().filter(|id| !is_there(id)).copied().collect();
        gone.iter().filter_map(|id| self.vpcs.remove(id)).for_each(|vpc| vpc.forget(work));
        for net in &fabric.vpcs {
            let mut ruleset = ruleset::of(fabric, net.id);
            let has_somebody =
                |door: &Door| fabric.interface_by_id(door.interface).is_some_and(|index| fabric.is_inhabited(index));
            ruleset.doors.retain(has_somebody);
            if let Err(failure) = self.settle(inside, (net, &ruleset), (work, progress)) {
                faults.push((net.id, failure));
            }
        }
        faults
    }

    fn settle(
        &mut self,
        inside: &Inside,
        (net, ruleset): (&VpcNet, &Ruleset),
        (work, progress): (&Work, &Arc<Progress>),
    ) -> Result<(), Failure> {
        if ruleset.doors.is_empty() {
            // A VPC that nobody is in costs nothing.
            self.vpcs.remove(&net.id).into_iter().for_each(|vpc| vpc.forget(work));
            return Ok(());
        }
        let vpc = match self.vpcs.entry(net.id) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let mut network = Network::new(inside, &net.cidrs)?;
                network.forward()?;
                place.insert(Vpc { network, interfaces: BTreeMap::new() })
            }
        };
        vpc.network.reblock(&net.cidrs)?;
        vpc.take_away(&ruleset.doors, work)?;
        vpc.add(&ruleset.doors)?;
        vpc.network.enforce(ruleset, &vpc.cables())?;
        let place = |plugged: &Plugged| Place {
            namespace: plugged.namespace.clone(),
            address: plugged.plug.address,
            progress: Arc::clone(progress),
        };
        // Nobody is told of an interface before its rules are in force.
        work.places.write().extend(vpc.interfaces.iter().map(|(id, plugged)| (*id, place(plugged))));
        Ok(())
    }
}

impl Vpc {
    /// Takes away what is there no longer, or at another address.
    fn take_away(&mut self, doors: &[Door], work: &Work) -> Result<(), Failure> {
        let stays: BTreeMap<NetworkInterfaceId, (Ipv4Addr, Ipv4Addr)> =
            doors.iter().map(|door| (door.interface, (door.address, door.gateway))).collect();
        let gone = |(id, plugged): &(&NetworkInterfaceId, &Plugged)| {
            stays.get(id) != Some(&(plugged.plug.address, plugged.plug.gateway))
        };
        let gone: Vec<_> = self.interfaces.iter().filter(gone).map(|(id, plugged)| (*id, plugged.plug.cable)).collect();
        for (id, cable) in gone {
            work.places.write().remove(&id);
            self.network.remove(cable)?;
            self.interfaces.remove(&id);
        }
        Ok(())
    }

    /// Adds what is new. It reaches nobody before the rules know of its cable.
    fn add(&mut self, doors: &[Door]) -> Result<(), Failure> {
        for door in doors {
            if self.interfaces.contains_key(&door.interface) {
                continue;
            }
            let plug = Plug { cable: self.network.next_cable()?, address: door.address, gateway: door.gateway };
            let namespace = self.network.add(plug)?;
            self.interfaces.insert(door.interface, Plugged { plug, namespace });
        }
        Ok(())
    }

    fn cables(&self) -> Cables {
        self.interfaces.iter().map(|(id, plugged)| (*id, plugged.plug.cable)).collect()
    }

    /// Lets go of the network. What is still open in it reaches nobody.
    fn forget(self, work: &Work) {
        let mut places = work.places.write();
        self.interfaces.keys().for_each(|id| drop(places.remove(id)));
    }
}
