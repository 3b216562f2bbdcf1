//! Compiles flow logs: which interfaces each of them tells of.

use std::sync::Arc;

use crate::estate::RealmEstate;
use crate::id::Realm;
use crate::resource::flow_log::{self, FlowDestination, FlowSource};
use crate::resource::network_interface::InterfaceOwner;
use crate::snapshot::fabric::{Fabric, FlowLog, FlowTo, InterfaceIndex, Logged};
use crate::snapshot::logs::{LogKind, LogPlace};

/// Adds the flow logs of a realm to its interfaces.
pub(super) fn add(realm: &Realm, estate: &RealmEstate, fabric: &mut Fabric) {
    if estate.flow_logs.is_empty() {
        return;
    }
    let logs: Vec<_> = estate.flow_logs.values().map(|log| (log.source, Arc::new(compiled(realm, log)))).collect();
    for (at, interface) in (0u32..).zip(&fabric.interfaces) {
        let is_told = |source: FlowSource| match source {
            FlowSource::Vpc(vpc) => interface.vpc == vpc,
            FlowSource::Subnet(subnet) => interface.subnet == subnet,
            FlowSource::Interface(id) => interface.id == id,
        };
        let told: Vec<_> = logs.iter().filter(|(source, _)| is_told(*source)).map(|(_, log)| Arc::clone(log)).collect();
        if told.is_empty() {
            continue;
        }
        let instance = match estate.network_interfaces.get(&interface.id).map(|interface| interface.owner) {
            Some(InterfaceOwner::Instance(id)) => Some(id),
            _ => None,
        };
        let logged = Logged { interface: interface.clone(), instance, logs: told.into() };
        fabric.flow_logs.insert(InterfaceIndex(at), Arc::new(logged));
    }
}

fn compiled(realm: &Realm, log: &flow_log::FlowLog) -> FlowLog {
    let to = match &log.destination {
        FlowDestination::Group(group) => FlowTo::Group(group.clone()),
        FlowDestination::Bucket { bucket, prefix } => FlowTo::Files(Arc::new(LogPlace {
            kind: LogKind::Flows,
            bucket: bucket.clone(),
            prefix: prefix.clone(),
            realm: realm.clone(),
            balancer: log.id.to_string(),
            header: log.format.header(),
        })),
    };
    let (format, realm) = (log.format.clone(), realm.clone());
    FlowLog { id: log.id, realm, traffic: log.traffic, format, interval: log.interval, to }
}
