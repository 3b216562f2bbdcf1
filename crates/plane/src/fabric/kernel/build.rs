//! Networks in the kernel, made to be what a snapshot says.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::Ipv4Addr;
use std::sync::Arc;

use kernel::{Cables, Failure, Inside, Namespace, Network, Plug};
use thiserror::Error;
use topology::id::{NetworkInterfaceId, Realm, VpcId};
use topology::ruleset::{self, Door, Ruleset};
use topology::snapshot::Snapshot;
use topology::snapshot::fabric::{Fabric, VpcNet};

use super::{Place, Progress, Work};

/// All networks.
#[derive(Debug)]
pub(super) struct Builder {
    inside: Inside,
    /// Namespaces that there may be.
    namespaces_max: usize,
    realms: BTreeMap<Realm, Built>,
}

/// Why a network is not what it is to be.
#[derive(Debug, Error)]
enum Refused {
    /// The kernel refused a change: what it was before is in force.
    #[error(transparent)]
    Kernel(#[from] Failure),
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
    /// Namespaces that there may be besides.
    left: usize,
}

impl Ground {
    /// Takes the place of one.
    fn take(&mut self) -> Result<(), Refused> {
        self.left = self.left.checked_sub(1).ok_or(Refused::Full)?;
        Ok(())
    }
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
    pub(super) fn new(inside: Inside, namespaces_max: usize) -> Self {
        Self { inside, namespaces_max, realms: BTreeMap::new() }
    }

    /// Namespaces that there are.
    fn namespaces(&self) -> usize {
        self.realms.values().map(Built::namespaces).sum()
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
        let left = self.namespaces_max.saturating_sub(self.namespaces());
        let mut ground = Ground { inside: self.inside.clone(), left };
        for realm in &snapshot.realms {
            let built = self.realms.entry(realm.realm.clone()).or_default();
            if built.made_of.as_ref().is_some_and(|made_of| Arc::ptr_eq(made_of, &realm.fabric)) {
                continue;
            }
            let progress = progress(&realm.realm).unwrap_or_default();
            let faults = built.become_what(&mut ground, &realm.fabric, (work, &progress));
            built.made_of = faults.is_empty().then(|| Arc::clone(&realm.fabric));
            let mut told = work.faults.lock();
            told.retain(|(of, _), _| *of != realm.realm);
            for (vpc, why) in faults {
                tracing::error!(%vpc, %why, "a private network is not what it is to be; it is tried again");
                told.insert((realm.realm.clone(), vpc), why.to_string());
            }
        }
    }
}

impl Built {
    fn namespaces(&self) -> usize {
        self.vpcs.values().map(Vpc::namespaces).sum()
    }

    /// Makes the networks of a realm; says which are not what they are to be.
    fn become_what(
        &mut self,
        ground: &mut Ground,
        fabric: &Fabric,
        (work, progress): (&Work, &Arc<Progress>),
    ) -> Vec<(VpcId, Refused)> {
        let mut faults = Vec::new();
        let is_there = |id: &VpcId| fabric.vpcs.iter().any(|net| net.id == *id);
        let gone: Vec<VpcId> = self.vpcs.keys().filter(|id| !is_there(id)).copied().collect();
        gone.iter().filter_map(|id| self.vpcs.remove(id)).for_each(|vpc| ground.left += vpc.forget(work));
        for net in &fabric.vpcs {
            let mut ruleset = ruleset::of(fabric, net.id);
            let has_somebody =
                |door: &Door| fabric.interface_by_id(door.interface).is_some_and(|index| fabric.is_inhabited(index));
            ruleset.doors.retain(has_somebody);
            if let Err(failure) = self.settle(ground, (net, &ruleset), (work, progress)) {
                faults.push((net.id, failure));
            }
        }
        faults
    }

    fn settle(
        &mut self,
        ground: &mut Ground,
        (net, ruleset): (&VpcNet, &Ruleset),
        (work, progress): (&Work, &Arc<Progress>),
    ) -> Result<(), Refused> {
        if ruleset.doors.is_empty() {
            // A VPC that nobody is in costs nothing.
            self.vpcs.remove(&net.id).into_iter().for_each(|vpc| ground.left += vpc.forget(work));
            return Ok(());
        }
        let vpc = match self.vpcs.entry(net.id) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                ground.take()?;
                let mut network = Network::new(&ground.inside, &net.cidrs)?;
                network.forward()?;
                place.insert(Vpc { network, interfaces: BTreeMap::new() })
            }
        };
        vpc.network.reblock(&net.cidrs)?;
        ground.left += vpc.take_away(&ruleset.doors, work)?;
        // Whoever found no room is left out, and the others have their rules all the same.
        let added = vpc.add(&ruleset.doors, ground);
        vpc.network.enforce(ruleset, &vpc.cables())?;
        let place = |plugged: &Plugged| Place {
            namespace: plugged.namespace.clone(),
            address: plugged.plug.address,
            progress: Arc::clone(progress),
        };
        // Nobody is told of an interface before its rules are in force.
        work.places.write().extend(vpc.interfaces.iter().map(|(id, plugged)| (*id, place(plugged))));
        added
    }
}

impl Vpc {
    /// The router's and those of interfaces.
    fn namespaces(&self) -> usize {
        1 + self.interfaces.len()
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
            self.interfaces.remove(id);
        }
        Ok(gone.len())
    }

    /// Adds what is new. It reaches nobody before the rules know of its cable.
    fn add(&mut self, doors: &[Door], ground: &mut Ground) -> Result<(), Refused> {
        for door in doors {
            if self.interfaces.contains_key(&door.interface) {
                continue;
            }
            ground.take()?;
            let plug = Plug { cable: self.network.next_cable()?, address: door.address, gateway: door.gateway };
            let namespace = self.network.add(plug)?;
            self.interfaces.insert(door.interface, Plugged { plug, namespace });
        }
        Ok(())
    }

    fn cables(&self) -> Cables {
        self.interfaces.iter().map(|(id, plugged)| (*id, plugged.plug.cable)).collect()
    }

    /// Lets go of the network, and says how many namespaces it had. What is still open in it reaches nobody.
    fn forget(self, work: &Work) -> usize {
        let mut places = work.places.write();
        self.interfaces.keys().for_each(|id| drop(places.remove(id)));
        self.namespaces()
    }
}
